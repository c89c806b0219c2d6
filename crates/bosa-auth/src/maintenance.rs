//! Work that goes on in the background: heartbeat, last-used times, records of
//! logins, pruning, refreshing accounts ahead of need.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bosa_auth_core::{Actor, AuditAction, Timestamp};
use bosa_auth_store::nodes::{self, NodeRow};
use bosa_auth_store::{
    AccountPlace, BoxFuture, ClientTx, NeedsReauth, StoreError, Tx, changes, clients,
    connect_states, grants, idempotency, tokens,
};
use jiff::SignedDuration;
use tokio::task::JoinHandle;

use crate::auth::{Auth, Inner};
use crate::connecting::LASTS;
use crate::error::{Error, Result};
use crate::operation::Operation;

/// How often what waits in memory is written.
const TICK: Duration = Duration::from_secs(5);
/// Every so many ticks comes the rest: heartbeat, pruning, resuming deletions.
const TICKS_PER_ROUND: u32 = 6;
/// A token's row stays this long after its end, so that it is still refused as expired.
const KEEP_TOKENS: SignedDuration = SignedDuration::from_hours(24);
/// Its end may have moved at the original meanwhile, which the next import takes over; without its row nobody
/// would know whether it was revoked here.
const KEEP_IMPORTED_TOKENS: SignedDuration = SignedDuration::from_hours(24 * 90);
const KEEP_IDEMPOTENCY: SignedDuration = SignedDuration::from_hours(24);
const KEEP_CHANGES: SignedDuration = SignedDuration::from_hours(24 * 7);
const KEEP_NODES: SignedDuration = SignedDuration::from_hours(24);
/// How long after their end connections that were begun are kept, and accounts that wait for a code:
/// other processes may have slower clocks.
const KEEP_CONNECTIONS: SignedDuration = SignedDuration::from_mins(10);
const PRUNE_BATCH: u32 = 1000;
/// Why an account that was there before must be connected again.
const NOT_COMPLETED: &str = "the connection was not completed in time";

/// The background task of one handle.
#[derive(Debug, Default)]
pub(crate) struct Maintenance(Mutex<Option<JoinHandle<()>>>);

impl Maintenance {
    pub(crate) async fn stop(&self) {
        let task = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            task.abort();
            // It ends between two of its steps; writes have tasks of their own.
            drop(task.await);
        }
    }
}

impl Auth {
    /// Starts the background work, unless it runs already. It ends with [`Auth::close`], or when the
    /// last handle is gone.
    pub fn start_maintenance(&self) {
        let mut slot = self
            .inner
            .maintenance
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if slot.is_some() {
            return;
        }
        let weak = Arc::downgrade(&self.inner);
        *slot = Some(tokio::spawn(async move {
            let mut refreshing: Option<JoinHandle<()>> = None;
            for tick in 0u32.. {
                if tick > 0 {
                    tokio::time::sleep(TICK).await;
                }
                let Some(inner) = weak.upgrade() else { return };
                let done = match tick % TICKS_PER_ROUND {
                    0 => inner.maintain().await,
                    _ => inner.write_waiting().await,
                };
                report(done);
                // A slow provider keeps nothing else waiting.
                if refreshing.as_ref().is_none_or(JoinHandle::is_finished) {
                    let auth = Auth { inner };
                    let refresh = async move { report(auth.refresh_due().await) };
                    refreshing = Some(tokio::spawn(refresh));
                }
            }
        }));
    }

    /// Does the background work once: heartbeat, last-used times, pruning, resuming the deletion of
    /// clients, and refreshing the accounts that are due.
    ///
    /// # Errors
    /// `DatabaseUnavailable`: it goes on at the next time.
    pub async fn run_maintenance(&self) -> Result<()> {
        self.inner.maintain().await?;
        self.refresh_due().await
    }
}

impl Inner {
    async fn maintain(&self) -> Result<()> {
        self.write_waiting().await?;
        self.heartbeat().await?;
        // The change feed tells at once, but may be switched off.
        self.reload_keys_and_report().await?;
        self.prune().await?;
        for client_id in clients::deleting(&self.store).await? {
            self.remove_client(client_id).await?;
        }
        Ok(())
    }

