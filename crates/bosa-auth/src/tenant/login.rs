//! Checking a user's secret, with work that follows the form presented.

use std::net::IpAddr;

use bosa_auth_core::{
    Actor, ChosenSecret, ClientState, Form, MachineUserSecret, PresentedUserSecret, Scope,
    ScopeSet, Secret, SecretKind, UserState,
};
use bosa_auth_store::users::{self, StoredSecret, UserWithClient};
use bosa_auth_store::{
    ClientTx, InstanceState, StoreError, Together, import_markers, signing_keys,
};

use super::users::{as_imported, is_storable, lookup_form, model};
use crate::auth::{Auth, Inner};
use crate::error::{Error, Result};
use crate::idempotency::Idempotency;
use crate::model::{TokenModel, UserModel};
use crate::operator::client_model;
use crate::principal::Tenant;
use crate::throttle::Attempted;

/// What limits the attempts that cost a password hash.
#[derive(Debug, Clone, Copy)]
enum Quota<'a> {
    /// The user, known or not.
    User(&'a Tenant, Attempted<'a>),
    /// Where the caller comes from, when there is no client key.
    Address(Option<IpAddr>),
}

impl Tenant {
    /// Checks a user's secret and issues a token.
    ///
    /// # Errors
    /// `Unauthorized`: unknown user, suspended user or wrong secret. `RateLimited`: too many attempts
    /// with a chosen secret. `Overloaded`: too many hashes wait. `PermissionDenied`: the key lacks
    /// `tokens:issue`.
    ///
    /// # Security
    /// A generated secret costs one look-up and one keyed digest, anything else one Argon2, whether
    /// the user exists or not.
    pub async fn authenticate_user(&self, identifier: &str, secret: &str) -> Result<TokenModel> {
        self.require(Scope::TokensIssue)?;
        let key = signing_keys::active_reading();
        let (found, key) = self.checked(identifier, secret, key).await?;
        self.issue_after_login(&found, key.as_ref()).await
    }

    /// Replaces a user's secret by a chosen one, given the current one, and ends all its tokens.
    ///
    /// # Errors
    /// `Unauthorized`: unknown or suspended user, or wrong secret. `InvalidInput`: the new secret is
    /// not 15 to 256 characters or begins with `sk-`. `RateLimited`, `Overloaded`: as at login.
    /// `PermissionDenied`: the key lacks `users:write`.
    pub async fn change_user_secret(
        &self,
        identifier: &str,
        current_secret: Secret,
        new_secret: Secret,
    ) -> Result<UserModel> {
        self.require(Scope::UsersWrite)?;
        let chosen = ChosenSecret::parse(new_secret.expose())
            .map_err(|error| Error::invalid("new_secret", error.reason))?;
        let (found, ()) = self
            .checked(identifier, current_secret.expose(), ())
            .await?;
        let user = &found.user;
        self.replace_verified_secret(user.id, user.secret_version, &chosen)
            .await?;
        let mut changed = model(user);
        changed.secret_preview = "chosen".to_owned();
        Ok(changed)
    }

    /// As [`check_secret`](Self::check_secret), its outcome counted and recorded.
    async fn checked<R: Together>(
        &self,
        identifier: &str,
        secret: &str,
        beside: R,
    ) -> Result<(UserWithClient, R::Answer)> {
        let result = self.check_secret(identifier, secret, beside).await;
        let user = result.as_ref().map(|(found, _)| found);
        note(&self.auth.inner, Some(self.id()), &self.actor, user);
        result
    }

    /// The user, when the secret is right and client and user are active; and what is read in the
    /// same round trip as the user.
    async fn check_secret<R: Together>(
        &self,
        identifier: &str,
        secret: &str,
        beside: R,
    ) -> Result<(UserWithClient, R::Answer)> {
        let inner = &self.auth.inner;
        let lookup = lookup_form(identifier);
        match PresentedUserSecret::classify(secret) {
            PresentedUserSecret::Current(presented) | PresentedUserSecret::Imported(presented) => {
                let user = inner
                    .store
                    .client(self.id())
                    .user_reading(presented.user_id());
                let (found, answer) = inner.store.together((user, beside)).await?;
                let found = called(inner, &presented, found, identifier, lookup).await?;
                let quota = Quota::User(self, Attempted::Imported(presented.user_id()));
                Ok((
                    check_machine(inner, &presented, found, quota).await?,
                    answer,
                ))
            }
            PresentedUserSecret::Chosen(secret) => {
                let attempted = Attempted::Identifier(lookup.as_deref().unwrap_or(identifier));
                count(inner, Quota::User(self, attempted))?;
                let client = inner.store.client(self.id());
                let (found, answer) = match &lookup {
                    Some(lookup) => {
                        let imported = as_imported(identifier, lookup)
                            .map(|identifier| client.user_by_identifier_reading(identifier));
                        let user = client.user_by_identifier_reading(lookup);
                        let readings = ((imported, user), beside);
                        let ((imported, user), answer) = inner.store.together(readings).await?;
                        (imported.flatten().or(user), Some(answer))
                    }
                    None => (None, None),
                };
                let user = check_chosen(inner, secret, found).await?;
                Ok((user, answer.ok_or(Error::Unauthorized)?))
            }
        }
    }
}

