//! Credentials, tokens and sealed values of BOSA Auth, without I/O.
//!
//! Everything here is a value or a function of its arguments: the time comes from a [`Clock`],
//! randomness from an [`Entropy`], and nothing reads a file, a variable or a database.

mod audit;
mod client;
mod clock;
pub mod credential;
mod entropy;
mod id;
mod integration;
mod name;
mod original;
pub mod password;
mod permission;
mod secret;
mod text_enum;
pub mod token;
mod user;
pub mod vault;

pub use audit::{Actor, AuditAction, AuditEvent};
pub use client::ClientState;
pub use clock::{Clock, ManualClock, OutOfRange, SystemClock, Timestamp, from_micros, to_micros};
pub use credential::{
    CredentialKind, Digest, DigestKey, Form, IssuedCredential, MachineUserSecret,
    MalformedCredential, PresentedClientKey, PresentedUserSecret, as_label, cut, imported_digest,
    issue_client_key, issue_user_secret, keyed_digest,
};
pub use entropy::{Entropy, EntropyError, SeededEntropy, SystemEntropy};
pub use id::{
    ApiKeyId, ClientId, DataKeyId, DigestKeyId, InstanceId, IntegrationId, InvalidId, NodeId,
    OperationId, TokenId, UserId,
};
pub use integration::AuthStatus;
pub use name::{AccountName, ChosenSecret, ClientName, ConnectorName, Identifier, InvalidName};
pub use original::{OriginalKey, OriginalKeyError, may_be_encrypted};
pub use password::{Argon2Cost, HashMemory, PasswordError};
pub use permission::{Scope, ScopeSet};
pub use secret::{Secret, SecretBytes};
pub use text_enum::UnknownText;
pub use user::{SecretKind, UserState};
