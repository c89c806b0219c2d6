//! When each API key was last used, written in batches and at most once a minute per key.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bosa_auth_core::{ApiKeyId, Timestamp};
use bosa_auth_store::api_keys;

use crate::auth::Inner;
use crate::error::{Error, Result};

pub(crate) const ONCE_IN_SECONDS: i64 = 60;
/// Keys beyond this number wait for the next minute.
const MOST_WAITING: usize = 100_000;
/// Keys of one transaction.
const BATCH: usize = 500;

/// Uses that are not written yet.
#[derive(Debug, Default)]
pub(crate) struct LastUsed(Mutex<HashMap<ApiKeyId, Timestamp>>);

impl LastUsed {
    /// Notes a use, unless the stored time is less than a minute old.
    pub(crate) fn note(&self, id: ApiKeyId, stored: Option<Timestamp>, now: Timestamp) {
        if stored.is_some_and(|stored| now.as_second() - stored.as_second() < ONCE_IN_SECONDS) {
            return;
        }
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < MOST_WAITING || waiting.contains_key(&id) {
            waiting.insert(id, now);
        }
    }

    fn take(&self) -> Vec<(ApiKeyId, Timestamp)> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken: Vec<_> = waiting.drain().collect();
        // One order for every process, so that two batches never wait for each other.
        taken.sort_unstable_by_key(|(id, _)| *id);
        taken
    }
}

impl Inner {
    /// Writes what was noted; what could not be written is noted again at the next use.
    pub(crate) async fn write_last_used(&self) -> Result<()> {
        let taken = self.last_used.take();
        // Each batch holds its rows until its commit: nobody who revokes a key waits for long.
        for batch in taken.chunks(BATCH) {
            let batch: Arc<[_]> = batch.into();
            self.store
                .write(move |tx| {
                    let batch = batch.clone();
                    Box::pin(async move { api_keys::touch(tx, &batch).await.map_err(Error::from) })
                })
                .await?;
        }
        Ok(())
    }
}