impl Auth {
    /// Checks a generated secret without a client key and issues a token: the secret's user names
    /// the client. A chosen secret is refused, since without its client it names nobody.
    ///
    /// # Errors
    /// `Unauthorized`: unknown user, suspended user or client, or wrong secret. `InvalidClient`: the
    /// configuration demands a client key. `RateLimited`: too many attempts from this address.
    pub async fn authenticate_user_without_client(
        &self,
        identifier: &str,
        secret: &str,
        address: Option<IpAddr>,
    ) -> Result<TokenModel> {
        if self.requires_client_key() {
            return Err(Error::InvalidClient);
        }
        let inner = &self.inner;
        let classified = PresentedUserSecret::classify(secret);
        let Some(presented) = classified.machine() else {
            count(inner, Quota::Address(address))?;
            // Refused without any look-up.
            let refusal = Error::Unauthorized;
            note(inner, None, &Actor::Library, Err(&refusal));
            return Err(refusal);
        };
        let lookup = lookup_form(identifier);
        let readings = (
            users::reading(presented.user_id()),
            signing_keys::active_reading(),
        );
        let (found, key) = inner.store.together(readings).await?;
        let found = called(inner, presented, found, identifier, lookup).await?;
        let checked = check_machine(inner, presented, found, Quota::Address(address)).await;
        note(inner, None, &Actor::Library, checked.as_ref());
        let found = checked?;
        let tenant = Tenant {
            auth: self.clone(),
            client: client_model(&found.client),
            actor: Actor::User(found.user.id),
            scopes: ScopeSet::all(),
            idempotency: Idempotency::default(),
        };
        tenant.issue_after_login(&found, key.as_ref()).await
    }
}

/// The user, if this is its identifier: in the form in which it would be stored, or exactly, since
/// imported ones are stored as they were. Where another had it already, the imported user goes on by
/// the one that it had before.
async fn called(
    inner: &Inner,
    presented: &MachineUserSecret<'_>,
    found: Option<UserWithClient>,
    identifier: &str,
    lookup: Option<String>,
) -> Result<Option<UserWithClient>> {
    let is_called = |found: &UserWithClient| {
        let name = &found.user.identifier;
        name == identifier || lookup.as_ref() == Some(name)
    };
    let is_known = found.as_ref().is_some_and(is_called);
    if is_known || presented.form() == Form::Current || !is_storable(identifier) {
        return Ok(found.filter(|_| is_known));
    }
    // Asked for unknown users as well.
    let id = presented.user_id();
    let was_called = import_markers::is_former_name(&inner.store, id, identifier).await?;
    Ok(found.filter(|_| was_called))
}

/// Our form: one look-up and one digest. The original's: on mismatch one Argon2 at its cost.
async fn check_machine(
    inner: &Inner,
    presented: &MachineUserSecret<'_>,
    found: Option<UserWithClient>,
    quota: Quota<'_>,
) -> Result<UserWithClient> {
    let kind = match presented.form() {
        Form::Current => SecretKind::Generated,
        Form::Imported => SecretKind::Imported,
    };
    let found = found.filter(|found| found.user.secret_kind == kind);
    if digest_matches(inner, presented, found.as_ref()).await?
        && let Some(found) = found
    {
        move_digest(inner, presented, &found).await;
        return active(found);
    }
    if presented.form() == Form::Current {
        return Err(Error::Unauthorized);
    }
    count(inner, quota)?;
    let tail = Secret::from(presented.tail());
    match found {
        Some(found) => match &found.user.secret {
            StoredSecret::Hash(hash) => {
                if !inner.hasher.verify(tail, hash.clone()).await? {
                    return Err(Error::Unauthorized);
                }
                move_digest(inner, presented, &found).await;
                active(found)
            }
            StoredSecret::Digest { .. } => refuse_like_the_original(inner, tail).await,
        },
        None => refuse_like_the_original(inner, tail).await,
    }
}

