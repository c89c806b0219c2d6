//! The keys of the database that this process works with now: which root key seals new keys, and the
//! digest keys. Others may replace them at any time.
//!
//! A process learns that from the change feed, from its own background work, and at the latest when the
//! database refuses what was made with a key that was replaced: then it reads them again and does the
//! same once more.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use bosa_auth_core::vault::{KeyPurpose, seal_key};
use bosa_auth_store::{Opaque, StoreError, instance, root_keys};

use crate::auth::Inner;
use crate::error::{Error, Result};
use crate::instance::{KeyPlace, has, open_one, root_key};
use crate::key_files::{KeyDirectory, ROOT_KEYS};

/// Which root key seals new keys, and where root keys that are new come from.
#[derive(Debug)]
pub(crate) struct ActiveRootKey {
    id: ArcSwap<String>,
    /// Where the root keys lie, unless they are configured or in memory.
    pub(crate) directory: Option<KeyDirectory>,
    /// How many changes of the feed were followed.
    followed: AtomicU64,
}

/// A key that was sealed for the database.
#[derive(Debug)]
pub(crate) struct SealedKey {
    pub(crate) root_key_id: String,
    pub(crate) sealed: Opaque,
}

impl ActiveRootKey {
    pub(crate) fn new(id: String, directory: Option<KeyDirectory>) -> Self {
        Self {
            id: ArcSwap::from_pointee(id),
            directory,
            followed: AtomicU64::new(0),
        }
    }

    /// The id of the root key that seals new keys; this process may lack it.
    pub(crate) fn id(&self) -> Arc<String> {
        self.id.load_full()
    }
}

impl Inner {
    /// Seals a new key of the database under the active root key.
    ///
    /// # Errors
    /// `Configuration` when this process lacks the active root key.
    pub(crate) fn seal_new_key(
        &self,
        purpose: KeyPurpose,
        name: &str,
        plain: &[u8],
    ) -> Result<SealedKey> {
        let id = self.active_root_key.id();
        let root = root_key(&self.root_keys, &id)?;
        let sealed = seal_key(root, purpose, name, plain, self.entropy.as_ref());
        Ok(SealedKey {
            root_key_id: id.to_string(),
            sealed: sealed.map_err(Error::internal)?.into(),
        })
    }

    /// Reads which root key is active, and the digest keys. Root keys that were added to their file are
    /// learned when the database refers to one that is not known here.
    ///
    /// # Errors
    /// `Configuration` when a root key is missing or wrong; `DatabaseUnavailable`.
    pub(crate) async fn reload_keys(&self) -> Result<()> {
        let instance = instance::load(&self.store).await?;
        let instance = instance.ok_or_else(|| Error::internal("the instance has disappeared"))?;
        let active = &instance.active_root_key;
        if !has(&self.root_keys, active) {
            self.learn_root_keys()?;
        }
        if *self.active_root_key.id() != *active {
            // Also when it is missing here: nothing may be sealed under the former one.
            self.active_root_key.id.store(Arc::new(active.clone()));
            let canaries = root_keys::canaries(&self.store).await?;
            if let Some(canary) = canaries.iter().find(|canary| canary.root_key_id == *active) {
                open_one(&self.root_keys, canary)?;
            }
            tracing::info!(
                root_key = active,
                "new keys are sealed under another root key"
            );
        }
        self.digest_keys.reload(&self.store, &self.root_keys).await
    }

    /// Reads the file of the root keys once more.
    pub(crate) fn learn_root_keys(&self) -> Result<()> {
        let Some(directory) = &self.active_root_key.directory else {
            return Ok(());
        };
        if let Some(text) = directory.read(ROOT_KEYS)? {
            let place = KeyPlace::Directory(directory.clone());
            self.root_keys.learn(place.parse_root_keys(&text)?);
        }
        Ok(())
    }

    /// The first root key that the database knows and this process lacks.
    ///
    /// # Errors
    /// `DatabaseUnavailable`.
    pub(crate) async fn missing_root_key(&self) -> Result<Option<String>> {
        let canaries = root_keys::canaries(&self.store).await?;
        let ids = canaries.into_iter().map(|canary| canary.root_key_id);
        Ok(ids.into_iter().find(|id| !has(&self.root_keys, id)))
    }

    /// Reads the keys again when the feed has told of a change.
    ///
    /// # Errors
    /// `DatabaseUnavailable`: the next call tries again.
    pub(crate) async fn follow_keys(&self, changes: u64) -> Result<()> {
        let followed = &self.active_root_key.followed;
        if followed.load(Ordering::Acquire) == changes {
            return Ok(());
        }
        self.reload_keys_and_report().await?;
        followed.store(changes, Ordering::Release);
        Ok(())
    }

    /// As [`reload_keys`](Self::reload_keys), where nobody waits for the keys.
    ///
    /// # Errors
    /// `DatabaseUnavailable`.
    pub(crate) async fn reload_keys_and_report(&self) -> Result<()> {
        match self.reload_keys().await {
            Err(error @ Error::DatabaseUnavailable(_)) => return Err(error),
            // Reading the same again would not help; readiness says it too.
            Err(error) => tracing::error!(
                error = &error as &dyn std::error::Error,
                "the keys of the database cannot be used by this process"
            ),
            Ok(()) => {}
        }
        Ok(())
    }

    /// The outcome of something that has used the active keys; `None` when one of them was replaced and
    /// refused, so that nothing was changed: they were read again, and it is to be done once more.
    ///
    /// # Errors
    /// Any other failure; `Configuration` when a root key is missing.
    pub(crate) async fn unless_keys_were_replaced<T>(&self, done: Result<T>) -> Result<Option<T>> {
        match done {
            Ok(done) => Ok(Some(done)),
            Err(error) if is_of_a_replaced_key(&error) => {
                self.reload_keys().await?;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// Whether the database has refused a key because it is not there any more or not the active one.
fn is_of_a_replaced_key(error: &Error) -> bool {
    let Error::Internal(cause) = error else {
        return false;
    };
    matches!(
        cause.downcast_ref::<StoreError>(),
        Some(StoreError::RootKeyReplaced | StoreError::ForeignKey)
    )
}
