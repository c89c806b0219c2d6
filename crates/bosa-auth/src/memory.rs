//! What a handle answers from, and when it may.
//!
//! Handles on one database in one process share one [`VerifyCache`] and one position in the feed,
//! so that an act through one of them is seen at once by all. For that this module keeps a registry
//! of the whole process, by weak references: it holds nothing alive, and two handles meet in it only
//! when they name the same instance at the same address.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bosa_auth_core::{ApiKeyId, ClientId, Clock, InstanceId, Timestamp, TokenId, UserId};
use bosa_auth_store::changes::ChangeKind;
use bosa_auth_store::fork::Process;
use bosa_auth_store::{Db, StoreError, Tx, changes};
use tracing::Instrument as _;
use uuid::Uuid;

use crate::auth::Inner;
use crate::cache::VerifyCache;
use crate::error::{Error, Result};
use crate::feed::{Feed, Moment};
use crate::feed_poll::{Signal, staleness};
use crate::fork;
use crate::settings::Settings;

type Registry = HashMap<(Process, InstanceId, String), Weak<Shared>>;

/// 1 while a process may have missed changes of others for longer than its bound.
const STALE: &str = "bosa_auth_stale";

static REGISTRY: Mutex<Option<Registry>> = Mutex::new(None);

thread_local! {
    /// See [`fork::Held`].
    static HELD: RefCell<Option<MutexGuard<'static, Option<Registry>>>> = const { RefCell::new(None) };
}

/// What the handles on one database share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) cache: VerifyCache,
    pub(crate) feed: Feed,
    /// Measures freshness for every handle, so that moments are comparable.
    pub(crate) clock: Arc<dyn Clock>,
}

/// The memory of one handle.
#[derive(Debug)]
pub(crate) struct Memory {
    shared: Arc<Shared>,
    trust: Trust,
    process: Process,
}

/// When what is remembered may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trust {
    /// Never: every decision reads.
    Never,
    /// Always: nobody else can change this database.
    Always,
    /// While the last completed poll was sent at most this long ago.
    Within(Duration),
}

impl Memory {
    /// Joins the other handles on this database in this process.
    pub(crate) fn joined(
        settings: &Settings,
        db: &Db,
        instance: InstanceId,
        clock: &Arc<dyn Clock>,
    ) -> Self {
        let Some(address) = address(settings, db) else {
            return Self::alone(settings, clock);
        };
        let key = (Process::current(), instance, address);
        let mut registry = REGISTRY.lock().unwrap_or_else(PoisonError::into_inner);
        let registry = registry.get_or_insert_default();
        registry.retain(|_, shared| shared.strong_count() > 0);
        let shared = registry.get(&key).and_then(Weak::upgrade);
        let shared = shared.unwrap_or_else(|| {
            let shared = Arc::new(Shared::new(clock));
            registry.insert(key, Arc::downgrade(&shared));
            shared
        });
        Self {
            shared,
            trust: Trust::of(settings),
            process: Process::current(),
        }
    }

    /// Shares nothing, as a handle in another process.
    pub(crate) fn alone(settings: &Settings, clock: &Arc<dyn Clock>) -> Self {
        Self {
            shared: Arc::new(Shared::new(clock)),
            trust: Trust::of(settings),
            process: Process::current(),
        }
    }

