//! Signing a token and storing its row.

use std::sync::Arc;

use bosa_auth_core::token::{Claims, issue};
use bosa_auth_core::{AuditAction, ClientId, Scope, Secret, Timestamp, TokenId, UserId, as_label};
use bosa_auth_store::ClientTx;
use bosa_auth_store::signing_keys::{self, SigningKeyRow};
use bosa_auth_store::tokens::{TokenIssue, TokenRow};
use bosa_auth_store::users::UserWithClient;

use super::{after, earlier};
use crate::auth::Inner;
use crate::error::{Error, Result};
use crate::model::{Created, TokenModel};
use crate::operation::{Operation, Settled, Written};
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
        let issued = self.create_token_once(user_id).await;
        match self.auth.inner.unless_keys_were_replaced(issued).await? {
            Some(issued) => Ok(issued),
            None => self.create_token_once(user_id).await,
        }
    }

    async fn create_token_once(&self, user_id: UserId) -> Result<Created<TokenModel>> {
        let inner = self.auth.inner.clone();
        let user = inner.store.client(self.id()).user_reading(user_id);
        let readings = (user, signing_keys::active_reading());
        let (found, key) = inner.store.together(readings).await?;
        let found = found.ok_or(Error::Unauthorized)?;
        let new = NewToken::sign(&inner, &found, None, key.as_ref())?;
        let event = inner.event(
            &self.actor,
            AuditAction::TokenIssue,
            Some(self.id()),
            Some(user_id.as_uuid()),
            Some(serde_json::json!({ "token": new.row.id.to_string() }).to_string()),
        )?;
        let operation =
            self.idempotency
                .operation(&inner, &self.actor, event, new.row.id.as_uuid());
        let written = Arc::new((new.row.clone(), operation));
        let issued = self.insert_token(written.clone()).await;
        match written.1.settle(&inner, issued).await? {
            Settled::Replay(id) => {
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
            Settled::Now(()) | Settled::Before => Ok(Created {
                resource: new.model(),
                replayed: false,
            }),
        }
    }

    /// Issues a token on what was read together with the secret, the active signing key included.
    pub(in crate::tenant) async fn issue_after_login(
        &self,
        found: &UserWithClient,
        key: Option<&SigningKeyRow>,
    ) -> Result<TokenModel> {
        let inner = self.auth.inner.clone();
        let new = NewToken::sign(&inner, found, Some(found.user.secret_version), key)?;
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

    async fn insert_token(&self, new: Arc<(TokenIssue, Operation)>) -> Result<Written<()>> {
        let client_id = self.id();
        self.auth
            .inner
            .store
            .write(move |tx| {
                let new = new.clone();
                Box::pin(async move {
                    let (row, operation) = new.as_ref();
                    let opening = operation.open(tx);
                    let issued = ClientTx::new(&mut *tx, client_id).issue_token(row).await;
                    if let Some(earlier) = opening.earlier(tx)? {
                        return Ok(Written::Earlier(earlier));
                    }
                    match issued? {
                        true => Ok(Written::Now(())),
                        false => Err(Error::Unauthorized),
                    }
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
    fn sign(
        inner: &Inner,
        found: &UserWithClient,
        secret_version: Option<i64>,
        key: Option<&SigningKeyRow>,
    ) -> Result<Self> {
        let key = inner.signing_keys.signer_beside(key, &inner.root_keys)?;
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
            identifier: as_label(&user.identifier).to_owned(),
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
