//! "Client Management" of the API reference.

use bosa_auth_core::{ApiKeyId, ClientId};

use super::Handle;
use crate::error::{Error, Result};
use crate::model::{ApiKeyModel, ClientModel, ClientUpdate, NewApiKey, Page, PageRequest};
use crate::principal::Tenant;

/// Makes and changes clients and their API keys, with the authority of the embedding program.
///
/// # Security
/// None of these methods asks for a credential: whoever can call them owns the database. A server
/// must guard them, as ours does with the master key.
#[derive(Debug, Clone)]
pub struct CreateClientService(pub(super) Handle);

impl CreateClientService {
    /// Makes a client with its first API key.
    ///
    /// The key is in [`ClientModel::api_key`] of this result and nowhere else, ever.
    ///
    /// # Errors
    /// `InvalidInput`: the name is not 1 to 200 characters or holds control characters.
    /// `ClientAlreadyExists`: the name is taken.
    pub async fn create_client(&self, name: &str) -> Result<ClientModel> {
        Ok(self.0.operator()?.create_client(name).await?.resource)
    }

    /// Renames, suspends or resumes a client. Renaming leaves its keys valid.
    ///
    /// # Errors
    /// `NotFound`: there is no such client. `ClientAlreadyExists`: the new name is taken.
    pub async fn update_client(
        &self,
        client_id: impl Into<ClientId>,
        update: ClientUpdate,
    ) -> Result<ClientModel> {
        self.0
            .operator()?
            .update_client(client_id.into(), update)
            .await
    }

    /// Deletes a client with everything that belongs to it.
    ///
    /// # Errors
    /// `NotFound`: there is no such client.
    pub async fn delete_client(&self, client_id: impl Into<ClientId>) -> Result<()> {
        self.0.operator()?.delete_client(client_id.into()).await
    }

    /// Makes another API key for a client. Its text is in this result only.
    ///
    /// # Errors
    /// `NotFound`: there is no such client. `InvalidInput`: the expiry has passed.
    pub async fn create_api_key(
        &self,
        client_id: impl Into<ClientId>,
        key: NewApiKey,
    ) -> Result<ApiKeyModel> {
        Ok(self
            .0
            .operator()?
            .create_api_key(client_id.into(), key)
            .await?
            .resource)
    }

    /// Lists the API keys of a client, ended ones included.
    ///
    /// # Errors
    /// `NotFound`: there is no such client.
    pub async fn list_api_keys(
        &self,
        client_id: impl Into<ClientId>,
        page: PageRequest,
    ) -> Result<Page<ApiKeyModel>> {
        self.0
            .operator()?
            .list_api_keys(client_id.into(), page)
            .await
    }

    /// Makes a successor with the same scopes and ends the given key after `overlap_seconds`.
    ///
    /// # Errors
    /// `NotFound`: the client has no such live key.
    pub async fn rotate_api_key(
        &self,
        client_id: impl Into<ClientId>,
        key_id: impl Into<ApiKeyId>,
        overlap_seconds: u32,
    ) -> Result<ApiKeyModel> {
        let operator = self.0.operator()?;
        Ok(operator
            .rotate_api_key(client_id.into(), key_id.into(), overlap_seconds)
            .await?
            .resource)
    }

    /// Ends an API key at once; true when this call ended it.
    ///
    /// # Errors
    /// `NotFound`: the client has no such key.
    pub async fn revoke_api_key(
        &self,
        client_id: impl Into<ClientId>,
        key_id: impl Into<ApiKeyId>,
    ) -> Result<bool> {
        self.0
            .operator()?
            .revoke_api_key(client_id.into(), key_id.into())
            .await
    }
}

/// Verifies client keys.
#[derive(Debug, Clone)]
pub struct VerifyClientService(pub(super) Handle);