    /// The process that the handle belongs to.
    pub(crate) fn process(&self) -> Process {
        self.process
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Decides from what is remembered; `None` when it does not suffice or may be out of date.
    ///
    /// The moment of the last poll is taken before anything is looked up. The clocks are read after
    /// that, once, for every deadline that `accept` compares and for the age of the last poll: a
    /// process that was paused in between finds itself late.
    pub(crate) fn decide<F, T>(
        &self,
        clock: &Arc<dyn Clock>,
        find: impl FnOnce(&VerifyCache) -> Option<F>,
        accept: impl FnOnce(F, Timestamp) -> Option<T>,
    ) -> Option<T> {
        // What a parent remembered is out of date in its child, where nobody polls.
        if !self.process.is_current() {
            return None;
        }
        let bound = match self.trust {
            Trust::Never => return None,
            Trust::Always => None,
            Trust::Within(bound) => Some(bound),
        };
        let polled = self.shared.feed.polled();
        let found = find(&self.shared.cache)?;
        let now = clock.now();
        let is_fresh = bound.is_none_or(|bound| {
            // Another handle's clock may have brought the memory along.
            let shared = &self.shared.clock;
            let moment = if std::ptr::addr_eq(Arc::as_ptr(clock), Arc::as_ptr(shared)) {
                Moment::with_wall(shared.as_ref(), now)
            } else {
                Moment::now(shared.as_ref())
            };
            is_fresh(polled, bound, moment)
        });
        if is_fresh {
            return accept(found, now);
        }
        metrics::counter!("bosa_auth_stale_verifications_total").increment(1);
        // The poll reports too, but it may be what hangs.
        metrics::gauge!(STALE).set(1.0);
        None
    }

    /// The memory to keep what is read, unless it is never used.
    pub(crate) fn cache(&self) -> Option<&VerifyCache> {
        (self.trust != Trust::Never).then_some(&self.shared.cache)
    }

    /// Whether the changes of other processes may have been missed for longer than the bound.
    pub(crate) fn is_stale(&self) -> bool {
        match self.trust {
            Trust::Never | Trust::Always => false,
            Trust::Within(bound) => {
                let polled = self.shared.feed.polled();
                let now = Moment::now(self.shared.clock.as_ref());
                !is_fresh(polled, bound, now)
            }
        }
    }

    pub(crate) fn report(&self) {
        metrics::gauge!(STALE).set(f64::from(u8::from(self.is_stale())));
        let entries = u32::try_from(self.shared.cache.len()).unwrap_or(u32::MAX);
        metrics::gauge!("bosa_auth_verify_cache_entries").set(f64::from(entries));
    }
}

/// Keeps every other thread from the registry until the fork is over.
pub(crate) fn hold_registry() {
    fork::hold(&HELD, || {
        REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
    });
}

pub(crate) fn release_registry() {
    HELD.take();
}

/// In a child: what the parent's handles share is theirs.
pub(crate) fn forget_registry() {
    fork::forget(&HELD);
}

impl Shared {
    fn new(clock: &Arc<dyn Clock>) -> Self {
        Self {
            cache: VerifyCache::default(),
            feed: Feed::default(),
            clock: clock.clone(),
        }
    }
}

impl Trust {
    fn of(settings: &Settings) -> Self {
        match staleness(settings) {
            Some(bound) => Self::Within(bound),
            None if settings.staleness_ms == 0 => Self::Never,
            None => Self::Always,
        }
    }
}

/// Whether the last completed poll was sent within the bound; never, if there was none.
fn is_fresh(polled: Option<Moment>, bound: Duration, now: Moment) -> bool {
    polled.is_some_and(|polled| !polled.is_older_than(bound, now))
}

/// By what handles on one database recognise each other: its address without the password, and what
/// its sessions begin with, since that may name another schema; the very file. A database in memory belongs to one handle.
///
/// A copy of a database has the same instance id, so that the id alone would not do; and another
/// file may come under the same name.
fn address(settings: &Settings, db: &Db) -> Option<String> {
    if !settings.database.is_sqlite() {
        let options = settings.database.session_options().unwrap_or_default();
        return Some(format!("{} {options}", settings.database));
    }
    let file = db.file()?;
    Some(format!("file {} on device {}", file.inode, file.device))
}

/// What a transaction narrows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Change {
    pub(crate) kind: ChangeKind,
    pub(crate) client_id: Option<ClientId>,
    pub(crate) subject: Option<Uuid>,
}

impl Change {
    pub(crate) fn of_client(id: ClientId) -> Self {
        Self::within(ChangeKind::Client, id, id)
    }

