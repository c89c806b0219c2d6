//! Integrations: a user's accounts at third parties, their credentials sealed.

use bosa_auth_core::{AuthStatus, ClientState, ConnectorName, Secret, UserId, UserState};
use bosa_auth_store::integrations::{IntegrationRow, IntegrationWithKey};
use bosa_auth_store::users::UserWithClient;
use bosa_auth_store::{InstanceState, NeedsReauth, Reading, StoreError, Together};
use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::model::ThirdPartyIntegrationAuth;
use crate::principal::Tenant;
use crate::tenant::is_storable;

mod change;
mod configuration;
mod create;
mod read;
mod sealed;

pub(crate) use create::new_account;
pub(in crate::tenant) use read::without_credentials;
pub(crate) use sealed::{open_credential, open_refresh_token};

const MOST_SCOPES: usize = 256;
const LONGEST_SCOPE: usize = 1024;
const NOT_FOUND: Error = Error::NotFound {
    what: "integration",
};

impl Tenant {
    /// Whether the client has this user, and what is read in the same round trip.
    ///
    /// # Errors
    /// `InvalidClient` or `Unauthorized` when the client or the user is suspended.
    async fn has_active_user_and<R: Together>(
        &self,
        user_id: UserId,
        readings: R,
    ) -> Result<(bool, R::Answer)> {
        let store = &self.auth.inner.store;
        let user = store.client(self.id()).user_reading(user_id);
        let (user, answer) = store.together((user, readings)).await?;
        Ok((is_active(user.as_ref())?, answer))
    }

    /// # Errors
    /// `Unauthorized` when the client has no such user, and as
    /// [`has_active_user_and`](Self::has_active_user_and).
    pub(crate) async fn require_active_user(&self, user_id: UserId) -> Result<()> {
        let mut client = self.auth.inner.store.client(self.id());
        let user = client.user(user_id).await?;
        if is_active(user.as_ref())? {
            Ok(())
        } else {
            Err(Error::Unauthorized)
        }
    }

    /// The connector of accounts that are there already. One of another form than is taken today may
    /// have been imported: it is found by its exact text.
    ///
    /// # Errors
    /// `InvalidInput`: it is no name of a connector, and the user has no account of one called so.
    async fn known_connector(&self, user_id: UserId, connector: &str) -> Result<ConnectorName> {
        let refused = match ConnectorName::parse(connector) {
            Ok(connector) => return Ok(connector),
            Err(error) => error,
        };
        // An empty one names nothing.
        if !connector.is_empty() && is_storable(connector) {
            let mut client = self.auth.inner.store.client(self.id());
            if client.has_integration(user_id, connector).await? {
                return Ok(ConnectorName::stored(connector.to_owned()));
            }
        }
        Err(refused.into())
    }

    /// As [`known_connector`](Self::known_connector), where one may be named.
    async fn known_connector_of(
        &self,
        user_id: UserId,
        connector: Option<&str>,
    ) -> Result<Option<ConnectorName>> {
        match connector {
            Some(connector) => self.known_connector(user_id, connector).await.map(Some),
            None => Ok(None),
        }
    }

    /// The account of this name; `None` for a name that no database stores.
    fn named_reading(
        &self,
        user_id: UserId,
        connector: &str,
        user_identifier: &str,
    ) -> Option<Reading<Option<IntegrationWithKey>>> {
        let client = self.auth.inner.store.client(self.id());
        is_storable(user_identifier)
            .then(|| client.named_integration_reading(user_id, connector, user_identifier))
    }
}

/// Whether a user that was looked for is there.
///
/// # Errors
/// `InvalidClient` or `Unauthorized` when the client or the user is suspended.
pub(crate) fn is_active(user: Option<&UserWithClient>) -> Result<bool> {
    match user {
        None => Ok(false),
        Some(found) if found.instance_state != InstanceState::Open => Err(StoreError::Moved.into()),
        Some(found) if found.client.state != ClientState::Active => Err(Error::InvalidClient),
        Some(found) if found.user.state != UserState::Active => Err(Error::Unauthorized),
        Some(_) => Ok(true),
    }
}

pub(crate) fn scopes_text(scopes: &[String]) -> Result<String> {
    check_scopes("auth_scopes", scopes)?;
    serde_json::to_string(scopes).map_err(Error::internal)
}

/// # Errors
/// `InvalidInput` naming the field when there are too many scopes or one cannot be one.
pub(crate) fn check_scopes(field: &'static str, scopes: &[String]) -> Result<()> {
    let malformed = |scope: &String| {
        scope.is_empty() || scope.len() > LONGEST_SCOPE || scope.chars().any(char::is_control)
    };
    if scopes.len() > MOST_SCOPES {
        return Err(Error::invalid(field, "has more than 256 elements"));
    }
    if scopes.iter().any(malformed) {
        let reason = "must hold texts of 1 to 1024 bytes without control characters";
        return Err(Error::invalid(field, reason));
    }
    Ok(())
}

fn scopes(row: &IntegrationRow) -> Result<Vec<String>> {
    serde_json::from_str(&row.auth_scopes).map_err(|_| Error::Unreadable {
        what: "the scopes of an integration".to_owned(),
    })
}

/// What the audit keeps of an account.
pub(crate) fn describe(row: &IntegrationRow) -> String {
    description(row).to_string()
}

/// As [`describe`], with one thing more.
pub(crate) fn describe_with(row: &IntegrationRow, name: &str, value: impl Into<Value>) -> String {
    let mut description = description(row);
    if let Value::Object(members) = &mut description {
        members.insert(name.to_owned(), value.into());
    }
    description.to_string()
}

fn description(row: &IntegrationRow) -> Value {
    json!({
        "user": row.user_id.to_string(),
        "connector": row.connector,
        "user_identifier": row.user_identifier,
    })
}

/// An account with what may be shown of its credential.
///
/// # Errors
/// `Unreadable` when its scopes are not as they are stored.
pub(crate) fn model(
    row: &IntegrationRow,
    auth_string: Secret,
) -> Result<ThirdPartyIntegrationAuth> {
    Ok(ThirdPartyIntegrationAuth {
        auth_string,
        auth_scopes: scopes(row)?,
        ..bare(row)
    })
}

/// As [`model`], with the reason why the account must be connected again, if it must.
///
/// # Errors
/// As [`model`].
fn explained(
    row: &IntegrationRow,
    auth_string: Secret,
    needs_reauth: Option<&NeedsReauth>,
) -> Result<ThirdPartyIntegrationAuth> {
    let mut model = model(row, auth_string)?;
    if let Some(need) = needs_reauth.filter(|_| model.auth_status == AuthStatus::NeedsReauth) {
        model.auth_status_reason = Some(need.reason.clone());
        model.auth_status_since = Some(need.at);
    }
    Ok(model)
}

/// The row without what may not be readable.
fn bare(row: &IntegrationRow) -> ThirdPartyIntegrationAuth {
    ThirdPartyIntegrationAuth {
        id: Some(row.id),
        client_id: row.client_id,
        user_id: row.user_id,
        connector: row.connector.clone(),
        auth_string: Secret::default(),
        user_identifier: row.user_identifier.clone(),
        auth_scopes: Vec::new(),
        selected: row.selected,
        auth_status: row.auth_status,
        auth_status_reason: None,
        auth_status_since: (row.auth_status == AuthStatus::NeedsReauth).then_some(row.updated_at),
        created_at: Some(row.created_at),
    }
}
