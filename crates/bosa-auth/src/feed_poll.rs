//! When the feed is looked at: at regular times, and at once where somebody says so.
//!
//! The regular look alone keeps the bound. On PostgreSQL a connection that listens makes it come
//! earlier; on SQLite a look at the version of the file makes it cheap.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bosa_auth_store::{
    DatabaseUrl, Db, DbOptions, FileVersion, FileWatch, Listener, StoreError, changes,
};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::MissedTickBehavior;

use crate::auth::{Auth, Inner};
use crate::error::Result;
use crate::feed::Moment;
use crate::settings::Settings;

/// A poll comes so many times within the staleness bound.
const POLLS_PER_BOUND: u32 = 4;
const SHORTEST_INTERVAL: Duration = Duration::from_millis(5);
/// How long the poll's own connection may take for one answer at least.
const SHORTEST_TIMEOUT: Duration = Duration::from_secs(1);
/// How soon, and at the latest how late, a lost listener is tried again.
const LISTEN_AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// The background poll of one handle.
#[derive(Debug, Default)]
pub(crate) struct FeedPoll {
    /// PostgreSQL: a connection of its own, so that a pool in full use does not delay the poll.
    db: Option<Db>,
    /// SQLite: gone once the poll has ended, so that the file can be closed.
    watch: Mutex<Option<Watch>>,
    signal: Arc<Signal>,
    is_failing: AtomicBool,
    task: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Watch {
    file: Arc<FileWatch>,
    /// The version before the feed was last read.
    seen: Option<FileVersion>,
}

/// What makes the poll come before its time.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    wake: Notify,
    /// Whether the others are to be told that something has changed.
    announce: AtomicBool,
}

impl Signal {
    /// Has the poll tell other processes to look, soon and once for all that comes together.
    pub(crate) fn announce(&self) {
        self.announce.store(true, Ordering::Release);
        self.wake.notify_one();
    }

    fn look(&self) {
        self.wake.notify_one();
    }
}