    /// Writes what waits in memory: last-used times and records of logins.
    pub(crate) async fn write_waiting(&self) -> Result<()> {
        self.write_last_used().await?;
        self.write_logins().await
    }

    /// Records that this process is alive and which key it signs with.
    pub(crate) async fn heartbeat(&self) -> Result<()> {
        let now = self.clock.now();
        let kid = match self.signing_keys.signer(&self.store, &self.root_keys).await {
            Ok(key) => key.kid().to_owned(),
            Err(Error::Configuration(_)) => String::new(),
            Err(error) => return Err(error),
        };
        let node = NodeRow {
            id: self.node_id,
            kid,
            started_at: now,
            seen_at: now,
        };
        self.store
            .write(move |tx| {
                let node = node.clone();
                Box::pin(async move { nodes::seen(tx, &node).await.map_err(Error::from) })
            })
            .await
    }

    async fn prune(&self) -> Result<()> {
        let now = self.clock.now();
        let (records, feed, seen) = (
            before(now, KEEP_IDEMPOTENCY),
            before(now, KEEP_CHANGES),
            before(now, KEEP_NODES),
        );
        self.store
            .write(move |tx| {
                Box::pin(async move { nodes::prune(tx, seen).await.map_err(Error::from) })
            })
            .await?;
        let (ended, imported) = (before(now, KEEP_TOKENS), before(now, KEEP_IMPORTED_TOKENS));
        // In batches, so that no statement runs into its time limit, however much there is.
        self.prune_batches(move |tx| Box::pin(idempotency::prune(tx, records, PRUNE_BATCH)))
            .await?;
        self.prune_batches(move |tx| Box::pin(changes::prune(tx, feed, PRUNE_BATCH)))
            .await?;
        self.prune_batches(move |tx| Box::pin(tokens::prune(tx, ended, imported, PRUNE_BATCH)))
            .await?;
        let ended = before(now, KEEP_CONNECTIONS);
        self.prune_batches(move |tx| Box::pin(connect_states::prune(tx, ended, PRUNE_BATCH)))
            .await?;
        self.end_uncompleted(ended).await
    }

    /// Ends the accounts whose codes nobody has brought in time.
    async fn end_uncompleted(&self, before: Timestamp) -> Result<()> {
        loop {
            let places = grants::uncompleted(&self.store, before, PRUNE_BATCH).await?;
            let is_last = places.len() < PRUNE_BATCH as usize;
            for place in places {
                self.end_uncompleted_account(place, before).await?;
            }
            if is_last {
                return Ok(());
            }
        }
    }

    async fn end_uncompleted_account(&self, place: AccountPlace, before: Timestamp) -> Result<()> {
        let detail = serde_json::json!({ "connector": place.connector, "reason": NOT_COMPLETED });
        let event = self.event(
            &Actor::Library,
            AuditAction::IntegrationDelete,
            Some(place.client_id),
            Some(place.user_id.as_uuid()),
            Some(detail.to_string()),
        )?;
        let ended = NeedsReauth {
            reason: NOT_COMPLETED.to_owned(),
            at: event.at,
        };
        let act = Arc::new((place, ended, Operation::new(event, None)));
        self.store
            .write(move |tx| {
                let act = act.clone();
                Box::pin(async move {
                    let (place, ended, operation) = act.as_ref();
                    let opening = operation.open(tx);
                    let mut scope = ClientTx::new(&mut *tx, place.client_id);
                    let done = scope
                        .end_uncompleted(place, before, LASTS.unsigned_abs(), ended)
                        .await;
                    // Completed, deleted or begun anew at this moment: then nothing is on record.
                    if opening.earlier(tx)?.is_none() && !done? {
                        tx.discard();
                    }
                    Ok(())
                })
            })
            .await
    }

    async fn prune_batches(
        &self,
        batch: impl for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, std::result::Result<u64, StoreError>>
        + Clone
        + Send
        + Sync
        + 'static,
    ) -> Result<()> {
        while self.store.write(batch.clone()).await? >= u64::from(PRUNE_BATCH) {}
        Ok(())
    }
}

fn report(done: Result<()>) {
    if let Err(error) = done {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "background work failed"
        );
    }
}

fn before(now: Timestamp, age: SignedDuration) -> Timestamp {
    now.checked_sub(age).unwrap_or(Timestamp::UNIX_EPOCH)
}
