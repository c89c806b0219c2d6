//! Writes: a closure in a transaction, repeated when the database asks for it.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use tokio::time::{Instant, sleep};
use tracing::Instrument;

use super::{
    Arm, Db, Tx,
    postgres::Postgres,
    tx::{Attempt, Trouble, TxArm},
};
use crate::error::StoreError;

/// How often a write that met another transaction is repeated, within twice the lock timeout.
const MAX_BUSY: u32 = 20;
/// How often a write that lost its connection is repeated.
const MAX_LOST: u32 = 3;

impl Db {
    /// Runs `f` in a transaction and commits it; an error from `f` rolls back.
    ///
    /// The write runs in a task of its own, so that a caller that goes away stops neither the
    /// closure nor the commit. It is repeated when the database is busy, ends a deadlock, or loses
    /// the connection: `f` may run more than once and must bring its ids, secrets and times along
    /// and write in a form that changes nothing when it is already applied.
    ///
    /// On SQLite, writes that wait together are committed together, each in a savepoint of its own.
    /// None is answered before that commit, not even one that failed; so `f` should await nothing
    /// but its own statements, since others may wait for it.
    ///
    /// # Errors
    /// What `f` returned, or a [`StoreError`] of the transaction itself;
    /// [`StoreError::OutcomeUnknown`] when the connection was lost at commit and repeating did not
    /// settle it.
    pub async fn write<T, E, F>(&self, f: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + Sync + 'static,
    {
        self.spawn(f, false).await
    }

    /// As [`Db::write`], in a transaction that nobody shares.
    ///
    /// # Errors
    /// As [`Db::write`].
    pub(crate) async fn write_alone<T, E, F>(&self, f: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + Sync + 'static,
    {
        self.spawn(f, true).await
    }

    async fn spawn<T, E, F>(&self, f: F, alone: bool) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + Sync + 'static,
    {
        self.inner.process.check()?;
        let db = self.clone();
        let task = async move { db.write_here(Arc::new(f), alone).await }.in_current_span();
        match tokio::spawn(task).await {
            Ok(result) => result,
            Err(error) if error.is_panic() => {
                Err(StoreError::Internal("a write panicked".to_owned()).into())
            }
            // Only a runtime that shuts down cancels the task, at a point nobody knows.
            Err(_) => Err(StoreError::OutcomeUnknown.into()),
        }
    }

    async fn write_here<T, E, F>(&self, f: Arc<F>, mut alone: bool) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + Sync + 'static,
    {
        let mut repeats = Repeats::new(self.inner.options.lock_timeout * 2);
        loop {
            let attempt = match &self.inner.arm {
                Arm::Sqlite(sqlite) => sqlite.attempt(Arc::clone(&f), alone).await,
                Arm::Postgres(postgres) => Attempt::Ended(attempt(postgres, &*f).await),
            };
            let (trouble, error) = match attempt {
                Attempt::Ended(Ok(value)) => return Ok(value),
                Attempt::Ended(Err(failure)) => failure,
                Attempt::Again(error) => {
                    repeats.unknown |= error == StoreError::OutcomeUnknown;
                    alone = true;
                    continue;
                }
            };
            if !repeats.allow(trouble).await {
                return Err(match repeats.unknown && trouble != Trouble::Failed {
                    true => StoreError::OutcomeUnknown.into(),
                    false => error,
                });
            }
        }
    }
}

async fn attempt<T, E, F>(postgres: &Postgres, f: &F) -> Result<T, (Trouble, E)>
where
    E: From<StoreError>,
    F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>>,
{
    let failure = |error: StoreError| (Trouble::of(&error), E::from(error));
    let tx = postgres.begin().await.map_err(|error| match error {
        StoreError::Busy => failure(error),
        // Whatever the reason, this attempt was none.
        error => (Trouble::Unreachable, E::from(error)),
    })?;
    let mut tx = Tx::new(TxArm::Postgres(Box::new(tx)));
    match f(&mut tx).await {
        Ok(value) => tx.commit().await.map_err(failure).map(|()| value),
        Err(error) => {
            let trouble = tx.trouble().unwrap_or(Trouble::Failed);
            tx.rollback().await;
            Err((trouble, error))
        }
    }
}

/// Decides whether a write runs once more.
struct Repeats {
    started: Instant,
    limit: Duration,
    busy: u32,
    lost: u32,
    /// Whether the outcome of an earlier attempt is unknown.
    unknown: bool,
}

impl Repeats {
    fn new(limit: Duration) -> Self {
        Self {
            started: Instant::now(),
            limit,
            busy: 0,
            lost: 0,
            unknown: false,
        }
    }

    async fn allow(&mut self, trouble: Trouble) -> bool {
        let (allowed, delay) = match trouble {
            Trouble::Failed => return false,
            // Nothing is written: the caller may well try again, and need not wait for us.
            Trouble::Unreachable if !self.unknown => return false,
            Trouble::Busy => {
                self.busy += 1;
                let delay = Duration::from_millis(1 << self.busy.min(7));
                (self.busy <= MAX_BUSY, delay)
            }
            Trouble::Lost | Trouble::Unknown | Trouble::Unreachable => {
                self.unknown |= trouble == Trouble::Unknown;
                self.lost += 1;
                (self.lost <= MAX_LOST, Duration::from_millis(20) * self.lost)
            }
        };
        if !allowed || self.started.elapsed() >= self.limit {
            return false;
        }
        sleep(delay).await;
        true
    }
}
