//! Credentials other than OAuth that a connector takes.

use serde::{Deserialize, Serialize};

use crate::schema::Schema;

/// What a credential is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CredentialKind {
    /// One key, sent as the provider's documentation says.
    ApiKey,
    /// A user name and a password (RFC 7617).
    Basic,
    /// A token that is sent as `Authorization: Bearer` (RFC 6750).
    Bearer,
    /// Fields of the connector's own, described by a schema.
    Custom,
}

impl CredentialKind {
    /// Every kind, in alphabetical order.
    pub const ALL: [Self; 4] = [Self::ApiKey, Self::Basic, Self::Bearer, Self::Custom];

    /// The kind of a name in a connector file.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The name in a connector file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ApiKey => "api_key",
            Self::Basic => "basic",
            Self::Bearer => "bearer",
            Self::Custom => "custom",
        }
    }
}

/// One way of giving a credential by hand.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct Credential {
    /// What it is made of; no other credential of the connector has the same kind.
    pub kind: CredentialKind,
    /// What the provider calls it.
    pub title: String,
    /// Where the user finds it.
    pub description: String,
    /// The fields of a [`CredentialKind::Custom`]; `None` for every other kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<Schema>,
}