impl FeedPoll {
    /// Opens what the poll needs; nothing when there is nothing to poll.
    ///
    /// # Errors
    /// `DatabaseUnavailable`: the database cannot be reached.
    pub(crate) async fn open(settings: &Settings, db: &Db) -> Result<Self> {
        let Some(bound) = staleness(settings) else {
            return Ok(Self::default());
        };
        if let Some(file) = db.watch().await? {
            let watch = Watch {
                file: Arc::new(file),
                seen: None,
            };
            return Ok(Self {
                watch: Mutex::new(Some(watch)),
                ..Self::default()
            });
        }
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

    pub(crate) fn signal(&self) -> &Arc<Signal> {
        &self.signal
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
        self.announce_if_due().await;
        if let Some(db) = &self.db {
            db.close().await;
        }
        self.watch().take();
    }

    async fn announce_if_due(&self) {
        let due = self.signal.announce.swap(false, Ordering::Acquire);
        if let Some(db) = self.db.as_ref().filter(|_| due)
            && let Err(error) = changes::announce(db).await
        {
            tracing::debug!(%error, "a change was not announced; the others find it by themselves");
        }
    }

    fn watch(&self) -> std::sync::MutexGuard<'_, Option<Watch>> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long a change of another process may stay unseen; `None` when nothing is polled.
pub(crate) fn staleness(settings: &Settings) -> Option<Duration> {
    let polled = !settings.database.is_sqlite() || settings.database.sqlite_path().is_some();
    let bound = Duration::from_millis(u64::from(settings.staleness_ms));
    (polled && !bound.is_zero()).then_some(bound)
}

/// How often a process polls that must not be further behind than that.
fn interval(bound: Duration) -> Duration {
    (bound / POLLS_PER_BOUND).max(SHORTEST_INTERVAL)
}

impl Auth {
    /// Polls until the last handle is gone. Without it nothing counts as fresh.
    pub(crate) fn start_feed(&self) {
        let Some(bound) = staleness(&self.inner.settings) else {
            return;
        };
        let weak = Arc::downgrade(&self.inner);
        let signal = self.inner.feed_poll.signal.clone();
        let url = self.inner.settings.database.clone();
        let task = tokio::spawn(async move {
            // Ends with this task.
            let mut listening = JoinSet::new();
            listening.spawn(listen(url, signal.clone(), interval(bound)));
            let mut ticks = tokio::time::interval(interval(bound));
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    _ = ticks.tick() => {}
                    () = signal.wake.notified() => ticks.reset(),
                }
                let Some(inner) = weak.upgrade() else { return };
                inner.feed_poll.announce_if_due().await;
                inner.poll_and_report().await;
                drop(inner);
                // What is announced meanwhile is one more look, not one for each.
                tokio::time::sleep(SHORTEST_INTERVAL).await;
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

/// Has the poll come whenever a change is announced, over a connection of its own; ends on a
/// database that announces nothing.
async fn listen(url: DatabaseUrl, signal: Arc<Signal>, after: Duration) {
    // A process that does one thing and ends needs none.
    tokio::time::sleep(after).await;
    let (soonest, latest) = LISTEN_AGAIN;
    let mut delay = soonest;
    let mut said = false;
    loop {
        let lost = match Listener::open(&url).await {
            Ok(None) => return,
            Ok(Some(mut listener)) => {
                metrics::gauge!("bosa_auth_feed_listening").set(1.0);
                loop {
                    // Also at first: something may have been announced before.
                    signal.look();
                    match listener.heard().await {
                        Ok(()) => (delay, said) = (soonest, false),
                        Err(error) => break error,
                    }
                }
            }
            Err(error) => error,
        };
        metrics::gauge!("bosa_auth_feed_listening").set(0.0);
        if !std::mem::replace(&mut said, true) {
            tracing::warn!(
                error = &lost as &dyn std::error::Error,
                "changes are not announced to this process; it finds them by looking regularly"
            );
        }
        tokio::time::sleep(delay).await;
        delay = (delay * 2).min(latest);
    }
}

impl Inner {
    async fn poll(&self) -> Result<()> {
        let shared = self.memory.shared();
        let looked = Moment::now(shared.clock.as_ref());
        let polled = self.poll_what_changed(looked).await;
        if polled.is_err() && self.store.db().file_is_gone() {
            shared.feed.give_up(&shared.cache);
        }
        polled?;
        // Whoever has read the feed, every handle has keys of its own.
        self.follow_keys(shared.feed.key_changes()).await
    }

    /// Reads the feed, unless the version of the file says that it is as it was.
    async fn poll_what_changed(&self, looked: Moment) -> Result<()> {
        let shared = self.memory.shared();
        let watched = self
            .feed_poll
            .watch()
            .as_ref()
            .map(|watch| (watch.file.clone(), watch.seen));
        let version = match watched {
            None => None,
            // Taken before the feed is read: a later change makes another version.
            Some((file, seen)) => match file.version() {
                Ok(version) if seen == Some(version) => {
                    shared.feed.unchanged_since(looked);
                    return Ok(());
                }
                Ok(version) => Some(version),
                Err(StoreError::Busy) => None,
                Err(error) => return Err(error.into()),
            },
        };
        let db = self.feed_poll.db.as_ref().unwrap_or(self.store.db());
        let clock = shared.clock.as_ref();
        let renew = || {
            db.renew_connections();
            self.store.db().renew_connections();
        };
        shared.feed.poll(db, &shared.cache, clock, renew).await?;
        if let Some(watch) = self.feed_poll.watch().as_mut() {
            watch.seen = version;
        }
        Ok(())
    }

    /// Polls once, unless there is nothing to poll, and tells the log and the metrics.
    pub(crate) async fn poll_and_report(&self) {
        let Some(bound) = staleness(&self.settings) else {
            return;
        };
        let polled = {
            let mut poll = std::pin::pin!(self.poll());
            loop {
                match tokio::time::timeout(interval(bound), &mut poll).await {
                    Ok(polled) => break polled,
                    // No answer yet: the age of the last one grows meanwhile.
                    Err(_) => self.memory.report(),
                }
            }
        };
        let was_failing = self
            .feed_poll
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
