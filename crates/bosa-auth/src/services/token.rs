//! "Token Management" of the API reference.

use bosa_auth_core::{ClientId, Timestamp, UserId};
use uuid::Uuid;

use super::Handle;
use crate::cache::TokenFacts;
use crate::error::{Error, Result};
use crate::model::{Page, PageRequest, TokenInfo, TokenModel, VerifiedToken};
use crate::tenant::tokens::verified_token;

/// Issues tokens.
#[derive(Debug, Clone)]
pub struct CreateTokenService(pub(super) Handle);

impl CreateTokenService {
    /// Issues a token for a user without asking for its secret.
    ///
    /// # Errors
    /// `Unauthorized`: the user is not one of the client's, or one of both is not active.
    ///
    /// # Security
    /// This asks for no credential: whoever can call it can act as any user.
    pub async fn create_token(
        &self,
        user_id: impl Into<UserId>,
        client_id: impl Into<ClientId>,
    ) -> Result<TokenModel> {
        let (user_id, client_id) = (user_id.into(), client_id.into());
        match self.0.operator()?.active_tenant(client_id).await {
            Ok(Some(tenant)) => Ok(tenant.create_token(user_id).await?.resource),
            Ok(None) | Err(Error::InvalidClient) => Err(Error::Unauthorized),
            Err(error) => Err(error),
        }
    }

    /// Lists a user's tokens, ended ones included until they are pruned.
    ///
    /// # Errors
    /// `InvalidClient`: the client key is not valid. `NotFound`: the client has no such user.
    pub async fn list_tokens(
        &self,
        client_api_key: &str,
        user_id: impl Into<UserId>,
        page: PageRequest,
    ) -> Result<Page<TokenInfo>> {
        let user_id = user_id.into();
        self.0
            .tenant(client_api_key)
            .await?
            .list_tokens(user_id, page)
            .await
    }
}

/// Verifies tokens.
#[derive(Debug, Clone)]
pub struct VerifyTokenService(pub(super) Handle);

impl VerifyTokenService {
    /// Verifies a token of the calling client and returns its user's id.
    ///
    /// # Errors
    /// `InvalidClient`: the client key is not valid. `InvalidToken`: malformed, not issued here, or
    /// of another client. `ExpiredToken`, `RevokedToken`: it was valid once.
    pub async fn verify_token_and_get_user_id(
        &self,
        client_api_key: &str,
        token: &str,
    ) -> Result<Uuid> {
        self.0
            .auth()?
            .verify_token_of_client(client_api_key, token, user_id)
            .await
    }

    /// Verifies a token of the calling client from memory, without any I/O, and returns its user's id.
    /// `None` says nothing about key and token, only that
    /// [`verify_token_and_get_user_id`](Self::verify_token_and_get_user_id) has to read.
    ///
    /// # Errors
    /// What no reading would change. `InvalidClient`: the client key is malformed. `PermissionDenied`:
    /// it lacks `tokens:verify`. `InvalidToken`: the token is malformed, or its signature or a claim
    /// is wrong.
    pub fn try_verify_token_and_get_user_id(
        &self,
        client_api_key: &str,
        token: &str,
    ) -> Result<Option<Uuid>> {
        self.0
            .auth()?
            .try_verify_token_of_client(client_api_key, token, user_id)
    }

    /// Verifies a token of the calling client and returns what its row says.
    ///
    /// # Errors
    /// As [`verify_token_and_get_user_id`](Self::verify_token_and_get_user_id).
    pub async fn verify_token(&self, client_api_key: &str, token: &str) -> Result<VerifiedToken> {
        self.0
            .auth()?
            .verify_token_of_client(client_api_key, token, verified_token)
            .await
    }

    /// Verifies a token of the calling client from memory, without any I/O, and returns what its row
    /// says. `None` says nothing about key and token, only that [`verify_token`](Self::verify_token)
    /// has to read.
    ///
    /// # Errors
    /// As [`try_verify_token_and_get_user_id`](Self::try_verify_token_and_get_user_id).
    pub fn try_verify_token(
        &self,
        client_api_key: &str,
        token: &str,
    ) -> Result<Option<VerifiedToken>> {
        self.0
            .auth()?
            .try_verify_token_of_client(client_api_key, token, verified_token)
    }
}

fn user_id(facts: &TokenFacts<'_>, _: Option<Timestamp>) -> Uuid {
    facts.token.user_id.as_uuid()
}

/// Ends tokens.
#[derive(Debug, Clone)]
pub struct RevokeTokenService(pub(super) Handle);

impl RevokeTokenService {
    /// Revokes a token; true only when this call revoked a live token of the calling client.
    ///
    /// Once it has returned, no verification that starts later in this process accepts the token.
    ///
    /// # Errors
    /// `InvalidClient`: the client key is not valid. `DatabaseUnavailable`: nothing is known about
    /// the outcome; call it again.
    pub async fn revoke_token(&self, client_api_key: &str, token: &str) -> Result<bool> {
        self.0
            .tenant(client_api_key)
            .await?
            .revoke_token(token)
            .await
    }

    /// Ends all tokens of a user for good.
    ///
    /// # Errors
    /// `InvalidClient`: the client key is not valid. `NotFound`: the client has no such user.
    pub async fn revoke_all_tokens(
        &self,
        client_api_key: &str,
        user_id: impl Into<UserId>,
    ) -> Result<()> {
        let user_id = user_id.into();
        self.0
            .tenant(client_api_key)
            .await?
            .revoke_all_tokens(user_id)
            .await
    }
}
