//! What a user does with its own token.

use bosa_auth_core::{Actor, ScopeSet, Secret};

use crate::auth::Auth;
use crate::error::{Error, Result};
use crate::idempotency::Idempotency;
use crate::model::{
    ClientModel, ConfiguredIntegration, Created, NewIntegration, ThirdPartyIntegrationAuth,
    UserComplete, UserModel, VerifiedToken,
};
use crate::principal::{CurrentUser, Tenant};
use crate::tenant::tokens::with_client;

const NOT_FOUND: Error = Error::NotFound {
    what: "integration",
};

impl Auth {
    /// Verifies a user's token, with or without a client key beside it. Without, the token's client
    /// is the caller; with, the token must be that client's, and the key's scopes limit what the
    /// user may do.
    ///
    /// # Errors
    /// `InvalidClient`: the key is not valid, the token's client is suspended, or the configuration
    /// demands a key and there is none. `InvalidToken`, `ExpiredToken`, `RevokedToken`.
    pub async fn current_user(
        &self,
        client_api_key: Option<&str>,
        token: &str,
    ) -> Result<CurrentUser> {
        let tenant = match client_api_key {
            Some(key) => Some(self.authenticate_client(key).await?),
            None if self.requires_client_key() => return Err(Error::InvalidClient),
            None => None,
        };
        let client = tenant.as_ref().map(Tenant::id);
        let verified = self.inner.verify_token(token, client, with_client).await?;
        Ok(self.user_of(tenant, verified))
    }

    /// Verifies a user's token from memory, without any I/O. `None` says nothing about the token,
    /// only that [`current_user`](Self::current_user) has to read.
    ///
    /// # Errors
    /// What no reading would change. `InvalidClient`: the key is malformed, or the configuration
    /// demands one and there is none. `InvalidToken`: the token is malformed, or its signature or a
    /// claim is wrong.
    pub fn try_current_user(
        &self,
        client_api_key: Option<&str>,
        token: &str,
    ) -> Result<Option<CurrentUser>> {
        let tenant = match client_api_key {
            Some(key) => match self.try_authenticate_client(key)? {
                Some(tenant) => Some(tenant),
                None => return Ok(None),
            },
            None if self.requires_client_key() => return Err(Error::InvalidClient),
            None => None,
        };
        let client = tenant.as_ref().map(Tenant::id);
        let verified = self.inner.try_verify_token(token, client, with_client)?;
        Ok(verified.map(|verified| self.user_of(tenant, verified)))
    }

    fn user_of(
        &self,
        tenant: Option<Tenant>,
        (verified, client): (VerifiedToken, ClientModel),
    ) -> CurrentUser {
        let api_key_id = tenant.as_ref().and_then(Tenant::api_key_id);
        let mut tenant = tenant.unwrap_or_else(|| Tenant {
            auth: self.clone(),
            client,
            actor: Actor::User(verified.user_id),
            scopes: ScopeSet::all(),
            idempotency: Idempotency::default(),
        });
        tenant.actor = Actor::User(verified.user_id);
        CurrentUser {
            tenant,
            user_id: verified.user_id,
            token_id: verified.id,
            identifier: verified.identifier,
            api_key_id,
        }
    }
}

impl CurrentUser {
    /// The user with its integrations, their credentials left out.
    ///
    /// # Errors
    /// `PermissionDenied`: the key beside the token lacks `users:read`.
    pub async fn profile(&self) -> Result<UserComplete> {
        self.tenant.get_user_complete(self.user_id).await
    }

    /// Stores an account.
    ///
    /// # Errors
    /// `IntegrationAlreadyExists`: it is there already and may not be replaced. `InvalidInput`: a
    /// field is malformed. `PermissionDenied`: the key beside the token lacks `integrations:write`.
    pub async fn create_integration(
        &self,
        new: NewIntegration,
    ) -> Result<Created<ThirdPartyIntegrationAuth>> {
        self.tenant.add_integration(self.user_id, new).await
    }

    /// Stores an account with a credential that is made of fields.
    ///
    /// # Errors
    /// As [`create_integration`](Self::create_integration), and as
    /// [`Tenant::configure_integration`](crate::Tenant::configure_integration) says.
    pub async fn configure_integration(
        &self,
        new: ConfiguredIntegration,
    ) -> Result<Created<ThirdPartyIntegrationAuth>> {
        self.tenant.configure_integration(self.user_id, new).await
    }

    /// Whether the user has an account of the connector.
    ///
    /// # Errors
    /// `PermissionDenied`: the key beside the token lacks `integrations:read`.
    pub async fn has_integration(&self, connector: &str) -> Result<bool> {
        self.tenant.has_integration(self.user_id, connector).await
    }

    /// The named account, or without a name the default one, its credential opened.
    ///
    /// # Errors
    /// `NotFound`: there is no such account. `PermissionDenied`: the key beside the token lacks
    /// `integrations:credentials`.
    pub async fn get_integration(
        &self,
        connector: &str,
        user_identifier: Option<&str>,
    ) -> Result<ThirdPartyIntegrationAuth> {
        let found = self
            .tenant
            .get_specific_or_default_integration(self.user_id, connector, user_identifier)
            .await?;
        found.ok_or(NOT_FOUND)
    }

    /// Makes an account the default of its connector.
    ///
    /// # Errors
    /// `NotFound`: there is no such account.
    pub async fn select_integration(
        &self,
        connector: &str,
        user_identifier: &str,
    ) -> Result<ThirdPartyIntegrationAuth> {
        self.tenant
            .set_selected_integration(self.user_id, connector, user_identifier)
            .await
    }

    /// Deletes the named account, or without a name the only one.
    ///
    /// # Errors
    /// `NotFound`: there is no such account. `AmbiguousAccount`: there are several and none is named.
    pub async fn delete_integration(
        &self,
        connector: &str,
        user_identifier: Option<&str>,
    ) -> Result<()> {
        let deleted = self
            .tenant
            .delete_integration(self.user_id, connector, user_identifier)
            .await?;
        if deleted { Ok(()) } else { Err(NOT_FOUND) }
    }

    /// Replaces the user's secret by a chosen one and ends all its tokens, this one included.
    ///
    /// # Errors
    /// `Unauthorized`: the current secret is wrong. `InvalidInput`: the new one is malformed.
    /// `RateLimited`, `Overloaded`: as at login.
    pub async fn change_secret(
        &self,
        current_secret: Secret,
        new_secret: Secret,
    ) -> Result<UserModel> {
        self.tenant
            .change_user_secret(&self.identifier, current_secret, new_secret)
            .await
    }
}
