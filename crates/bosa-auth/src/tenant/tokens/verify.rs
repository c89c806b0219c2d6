//! Checking a token: signature, claims, row.

use std::sync::Arc;

use bosa_auth_core::token::{ParsedToken, SignedClaims, SigningKey, VerifiedClaims};
use bosa_auth_core::{ClientId, Scope, Timestamp};
use bosa_auth_store::tokens::{self, TokenWithOwner};

use super::earlier;
use super::state::{check_row, check_state};
use crate::auth::{Auth, Inner};
use crate::cache::TokenFacts;
use crate::error::{Error, Result};
use crate::model::{ClientModel, VerifiedToken};
use crate::operator::client_model;
use crate::principal::Tenant;
use crate::signing_keys::Verifier;

/// What a caller wants to know of a token that is valid now; gets its idle end too.
pub(crate) type Tell<T> = fn(&TokenFacts<'_>, Option<Timestamp>) -> T;

impl Tenant {
    /// Verifies a token of this client.
    ///
    /// # Errors
    /// `InvalidToken`: malformed, not issued here, or of another client. `ExpiredToken`,
    /// `RevokedToken`: it was valid once. `PermissionDenied`: the key lacks `tokens:verify`.
    pub async fn verify_token(&self, token: &str) -> Result<VerifiedToken> {
        self.require(Scope::TokensVerify)?;
        let inner = &self.auth.inner;
        inner
            .verify_token(token, Some(self.id()), verified_token)
            .await
    }

    /// Verifies a token of this client from memory, without any I/O. `None` says nothing about the
    /// token, only that [`verify_token`](Self::verify_token) has to read.
    ///
    /// # Errors
    /// `PermissionDenied`: the key lacks `tokens:verify`. `InvalidToken`: the token is malformed, or
    /// its signature or a claim is wrong, which no reading would change.
    pub fn try_verify_token(&self, token: &str) -> Result<Option<VerifiedToken>> {
        self.require(Scope::TokensVerify)?;
        let inner = &self.auth.inner;
        inner.try_verify_token(token, Some(self.id()), verified_token)
    }
}

impl Auth {
    /// Verifies a client key and a token of that client.
    ///
    /// # Errors
    /// As [`authenticate_client`](Self::authenticate_client) and [`Tenant::verify_token`].
    pub(crate) async fn verify_token_of_client<T>(
        &self,
        client_api_key: &str,
        token: &str,
        tell: Tell<T>,
    ) -> Result<T> {
        let inner = &self.inner;
        let client_id = match inner.remembered_verifier_of_tokens(client_api_key) {
            Ok(Some(client_id)) => client_id,
            Ok(None) => {
                let tenant = self.authenticate_client(client_api_key).await?;
                tenant.require(Scope::TokensVerify)?;
                tenant.id()
            }
            Err(error) => {
                // As below: a caller in a loop must not keep others waiting.
                tokio::task::coop::consume_budget().await;
                return Err(error);
            }
        };
        inner.verify_token(token, Some(client_id), tell).await
    }

    /// The same from memory; `None` when something has to be read.
    ///
    /// # Errors
    /// As [`try_authenticate_client`](Self::try_authenticate_client) and
    /// [`Tenant::try_verify_token`].
    pub(crate) fn try_verify_token_of_client<T>(
        &self,
        client_api_key: &str,
        token: &str,
        tell: Tell<T>,
    ) -> Result<Option<T>> {
        match self.inner.remembered_verifier_of_tokens(client_api_key)? {
            Some(client_id) => self.inner.try_verify_token(token, Some(client_id), tell),
            None => Ok(None),
        }
    }
}

/// What memory tells about a token.
enum Known<T> {
    Accepted(T),
    /// Its signature is right; its row has to be read.
    Claims(SignedClaims),
    /// Its key is not at hand.
    Nothing,
}

impl Inner {
    /// Verifies a token: signature first, then claims, then its row.
    ///
    /// With a client, a token of any other one is as unknown to the caller as a forged one: neither
    /// its end nor its state is told, and its idle end does not move.
    pub(crate) async fn verify_token<T>(
        &self,
        token: &str,
        client: Option<ClientId>,
        tell: Tell<T>,
    ) -> Result<T> {
        // An answer from memory awaits nothing: a caller in a loop must not keep others waiting.
        tokio::task::coop::consume_budget().await;
        let result = self.check_token(token, client, tell).await;
        counted(result)
    }

    /// Verifies a token from memory; `None` when it has to be read, which is not counted.
    pub(crate) fn try_verify_token<T>(
        &self,
        token: &str,
        client: Option<ClientId>,
        tell: Tell<T>,
    ) -> Result<Option<T>> {
        let known = parse(token).and_then(|parsed| self.recall(&parsed, client, tell));
        match known {
            Ok(Known::Accepted(verified)) => counted(Ok(Some(verified))),
            Ok(Known::Claims(_) | Known::Nothing) => Ok(None),
            Err(error) => counted(Err(error)),
        }
    }

    async fn check_token<T>(
        &self,
        token: &str,
        client: Option<ClientId>,
        tell: Tell<T>,
    ) -> Result<T> {
        let parsed = parse(token)?;
        let known = match self.recall(&parsed, client, tell)? {
            Known::Accepted(verified) => return Ok(verified),
            Known::Claims(claims) => Some(claims),
            Known::Nothing => None,
        };
        self.check_stored(&parsed, known, client, tell).await
    }

    /// Decides by the token's row.
    async fn check_stored<T>(
        &self,
        parsed: &ParsedToken<'_>,
        known: Option<SignedClaims>,
        client: Option<ClientId>,
        tell: Tell<T>,
    ) -> Result<T> {
        let verifier = match parsed.kid() {
            Some(kid) => Some(self.verifier(kid).await?),
            None => None,
        };
        let verifier = verifier.as_ref().map(Verifier::borrowed);
        let signed = match (known, verifier) {
            (Some(signed), _) => signed,
            (None, Some(verifier)) => self.signed_claims(parsed, verifier.key)?,
            (None, None) => return Err(Error::InvalidToken),
        };
        let now = self.clock.now();
        let checked = Checked::at(&signed, now)?;
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
            .read_token(&checked, verifier, now)
            .await?
            .ok_or(Error::InvalidToken)?;
        let facts = TokenFacts::from(&found);
        check_row(&facts, claims, verifier)?;
        if is_foreign(found.token.client_id) {
            return Err(Error::InvalidToken);
        }
        if checked.is_expired {
            return Err(Error::ExpiredToken);
        }
        check_state(&facts, now)?;
        let idle_end = self.slide(&found.token, now).await?;
        Ok(tell(&facts, ends_itself(claims, idle_end)))
    }

    async fn verifier(&self, kid: &str) -> Result<Verifier<Arc<SigningKey>>> {
        self.signing_keys
            .verifier(kid, &self.store, &self.root_keys)
            .await?
            .ok_or(Error::InvalidToken)
    }

    /// Checks the signature, when its key is at hand, and accepts what is remembered.
    ///
    /// # Errors
    /// `InvalidToken`: the signature or a claim is wrong.
    fn recall<T>(
        &self,
        parsed: &ParsedToken<'_>,
        client: Option<ClientId>,
        tell: Tell<T>,
    ) -> Result<Known<T>> {
        let known = |signed: SignedClaims, verifier: Option<Verifier<&SigningKey>>| {
            let accepted = self.remembered_token(&signed, verifier, client, tell);
            accepted.map_or(Known::Claims(signed), Known::Accepted)
        };
        let Some(kid) = parsed.kid() else {
            return Ok(known(self.imported_claims(parsed)?, None));
        };
        self.signing_keys
            .with_known(kid, |verifier| {
                let signed = self.signed_claims(parsed, verifier.key)?;
                Ok(known(signed, Some(verifier)))
            })
            .unwrap_or(Ok(Known::Nothing))
    }

    /// Accepts a token from memory; `None` in every other case.
    fn remembered_token<T>(
        &self,
        signed: &SignedClaims,
        verifier: Option<Verifier<&SigningKey>>,
        client: Option<ClientId>,
        tell: Tell<T>,
    ) -> Option<T> {
        self.memory.decide(
            &self.clock,
            |cache| cache.token(signed.jti()),
            |found, now| {
                let facts = found.facts()?;
                let row = facts.token;
                let claims = signed.at(now).ok()?;
                let accepted = client.is_none_or(|client| client == row.client_id)
                    && check_row(&facts, &claims, verifier).is_ok()
                    && check_state(&facts, now).is_ok()
                    && self
                        .next_idle_end(row, now)
                        .is_ok_and(|next| next.is_none());
                accepted.then(|| tell(&facts, ends_itself(&claims, row.idle_end)))
            },
        )
    }

    /// Reads a token; one that is accepted is remembered.
    async fn read_token(
        &self,
        checked: &Checked,
        verifier: Option<Verifier<&SigningKey>>,
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

    fn signed_claims(&self, parsed: &ParsedToken<'_>, key: &SigningKey) -> Result<SignedClaims> {
        parsed
            .verify_signed(key, &self.settings.issuer)
            .map_err(|_| Error::InvalidToken)
    }

    /// A token without `kid` is tried only against the keys for imported tokens, until the day from
    /// which on they are refused.
    fn imported_claims(&self, parsed: &ParsedToken<'_>) -> Result<SignedClaims> {
        let until = self.settings.imported_tokens_until;
        if until.is_some_and(|until| until <= self.clock.now()) {
            return Err(Error::InvalidToken);
        }
        self.signing_keys
            .for_imported_tokens()
            .iter()
            .find_map(|key| self.signed_claims(parsed, key).ok())
            .ok_or(Error::InvalidToken)
    }
}

/// When a token ends before its row does, as far as that is known: an imported one may say so itself.
fn ends_itself(claims: &VerifiedClaims, idle_end: Option<Timestamp>) -> Option<Timestamp> {
    let is_imported = claims.client_id.is_none();
    let end = claims.exp.filter(|_| is_imported);
    match end.and_then(|end| Timestamp::from_second(end).ok()) {
        Some(end) => Some(earlier(end, idle_end)),
        None => idle_end,
    }
}

const VERIFICATIONS: &str = "bosa_auth_token_verifications_total";

/// # Errors
/// `InvalidToken`: it is malformed.
fn parse(token: &str) -> Result<ParsedToken<'_>> {
    ParsedToken::parse(token).map_err(|_| Error::InvalidToken)
}

/// Counts a verification by its outcome.
fn counted<T>(result: Result<T>) -> Result<T> {
    match &result {
        // A name that is known when this is compiled costs nothing to make.
        Ok(_) => metrics::counter!(VERIFICATIONS, "outcome" => "accepted").increment(1),
        Err(error) => metrics::counter!(VERIFICATIONS, "outcome" => error.code()).increment(1),
    }
    result
}

/// What a valid token says.
pub(crate) fn verified_token(facts: &TokenFacts<'_>, idle_end: Option<Timestamp>) -> VerifiedToken {
    let row = facts.token;
    VerifiedToken {
        id: row.id,
        user_id: row.user_id,
        client_id: row.client_id,
        expires_at: earlier(row.expires_at, idle_end).as_second(),
        identifier: facts.user_identifier.to_owned(),
    }
}

/// The same, with the token's client.
pub(crate) fn with_client(
    facts: &TokenFacts<'_>,
    idle_end: Option<Timestamp>,
) -> (VerifiedToken, ClientModel) {
    (verified_token(facts, idle_end), client_model(facts.client))
}

/// Claims whose signature is right.
struct Checked {
    claims: VerifiedClaims,
    /// Whether their end has passed; everything else about them is right.
    is_expired: bool,
}

impl Checked {
    fn at(signed: &SignedClaims, now: Timestamp) -> Result<Self> {
        let is_expired = signed.at(now).is_err();
        let claims = signed.begun_by(now).ok_or(Error::InvalidToken)?;
        Ok(Self { claims, is_expired })
    }
}
