//! A client key becomes a [`Tenant`].

use std::sync::Arc;

use bosa_auth_core::{Actor, ApiKeyId, ClientId, ClientState, PresentedClientKey};
use bosa_auth_store::StoreError;
use bosa_auth_store::api_keys::{self, ApiKeyWithClient};
use bosa_auth_store::instance::InstanceState;

use crate::auth::{Auth, Inner};
use crate::error::{Error, Result};
use crate::operator::client_model;
use crate::principal::Tenant;

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
        let inner = &self.inner;
        let presented = PresentedClientKey::parse(api_key).map_err(|_| Error::InvalidClient)?;
        let key_id = ApiKeyId::from(presented.id());
        let Some(found) = api_keys::find(&inner.store, key_id).await? else {
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
        let matches = presented
            .digest(&digest_key, found.key.client_id)
            .matches(&found.key.digest);
        if !matches || presented.form() != found.key.form {
            return Err(Error::InvalidClient);
        }
        if found.instance_state != InstanceState::Open {
            return Err(StoreError::Moved.into());
        }
        let now = inner.clock.now();
        let live = found.key.revoked_at.is_none()
            && found.key.expires_at.is_none_or(|end| now < end)
            && found.client.state == ClientState::Active;
        if !live {
            return Err(Error::InvalidClient);
        }
        inner.last_used.note(key_id, found.key.last_used_at, now);
        move_digest(inner, &presented, &found);
        Ok(Tenant {
            auth: self.clone(),
            client: client_model(&found.client),
            actor: Actor::ApiKey(key_id),
            scopes: found.key.scopes,
            idempotency: None,
        })
    }
}

/// Moves the digest of a key that was just used to the digest key of today, in the background.
fn move_digest(inner: &Arc<Inner>, presented: &PresentedClientKey, found: &ApiKeyWithClient) {
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
