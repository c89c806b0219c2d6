//! A fork carries no connection to a SQLite file.
//!
//! In a child only the thread that forked exists: a lock that another one held stays locked. And
//! what SQLite knows of its locks on a file is copied, while the locks themselves are not: a child
//! that opens the file beside an inherited connection works without locks, and the parent deletes
//! the log under it. So nobody is inside SQLite when the process forks, and no file is open.
//!
//! PostgreSQL needs none of that: its connections belong to a handle, and handles from before the
//! fork refuse in the child.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use crate::error::StoreError;

/// How long a fork waits for transactions, well over what one may take.
const PATIENCE: Duration = Duration::from_secs(20);

static GATE: Mutex<Gate> = Mutex::new(Gate {
    inside: 0,
    is_closed: false,
    files: Vec::new(),
});
static LEFT: Condvar = Condvar::new();
static OPENED: Condvar = Condvar::new();
static PROCESS: AtomicU32 = AtomicU32::new(0);
/// Whether this process was forked while someone was inside.
static IS_TORN: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// Held by the thread that forks, from before the fork until after it.
    static HELD: RefCell<Option<MutexGuard<'static, Gate>>> = const { RefCell::new(None) };
}

struct Gate {
    /// Calls of SQLite and open transactions.
    inside: usize,
    is_closed: bool,
    files: Vec<Weak<dyn Closing>>,
}

/// A connection that is opened again when it is next used.
pub(crate) trait Closing: Send + Sync {
    /// Closes it. Nobody is inside.
    fn close(&self);
}

/// Makes the process ready to fork: waits until no transaction of a SQLite database is open, closes
/// the connections to files, and keeps everybody out until [`in_parent`] or [`in_child`].
///
/// Both are to be called by the same thread. After 20 seconds it waits no longer; the child can use
/// no SQLite database then, and says so.
pub fn before() {
    if is_forking() {
        return;
    }
    let mut gate = lock();
    while gate.is_closed {
        gate = OPENED.wait(gate).unwrap_or_else(PoisonError::into_inner);
    }
    gate.is_closed = true;
    let waited = LEFT.wait_timeout_while(gate, PATIENCE, |gate| gate.inside > 0);
    let (mut gate, _) = waited.unwrap_or_else(PoisonError::into_inner);
    if gate.inside == 0 {
        gate.files.retain(|file| match file.upgrade() {
            Some(file) => {
                file.close();
                true
            }
            None => false,
        });
    }
    HELD.with_borrow_mut(|held| *held = Some(gate));
}

/// Lets everybody in again, in the process that has forked.
pub fn in_parent() {
    if let Some(mut gate) = HELD.take() {
        gate.is_closed = false;
        drop(gate);
        OPENED.notify_all();
    }
}

/// Begins anew in the child: every handle from before refuses.
///
/// Without [`before`] no SQLite database can be used either.
pub fn in_child() {
    PROCESS.fetch_add(1, Ordering::Relaxed);
    let Some(mut gate) = HELD.take() else {
        IS_TORN.store(true, Ordering::Relaxed);
        return;
    };
    if gate.inside > 0 {
        IS_TORN.store(true, Ordering::Relaxed);
    }
    gate.is_closed = false;
    gate.inside = 0;
    gate.files.clear();
}

/// The process that something was made in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Process(u32);

impl Process {
    /// This one.
    #[must_use]
    pub fn current() -> Self {
        Self(PROCESS.load(Ordering::Relaxed))
    }

    /// Whether this is still the one.
    #[must_use]
    pub fn is_current(self) -> bool {
        self == Self::current()
    }

    /// Refuses what belongs to a parent.
    ///
    /// # Errors
    /// [`StoreError::Configuration`] in a child of the process.
    pub fn check(self) -> Result<(), StoreError> {
        if self.is_current() {
            return Ok(());
        }
        Err(StoreError::Configuration(
            "this handle was opened before the process forked; open a new one in the child"
                .to_owned(),
        ))
    }
}

/// Being inside: no fork happens meanwhile.
#[derive(Debug)]
pub(crate) struct Inside {
    process: Process,
}

/// Enters; waits while the process forks.
///
/// # Errors
/// [`StoreError::Unavailable`]: this very thread is about to fork. [`StoreError::Configuration`]:
/// the process was forked while others were inside.
pub(crate) fn enter() -> Result<Inside, StoreError> {
    if is_forking() {
        return Err(StoreError::unavailable("this thread is forking"));
    }
    if IS_TORN.load(Ordering::Relaxed) {
        return Err(StoreError::Configuration(
            "this process was forked while a SQLite database was in use; \
             call the functions for forking before and after, or start the process anew"
                .to_owned(),
        ));
    }
    let mut gate = lock();
    while gate.is_closed {
        gate = OPENED.wait(gate).unwrap_or_else(PoisonError::into_inner);
    }
    gate.inside += 1;
    Ok(Inside {
        process: Process::current(),
    })
}

/// Has a connection closed before a fork.
pub(crate) fn register(file: Weak<dyn Closing>) {
    let mut gate = lock();
    gate.files.retain(|file| file.strong_count() > 0);
    gate.files.push(file);
}

impl Drop for Inside {
    fn drop(&mut self) {
        // Those of the parent are not counted in the child.
        if !self.process.is_current() {
            return;
        }
        let mut gate = lock();
        gate.inside -= 1;
        if gate.is_closed && gate.inside == 0 {
            LEFT.notify_all();
        }
    }
}

fn is_forking() -> bool {
    // Not while the thread ends, when it forks no more.
    HELD.try_with(|held| held.borrow().is_some())
        .unwrap_or(false)
}

fn lock() -> MutexGuard<'static, Gate> {
    GATE.lock().unwrap_or_else(PoisonError::into_inner)
}
