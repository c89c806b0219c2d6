//! The refreshes that go on in this process. Whoever wants the same account waits for the same one.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bosa_auth_core::{ClientId, IntegrationId};
use tokio::sync::watch;

use super::outcome::Outcome;

pub(super) type Key = (ClientId, IntegrationId);

/// How far a refresh is.
#[derive(Debug, Clone)]
pub(super) enum Progress {
    /// It goes on.
    Going,
    /// It waits for another process, which needs at most so long.
    Elsewhere(Duration),
    /// It has something to write and no database.
    DatabaseAway,
    /// It has ended.
    Ended(Outcome),
}

/// Whether refreshes may begin and go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Open,
    /// None begins.
    Closing,
    /// None goes on.
    Closed,
}

#[derive(Debug)]
pub(super) struct Running {
    refreshes: Mutex<HashMap<Key, watch::Receiver<Progress>>>,
    count: watch::Sender<usize>,
    phase: watch::Sender<Phase>,
}

impl Default for Running {
    fn default() -> Self {
        Self {
            refreshes: Mutex::default(),
            count: watch::Sender::new(0),
            phase: watch::Sender::new(Phase::Open),
        }
    }
}

/// What [`Running::join`] found.
pub(super) enum Joined {
    /// A refresh that goes on.
    Going(watch::Receiver<Progress>),
    /// None: it is the caller's, who runs it and reports with this.
    New(watch::Receiver<Progress>, watch::Sender<Progress>),
}

impl Running {
    /// The refresh of an account that goes on, or a new one if `may_begin` allows it.
    pub(super) fn join<E>(
        &self,
        key: Key,
        may_begin: impl FnOnce() -> Result<(), E>,
    ) -> Result<Joined, E> {
        let mut refreshes = self.refreshes();
        if let Some(going) = refreshes.get(&key) {
            return Ok(Joined::Going(going.clone()));
        }
        may_begin()?;
        let (report, progress) = watch::channel(Progress::Going);
        refreshes.insert(key, progress.clone());
        self.count.send_replace(refreshes.len());
        Ok(Joined::New(progress, report))
    }

    /// Whoever comes from now on begins a new one.
    pub(super) fn leave(&self, key: Key) {
        let mut refreshes = self.refreshes();
        refreshes.remove(&key);
        self.count.send_replace(refreshes.len());
    }

    pub(super) fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    pub(super) fn enter(&self, phase: Phase) {
        self.phase.send_replace(phase);
    }

    /// Waits for a time, or until refreshes may not go on.
    pub(super) async fn pause(&self, time: Duration, unless: Phase) {
        let mut phase = self.phase.subscribe();
        let over = phase.wait_for(|phase| *phase >= unless);
        let _either = tokio::time::timeout(time, over).await;
    }

    /// Waits until none goes on.
    pub(super) async fn none(&self) {
        let mut count = self.count.subscribe();
        // The sender is this very value.
        let _zero = count.wait_for(|count| *count == 0).await;
    }

    fn refreshes(&self) -> MutexGuard<'_, HashMap<Key, watch::Receiver<Progress>>> {
        self.refreshes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
