//! A client key becomes a [`Tenant`].

use std::sync::Arc;

use bosa_auth_core::{
    Actor, ApiKeyId, ClientId, ClientState, DigestKey, PresentedClientKey, Scope, Timestamp,
};
use bosa_auth_store::StoreError;
use bosa_auth_store::api_keys::{self, ApiKeyRow, ApiKeyWithClient};
use bosa_auth_store::clients::ClientRow;
use bosa_auth_store::instance::InstanceState;

use crate::auth::{Auth, Inner};
use crate::error::{Error, Result};
use crate::idempotency::Idempotency;
use crate::last_used::ONCE_IN_SECONDS;
use crate::operator::client_model;
use crate::principal::{Tenant, require};

impl Auth {
    /// Verifies a client key.
    ///
    /// Costs one look-up and one keyed digest whatever is wrong with a well-formed key, and never a
    /// password hash.
    ///
    /// # Errors
    /// `InvalidClient`: the key is malformed, unknown, wrong, revoked or expired, or its client is
    /// not active; one message for all of them.
    pub async fn authenticate_client(&self, api_key: &str) -> Result<Tenant> {
        // An answer from memory awaits nothing: a caller in a loop must not keep others waiting.
        tokio::task::coop::consume_budget().await;
        let inner = &self.inner;
        let presented = parse(api_key)?;
        if let Some(tenant) = self.remembered_tenant(&presented) {
            return Ok(tenant);
        }
        let key_id = ApiKeyId::from(presented.id());
        let Some(found) = self.read_api_key(key_id).await? else {
            let (_, digest_key) = inner.digest_keys.active();
            // The same work as for a key that exists.
            let digest = presented.digest(&digest_key, ClientId::from(presented.id()));
            std::hint::black_box(digest.matches(&[0; 32]));
            return Err(Error::InvalidClient);
        };
        let digest_key = inner
            .digest_keys
            .get(found.key.digest_key_id, &inner.store, &inner.root_keys)
            .await?;
        if !is_right(&presented, &digest_key, &found.key) {
            return Err(Error::InvalidClient);
        }
        if found.instance_state != InstanceState::Open {
            return Err(StoreError::Moved.into());
        }
        let now = inner.clock.now();
        if !is_live(&found.key, &found.client, now) {
            return Err(Error::InvalidClient);
        }
        inner.last_used.note(key_id, found.key.last_used_at, now);
        move_digest(inner, &presented, &found);
        Ok(self.tenant_of(&found.key, &found.client))
    }

    /// Verifies a client key from memory, without any I/O. `None` says nothing about the key, only
    /// that [`authenticate_client`](Self::authenticate_client) has to read.
    ///
    /// # Errors
    /// `InvalidClient`: the key is malformed, which no reading would change.
    pub fn try_authenticate_client(&self, api_key: &str) -> Result<Option<Tenant>> {
        Ok(self.remembered_tenant(&parse(api_key)?))
    }

    fn remembered_tenant(&self, presented: &PresentedClientKey<'_>) -> Option<Tenant> {
        self.inner
            .remembered_client(presented, |key, client| self.tenant_of(key, client))
    }

    /// Reads a key; one that is in force is remembered.
    async fn read_api_key(&self, id: ApiKeyId) -> Result<Option<ApiKeyWithClient>> {
        let inner = &self.inner;
        let read = || api_keys::find(&inner.store, id);
        let Some(cache) = inner.memory.cache() else {
            return Ok(read().await?);
        };
        let now = inner.clock.now();
        let accept = |found: &ApiKeyWithClient| {
            found.instance_state == InstanceState::Open && is_live(&found.key, &found.client, now)
        };
        // Not now: whether the secret is right is not known yet.
        let last_used = |row: &ApiKeyRow| row.last_used_at.map_or(0, Timestamp::as_second);
        Ok(cache.fill_api_key(read, accept, last_used).await?)
    }

    fn tenant_of(&self, key: &ApiKeyRow, client: &ClientRow) -> Tenant {
        Tenant {
            auth: self.clone(),
            client: client_model(client),
            actor: Actor::ApiKey(key.id),
            scopes: key.scopes,
            idempotency: Idempotency::default(),
        }
    }
}

/// # Errors
/// `InvalidClient`: it is malformed.
fn parse(api_key: &str) -> Result<PresentedClientKey<'_>> {
    PresentedClientKey::parse(api_key).map_err(|_| Error::InvalidClient)
}

impl Inner {
    /// Verifies from memory a key that may verify tokens, and returns its client.
    ///
    /// # Errors
    /// `InvalidClient`: the key is malformed. `PermissionDenied`: it lacks `tokens:verify`.
    pub(crate) fn remembered_verifier_of_tokens(&self, api_key: &str) -> Result<Option<ClientId>> {
        let presented = parse(api_key)?;
        let found = self.remembered_client(&presented, |key, client| (client.id, key.scopes));
        let Some((client_id, scopes)) = found else {
            return Ok(None);
        };
        require(scopes, Scope::TokensVerify)?;
        Ok(Some(client_id))
    }

    /// Accepts a key from memory and makes of it what the caller wants; `None` in every other case.
    pub(crate) fn remembered_client<T>(
        &self,
        presented: &PresentedClientKey<'_>,
        make: impl FnOnce(&ApiKeyRow, &ClientRow) -> T,
    ) -> Option<T> {
        self.memory.decide(
            &self.clock,
            |cache| {
                let found = cache.api_key(ApiKeyId::from(presented.id()))?;
                let (key, _) = found.get()?;
                // A digest of a former key is to be moved: that takes a write.
                let is_right = self.digest_keys.with_active(|active, digest_key| {
                    key.row.digest_key_id == active && is_right(presented, digest_key, &key.row)
                });
                is_right.then_some(found)
            },
            |found, now| {
                let (key, client) = found.get()?;
                if !is_live(&key.row, client, now) {
                    return None;
                }
                if key.notes_use(now, ONCE_IN_SECONDS) {
                    self.last_used.note(key.row.id, None, now);
                }
                Some(make(&key.row, client))
            },
        )
    }
}

fn is_right(presented: &PresentedClientKey<'_>, digest_key: &DigestKey, row: &ApiKeyRow) -> bool {
    presented
        .digest(digest_key, row.client_id)
        .matches(&row.digest)
        && presented.form() == row.form
}

pub(crate) fn is_live(row: &ApiKeyRow, client: &ClientRow, now: Timestamp) -> bool {
    row.revoked_at.is_none()
        && row.expires_at.is_none_or(|end| now < end)
        && client.state == ClientState::Active
}

/// Moves the digest of a key that was just used to the digest key of today, in the background.
fn move_digest(inner: &Arc<Inner>, presented: &PresentedClientKey<'_>, found: &ApiKeyWithClient) {
    let (active_id, active) = inner.digest_keys.active();
    if found.key.digest_key_id == active_id {
        return;
    }
    let digest = (*presented.digest(&active, found.key.client_id).as_bytes()).into();
    let (client_id, key_id, before) = (found.key.client_id, found.key.id, found.key.digest.clone());
    let store = inner.store.clone();
    tokio::spawn(async move {
        let moved = store
            .write(move |tx| {
                let (before, digest): (_, bosa_auth_store::Opaque) =
                    (before.clone(), Clone::clone(&digest));
                Box::pin(async move {
                    bosa_auth_store::ClientTx::new(tx, client_id)
                        .rewrite_api_key_digest(key_id, &before, &digest, active_id)
                        .await
                        .map_err(Error::from)
                })
            })
            .await;
        if let Err(error) = moved {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "a digest could not be moved to the active key"
            );
        }
    });
}
