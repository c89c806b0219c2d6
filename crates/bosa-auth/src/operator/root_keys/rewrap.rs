//! Digest keys and generated signing keys follow the active root key.

use std::sync::Arc;

use bosa_auth_core::vault::{KeyPurpose, open_key, seal_key};
use bosa_auth_store::{Opaque, digest_keys, signing_keys};

use crate::auth::Inner;
use crate::error::{Error, Result};
use crate::instance::root_key;
use crate::principal::Operator;

/// How many keys were sealed under the active root key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RewrappedKeys {
    /// Digest keys.
    pub digest_keys: u64,
    /// Generated signing keys.
    pub signing_keys: u64,
}

impl Operator {
    /// Seals every digest key and every generated signing key under the active root key that is not
    /// yet. Nothing that was made with them changes.
    ///
    /// # Errors
    /// `Configuration`: this process lacks a root key. `Unreadable`: a key does not open.
    pub async fn rewrap_digest_and_signing_keys(&self) -> Result<RewrappedKeys> {
        let inner = &self.auth.inner;
        inner.reload_keys().await?;
        let active = inner.active_root_key.id();
        let mut done = RewrappedKeys::default();
        for row in digest_keys::list(&inner.store).await? {
            if row.root_key_id == *active {
                continue;
            }
            let (purpose, name) = (KeyPurpose::DigestKey, row.id.to_string());
            let sealed = rewrapped(
                inner,
                purpose,
                &name,
                &row.root_key_id,
                &row.sealed,
                &active,
            )?;
            let row = Arc::new((row, sealed, active.clone()));
            done.digest_keys += u64::from(
                inner
                    .store
                    .write(move |tx| {
                        let row = row.clone();
                        Box::pin(async move {
                            let (before, sealed, root) = row.as_ref();
                            let resealed = digest_keys::reseal(tx, before, root, sealed);
                            resealed.await.map_err(Error::from)
                        })
                    })
                    .await?,
            );
        }
        for row in signing_keys::list(&inner.store).await? {
            if row.root_key_id == *active {
                continue;
            }
            let purpose = KeyPurpose::SigningKey;
            let sealed = rewrapped(
                inner,
                purpose,
                &row.kid,
                &row.root_key_id,
                &row.sealed,
                &active,
            )?;
            let row = Arc::new((row, sealed, active.clone()));
            done.signing_keys += u64::from(
                inner
                    .store
                    .write(move |tx| {
                        let row = row.clone();
                        Box::pin(async move {
                            let (before, sealed, root) = row.as_ref();
                            let resealed = signing_keys::reseal(tx, before, root, sealed);
                            resealed.await.map_err(Error::from)
                        })
                    })
                    .await?,
            );
        }
        Ok(done)
    }
}

fn rewrapped(
    inner: &Inner,
    purpose: KeyPurpose,
    name: &str,
    root_key_id: &str,
    sealed: &Opaque,
    active: &str,
) -> Result<Opaque> {
    let former = root_key(&inner.root_keys, root_key_id)?;
    let plain = open_key(former, purpose, name, sealed).map_err(|_| Error::Unreadable {
        what: match purpose {
            KeyPurpose::SigningKey => "a signing key".to_owned(),
            _ => "a digest key".to_owned(),
        },
    })?;
    let root = root_key(&inner.root_keys, active)?;
    let sealed = seal_key(root, purpose, name, plain.expose(), inner.entropy.as_ref());
    Ok(sealed.map_err(Error::internal)?.into())
}
