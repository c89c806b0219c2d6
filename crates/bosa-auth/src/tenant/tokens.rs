//! Tokens: issue, verify, revoke, list.

use std::sync::Arc;

use bosa_auth_core::token::{
    Claims, LEEWAY_SECONDS, ParsedToken, SigningKey, TokenError, VerifiedClaims, issue,
};
use bosa_auth_core::{
    AuditAction, AuditEvent, ClientId, ClientState, Form, Scope, Secret, Timestamp, TokenId,
    UserId, UserState,
};
use bosa_auth_store::tokens::{self, TokenIssue, TokenRow, TokenWithOwner};
use bosa_auth_store::users::UserWithClient;
use bosa_auth_store::{ClientTx, InstanceState, StoreError};
use jiff::SignedDuration;
use uuid::Uuid;

use crate::auth::Inner;
use crate::cache::TokenFacts;
use crate::error::{Error, Result};
use crate::idempotency::{Begun, IdempotencyRecord, begin};
use crate::memory::{Change, Outcome};
use crate::model::{ClientModel, Created, Page, PageRequest, TokenInfo, TokenModel, VerifiedToken};
use crate::operator::client_model;
use crate::principal::Tenant;
use crate::signing_keys::Verifier;

const BEARER: &str = "bearer";
/// An idle end moves only when at least this part of the idle time has passed, so that a busy token
/// is not written at every verification.
const SLIDE_AT_LEAST: i64 = 10;

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
    pub(super) async fn issue_after_login(&self, found: &UserWithClient) -> Result<TokenModel> {
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

    /// Verifies a token of this client.
    ///
    /// # Errors
    /// `InvalidToken`: malformed, not issued here, or of another client. `ExpiredToken`,
    /// `RevokedToken`: it was valid once. `PermissionDenied`: the key lacks `tokens:verify`.
    pub async fn verify_token(&self, token: &str) -> Result<VerifiedToken> {
        self.require(Scope::TokensVerify)?;
        let accepted = self.auth.inner.verify_token(token, Some(self.id())).await?;
        Ok(accepted.token)
    }

    /// Verifies a token of this client from memory, without any I/O. `None` says nothing about the
    /// token, only that [`verify_token`](Self::verify_token) has to read.
    ///
    /// # Errors
    /// `PermissionDenied`: the key lacks `tokens:verify`.
    pub fn try_verify_token(&self, token: &str) -> Result<Option<VerifiedToken>> {
        self.require(Scope::TokensVerify)?;
        let inner = &self.auth.inner;
        let Ok(parsed) = ParsedToken::parse(token) else {
            return Ok(None);
        };
        let Some((checked, verifier)) = inner.known_claims(&parsed, inner.clock.now())? else {
            return Ok(None);
        };
        let accepted = inner.remembered_token(&checked, verifier.as_ref(), Some(self.id()));
        Ok(accepted.map(|accepted| accepted.token))
    }

    /// Revokes a token; true only when this call revoked a live token of this client.
    ///
    /// # Errors
    /// `PermissionDenied`: the key lacks `tokens:revoke`. `DatabaseUnavailable`: the outcome is
    /// unknown; call it again.
    pub async fn revoke_token(&self, token: &str) -> Result<bool> {
        self.require(Scope::TokensRevoke)?;
        let inner = &self.auth.inner;
        let verified = match inner.verify_token(token, Some(self.id())).await {
            Ok(accepted) => accepted.token,
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
                    let revoked = ClientTx::new(&mut *tx, client_id)
                        .revoke_token(id, event.id, event.at)
                        .await?;
                    if revoked && begin(tx, &event, None, Uuid::nil()).await? == Begun::Fresh {
                        return Ok(Outcome::Changed(revoked));
                    }
                    Ok(Outcome::Unchanged(revoked))
                })
            })
            .await
    }
}

impl Inner {
    /// Verifies a token: signature first, then claims, then its row.
    ///
    /// With a client, a token of any other one is as unknown to the caller as a forged one: neither
    /// its end nor its state is told, and its idle end does not move.
    pub(crate) async fn verify_token(
        &self,
        token: &str,
        client: Option<ClientId>,
    ) -> Result<Accepted> {
        // An answer from memory awaits nothing: a caller in a loop must not keep others waiting.
        tokio::task::coop::consume_budget().await;
        let result = self.check_token(token, client).await;
        let outcome = match &result {
            Ok(_) => "accepted",
            Err(error) => error.code(),
        };
        metrics::counter!("bosa_auth_token_verifications_total", "outcome" => outcome).increment(1);
        result
    }

