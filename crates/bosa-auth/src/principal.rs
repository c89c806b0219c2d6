//! Who is calling: the operator, a client by one of its API keys, or a user by its token.
//!
//! A use case that touches a client's data is a method of [`Tenant`] or [`CurrentUser`]; neither
//! exists without the client's id.

use bosa_auth_core::{Actor, ApiKeyId, ClientId, Scope, ScopeSet, TokenId, UserId};

use crate::auth::Auth;
use crate::error::{Error, Result};
use crate::idempotency::{Idempotency, IdempotencyKey};
use crate::model::ClientModel;

/// The authority over every client: whoever embeds the library, the command line, or a caller with
/// a master key.
#[derive(Debug, Clone)]
pub struct Operator {
    pub(crate) auth: Auth,
    pub(crate) actor: Actor,
    pub(crate) idempotency: Idempotency,
}

/// A client whose key was verified, and what that key may do.
#[derive(Debug)]
pub struct Tenant {
    pub(crate) auth: Auth,
    pub(crate) client: ClientModel,
    pub(crate) actor: Actor,
    pub(crate) scopes: ScopeSet,
    pub(crate) idempotency: Idempotency,
}

/// A user whose token was verified.
#[derive(Debug)]
pub struct CurrentUser {
    /// Acts with the user's own authority, or with less when a client key came along.
    pub(crate) tenant: Tenant,
    pub(crate) user_id: UserId,
    pub(crate) token_id: TokenId,
    pub(crate) identifier: String,
    /// The client key that came along, if one did.
    pub(crate) api_key_id: Option<ApiKeyId>,
}

impl Operator {
    /// Makes the next creation carry an idempotency key.
    #[must_use]
    pub fn with_idempotency(mut self, key: IdempotencyKey) -> Self {
        self.idempotency = Idempotency::of(key);
        self
    }

    /// Acts for one client, suspended ones included, with every scope.
    ///
    /// # Errors
    /// `NotFound`: there is no such client.
    pub async fn tenant(&self, client_id: ClientId) -> Result<Tenant> {
        let client = self.find_client(client_id).await?;
        Ok(self.acting_for(client))
    }

    /// Acts for one client with every scope; `None` when there is no such client. Who it is may come
    /// from memory, as when a key of the client is verified.
    ///
    /// # Errors
    /// `InvalidClient`: the client is suspended.
    pub(crate) async fn active_tenant(&self, client_id: ClientId) -> Result<Option<Tenant>> {
        let client = self.active_client(client_id).await?;
        Ok(client.map(|client| self.acting_for(client)))
    }

    fn acting_for(&self, client: ClientModel) -> Tenant {
        Tenant {
            auth: self.auth.clone(),
            client,
            actor: self.actor,
            scopes: ScopeSet::all(),
            idempotency: self.idempotency.clone(),
        }
    }
}

impl Tenant {
    /// The client; its `api_key` is empty.
    #[must_use]
    pub fn client(&self) -> &ClientModel {
        &self.client
    }

    /// The client; its `api_key` is empty.
    #[must_use]
    pub fn into_client(self) -> ClientModel {
        self.client
    }

    /// What the key may do.
    #[must_use]
    pub fn scopes(&self) -> ScopeSet {
        self.scopes
    }

    /// Makes the next creation carry an idempotency key.
    #[must_use]
    pub fn with_idempotency(mut self, key: IdempotencyKey) -> Self {
        self.idempotency = Idempotency::of(key);
        self
    }

    pub(crate) fn id(&self) -> ClientId {
        self.client.id
    }

    /// # Errors
    /// `PermissionDenied` when the key lacks the scope.
    pub(crate) fn require(&self, scope: Scope) -> Result<()> {
        require(self.scopes, scope)
    }
}

/// # Errors
/// `PermissionDenied` when the scopes lack it.
pub(crate) fn require(scopes: ScopeSet, scope: Scope) -> Result<()> {
    if scopes.contains(scope) {
        Ok(())
    } else {
        Err(Error::PermissionDenied { scope })
    }
}

impl CurrentUser {
    /// The user's id.
    #[must_use]
    pub fn user_id(&self) -> UserId {
        self.user_id
    }

    /// The user's client.
    #[must_use]
    pub fn client_id(&self) -> ClientId {
        self.tenant.id()
    }

    /// The user's identifier today.
    #[must_use]
    pub fn identifier(&self) -> &str {
        &self.identifier
    }

    /// The id of the token that was presented.
    #[must_use]
    pub fn token_id(&self) -> TokenId {
        self.token_id
    }

    /// Makes the next creation carry an idempotency key.
    #[must_use]
    pub fn with_idempotency(mut self, key: IdempotencyKey) -> Self {
        self.tenant = self.tenant.with_idempotency(key);
        self
    }
}