    pub(crate) fn of_api_key(client_id: ClientId, id: ApiKeyId) -> Self {
        Self::within(ChangeKind::ApiKey, client_id, id)
    }

    pub(crate) fn of_user(client_id: ClientId, id: UserId) -> Self {
        Self::within(ChangeKind::User, client_id, id)
    }

    pub(crate) fn of_token(client_id: ClientId, id: TokenId) -> Self {
        Self::within(ChangeKind::Token, client_id, id)
    }

    /// A change of what belongs to no client.
    pub(crate) const fn of_instance(kind: ChangeKind) -> Self {
        Self {
            kind,
            client_id: None,
            subject: None,
        }
    }

    fn within(kind: ChangeKind, client_id: ClientId, subject: impl Into<Uuid>) -> Self {
        Self {
            kind,
            client_id: Some(client_id),
            subject: Some(subject.into()),
        }
    }
}

/// Whether a transaction has changed anything.
#[derive(Debug)]
pub(crate) enum Outcome<T> {
    Changed(T),
    Unchanged(T),
}

impl Inner {
    /// Runs a transaction that narrows what is valid: its change is added to the feed, and forgotten
    /// here before this returns, whatever became of the transaction and of the caller.
    ///
    /// # Errors
    /// As [`bosa_auth_store::Store::write`].
    pub(crate) async fn narrow<T, F>(&self, change: Change, f: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'t> Fn(&'t mut Tx) -> bosa_auth_store::BoxFuture<'t, Result<Outcome<T>>>
            + Send
            + Sync
            + 'static,
    {
        let (store, mark, at) = (self.store.clone(), self.new_mark()?, self.clock.now());
        let f = Arc::new(f);
        let write = async move {
            store
                .write(move |tx| {
                    let f = f.clone();
                    Box::pin(async move {
                        let outcome = f(&mut *tx).await?;
                        if let Outcome::Changed(_) = outcome {
                            let Change {
                                kind,
                                client_id,
                                subject,
                            } = change;
                            changes::append(tx, mark, kind, client_id, subject, at);
                        }
                        Ok(outcome)
                    })
                })
                .await
        };
        self.forgetting(change, write).await
    }

    /// Runs a write in a task that the caller cannot stop, and forgets what it changes before this
    /// returns. The others are told unless it is certain that nothing has changed.
    ///
    /// # Errors
    /// What `write` returns; `DatabaseUnavailable` when the runtime is shutting down.
    pub(crate) async fn forgetting<T: Send + 'static>(
        &self,
        change: Change,
        write: impl Future<Output = Result<Outcome<T>>> + Send + 'static,
    ) -> Result<T> {
        let mut forget = ForgetOnDrop {
            shared: self.memory.shared.clone(),
            signal: self.feed_poll.signal().clone(),
            change,
            may_have_changed: true,
        };
        let task = async move {
            let written = write.await;
            forget.may_have_changed = match &written {
                Ok(Outcome::Changed(_)) => true,
                Ok(Outcome::Unchanged(_)) => false,
                // Nothing was there; the others are not woken for every id that somebody tries.
                Err(error) => !matches!(error, Error::NotFound { .. }),
            };
            drop(forget);
            written.map(|(Outcome::Changed(value) | Outcome::Unchanged(value))| value)
        };
        match tokio::spawn(task.in_current_span()).await {
            Ok(written) => written,
            Err(_) => Err(StoreError::OutcomeUnknown.into()),
        }
    }
}

/// Forgets also when the write panics or its task is dropped: its outcome is unknown then.
struct ForgetOnDrop {
    shared: Arc<Shared>,
    signal: Arc<Signal>,
    change: Change,
    may_have_changed: bool,
}

impl Drop for ForgetOnDrop {
    fn drop(&mut self) {
        let Change { kind, subject, .. } = self.change;
        self.shared.cache.forget(kind, subject);
        if self.may_have_changed {
            self.signal.announce();
        }
    }
}
