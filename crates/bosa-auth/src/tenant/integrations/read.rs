//! Reading and listing accounts.

use bosa_auth_core::{AuthStatus, ConnectorName, Scope, Secret, UserId};
use bosa_auth_store::integrations::{IntegrationRow, IntegrationWithKey};

use super::sealed::{open_credential, open_integration};
use super::{bare, explained, model, scopes};
use crate::error::Result;
use crate::model::{Page, PageRequest, ThirdPartyIntegrationAuth};
use crate::principal::Tenant;
use crate::tenant::is_storable;

impl Tenant {
    /// Returns the named account of a connector, or without a name the default one, its credential
    /// opened; `None` when there is no such account or user, or the account is not complete yet.
    ///
    /// An access token that ends soon is refreshed before; if the provider cannot be asked, the one
    /// that is there is returned until it ends. What a caller has stored is returned as it is.
    ///
    /// # Errors
    /// `Unauthorized`: the user is suspended. `NeedsReauthorization`: the account must be connected
    /// again. `ProviderUnavailable`: the access token has ended, and the provider cannot be asked for
    /// another one. `InvalidInput`, `NotFound`: it has ended, and the OAuth client that it was granted
    /// to is no longer set, or the connector no longer declared. `Unreadable`: a stored value does not
    /// open. `PermissionDenied`: the key lacks `integrations:credentials`.
    pub async fn get_specific_or_default_integration(
        &self,
        user_id: UserId,
        connector: &str,
        user_identifier: Option<&str>,
    ) -> Result<Option<ThirdPartyIntegrationAuth>> {
        self.require(Scope::IntegrationsCredentials)?;
        let connector = self.known_connector(user_id, connector).await?;
        let client = self.auth.inner.store.client(self.id());
        let connector = connector.as_str();
        let account = match user_identifier {
            Some(name) => is_storable(name)
                .then(|| client.named_granted_integration_reading(user_id, connector, name)),
            None => Some(client.default_granted_integration_reading(user_id, connector)),
        };
        let (has_user, found) = self.has_active_user_and(user_id, account).await?;
        let found = found.flatten().filter(|_| has_user);
        let Some(found) = found.filter(|found| is_complete(&found.integration)) else {
            return Ok(None);
        };
        let Some(found) = self.auth.with_usable_token(self.actor, found).await? else {
            return Ok(None);
        };
        let auth_string = open_credential(&self.auth, &found.integration, &found.key)?;
        model(&found.integration, auth_string).map(Some)
    }

    /// Returns all accounts of a user, their credentials opened and never refreshed; one that cannot be
    /// read has `auth_status` `unreadable` and an empty credential, and one that is not complete yet
    /// has an empty one too.
    ///
    /// # Errors
    /// `Unauthorized`: the user is suspended. `PermissionDenied`: the key lacks
    /// `integrations:credentials`.
    pub async fn get_integrations(
        &self,
        user_id: UserId,
        connector: Option<&str>,
    ) -> Result<Vec<ThirdPartyIntegrationAuth>> {
        self.require(Scope::IntegrationsCredentials)?;
        let connector = self.known_connector_of(user_id, connector).await?;
        let client = self.auth.inner.store.client(self.id());
        let connector = connector.as_ref().map(ConnectorName::as_str);
        let accounts = client.integrations_reading(user_id, connector);
        let (has_user, found) = self.has_active_user_and(user_id, accounts).await?;
        if !has_user {
            return Ok(Vec::new());
        }
        Ok(found.iter().map(|found| self.open_or_mark(found)).collect())
    }

    /// Lists the accounts of a user without their credentials.
    ///
    /// # Errors
    /// `NotFound`: the client has no such user. `InvalidInput`: the page's limit or cursor is not one
    /// of ours. `PermissionDenied`: the key lacks `integrations:read`.
    pub async fn list_integrations(
        &self,
        user_id: UserId,
        connector: Option<&str>,
        request: PageRequest,
    ) -> Result<Page<ThirdPartyIntegrationAuth>> {
        self.require(Scope::IntegrationsRead)?;
        let connector = self.known_connector_of(user_id, connector).await?;
        let query = request.query()?;
        self.user_or_not_found(user_id).await?;
        let mut client = self.auth.inner.store.client(self.id());
        let connector = connector.as_ref().map(ConnectorName::as_str);
        let page = client.integrations_page(user_id, connector, query).await?;
        let items = page
            .items
            .iter()
            .map(|found| {
                let reason = found.needs_reauth.as_ref();
                explained(&found.integration, Secret::default(), reason)
            })
            .collect::<Result<_>>()?;
        Ok(Page::new(items, page.next))
    }

    /// Whether the user has an account of the connector.
    ///
    /// # Errors
    /// `Unauthorized`: the user is suspended. `PermissionDenied`: the key lacks `integrations:read`.
    pub async fn has_integration(&self, user_id: UserId, connector: &str) -> Result<bool> {
        self.require(Scope::IntegrationsRead)?;
        let connector = self.known_connector(user_id, connector).await?;
        let client = self.auth.inner.store.client(self.id());
        let any = client.has_integration_reading(user_id, connector.as_str());
        let (has_user, has_any) = self.has_active_user_and(user_id, any).await?;
        Ok(has_user && has_any)
    }

    fn open_or_mark(&self, found: &IntegrationWithKey) -> ThirdPartyIntegrationAuth {
        let opened = match is_complete(&found.integration) {
            true => open_integration(&self.auth, found),
            false => Ok(Secret::default()),
        };
        let opened = opened.and_then(|auth_string| {
            explained(&found.integration, auth_string, found.needs_reauth.as_ref())
        });
        opened.unwrap_or_else(|_| {
            let row = &found.integration;
            ThirdPartyIntegrationAuth {
                auth_status: AuthStatus::Unreadable,
                auth_status_since: None,
                auth_scopes: scopes(row).unwrap_or_default(),
                ..bare(row)
            }
        })
    }
}

/// Whether an account can be read: until its code has come, nobody knows whose it is.
fn is_complete(row: &IntegrationRow) -> bool {
    row.auth_status != AuthStatus::Pending
}

pub(in crate::tenant) fn without_credentials(
    found: &[IntegrationWithKey],
) -> Result<Vec<ThirdPartyIntegrationAuth>> {
    found
        .iter()
        .map(|found| {
            let reason = found.needs_reauth.as_ref();
            explained(&found.integration, Secret::default(), reason)
        })
        .collect()
}
