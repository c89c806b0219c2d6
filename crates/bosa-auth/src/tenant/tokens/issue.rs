//! Signing a token and storing its row.

use std::sync::Arc;

use bosa_auth_core::token::{Claims, issue};
use bosa_auth_core::{
    AuditAction, AuditEvent, ClientId, Scope, Secret, Timestamp, TokenId, UserId,
};
use bosa_auth_store::ClientTx;
use bosa_auth_store::tokens::{TokenIssue, TokenRow};
use bosa_auth_store::users::UserWithClient;

use super::{after, earlier};
use crate::auth::Inner;
use crate::error::{Error, Result};
use crate::idempotency::{Begun, IdempotencyRecord, begin};
use crate::model::{Created, TokenModel};
use crate::principal::Tenant;

const BEARER: &str = "bearer";

impl Tenant {
    /// Issues a token for a user without asking for its secret.
    ///
    /// # Errors
    /// `Unauthorized`: the user is not one of the client's, or one of both is not active.
    /// `PermissionDenied`: the key lacks `users:credentials`.
    pub async fn create_token(&self, user_id: UserId) -> Result<Created<TokenModel>> {
        self.require(Scope::UsersCredentials)?;
        let inner = self.auth.inner.clone();
        let found = inner
            .store
            .client(self.id())
            .user(user_id)
            .await?
            .ok_or(Error::Unauthorized)?;
        let new = NewToken::sign(&inner, &found, None).await?;
        let event = inner.event(
            &self.actor,
            AuditAction::TokenIssue,
            Some(self.id()),
            Some(user_id.as_uuid()),
            Some(serde_json::json!({ "token": new.row.id.to_string() }).to_string()),
        )?;
        let record = self.idempotency.record(&inner, &self.actor);
        let written = Arc::new((new.row.clone(), event, record));
        let begun = self
            .insert_token(move || written.clone())
            .await
            .map_err(|error| self.idempotency.explain(error))?;
        match begun {
            Begun::Replay(id) => {
                let found = inner
                    .store
                    .client(self.id())
                    .token(TokenId::from(id))
                    .await?;
                let row = found.ok_or(Error::NotFound { what: "token" })?.token;
                Ok(Created {
                    resource: replayed(&row),
                    replayed: true,
                })
            }
            Begun::Fresh | Begun::Applied => Ok(Created {
                resource: new.model(),
                replayed: false,
            }),
        }
    }

    /// Issues a token on what was read together with the secret.
    pub(in crate::tenant) async fn issue_after_login(
        &self,
        found: &UserWithClient,
    ) -> Result<TokenModel> {
        let inner = self.auth.inner.clone();
        let new = NewToken::sign(&inner, found, Some(found.user.secret_version)).await?;
        let row = Arc::new(new.row.clone());
        let client_id = self.id();
        let issued = inner
            .store
            .write(move |tx| {
                let row = row.clone();
                Box::pin(async move {
                    ClientTx::new(tx, client_id)
                        .issue_token(&row)
                        .await
                        .map_err(Error::from)
                })
            })
            .await?;
        if issued {
            Ok(new.model())
        } else {
            Err(Error::Unauthorized)
        }
    }

    async fn insert_token(
        &self,
        new: impl Fn() -> Arc<(TokenIssue, AuditEvent, Option<IdempotencyRecord>)>
        + Send
        + Sync
        + 'static,
    ) -> Result<Begun> {
        let client_id = self.id();
        self.auth
            .inner
            .store
            .write(move |tx| {
                let new = new();
                Box::pin(async move {
                    let (row, event, record) = new.as_ref();
                    let begun = begin(tx, event, record.as_ref(), row.id.as_uuid()).await?;
                    if begun == Begun::Fresh
                        && !ClientTx::new(tx, client_id).issue_token(row).await?
                    {
                        return Err(Error::Unauthorized);
                    }
                    Ok(begun)
                })
            })
            .await
    }
}

/// A token that is signed but not stored yet.
struct NewToken {
    text: Secret,
    row: TokenIssue,
    client_id: ClientId,
}

impl NewToken {
    async fn sign(
        inner: &Inner,
        found: &UserWithClient,
        secret_version: Option<i64>,
    ) -> Result<Self> {
        let key = inner
            .signing_keys
            .signer(&inner.store, &inner.root_keys)
            .await?;
        let now = inner.clock.now();
        let id = TokenId::generate(now, inner.entropy.as_ref())?;
        let expires_at =
            Timestamp::from_second(after(now, inner.settings.token_minutes * 60)?.as_second())
                .map_err(Error::internal)?;
        let idle_end = inner
            .settings
            .sliding_minutes
            .map(|minutes| after(now, minutes * 60))
            .transpose()?
            .map(|end| earlier(expires_at, Some(end)));
        let user = &found.user;
        let claims = Claims {
            sub: user.id,
            client_id: user.client_id,
            aud: user.client_id.to_string(),
            identifier: user.identifier.clone(),
            jti: id,
            iss: inner.settings.issuer.clone(),
            iat: now.as_second(),
            exp: expires_at.as_second(),
        };
        Ok(Self {
            text: issue(&key, &claims).map_err(Error::internal)?,
            row: TokenIssue {
                id,
                user_id: user.id,
                signing_key_id: key.kid().to_owned(),
                client_generation: found.client.generation,
                user_generation: user.generation,
                secret_version,
                issued_at: now,
                expires_at,
                idle_end,
            },
            client_id: user.client_id,
        })
    }

    fn model(self) -> TokenModel {
        TokenModel {
            token: self.text,
            token_type: BEARER,
            expires_at: earlier(self.row.expires_at, self.row.idle_end).as_second(),
            id: self.row.id,
            user_id: self.row.user_id,
            client_id: self.client_id,
        }
    }
}

/// A token of an earlier call, without its text.
fn replayed(row: &TokenRow) -> TokenModel {
    TokenModel {
        token: Secret::default(),
        token_type: BEARER,
        expires_at: earlier(row.expires_at, row.idle_end).as_second(),
        id: row.id,
        user_id: row.user_id,
        client_id: row.client_id,
    }
}
