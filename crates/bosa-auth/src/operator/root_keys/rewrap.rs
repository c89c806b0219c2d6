//! Digest keys and generated signing keys follow the active root key.

use std::sync::Arc;

use bosa_auth_core::vault::{KeyPurpose, open_key, seal_key};
use bosa_auth_store::{DigestKeyRow, Opaque, SigningKeyRow, digest_keys, signing_keys};

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

/// A key of the database that seals no value.
#[derive(Debug)]
enum Key {
    Digest(DigestKeyRow),
    Signing(SigningKeyRow),
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
        let digest_keys = digest_keys::list(&inner.store).await?.into_iter();
        for key in digest_keys.map(Key::Digest) {
            done.digest_keys += u64::from(rewrap(inner, key, &active).await?);
        }
        let signing_keys = signing_keys::list(&inner.store).await?.into_iter();
        for key in signing_keys.map(Key::Signing) {
            done.signing_keys += u64::from(rewrap(inner, key, &active).await?);
        }
        Ok(done)
    }
}

/// Seals a key under the active root key; false when it is already, or somebody else was faster.
async fn rewrap(inner: &Inner, key: Key, active: &str) -> Result<bool> {
    let (former, sealed) = key.sealed();
    if former == active {
        return Ok(false);
    }
    let (purpose, name) = key.place();
    let former = root_key(&inner.root_keys, former)?;
    let plain = open_key(former, purpose, &name, sealed).map_err(|_| Error::Unreadable {
        what: key.kind().to_owned(),
    })?;
    let root = root_key(&inner.root_keys, active)?;
    let sealed = seal_key(root, purpose, &name, plain.expose(), inner.entropy.as_ref());
    let sealed = Opaque::from(sealed.map_err(Error::internal)?);
    let write = Arc::new((key, active.to_owned(), sealed));
    let resealed = inner.store.write(move |tx| {
        let write = write.clone();
        Box::pin(async move {
            let (before, root, sealed) = write.as_ref();
            let resealed = match before {
                Key::Digest(before) => digest_keys::reseal(tx, before, root, sealed).await,
                Key::Signing(before) => signing_keys::reseal(tx, before, root, sealed).await,
            };
            resealed.map_err(Error::from)
        })
    });
    resealed.await
}

impl Key {
    /// The root key that it is sealed under, and the sealed bytes.
    fn sealed(&self) -> (&str, &Opaque) {
        match self {
            Self::Digest(row) => (&row.root_key_id, &row.sealed),
            Self::Signing(row) => (&row.root_key_id, &row.sealed),
        }
    }

    /// What it is sealed as, and for.
    fn place(&self) -> (KeyPurpose, String) {
        match self {
            Self::Digest(row) => (KeyPurpose::DigestKey, row.id.to_string()),
            Self::Signing(row) => (KeyPurpose::SigningKey, row.kid.clone()),
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Digest(_) => "a digest key",
            Self::Signing(_) => "a signing key",
        }
    }
}
