//! "User Management" of the API reference.

use bosa_auth_core::{Secret, UserId};

use super::Handle;
use crate::error::Result;
use crate::model::{NewUser, Page, PageRequest, TokenModel, UserComplete, UserModel, UserUpdate};

/// Makes and changes users.
///
/// Every method answers `InvalidClient` for a client key that is not valid, and `PermissionDenied`
/// for one that lacks the scope `users:write` (`users:credentials` where a secret is reset).
#[derive(Debug, Clone)]
pub struct CreateUserService(pub(super) Handle);

impl CreateUserService {
    /// Makes a user with a generated secret.
    ///
    /// The secret is in [`UserModel::secret`] of this result and nowhere else, ever.
    ///
    /// # Errors
    /// `InvalidInput`: the identifier is not 1 to 320 characters or holds control characters.
    /// `UserAlreadyExists`: the client has a user of this identifier.
    pub async fn create_user(&self, client_api_key: &str, identifier: &str) -> Result<UserModel> {
        let tenant = self.0.tenant(client_api_key).await?;
        let user = NewUser {
            identifier: identifier.to_owned(),
            secret: None,
        };
        Ok(tenant.create_user(user).await?.resource)
    }

    /// Makes a user with a secret that the user chose.
    ///
    /// # Errors
    /// As [`create_user`](Self::create_user); `InvalidInput` also when the secret is not 15 to 256
    /// characters or begins with `sk-`.
    ///
    /// # Security
    /// A chosen secret is hashed with Argon2id; its logins are slower and limited in number.
    pub async fn create_user_with_secret(
        &self,
        client_api_key: &str,
        identifier: &str,
        secret: Secret,
    ) -> Result<UserModel> {
        let tenant = self.0.tenant(client_api_key).await?;
        let user = NewUser {
            identifier: identifier.to_owned(),
            secret: Some(secret),
        };
        Ok(tenant.create_user(user).await?.resource)
    }

    /// Changes a user's identifier or suspends or resumes it. A changed identifier and a suspension
    /// end all its tokens for good.
    ///
    /// # Errors
    /// `NotFound`: the client has no such user. `UserAlreadyExists`: the identifier is taken.
    pub async fn update_user(
        &self,
        client_api_key: &str,
        user_id: impl Into<UserId>,
        update: UserUpdate,
    ) -> Result<UserModel> {
        let user_id = user_id.into();
        self.0
            .tenant(client_api_key)
            .await?
            .update_user(user_id, update)
            .await
    }

    /// Deletes a user with its tokens and integrations.
    ///
    /// # Errors
    /// `NotFound`: the client has no such user.
    pub async fn delete_user(
        &self,
        client_api_key: &str,
        user_id: impl Into<UserId>,
    ) -> Result<()> {
        let user_id = user_id.into();
        self.0
            .tenant(client_api_key)
            .await?
            .delete_user(user_id)
            .await
    }

    /// Gives a user a new generated secret and ends all its tokens.
    ///
    /// # Errors
    /// `NotFound`: the client has no such user.
    pub async fn reset_user_secret(
        &self,
        client_api_key: &str,
        user_id: impl Into<UserId>,
    ) -> Result<UserModel> {
        let user_id = user_id.into();
        self.0
            .tenant(client_api_key)
            .await?
            .reset_user_secret(user_id)
            .await
    }

    /// Replaces a user's secret by one that the user chose, given the current one, and ends all its
    /// tokens.
    ///
    /// # Errors
    /// `Unauthorized`: unknown or suspended user, or wrong secret. `InvalidInput`: the new secret is
    /// not 15 to 256 characters or begins with `sk-`. `RateLimited`: too many attempts.
    pub async fn change_user_secret(
        &self,
        client_api_key: &str,
        identifier: &str,
        current_secret: Secret,
        new_secret: Secret,
    ) -> Result<UserModel> {
        let tenant = self.0.tenant(client_api_key).await?;
        tenant
            .change_user_secret(identifier, current_secret, new_secret)
            .await
    }
}

/// Finds users. Every method answers `InvalidClient` for a client key that is not valid.
#[derive(Debug, Clone)]
pub struct GetUserService(pub(super) Handle);

impl GetUserService {
    /// Returns a user by its id; a suspended one too.
    ///
    /// # Errors
    /// `Unauthorized`: the client has no such user.
    pub async fn get_user(
        &self,
        client_api_key: &str,
        user_id: impl Into<UserId>,
    ) -> Result<UserModel> {
        let user_id = user_id.into();
        self.0.tenant(client_api_key).await?.get_user(user_id).await
    }

    /// Returns a user by its identifier; a suspended one too.
    ///
    /// # Errors
    /// `Unauthorized`: the client has no such user.
    pub async fn get_user_by_identifier(
        &self,
        client_api_key: &str,
        identifier: &str,
    ) -> Result<UserModel> {
        self.0
            .tenant(client_api_key)
            .await?
            .get_user_by_identifier(identifier)
            .await
    }

    /// Returns a user with its integrations, their credentials left out.
    ///
    /// # Errors
    /// `InvalidClient`: the key is not valid. `Unauthorized`: the client has no such user.
    pub async fn get_user_complete(
        &self,
        api_key: &str,
        user_id: impl Into<UserId>,
    ) -> Result<UserComplete> {
        let user_id = user_id.into();
        self.0
            .tenant(api_key)
            .await?
            .get_user_complete(user_id)
            .await
    }

    /// Lists the client's users.
    ///
    /// # Errors
    /// `InvalidInput`: the page's limit or cursor is not one of ours.
    pub async fn list_users(
        &self,
        client_api_key: &str,
        page: PageRequest,
    ) -> Result<Page<UserModel>> {
        self.0.tenant(client_api_key).await?.list_users(page).await
    }

    /// Finds a user by its id.
    ///
    /// # Errors
    /// `NotFound`: the client has no such user.
    pub async fn find_user(
        &self,
        client_api_key: &str,
        user_id: impl Into<UserId>,
    ) -> Result<UserModel> {
        let user_id = user_id.into();
        self.0
            .tenant(client_api_key)
            .await?
            .find_user(user_id)
            .await
    }

    /// Finds a user by its exact identifier.
    ///
    /// # Errors
    /// `NotFound`: the client has no such user.
    pub async fn find_user_by_identifier(
        &self,
        client_api_key: &str,
        identifier: &str,
    ) -> Result<UserModel> {
        self.0
            .tenant(client_api_key)
            .await?
            .find_user_by_identifier(identifier)
            .await
    }
}

/// Logs users in.
#[derive(Debug, Clone)]
pub struct AuthenticateUserService(pub(super) Handle);

impl AuthenticateUserService {
    /// Checks a user's secret and issues a token.
    ///
    /// # Errors
    /// `InvalidClient`: the client key is not valid. `Unauthorized`: unknown user, suspended user or
    /// wrong secret, with one message and the same work. `RateLimited`: too many attempts with a
    /// chosen secret; a correct generated one is never limited. `Overloaded`: too many hashes wait.
    pub async fn authenticate_user(
        &self,
        client_api_key: &str,
        identifier: &str,
        secret: &str,
    ) -> Result<TokenModel> {
        let tenant = self.0.tenant(client_api_key).await?;
        tenant.authenticate_user(identifier, secret).await
    }
}
