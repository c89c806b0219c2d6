//! Ending a token.

use std::sync::Arc;

use bosa_auth_core::{AuditAction, Scope, TokenId, UserId};
use bosa_auth_store::{ClientTx, Revocation, audit};

use crate::error::{Error, Result};
use crate::memory::{Change, Outcome};
use crate::principal::Tenant;
use crate::tenant::tokens::verified_token;

impl Tenant {
    /// Revokes a token; true only when this call revoked a live token of this client.
    ///
    /// # Errors
    /// `PermissionDenied`: the key lacks `tokens:revoke`. `DatabaseUnavailable`: the outcome is
    /// unknown; call it again.
    pub async fn revoke_token(&self, token: &str) -> Result<bool> {
        self.require(Scope::TokensRevoke)?;
        let inner = &self.auth.inner;
        let verified = inner.verify_token(token, Some(self.id()), verified_token);
        let verified = match verified.await {
            Ok(verified) => verified,
            Err(
                Error::InvalidToken
                | Error::ExpiredToken
                | Error::RevokedToken
                | Error::InvalidClient,
            ) => {
                return Ok(false);
            }
            Err(error) => return Err(error),
        };
        self.revoke(verified.id, verified.user_id).await
    }

    /// Revokes a token by its id; true only when this call revoked a live token of this user.
    ///
    /// # Errors
    /// As [`revoke_token`](Self::revoke_token).
    pub async fn revoke_token_by_id(&self, user_id: UserId, token_id: TokenId) -> Result<bool> {
        self.require(Scope::TokensRevoke)?;
        let found = self
            .auth
            .inner
            .store
            .client(self.id())
            .token(token_id)
            .await?;
        match found {
            Some(found) if found.token.user_id == user_id => self.revoke(token_id, user_id).await,
            _ => Ok(false),
        }
    }

    async fn revoke(&self, id: TokenId, user_id: UserId) -> Result<bool> {
        let inner = self.auth.inner.clone();
        let client_id = self.id();
        let event = Arc::new(inner.event(
            &self.actor,
            AuditAction::TokenRevoke,
            Some(client_id),
            Some(id.as_uuid()),
            Some(serde_json::json!({ "user": user_id.to_string() }).to_string()),
        )?);
        inner
            .narrow(Change::of_token(client_id, id), move |tx| {
                let event = event.clone();
                Box::pin(async move {
                    let revocation = ClientTx::new(&mut *tx, client_id)
                        .revoke_token(id, event.id, event.at)
                        .await?;
                    Ok(match revocation {
                        Revocation::Done => {
                            // Nobody else has this name: the token itself tells of an earlier attempt.
                            drop(audit::record_later(tx, &event));
                            Outcome::Changed(true)
                        }
                        Revocation::DoneBefore => Outcome::Unchanged(true),
                        Revocation::NotLive => Outcome::Unchanged(false),
                    })
                })
            })
            .await
    }
}
