//! Settings of connectors: the OAuth client that a client of ours, or the whole deployment, has at a
//! provider.
//!
//! A client's own OAuth client takes the place of the deployment's as a whole: its id, its secret and
//! the variables of the provider's addresses. Addresses to return to are those of both.

mod change;
mod check;
mod client;
mod deployment;
mod document;
mod oauth_client;
mod owned;
mod secret;

use std::collections::BTreeMap;

use bosa_auth_core::{Secret, Timestamp};

use crate::error::Error;

pub(crate) use self::document::return_address;
pub(crate) use self::oauth_client::OAuthClient;

const NO_SETTINGS: Error = Error::NotFound {
    what: "settings of the connector",
};

/// The settings of a connector, without the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectorSettings {
    /// The connector.
    pub connector: String,
    /// The id of the OAuth client at the provider.
    pub client_id: Option<String>,
    /// Whether the secret of the OAuth client is stored. It is never shown.
    pub has_client_secret: bool,
    /// The scopes that are asked for; none stands for the connector's own.
    pub scopes: Vec<String>,
    /// Where browsers may be sent after an account was connected.
    pub return_addresses: Vec<String>,
    /// The values of the connector's variables.
    pub variables: BTreeMap<String, String>,
    /// Whether a connected account can be read only after the client has posted the code that the
    /// returning browser carried.
    pub require_completion: bool,
    /// When they were first stored.
    pub created_at: Timestamp,
    /// When they were last changed.
    pub updated_at: Timestamp,
}

/// The settings of a connector, to be stored in place of the former ones.
#[derive(Debug, Default)]
pub struct NewConnectorSettings {
    /// The id of the OAuth client at the provider; `None` leaves the connection to the deployment's
    /// OAuth client.
    pub client_id: Option<String>,
    /// What becomes of the secret of the OAuth client.
    pub client_secret: SecretChange,
    /// The scopes that are asked for; none stands for the connector's own.
    pub scopes: Vec<String>,
    /// Where browsers may be sent after an account was connected: absolute URLs, compared as a whole.
    pub return_addresses: Vec<String>,
    /// The values of the connector's variables, each one label of a host name.
    pub variables: BTreeMap<String, String>,
    /// Whether a connected account can be read only after the client has posted the code that the
    /// returning browser carried.
    pub require_completion: bool,
}

/// What becomes of a secret that is not shown.
#[derive(Debug, Default)]
pub enum SecretChange {
    /// It stays, which it can do only while the OAuth client is the same.
    #[default]
    Keep,
    /// This one takes its place.
    Replace(Secret),
    /// There is none from now on.
    Remove,
}