async fn refuse_like_the_original(inner: &Inner, tail: Secret) -> Result<UserWithClient> {
    inner.hasher.verify_nothing_of_the_original(tail).await?;
    Err(Error::Unauthorized)
}

async fn digest_matches(
    inner: &Inner,
    presented: &MachineUserSecret<'_>,
    found: Option<&UserWithClient>,
) -> Result<bool> {
    if let Some(UserWithClient { user, .. }) = found
        && let StoredSecret::Digest { digest, key } = &user.secret
    {
        let key = inner
            .digest_keys
            .get(*key, &inner.store, &inner.root_keys)
            .await?;
        return Ok(presented.digest(&key, user.client_id).matches(digest));
    }
    // The same work as for a user that exists.
    let (_, key) = inner.digest_keys.active();
    let nobody = bosa_auth_core::ClientId::from(presented.user_id().as_uuid());
    std::hint::black_box(presented.digest(&key, nobody).matches(&[0; 32]));
    Ok(false)
}

/// Anything that is no generated secret: one Argon2 at today's cost.
async fn check_chosen(
    inner: &Inner,
    secret: Secret,
    found: Option<UserWithClient>,
) -> Result<UserWithClient> {
    let Some(found) = found.filter(|found| found.user.secret_kind == SecretKind::Chosen) else {
        inner.hasher.verify_nothing(secret).await?;
        return Err(Error::Unauthorized);
    };
    let StoredSecret::Hash(hash) = &found.user.secret else {
        return Err(Error::Unreadable {
            what: "a user's secret".to_owned(),
        });
    };
    let again = inner
        .hasher
        .needs_rehash(hash)
        .then(|| Secret::from(secret.expose()));
    if !inner.hasher.verify(secret, hash.clone()).await? {
        return Err(Error::Unauthorized);
    }
    if let Some(secret) = again
        && found.user.state == UserState::Active
    {
        let hash = inner.hasher.hash(secret).await?;
        rewrite(inner, &found, StoredSecret::Hash(hash)).await;
    }
    active(found)
}

/// Moves what is stored of a secret that was just right to today's digest key and form.
async fn move_digest(inner: &Inner, presented: &MachineUserSecret<'_>, found: &UserWithClient) {
    let (active, key) = inner.digest_keys.active();
    if matches!(&found.user.secret, StoredSecret::Digest { key, .. } if *key == active) {
        return;
    }
    let digest = presented.digest(&key, found.user.client_id);
    let secret = StoredSecret::Digest {
        digest: (*digest.as_bytes()).into(),
        key: active,
    };
    rewrite(inner, found, secret).await;
}

/// A failure changes nothing about the login: the old form stays until the next one.
async fn rewrite(inner: &Inner, found: &UserWithClient, secret: StoredSecret) {
    let user = &found.user;
    let (client_id, id, version) = (user.client_id, user.id, user.secret_version);
    let written = inner
        .store
        .write(move |tx| {
            let secret = secret.clone();
            Box::pin(async move {
                ClientTx::new(tx, client_id)
                    .rewrite_secret(id, version, &secret)
                    .await
                    .map_err(Error::from)
            })
        })
        .await;
    if let Err(error) = written {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "a stored secret could not be renewed"
        );
    }
}

fn active(found: UserWithClient) -> Result<UserWithClient> {
    if found.instance_state != InstanceState::Open {
        return Err(StoreError::Moved.into());
    }
    let active = found.user.state == UserState::Active && found.client.state == ClientState::Active;
    if active {
        Ok(found)
    } else {
        Err(Error::Unauthorized)
    }
}

fn count(inner: &Inner, quota: Quota<'_>) -> Result<()> {
    match quota {
        Quota::User(tenant, attempted) => inner.throttle.count_user(tenant.id(), attempted),
        Quota::Address(address) => inner.throttle.count_address(address),
    }
}

/// Counts and records the outcome of an attempt.
fn note(
    inner: &Inner,
    client_id: Option<bosa_auth_core::ClientId>,
    actor: &Actor,
    result: std::result::Result<&UserWithClient, &Error>,
) {
    let outcome = match &result {
        Ok(found) => Ok(found.user.id),
        Err(error) => Err(error.code()),
    };
    metrics::counter!("bosa_auth_logins_total", "outcome" => outcome.err().unwrap_or("accepted"))
        .increment(1);
    let client_id = result
        .as_ref()
        .ok()
        .map(|found| found.user.client_id)
        .or(client_id);
    inner.note_login(client_id, actor, outcome);
}
