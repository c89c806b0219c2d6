//! Listing a user's tokens.

use bosa_auth_core::{ClientState, Scope, Timestamp, UserId, UserState};
use bosa_auth_store::tokens::TokenRow;
use bosa_auth_store::users::UserWithClient;

use super::earlier;
use super::state::is_over;
use crate::error::{Error, Result};
use crate::model::{Page, PageRequest, TokenInfo};
use crate::principal::Tenant;

impl Tenant {
    /// Lists a user's tokens, newest first, ended ones included until they are pruned.
    ///
    /// # Errors
    /// `NotFound`: the client has no such user. `PermissionDenied`: the key lacks `users:read`.
    pub async fn list_tokens(
        &self,
        user_id: UserId,
        request: PageRequest,
    ) -> Result<Page<TokenInfo>> {
        self.require(Scope::UsersRead)?;
        let inner = &self.auth.inner;
        let query = request.query()?;
        let owner = inner.store.client(self.id()).user(user_id).await?;
        let owner = owner.ok_or(Error::NotFound { what: "user" })?;
        let page = inner.store.client(self.id()).tokens(user_id, query).await?;
        let now = inner.clock.now();
        let items = page
            .items
            .iter()
            .map(|row| info(row, &owner, now))
            .collect();
        Ok(Page::new(items, page.next))
    }
}

fn info(row: &TokenRow, owner: &UserWithClient, now: Timestamp) -> TokenInfo {
    TokenInfo {
        id: row.id,
        user_id: row.user_id,
        issued_at: row.issued_at,
        expires_at: earlier(row.expires_at, row.idle_end).as_second(),
        revoked_at: row.revoked_at,
        is_active: row.revoked_at.is_none()
            && !is_over(row, now)
            && row.user_generation == owner.user.generation
            && row.client_generation == owner.client.generation
            && owner.user.state == UserState::Active
            && owner.client.state == ClientState::Active,
    }
}
