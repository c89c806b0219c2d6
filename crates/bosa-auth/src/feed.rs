//! Following the changes that other processes make.
//!
//! Numbers are given under the head's row lock, in the order of the commits and without gaps. So
//! whoever has seen all changes up to one number and reads on from it has seen all of them, as long
//! as the change at that number is still the one it was, which its mark tells. Anything else (another
//! mark, a hole, pruned changes, another server, a kind that this version does not know) means that
//! something may have been missed: then everything is forgotten and reading goes on at the head.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bosa_auth_core::{Clock, Timestamp};
use bosa_auth_store::changes::{self, ChangeKind, ChangeRow, FeedHead, FeedPage};
use bosa_auth_store::{Db, DbOptions, StoreError};
use tokio::task::JoinHandle;

use crate::auth::{Auth, Inner};
use crate::cache::VerifyCache;
use crate::error::{Error, Result};
use crate::settings::Settings;

/// A process that has missed more changes than this starts again at the head.
const MOST_AT_ONCE: u32 = 1000;
/// A poll comes so many times within the staleness bound.
const POLLS_PER_BOUND: u32 = 4;
const SHORTEST_INTERVAL: Duration = Duration::from_millis(5);
/// How long the poll's own connection may take for one answer at least.
const SHORTEST_TIMEOUT: Duration = Duration::from_secs(1);

/// How far the feed was followed, and when.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    position: Mutex<Option<Position>>,
    polled: Mutex<Option<Moment>>,
    is_failing: AtomicBool,
}

/// Everything up to this change has been taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Position {
    server: i64,
    head: FeedHead,
}

/// A moment on both clocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    monotonic: Duration,
    wall: Timestamp,
}

impl Moment {
    pub(crate) fn now(clock: &dyn Clock) -> Self {
        Self {
            monotonic: clock.monotonic(),
            wall: clock.now(),
        }
    }

    /// Whether more time than the bound has passed since then on either clock. A wall clock that was
    /// set back says nothing; one that ran ahead may have counted what the other missed.
    pub(crate) fn is_older_than(self, bound: Duration, clock: &dyn Clock) -> bool {
        let now = Self::now(clock);
        let ahead = now.wall.duration_since(self.wall);
        now.monotonic.saturating_sub(self.monotonic) > bound
            || Duration::try_from(ahead).is_ok_and(|ahead| ahead > bound)
    }
}

