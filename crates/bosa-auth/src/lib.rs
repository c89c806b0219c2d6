//! Multi-tenant authentication: **clients** with API keys, their **users** with secrets, **tokens**
//! (JWT: issue, verify, revoke), and a vault of each user's accounts at third parties, on an embedded
//! SQLite file or on PostgreSQL.
//!
//! ```
//! use bosa_auth::{AuthenticationDbSettings, Secret, ThirdPartyIntegrationAuth};
//! use bosa_auth::{initialize_authentication_db, shutdown};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), bosa_auth::Error> {
//! // In memory here; leave the address out for a file in `bosa-auth-data`.
//! let auth = initialize_authentication_db(AuthenticationDbSettings {
//!     database_authentication_url: Some("sqlite://".into()),
//!     ..Default::default()
//! })
//! .await?;
//!
//! // A tenant. Its key is shown this once.
//! let client = auth.create_client_service().create_client("acme").await?;
//! let key = client.api_key.expose();
//!
//! // A user of that tenant, with a generated secret, and a login.
//! let user = auth.create_user_service().create_user(key, "ana@example.com").await?;
//! let token = auth
//!     .authenticate_user_service()
//!     .authenticate_user(key, "ana@example.com", user.secret.expose())
//!     .await?;
//!
//! // What a request of that user goes through.
//! let user_id = auth
//!     .verify_token_service()
//!     .verify_token_and_get_user_id(key, token.token.expose())
//!     .await?;
//! assert_eq!(user_id, user.id.as_uuid());
//!
//! // An account at a third party, sealed at rest.
//! let integrations = auth.third_party_integration_service();
//! integrations
//!     .create_integration(ThirdPartyIntegrationAuth::new(
//!         client.id,
//!         user.id,
//!         "github",
//!         "octocat",
//!         Secret::from("gho_0123456789"),
//!         vec!["repo".to_owned()],
//!     ))
//!     .await?;
//! let github = integrations.get_integration(client.id, user.id, "github").await?;
//! assert_eq!(github.unwrap().auth_string.expose(), "gho_0123456789");
//!
//! // After this call no verification accepts the token.
//! assert!(auth.revoke_token_service().revoke_token(key, token.token.expose()).await?);
//! # shutdown().await
//! # }
//! ```
//!
//! Services also exist as functions of [`service`], which work on the instance that
//! [`initialize_authentication_db`] installed for the process; [`Auth::open`] makes an independent
//! one. Every failure is an [`Error`] with a permanent [`code`](Error::code).

mod active_keys;
mod auth;
mod backup;
mod cache;
mod connecting;
mod connector_settings;
mod connectors;
mod detached;
mod digest_keys;
mod doctor;
mod error;
mod feed;
mod feed_poll;
pub mod fork;
mod global;
mod hasher;
mod idempotency;
mod import;
mod instance;
mod key_files;
mod last_used;
mod login_audit;
mod maintenance;
mod memory;
mod model;
mod operation;
mod operator;
mod page;
mod principal;
mod public_url;
mod readiness;
mod refresh;
mod schema;
mod services;
mod settings;
mod signing_keys;
mod tenant;
mod throttle;
mod vault;

/// The services of the API reference, for the process-wide instance.
pub mod service {
    pub use crate::services::*;
}

/// What the services take and give.
pub mod models {
    pub use crate::model::*;
}

pub use auth::{Auth, Description, OpenMode};
pub use backup::{BackupMode, BackupReport, Progress, RestoreOptions, RestoreReport, restore};
pub use bosa_auth_core::token::Algorithm;
pub use bosa_auth_core::{
    ApiKeyId, AuthStatus, ClientId, Clock, Entropy, IntegrationId, ManualClock, Scope, ScopeSet,
    Secret, SeededEntropy, SystemClock, SystemEntropy, Timestamp, TokenId, UserId,
};
pub use connecting::{
    BegunConnection, BrowserCookie, BrowserCookies, ConnectDeparture, ConnectEnd, ConnectFailure,
    ConnectLanding, ConnectPage, ConnectedAccount, NewConnection, ProviderAnswer,
};
pub use connector_settings::{ConnectorSettings, NewConnectorSettings, SecretChange};
pub use connectors::Connector;
pub use doctor::{Finding, Severity, doctor};
pub use error::{Error, ErrorKind, Result, Violation};
pub use global::{initialize_authentication_db, shutdown};
pub use idempotency::IdempotencyKey;
pub use import::{
    ImportLine, ImportOptions, ImportOutcome, ImportProgress, ImportReason, ImportReport,
    ImportSource, ImportedKind,
};
pub use model::*;
pub use operator::{
    ConnectorKeyInfo, DataKeyAges, DependentCredential, DigestKeyInfo, EndedCredentials, RekeyEnd,
    RekeyOptions, RekeyProgress, RekeyReport, RekeyStatus, RetireDigestKey, RewrappedKeys,
    RootKeyInfo, VaultCounts, VaultReport, VaultStatus, WrapReport,
};
pub use principal::{CurrentUser, Operator, Tenant};
pub use readiness::Readiness;
pub use schema::{MigrationInfo, migrate_up, migration_status};
pub use settings::{
    AuthenticationDbSettings, Configuration, ConfigurationFile, Entry, SETTINGS, SettingSpec,
    Source,
};
pub use signing_keys::SigningKeyInfo;

/// The snippets of the README run as doc tests.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