    async fn check_token(&self, token: &str, client: Option<ClientId>) -> Result<Accepted> {
        let parsed = ParsedToken::parse(token).map_err(|_| Error::InvalidToken)?;
        let now = self.clock.now();
        let (checked, verifier) = match self.known_claims(&parsed, now)? {
            Some(known) => known,
            None => {
                let verifier = self
                    .signing_keys
                    .verifier(
                        parsed.kid().unwrap_or_default(),
                        &self.store,
                        &self.root_keys,
                    )
                    .await?
                    .ok_or(Error::InvalidToken)?;
                (self.claims(&parsed, &verifier.key, now)?, Some(verifier))
            }
        };
        if let Some(accepted) = self.remembered_token(&checked, verifier.as_ref(), client) {
            return Ok(accepted);
        }
        let claims = &checked.claims;
        let is_foreign = |owner: ClientId| client.is_some_and(|client| client != owner);
        if claims.client_id.is_some_and(is_foreign) {
            return Err(Error::InvalidToken);
        }
        // Its row may be pruned by now. An imported one names its client only there.
        if checked.is_expired && (claims.client_id.is_some() || client.is_none()) {
            return Err(Error::ExpiredToken);
        }
        let found = self
            .read_token(&checked, verifier.as_ref(), now)
            .await?
            .ok_or(Error::InvalidToken)?;
        let facts = TokenFacts::from(&found);
        check_row(&facts, claims, verifier.as_ref())?;
        if is_foreign(found.token.client_id) {
            return Err(Error::InvalidToken);
        }
        if checked.is_expired {
            return Err(Error::ExpiredToken);
        }
        check_state(&facts, now)?;
        let idle_end = self.slide(&found.token, now).await?;
        Ok(Accepted::new(&facts, idle_end))
    }

    /// The claims of a token, when its key is at hand.
    fn known_claims(
        &self,
        parsed: &ParsedToken,
        now: Timestamp,
    ) -> Result<Option<(Checked, Option<Verifier>)>> {
        match parsed.kid() {
            Some(kid) => match self.signing_keys.known(kid) {
                Some(verifier) => {
                    let checked = self.claims(parsed, &verifier.key, now)?;
                    Ok(Some((checked, Some(verifier))))
                }
                None => Ok(None),
            },
            None => Ok(Some((self.imported_claims(parsed, now)?, None))),
        }
    }

    /// Accepts a token from memory; `None` in every other case.
    fn remembered_token(
        &self,
        checked: &Checked,
        verifier: Option<&Verifier>,
        client: Option<ClientId>,
    ) -> Option<Accepted> {
        self.memory.decide(|cache| {
            let found = cache.token(checked.claims.jti)?;
            let facts = found.facts();
            let row = facts.token;
            let now = self.clock.now();
            let accepted = !checked.is_expired
                && client.is_none_or(|client| client == row.client_id)
                && check_row(&facts, &checked.claims, verifier).is_ok()
                && check_state(&facts, now).is_ok()
                && self
                    .next_idle_end(row, now)
                    .is_ok_and(|next| next.is_none());
            accepted.then(|| Accepted::new(&facts, row.idle_end))
        })
    }

    /// Reads a token; one that is accepted is remembered.
    async fn read_token(
        &self,
        checked: &Checked,
        verifier: Option<&Verifier>,
        now: Timestamp,
    ) -> Result<Option<TokenWithOwner>> {
        let id = checked.claims.jti;
        let read = || tokens::find(&self.store, id);
        let Some(cache) = self.memory.cache() else {
            return Ok(read().await?);
        };
        let accept = |found: &TokenWithOwner| {
            let facts = TokenFacts::from(found);
            !checked.is_expired
                && check_row(&facts, &checked.claims, verifier).is_ok()
                && check_state(&facts, now).is_ok()
        };
        Ok(cache.fill_token(read, accept).await?)
    }

    fn claims(&self, parsed: &ParsedToken, key: &SigningKey, now: Timestamp) -> Result<Checked> {
        let issuer = &self.settings.issuer;
        let (claims, is_expired) = match parsed.verify(key, issuer, now) {
            Err(TokenError::Expired) => (parsed.verify(key, issuer, Timestamp::UNIX_EPOCH), true),
            result => (result, false),
        };
        Ok(Checked {
            claims: claims.map_err(|_| Error::InvalidToken)?,
            is_expired,
        })
    }

