//! "Third-Party Integration Management" of the API reference.

use bosa_auth_core::{ClientId, UserId};

use super::Handle;
use crate::error::{Error, Result};
use crate::model::{IntegrationUpdate, ThirdPartyIntegrationAuth};
use crate::principal::Tenant;

/// Keeps users' accounts at third parties, their credentials sealed at rest.
///
/// Unknown and foreign ids give `None`, an empty list or `false`; a suspended client raises
/// `InvalidClient`, a suspended user `Unauthorized`. An empty connector name is `InvalidInput`,
/// never a wildcard.
///
/// # Security
/// None of these methods asks for a credential: whoever can call them can read every user's
/// accounts.
#[derive(Debug, Clone)]
pub struct ThirdPartyIntegrationService(pub(super) Handle);

impl ThirdPartyIntegrationService {
    /// Stores an account; the first one of a connector becomes its default.
    ///
    /// # Errors
    /// `Unauthorized`: unknown or foreign user. `IntegrationAlreadyExists`: the user has this
    /// account already. `InvalidInput`: a field is malformed.
    pub async fn create_integration(
        &self,
        integration: ThirdPartyIntegrationAuth,
    ) -> Result<ThirdPartyIntegrationAuth> {
        let Some(tenant) = self.tenant(integration.client_id).await? else {
            return Err(Error::Unauthorized);
        };
        Ok(tenant.create_integration(integration).await?.resource)
    }

    /// Returns the default account of a connector, its credential opened.
    ///
    /// # Errors
    /// `NeedsReauthorization`: the account must be connected again. `Unreadable`: the stored value
    /// was moved, edited or truncated.
    pub async fn get_integration(
        &self,
        client_id: impl Into<ClientId>,
        user_id: impl Into<UserId>,
        connector: &str,
    ) -> Result<Option<ThirdPartyIntegrationAuth>> {
        self.get_specific_or_default_integration(client_id, user_id, connector, None)
            .await
    }

    /// Returns the named account of a connector, its credential opened.
    ///
    /// # Errors
    /// As [`get_integration`](Self::get_integration).
    pub async fn get_integration_for(
        &self,
        client_id: impl Into<ClientId>,
        user_id: impl Into<UserId>,
        connector: &str,
        user_identifier: &str,
    ) -> Result<Option<ThirdPartyIntegrationAuth>> {
        self.get_specific_or_default_integration(
            client_id,
            user_id,
            connector,
            Some(user_identifier),
        )
        .await
    }

    /// Returns the named account, or without a name the default one, its credential opened.
    ///
    /// # Errors
    /// As [`get_integration`](Self::get_integration).
    pub async fn get_specific_or_default_integration(
        &self,
        client_id: impl Into<ClientId>,
        user_id: impl Into<UserId>,
        connector: &str,
        user_identifier: Option<&str>,
    ) -> Result<Option<ThirdPartyIntegrationAuth>> {
        let user_id = user_id.into();
        match self.tenant(client_id.into()).await? {
            Some(tenant) => {
                tenant
                    .get_specific_or_default_integration(user_id, connector, user_identifier)
                    .await
            }
            None => Ok(None),
        }
    }

    /// Returns all accounts of a user, their credentials opened. One that cannot be read has
    /// `auth_status` `unreadable` and an empty `auth_string`, and does not fail the others.
    ///
    /// # Errors
    /// `InvalidClient`, `Unauthorized`: the client or the user is suspended.
    pub async fn get_integrations(
        &self,
        client_id: impl Into<ClientId>,
        user_id: impl Into<UserId>,
    ) -> Result<Vec<ThirdPartyIntegrationAuth>> {
        self.integrations(client_id.into(), user_id.into(), None)
            .await
    }

    /// Returns all accounts of a user at one connector, as
    /// [`get_integrations`](Self::get_integrations).
    ///
    /// # Errors
    /// As [`get_integrations`](Self::get_integrations).
    pub async fn get_integrations_for(
        &self,
        client_id: impl Into<ClientId>,
        user_id: impl Into<UserId>,
        connector: &str,
    ) -> Result<Vec<ThirdPartyIntegrationAuth>> {
        self.integrations(client_id.into(), user_id.into(), Some(connector))
            .await
    }

