//! Multi-tenant authentication: clients with API keys, their users with secrets, tokens, and a vault
//! of each user's accounts at third parties.
#![warn(missing_docs)]

mod auth;
mod connectors;
mod digest_keys;
mod error;
mod global;
mod hasher;
mod idempotency;
mod instance;
mod key_files;
mod last_used;
mod maintenance;
mod model;
mod operator;
mod page;
mod principal;
mod readiness;
mod services;
mod settings;
mod signing_keys;
mod tenant;
mod throttle;

/// The services of the API reference, for the process-wide instance.
pub mod service {
    pub use crate::services::*;
}

/// What the services take and give.
pub mod models {
    pub use crate::model::*;
}

pub use auth::{Auth, Description, OpenMode};
pub use bosa_auth_core::token::Algorithm;
pub use bosa_auth_core::{
    ApiKeyId, AuthStatus, ClientId, Clock, Entropy, IntegrationId, ManualClock, Scope, ScopeSet,
    Secret, SeededEntropy, SystemClock, SystemEntropy, Timestamp, TokenId, UserId,
};
pub use error::{Error, ErrorKind, Result};
pub use global::{initialize_authentication_db, shutdown};
pub use idempotency::IdempotencyKey;
pub use model::*;
pub use principal::{CurrentUser, Operator, Tenant};
pub use readiness::Readiness;
pub use settings::{
    AuthenticationDbSettings, Configuration, ConfigurationFile, Entry, SETTINGS, SettingSpec,
    Source,
};
pub use signing_keys::SigningKeyInfo;