impl Feed {
    /// When the last completed poll was sent.
    pub(crate) fn polled(&self) -> Option<Moment> {
        *self.polled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Polls once: reads what has changed and forgets it, and only then moves on.
    ///
    /// Two polls at once do no harm: each takes in everything between the position it read and its
    /// own answer, so the position of either is right.
    ///
    /// # Errors
    /// `DatabaseUnavailable`: nothing was learned.
    pub(crate) async fn poll(&self, db: &Db, cache: &VerifyCache, clock: &dyn Clock) -> Result<()> {
        let polled = Moment::now(clock);
        let position = *self.position();
        // Without a position only the head is wanted.
        let from = position.map_or(i64::MAX, |position| position.head.seq);
        let page = changes::poll(db, from, MOST_AT_ONCE)
            .await?
            .ok_or_else(|| Error::internal("the instance has disappeared"))?;
        if !page.is_primary {
            return Err(StoreError::Unavailable {
                reason: "the change feed was read from a standby".to_owned(),
            }
            .into());
        }
        match new_changes(position, &page) {
            Some(changes) => {
                for (kind, change) in changes {
                    cache.forget(kind, change.subject);
                }
            }
            None => {
                cache.forget_all();
                if position.is_some() {
                    tracing::info!("the change feed was interrupted; starting again at its head");
                    metrics::counter!("bosa_auth_feed_restarts_total").increment(1);
                }
            }
        }
        *self.position() = Some(Position {
            server: page.server,
            head: page.head,
        });
        let mut newest = self.polled.lock().unwrap_or_else(PoisonError::into_inner);
        if newest.is_none_or(|newest| newest.monotonic <= polled.monotonic) {
            *newest = Some(polled);
        }
        Ok(())
    }

    fn position(&self) -> std::sync::MutexGuard<'_, Option<Position>> {
        self.position.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The changes after a position; `None` when some may be missing or are not understood.
fn new_changes(
    position: Option<Position>,
    page: &FeedPage,
) -> Option<Vec<(ChangeKind, &ChangeRow)>> {
    let position = position?;
    if position.server != page.server {
        return None;
    }
    if position.head == page.head {
        return Some(Vec::new());
    }
    let mut rows = page.changes.iter();
    let mut last = rows.next().map(place)?;
    if last != position.head {
        return None;
    }
    let mut changes = Vec::new();
    for row in rows {
        if last.seq.checked_add(1) != Some(row.seq) {
            return None;
        }
        last = place(row);
        changes.push((row.kind?, row));
    }
    (last == page.head).then_some(changes)
}

fn place(row: &ChangeRow) -> FeedHead {
    FeedHead {
        seq: row.seq,
        mark: row.mark,
    }
}

/// The background poll of one handle.
#[derive(Debug, Default)]
pub(crate) struct FeedPoll {
    /// PostgreSQL: a connection of its own, so that a pool in full use does not delay the poll.
    db: Option<Db>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl FeedPoll {
    /// Opens what the poll needs; nothing when there is nothing to poll.
    ///
    /// # Errors
    /// `DatabaseUnavailable`: the database cannot be reached.
    pub(crate) async fn open(settings: &Settings) -> Result<Self> {
        let Some(bound) = staleness(settings).filter(|_| !settings.database.is_sqlite()) else {
            return Ok(Self::default());
        };
        let patience = bound.max(SHORTEST_TIMEOUT);
        let options = DbOptions {
            pool_size: 1,
            statement_timeout: patience,
            lock_timeout: patience,
        };
        Ok(Self {
            db: Some(Db::open(&settings.database, options).await?),
            ..Self::default()
        })
    }

    pub(crate) async fn stop(&self) {
        let task = self
            .task
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(task) = task {
            task.abort();
            drop(task.await);
        }
        if let Some(db) = &self.db {
            db.close().await;
        }
    }
}

/// How long a change of another process may stay unseen; `None` when nothing is polled.
pub(crate) fn staleness(settings: &Settings) -> Option<Duration> {
    let polled = !settings.database.is_sqlite() || settings.database.sqlite_path().is_some();
    let bound = Duration::from_millis(u64::from(settings.staleness_ms));
    (polled && !bound.is_zero()).then_some(bound)
}

impl Auth {
    /// Polls until the last handle is gone. Without it nothing counts as fresh.
    pub(crate) fn start_feed(&self) {
        let Some(bound) = staleness(&self.inner.settings) else {
            return;
        };
        let interval = (bound / POLLS_PER_BOUND).max(SHORTEST_INTERVAL);
        let weak = Arc::downgrade(&self.inner);
        let task = tokio::spawn(async move {
            loop {
                let Some(inner) = weak.upgrade() else { return };
                inner.poll_and_report().await;
                drop(inner);
                tokio::time::sleep(interval).await;
            }
        });
        let mut slot = self
            .inner
            .feed_poll
            .task
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *slot = Some(task);
    }

    /// Takes in what other processes have changed, now; for tests.
    ///
    /// # Errors
    /// `DatabaseUnavailable`: nothing was learned.
    #[doc(hidden)]
    pub async fn poll_changes(&self) -> Result<()> {
        self.inner.poll().await
    }
}

impl Inner {
    async fn poll(&self) -> Result<()> {
        let shared = self.memory.shared();
        let db = self.feed_poll.db.as_ref().unwrap_or(self.store.db());
        shared
            .feed
            .poll(db, &shared.cache, shared.clock.as_ref())
            .await
    }

    /// Polls once, unless there is nothing to poll, and tells the log and the metrics.
    pub(crate) async fn poll_and_report(&self) {
        if staleness(&self.settings).is_none() {
            return;
        }
        let polled = self.poll().await;
        let was_failing = self
            .memory
            .shared()
            .feed
            .is_failing
            .swap(polled.is_err(), Ordering::Relaxed);
        match polled {
            Ok(()) if was_failing => tracing::info!("the change feed is read again"),
            Err(error) if !was_failing => tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the change feed cannot be read; verifications read the database meanwhile"
            ),
            _ => {}
        }
        self.memory.report();
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn head(seq: i64, mark: u128) -> FeedHead {
        FeedHead {
            seq,
            mark: Uuid::from_u128(mark),
        }
    }

    fn row(seq: i64, mark: u128) -> ChangeRow {
        ChangeRow {
            seq,
            mark: Uuid::from_u128(mark),
            kind: Some(ChangeKind::Token),
            client_id: None,
            subject: None,
            at: Timestamp::UNIX_EPOCH,
        }
    }

    /// How many changes follow after position (5, mark 50) of server 7; `None` starts again.
    fn after_five(server: i64, head: FeedHead, changes: Vec<ChangeRow>) -> Option<usize> {
        let position = Position {
            server: 7,
            head: self::head(5, 50),
        };
        let page = FeedPage {
            is_primary: true,
            server,
            head,
            changes,
        };
        new_changes(Some(position), &page).map(|changes| changes.len())
    }

    #[test]
    fn what_follows_without_a_gap_is_taken_in() {
        assert_eq!(after_five(7, head(5, 50), vec![row(5, 50)]), Some(0));
        assert_eq!(after_five(7, head(5, 50), vec![]), Some(0));
        let run = vec![row(5, 50), row(6, 60), row(7, 70)];
        assert_eq!(after_five(7, head(7, 70), run), Some(2));
    }

    #[test]
    fn whatever_may_hide_a_change_starts_again() {
        let unknown = ChangeRow {
            kind: None,
            ..row(6, 60)
        };
        let cases = [
            ("pruned", 7, head(9, 90), vec![row(8, 80), row(9, 90)]),
            ("gone", 7, head(9, 90), vec![]),
            ("shorter", 7, head(3, 30), vec![]),
            ("another mark", 7, head(6, 60), vec![row(5, 51), row(6, 60)]),
            (
                "same number, another mark",
                7,
                head(5, 51),
                vec![row(5, 51)],
            ),
            ("hole", 7, head(7, 70), vec![row(5, 50), row(7, 70)]),
            ("cut off", 7, head(7, 70), vec![row(5, 50), row(6, 60)]),
            ("another end", 7, head(6, 61), vec![row(5, 50), row(6, 60)]),
            ("unknown kind", 7, head(6, 60), vec![row(5, 50), unknown]),
            ("another server", 8, head(5, 50), vec![row(5, 50)]),
        ];
        for (name, server, head, changes) in cases {
            assert_eq!(after_five(server, head, changes), None, "{name}");
        }
        let page = FeedPage {
            is_primary: true,
            server: 7,
            head: head(5, 50),
            changes: vec![],
        };
        assert!(new_changes(None, &page).is_none());
    }

    #[test]
    fn either_clock_ends_the_freshness() {
        let second = Duration::from_secs(1);
        let start: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        let clock = bosa_auth_core::ManualClock::new(start);
        let polled = Moment::now(&clock);
        clock.advance(second);
        assert!(!polled.is_older_than(second, &clock));
        clock.advance(Duration::from_micros(1));
        assert!(polled.is_older_than(second, &clock));

        let polled = Moment::now(&clock);
        clock.set(start + Duration::from_secs(60));
        assert!(polled.is_older_than(second, &clock), "ran ahead");
        clock.set(start - Duration::from_secs(3600));
        assert!(!polled.is_older_than(second, &clock), "was set back");
        clock.advance(Duration::from_secs(2));
        assert!(polled.is_older_than(second, &clock), "set back and late");
    }
}
