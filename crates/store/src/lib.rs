//! The database of BOSA Auth: one SQL text for SQLite and PostgreSQL.
//!
//! [`Db`] hides which of the two is behind it: callers write one statement in the common dialect
//! and bind typed parameters. [`Db::write`] runs a closure in a transaction that its caller cannot
//! cancel halfway and repeats it when the database asks for that; [`migrate`] brings a database to
//! the current schema.
//!
//! [`Store`] is what use cases work through. The data of one client is reached only through
//! [`ClientReader`] and [`ClientTx`], which bind the client's id themselves; what belongs to the
//! instance is a function of its table's module. The store takes ids and times and makes none.

mod accounts;
pub mod api_keys;
pub mod archive;
pub mod audit;
pub mod changes;
mod client_tx;
pub mod clients;
mod columns;
pub mod connect_states;
pub mod connector_keys;
mod connector_settings;
mod counts;
pub mod data_keys;
pub mod db;
pub mod digest_key_end;
pub mod digest_keys;
pub mod error;
pub mod fork;
mod grant_changes;
pub mod grants;
pub mod idempotency;
pub mod import_markers;
pub mod instance;
pub mod integrations;
mod key_state;
pub mod leases;
mod many;
pub mod migrate;
pub mod nodes;
pub mod original;
mod original_cache;
mod page;
pub mod rekey;
pub mod root_keys;
mod sealed;
pub mod shared_connector_settings;
pub mod signing_keys;
mod statements;
mod store;
mod tls;
mod together;
pub mod tokens;
pub mod url;
pub mod users;

pub use accounts::{IntegrationChange, IntegrationDeleted, IntegrationInsert};
pub use api_keys::{ApiKeyRow, ApiKeyWithClient};
pub use changes::{ChangeKind, ChangeRow, FeedHead, FeedPage};
pub use client_tx::{ClientReader, ClientScope, ClientTx};
pub use clients::{ClientChange, ClientRow, Updated};
pub use columns::Opaque;
pub use connect_states::{ConnectReturn, ConnectStateRow, Departure, KeyedDigest, VerifierWithKey};
pub use connector_settings::{
    ConnectorSettingsChange, ConnectorSettingsRow, ConnectorSettingsWithKey,
};
pub use counts::{Counts, ImportedCounts, counts, imported_counts};
pub use data_keys::{DataKeyAges, DataKeyRow, DataKeyUse};
pub use db::{
    BoxFuture, Column, Db, DbOptions, Dialect, FileId, FileVersion, FileWatch, Later, Listener,
    Param, Row, Tx,
};
pub use digest_key_end::{DependentApiKey, DependentUser};
pub use digest_keys::{DigestKeyRow, DigestKeyUse};
pub use error::StoreError;
pub use grant_changes::Refreshed;
pub use grants::{
    AccountPlace, Completion, GrantRow, GrantWithKey, IntegrationWithGrant, NeedsReauth,
    RefreshToken,
};
pub use idempotency::{IdempotencyRow, IdempotencyScope};
pub use import_markers::{ImportKind, ImportMarker, ImportOutcome};
pub use instance::{InstanceRow, InstanceState};
pub use integrations::{IntegrationRow, IntegrationWithKey, ListedIntegration};
pub use key_state::KeyState;
pub use leases::Lease;
pub use nodes::NodeRow;
pub use original::{
    Original, OriginalClient, OriginalCounts, OriginalIntegration, OriginalToken, OriginalUser,
};
pub use original_cache::OriginalCache;
pub use page::{Page, PageQuery};
pub use rekey::{RekeyRemaining, RekeyRow};
pub use root_keys::{CanaryRow, RootKeyUse};
pub use sealed::{Sealed, SealedChange};
pub use signing_keys::SigningKeyRow;
#[doc(hidden)]
pub use statements::statements;
pub use store::{Source, Store};
pub use together::{Reading, Together};
pub use tokens::{Revocation, TokenIssue, TokenRow, TokenWithOwner};
pub use url::{DatabaseUrl, UrlError};
pub use users::{NewSecret, StoredSecret, UserChange, UserRow, UserWithClient};
