//! The opened digest keys of this process.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use bosa_auth_core::vault::{KeyPurpose, RootKeyring, open_key, seal_key};
use bosa_auth_core::{DigestKey, DigestKeyId, Entropy, Timestamp};
use bosa_auth_store::digest_keys::{self, DigestKeyRow};
use bosa_auth_store::{KeyState, Store};

use crate::error::{Error, Result};
use crate::instance::root_key;

/// Every digest key by its id, and the one that new digests are made with.
#[derive(Debug)]
pub(crate) struct DigestKeys(ArcSwap<Opened>);

/// A key with its id.
pub(crate) type NamedKey = (DigestKeyId, Arc<DigestKey>);

#[derive(Debug)]
struct Opened {
    active: NamedKey,
    by_id: HashMap<DigestKeyId, Arc<DigestKey>>,
}

impl DigestKeys {
    /// Opens the keys of the database; makes the first one when there is none.
    pub(crate) async fn load(
        store: &Store,
        root_keys: &RootKeyring,
        active_root_key: &str,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<Self> {
        if let Some(opened) = open_all(store, root_keys).await? {
            return Ok(Self(ArcSwap::from_pointee(opened)));
        }
        make_first(store, root_keys, active_root_key, now, entropy).await?;
        match open_all(store, root_keys).await? {
            Some(opened) => Ok(Self(ArcSwap::from_pointee(opened))),
            None => Err(Error::internal("no digest key is active")),
        }
    }

    /// The key that new digests are made with.
    pub(crate) fn active(&self) -> NamedKey {
        self.0.load().active.clone()
    }

    /// Uses the key that new digests are made with, without counting one more holder of it: every
    /// verification comes here.
    pub(crate) fn with_active<T>(&self, f: impl FnOnce(DigestKeyId, &DigestKey) -> T) -> T {
        let opened = self.0.load();
        let (id, key) = &opened.active;
        f(*id, key)
    }

    /// The key that new digests are made with, and those that only verify.
    pub(crate) fn active_and_former(&self) -> (NamedKey, Vec<NamedKey>) {
        let opened = self.0.load();
        let active = opened.active.clone();
        let others = opened.by_id.iter().filter(|(id, _)| **id != active.0);
        let former = others.map(|(id, key)| (*id, key.clone())).collect();
        (active, former)
    }

    /// A key by its id; read again from the database when it is not known here yet.
    ///
    /// # Errors
    /// `Unreadable` when the database does not have it either.
    pub(crate) async fn get(
        &self,
        id: DigestKeyId,
        store: &Store,
        root_keys: &RootKeyring,
    ) -> Result<Arc<DigestKey>> {
        if let Some(key) = self.known(id) {
            return Ok(key);
        }
        self.reload(store, root_keys).await?;
        self.known(id).ok_or_else(|| Error::Unreadable {
            what: "a digest without its key".to_owned(),
        })
    }

    /// Opens the keys as they are in the database now.
    ///
    /// # Errors
    /// `Configuration` when a root key is missing, `Unreadable` when a key does not open; those that
    /// were open stay.
    pub(crate) async fn reload(&self, store: &Store, root_keys: &RootKeyring) -> Result<()> {
        if let Some(opened) = open_all(store, root_keys).await? {
            self.0.store(Arc::new(opened));
        }
        Ok(())
    }

    /// All keys that are open, the active one first.
    pub(crate) fn all(&self) -> Vec<NamedKey> {
        let opened = self.0.load();
        let (active, _) = opened.active;
        let others = opened.by_id.iter().filter(|(id, _)| **id != active);
        let others = others.map(|(id, key)| (*id, key.clone()));
        std::iter::once(opened.active.clone())
            .chain(others)
            .collect()
    }

    /// A key by its id, when it was opened already.
    pub(crate) fn known(&self, id: DigestKeyId) -> Option<Arc<DigestKey>> {
        self.0.load().by_id.get(&id).cloned()
    }
}

async fn open_all(store: &Store, root_keys: &RootKeyring) -> Result<Option<Opened>> {
    let mut active = None;
    let mut by_id = HashMap::new();
    for row in digest_keys::list(store).await? {
        let key = Arc::new(open_row(&row, root_keys)?);
        if row.state == KeyState::Active {
            active = Some((row.id, key.clone()));
        }
        by_id.insert(row.id, key);
    }
    Ok(active.map(|active| Opened { active, by_id }))
}

/// Opens a key of the database.
///
/// # Errors
/// `Unreadable` when it does not open, `Configuration` when its root key is missing.
pub(crate) fn open_row(row: &DigestKeyRow, root_keys: &RootKeyring) -> Result<DigestKey> {
    let unreadable = || Error::Unreadable {
        what: "a digest key".to_owned(),
    };
    let root = root_key(root_keys, &row.root_key_id)?;
    let name = row.id.to_string();
    let bytes =
        open_key(root, KeyPurpose::DigestKey, &name, &row.sealed).map_err(|_| unreadable())?;
    let bytes = bytes.expose().try_into().map_err(|_| unreadable())?;
    Ok(DigestKey::from_bytes(bytes))
}

/// Makes the first key by compare-and-set: when another process is faster, its key stays.
async fn make_first(
    store: &Store,
    root_keys: &RootKeyring,
    active_root_key: &str,
    now: Timestamp,
    entropy: &dyn Entropy,
) -> Result<()> {
    let id = DigestKeyId::generate(now, entropy)?;
    let key = DigestKey::generate(entropy)?;
    let root = root_key(root_keys, active_root_key)?;
    let sealed = seal_key(
        root,
        KeyPurpose::DigestKey,
        &id.to_string(),
        key.expose(),
        entropy,
    )
    .map_err(Error::internal)?;
    let row = Arc::new(DigestKeyRow {
        id,
        root_key_id: active_root_key.to_owned(),
        sealed: sealed.into(),
        state: KeyState::Active,
        created_at: now,
    });
    store
        .write(move |tx| {
            let row = row.clone();
            Box::pin(async move {
                digest_keys::insert_first(tx, &row)
                    .await
                    .map_err(Error::from)
            })
        })
        .await
        .map(drop)
}
