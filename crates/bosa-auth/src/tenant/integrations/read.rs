//! Reading and listing accounts.

use bosa_auth_core::{AuthStatus, ConnectorName, Scope, Secret, UserId};
use bosa_auth_store::integrations::IntegrationWithKey;

use super::sealed::open_integration;
use super::{bare, model, scopes};
use crate::error::{Error, Result};
use crate::model::{Page, PageRequest, ThirdPartyIntegrationAuth};
use crate::principal::Tenant;

impl Tenant {
    /// Returns the named account of a connector, or without a name the default one, its credential
    /// opened; `None` when there is no such account or user.
    ///
    /// # Errors
    /// `Unauthorized`: the user is suspended. `NeedsReauthorization`: the account must be connected
    /// again. `Unreadable`: the stored value does not open. `PermissionDenied`: the key lacks
    /// `integrations:credentials`.
    pub async fn get_specific_or_default_integration(
        &self,
        user_id: UserId,
        connector: &str,
        user_identifier: Option<&str>,
    ) -> Result<Option<ThirdPartyIntegrationAuth>> {
        self.require(Scope::IntegrationsCredentials)?;
        let connector = ConnectorName::parse(connector)?;
        let account = match user_identifier {
            Some(name) => self.named_reading(user_id, connector.as_str(), name),
            None => {
                let client = self.auth.inner.store.client(self.id());
                Some(client.default_integration_reading(user_id, connector.as_str()))
            }
        };
        let (has_user, found) = self.has_active_user_and(user_id, account).await?;
        let Some(found) = found.flatten().filter(|_| has_user) else {
            return Ok(None);
        };
        if found.integration.auth_status == AuthStatus::NeedsReauth {
            return Err(Error::NeedsReauthorization {
                connector: found.integration.connector,
                account: found.integration.user_identifier,
                since: found.integration.updated_at,
            });
        }
        let auth_string = open_integration(&self.auth, &found)?;
        model(&found.integration, auth_string).map(Some)
    }

    /// Returns all accounts of a user, their credentials opened; one that cannot be read has
    /// `auth_status` `unreadable` and an empty credential.
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
        let connector = connector.map(ConnectorName::parse).transpose()?;
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
        let connector = connector.map(ConnectorName::parse).transpose()?;
        let query = request.query()?;
        self.user_or_not_found(user_id).await?;
        let mut client = self.auth.inner.store.client(self.id());
        let connector = connector.as_ref().map(ConnectorName::as_str);
        let page = client.integrations_page(user_id, connector, query).await?;
        let items = page
            .items
            .iter()
            .map(|row| model(row, Secret::default()))
            .collect::<Result<_>>()?;
        Ok(Page::new(items, page.next))
    }

    /// Whether the user has an account of the connector.
    ///
    /// # Errors
    /// `Unauthorized`: the user is suspended. `PermissionDenied`: the key lacks `integrations:read`.
    pub async fn has_integration(&self, user_id: UserId, connector: &str) -> Result<bool> {
        self.require(Scope::IntegrationsRead)?;
        let connector = ConnectorName::parse(connector)?;
        let client = self.auth.inner.store.client(self.id());
        let any = client.has_integration_reading(user_id, connector.as_str());
        let (has_user, has_any) = self.has_active_user_and(user_id, any).await?;
        Ok(has_user && has_any)
    }

    fn open_or_mark(&self, found: &IntegrationWithKey) -> ThirdPartyIntegrationAuth {
        let opened = open_integration(&self.auth, found)
            .and_then(|auth_string| model(&found.integration, auth_string));
        opened.unwrap_or_else(|_| {
            let row = &found.integration;
            ThirdPartyIntegrationAuth {
                auth_status: AuthStatus::Unreadable,
                auth_scopes: scopes(row).unwrap_or_default(),
                ..bare(row)
            }
        })
    }
}

pub(in crate::tenant) fn without_credentials(
    found: &[IntegrationWithKey],
) -> Result<Vec<ThirdPartyIntegrationAuth>> {
    found
        .iter()
        .map(|found| model(&found.integration, Secret::default()))
        .collect()
}