    /// Whether the user has an account of the connector.
    ///
    /// # Errors
    /// `InvalidClient`, `Unauthorized`: the client or the user is suspended.
    pub async fn has_integration(
        &self,
        client_id: impl Into<ClientId>,
        user_id: impl Into<UserId>,
        connector: &str,
    ) -> Result<bool> {
        let user_id = user_id.into();
        match self.tenant(client_id.into()).await? {
            Some(tenant) => tenant.has_integration(user_id, connector).await,
            None => Ok(false),
        }
    }

    /// Deletes the only account of a connector; true when there was one.
    ///
    /// # Errors
    /// `AmbiguousAccount`: there are several; the error names them.
    pub async fn delete_integration(
        &self,
        client_id: impl Into<ClientId>,
        user_id: impl Into<UserId>,
        connector: &str,
    ) -> Result<bool> {
        self.delete(client_id.into(), user_id.into(), connector, None)
            .await
    }

    /// Deletes the named account of a connector; true when there was one.
    ///
    /// # Errors
    /// `InvalidClient`, `Unauthorized`: the client or the user is suspended.
    pub async fn delete_integration_for(
        &self,
        client_id: impl Into<ClientId>,
        user_id: impl Into<UserId>,
        connector: &str,
        user_identifier: &str,
    ) -> Result<bool> {
        self.delete(
            client_id.into(),
            user_id.into(),
            connector,
            Some(user_identifier),
        )
        .await
    }

    /// Makes an account the default of its connector.
    ///
    /// # Errors
    /// `NotFound`: the user has no such account.
    pub async fn set_selected_integration(
        &self,
        client_id: impl Into<ClientId>,
        user_id: impl Into<UserId>,
        connector: &str,
        user_identifier: &str,
    ) -> Result<ThirdPartyIntegrationAuth> {
        let user_id = user_id.into();
        match self.tenant(client_id.into()).await? {
            Some(tenant) => {
                tenant
                    .set_selected_integration(user_id, connector, user_identifier)
                    .await
            }
            None => Err(Error::NotFound {
                what: "integration",
            }),
        }
    }

    /// Replaces an account's credential or its list of permissions.
    ///
    /// # Errors
    /// `NotFound`: the user has no such account.
    pub async fn update_integration_auth(
        &self,
        client_id: impl Into<ClientId>,
        user_id: impl Into<UserId>,
        connector: &str,
        user_identifier: &str,
        update: IntegrationUpdate,
    ) -> Result<ThirdPartyIntegrationAuth> {
        let user_id = user_id.into();
        match self.tenant(client_id.into()).await? {
            Some(tenant) => {
                tenant
                    .update_integration_auth(user_id, connector, user_identifier, update)
                    .await
            }
            None => Err(Error::NotFound {
                what: "integration",
            }),
        }
    }

    async fn integrations(
        &self,
        client_id: ClientId,
        user_id: UserId,
        connector: Option<&str>,
    ) -> Result<Vec<ThirdPartyIntegrationAuth>> {
        match self.tenant(client_id).await? {
            Some(tenant) => tenant.get_integrations(user_id, connector).await,
            None => Ok(Vec::new()),
        }
    }

    async fn delete(
        &self,
        client_id: ClientId,
        user_id: UserId,
        connector: &str,
        user_identifier: Option<&str>,
    ) -> Result<bool> {
        match self.tenant(client_id).await? {
            Some(tenant) => {
                tenant
                    .delete_integration(user_id, connector, user_identifier)
                    .await
            }
            None => Ok(false),
        }
    }

    /// The active client; `None` when it is unknown.
    async fn tenant(&self, client_id: ClientId) -> Result<Option<Tenant>> {
        self.0.operator()?.active_tenant(client_id).await
    }
}
