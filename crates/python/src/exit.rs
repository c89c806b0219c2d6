//! The end of the interpreter.
//!
//! A thread that comes back from Rust once the interpreter is being taken down must not enter it
//! again: up to CPython 3.13 it would be ended in the middle of Rust code, which aborts the process.
//! Threads come back through [`attach`] and [`detached`] only, which let nobody pass after [`leave`]
//! has been called. Atomics, no lock: a lock could be held by a thread that a fork leaves behind.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use pyo3::prelude::*;

static LEAVING: AtomicBool = AtomicBool::new(false);
/// How many threads are on their way into the interpreter.
static COMING: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Whether this thread is the one that takes the interpreter down.
    static LEADS: Cell<bool> = const { Cell::new(false) };
}

/// The right to enter the interpreter, which goes away only after this is dropped.
struct Passage(());

impl Passage {
    fn ask() -> Option<Self> {
        COMING.fetch_add(1, Ordering::SeqCst);
        let passage = Self(());
        let open = !LEAVING.load(Ordering::SeqCst) || LEADS.get();
        open.then_some(passage)
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        COMING.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Runs `work` attached to the interpreter; not at all when it is going away.
pub(crate) fn attach(work: impl FnOnce(Python<'_>)) {
    if let Some(_passage) = Passage::ask() {
        // `None` when the interpreter went away without `leave`.
        let _done = Python::try_attach(work);
    }
}

/// Runs `work` detached from the interpreter and comes back, unless it is going away: then this
/// thread stays out for ever, and ends with the process.
pub(crate) fn detached<T: Send>(py: Python<'_>, work: impl FnOnce() -> T + Send) -> T {
    let (result, _passage) = py.detach(|| {
        let result = work();
        loop {
            if let Some(passage) = Passage::ask() {
                return (result, passage);
            }
            thread::park();
        }
    });
    result
}

/// Says that the interpreter is about to go away, and waits until no thread is on its way into it.
#[pyfunction]
pub(crate) fn leave(py: Python<'_>) {
    LEADS.set(true);
    LEAVING.store(true, Ordering::SeqCst);
    py.detach(|| {
        while COMING.load(Ordering::SeqCst) > 0 {
            thread::sleep(Duration::from_millis(1));
        }
    });
}

/// In a child that was just forked: the threads that were on their way are not here.
pub(crate) fn forked() {
    COMING.store(0, Ordering::SeqCst);
}
