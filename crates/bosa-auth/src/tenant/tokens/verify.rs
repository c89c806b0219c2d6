//! Checking a token: signature, claims, row.

use bosa_auth_core::token::{ParsedToken, SigningKey, TokenError, VerifiedClaims};
use bosa_auth_core::{ClientId, Scope, Timestamp};
use bosa_auth_store::tokens::{self, TokenWithOwner};

use super::earlier;
use super::state::{check_row, check_state};
use crate::auth::Inner;
use crate::cache::TokenFacts;
use crate::error::{Error, Result};
use crate::model::{ClientModel, VerifiedToken};
use crate::operator::client_model;
use crate::principal::Tenant;
use crate::signing_keys::Verifier;

impl Tenant {
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