impl VerifyClientService {
    /// Returns the client that a key belongs to.
    ///
    /// # Errors
    /// `InvalidClient`: the key is malformed, unknown, wrong, revoked or expired, or its client is
    /// suspended; one message for all of them.
    pub async fn verify_client_api_key(&self, api_key: &str) -> Result<ClientModel> {
        Ok(self.0.tenant(api_key).await?.into_client())
    }

    /// Returns the client that a key belongs to, from memory and without any I/O. `None` says nothing
    /// about the key, only that [`verify_client_api_key`](Self::verify_client_api_key) has to read.
    ///
    /// # Errors
    /// `InvalidClient`: the key is malformed, which no reading would change.
    pub fn try_verify_client_api_key(&self, api_key: &str) -> Result<Option<ClientModel>> {
        Ok(self.0.try_tenant(api_key)?.map(Tenant::into_client))
    }

    /// Whether a key is valid.
    ///
    /// # Errors
    /// `DatabaseUnavailable`: the question could not be answered. A wrong key is `false`.
    pub async fn is_api_key_valid(&self, api_key: &str) -> Result<bool> {
        match self.0.tenant(api_key).await {
            Ok(_) => Ok(true),
            Err(Error::InvalidClient) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether a key is valid, from memory and without any I/O. `None` says nothing about the key,
    /// only that [`is_api_key_valid`](Self::is_api_key_valid) has to read; a malformed one is `false`.
    ///
    /// # Errors
    /// `Uninitialized`: there is no process-wide instance.
    pub fn try_is_api_key_valid(&self, api_key: &str) -> Result<Option<bool>> {
        match self.0.try_tenant(api_key) {
            Ok(tenant) => Ok(tenant.map(|_| true)),
            Err(Error::InvalidClient) => Ok(Some(false)),
            Err(error) => Err(error),
        }
    }
}

/// Finds clients.
#[derive(Debug, Clone)]
pub struct ClientAwareService(pub(super) Handle);

impl ClientAwareService {
    /// Returns the client that a key belongs to.
    ///
    /// # Errors
    /// `InvalidClient`: the key is not valid or its client is suspended.
    pub async fn get_client_by_api_key(&self, api_key: &str) -> Result<ClientModel> {
        Ok(self.0.tenant(api_key).await?.into_client())
    }

    /// Returns the client that a key belongs to, from memory and without any I/O. `None` says nothing
    /// about the key, only that [`get_client_by_api_key`](Self::get_client_by_api_key) has to read.
    ///
    /// # Errors
    /// `InvalidClient`: the key is malformed, which no reading would change.
    pub fn try_get_client_by_api_key(&self, api_key: &str) -> Result<Option<ClientModel>> {
        Ok(self.0.try_tenant(api_key)?.map(Tenant::into_client))
    }

    /// Returns an active client by its id.
    ///
    /// # Errors
    /// `InvalidClient`: the client is unknown or suspended.
    pub async fn get_client_by_id(&self, client_id: impl Into<ClientId>) -> Result<ClientModel> {
        match self.0.operator()?.find_client(client_id.into()).await {
            Ok(client) if client.is_active => Ok(client),
            Ok(_) | Err(Error::NotFound { .. }) => Err(Error::InvalidClient),
            Err(error) => Err(error),
        }
    }

    /// Lists all clients, suspended ones included.
    ///
    /// # Errors
    /// `InvalidInput`: the page's limit or cursor is not one of ours.
    pub async fn get_client_list(&self, page: PageRequest) -> Result<Page<ClientModel>> {
        self.0.operator()?.get_client_list(page).await
    }

    /// Finds a client by its id, suspended ones too.
    ///
    /// # Errors
    /// `NotFound`: there is no such client.
    pub async fn find_client(&self, client_id: impl Into<ClientId>) -> Result<ClientModel> {
        self.0.operator()?.find_client(client_id.into()).await
    }

    /// Finds a client by its exact name, suspended ones too.
    ///
    /// # Errors
    /// `NotFound`: there is no such client.
    pub async fn find_client_by_name(&self, name: &str) -> Result<ClientModel> {
        self.0.operator()?.find_client_by_name(name).await
    }
}