    /// A token without `kid` is tried only against the keys for imported tokens.
    fn imported_claims(&self, parsed: &ParsedToken, now: Timestamp) -> Result<Checked> {
        self.signing_keys
            .for_imported_tokens()
            .iter()
            .find_map(|key| self.claims(parsed, key, now).ok())
            .ok_or(Error::InvalidToken)
    }

    /// Moves the idle end of a token that is being used; returns today's.
    async fn slide(&self, row: &TokenRow, now: Timestamp) -> Result<Option<Timestamp>> {
        let Some(next) = self.next_idle_end(row, now)? else {
            return Ok(row.idle_end);
        };
        let (client_id, id) = (row.client_id, row.id);
        let moved = self
            .store
            .write(move |tx| {
                Box::pin(async move {
                    ClientTx::new(tx, client_id)
                        .slide_token(id, next, now)
                        .await
                        .map_err(Error::from)
                })
            })
            .await?;
        if moved {
            return Ok(Some(next));
        }
        // Somebody else moved it, or ended the token.
        let again = self
            .store
            .client(client_id)
            .token(id)
            .await?
            .ok_or(Error::InvalidToken)?;
        check_state(&TokenFacts::from(&again), now)?;
        Ok(again.token.idle_end)
    }

    /// Where the idle end of a token that is used now should move; `None` when it stays.
    fn next_idle_end(&self, row: &TokenRow, now: Timestamp) -> Result<Option<Timestamp>> {
        let (Some(minutes), Some(idle_end)) = (self.settings.sliding_minutes, row.idle_end) else {
            return Ok(None);
        };
        let next = earlier(row.expires_at, Some(after(now, minutes * 60)?));
        let moves = next.as_second() - idle_end.as_second() >= minutes * 60 / SLIDE_AT_LEAST;
        Ok(moves.then_some(next))
    }
}

/// A token that is valid now, with its client.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) token: VerifiedToken,
    pub(crate) client: ClientModel,
}

impl Accepted {
    fn new(facts: &TokenFacts<'_>, idle_end: Option<Timestamp>) -> Self {
        let row = facts.token;
        Self {
            token: VerifiedToken {
                id: row.id,
                user_id: row.user_id,
                client_id: row.client_id,
                expires_at: earlier(row.expires_at, idle_end).as_second(),
                identifier: facts.user_identifier.to_owned(),
            },
            client: client_model(facts.client),
        }
    }
}

/// Claims whose signature is right.
struct Checked {
    claims: VerifiedClaims,
    /// Whether their end has passed; everything else about them is right.
    is_expired: bool,
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

/// The row must be the one that the token speaks of.
fn check_row(
    found: &TokenFacts<'_>,
    claims: &VerifiedClaims,
    verifier: Option<&Verifier>,
) -> Result<()> {
    let row = found.token;
    let same = row.user_id == claims.sub && claims.client_id.is_none_or(|id| id == row.client_id);
    let form_and_key = match verifier {
        Some(verifier) => {
            row.form == Form::Current
                && row.signing_key_id == verifier.key.kid()
                && (!verifier.is_generated || found.signing_key_is_stored)
        }
        None => row.form == Form::Imported,
    };
    if same && form_and_key {
        Ok(())
    } else {
        Err(Error::InvalidToken)
    }
}

fn check_state(found: &TokenFacts<'_>, now: Timestamp) -> Result<()> {
    let row = found.token;
    if found.instance_state != InstanceState::Open {
        return Err(StoreError::Moved.into());
    }
    if found.client.state != ClientState::Active {
        return Err(Error::InvalidClient);
    }
    let ended = row.revoked_at.is_some()
        || row.user_generation != found.user_generation
        || row.client_generation != found.client.generation
        || found.user_state != UserState::Active;
    if ended {
        return Err(Error::RevokedToken);
    }
    if is_over(row, now) {
        Err(Error::ExpiredToken)
    } else {
        Ok(())
    }
}

fn is_over(row: &TokenRow, now: Timestamp) -> bool {
    now.as_second() >= row.expires_at.as_second().saturating_add(LEEWAY_SECONDS)
        || row.idle_end.is_some_and(|end| end <= now)
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

fn after(now: Timestamp, seconds: i64) -> Result<Timestamp> {
    now.checked_add(SignedDuration::from_secs(seconds))
        .map_err(Error::internal)
}

fn earlier(end: Timestamp, other: Option<Timestamp>) -> Timestamp {
    other.map_or(end, |other| other.min(end))
}
