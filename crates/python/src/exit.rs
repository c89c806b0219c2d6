//! The end of the interpreter.
//!
//! A thread that wants to run something of Python once the interpreter is being taken down is ended
//! there: up to CPython 3.13 in the middle of whatever called it, and if that is Rust code, the
//! process aborts. So while Rust code runs something of Python on a thread, that thread has a
//! [`Passage`]; after [`leave`] has been called nobody gets one, and whoever asks stays out for ever.
//! Atomics, no lock: a lock could be held by a thread that a fork leaves behind.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use pyo3::prelude::*;

use crate::failure;
use crate::instance::{self, Instance};

/// For how many milliseconds the end of the interpreter waits for those who are inside, such as a
/// handler of logs.
const PATIENCE: u32 = 3000;

static LEAVING: AtomicBool = AtomicBool::new(false);
/// How many passages there are.
static INSIDE: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Whether this thread is the one that takes the interpreter down.
    static LEADS: Cell<bool> = const { Cell::new(false) };
    /// How many passages this thread has.
    static OWN: Cell<usize> = const { Cell::new(0) };
}

/// The right to be in the interpreter, which goes away only after this is dropped.
pub(crate) struct Passage(());

impl Passage {
    fn ask() -> Option<Self> {
        let is_inside = OWN.get() > 0 || LEADS.get();
        OWN.set(OWN.get() + 1);
        INSIDE.fetch_add(1, Ordering::SeqCst);
        let passage = Self(());
        (is_inside || !LEAVING.load(Ordering::SeqCst)).then_some(passage)
    }

    fn wait_for() -> Self {
        loop {
            if let Some(passage) = Self::ask() {
                return passage;
            }
            // For ever: this thread ends with the process.
            thread::park();
        }
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        OWN.set(OWN.get().saturating_sub(1));
        INSIDE.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Runs `work`, on a thread of ours, attached to the interpreter; not at all when it is going away.
pub(crate) fn attach(work: impl FnOnce(Python<'_>)) {
    if let Some(_passage) = Passage::ask() {
        // `None` when the interpreter went away without `leave`.
        let _done = Python::try_attach(work);
    }
}

/// Lets Rust code run something of Python on a thread of Python, as long as the passage is there.
pub(crate) fn passage(py: Python<'_>) -> Passage {
    Passage::ask().unwrap_or_else(|| py.detach(Passage::wait_for))
}

/// Runs `work` detached from the interpreter and comes back with a passage. The caller has none.
pub(crate) fn detached<T: Send>(py: Python<'_>, work: impl FnOnce() -> T + Send) -> (T, Passage) {
    py.detach(|| {
        let result = work();
        (result, Passage::wait_for())
    })
}

/// Says that the interpreter is about to go away: closes instances, and waits until no thread is in
/// Rust code that runs something of Python.
#[pyfunction]
pub(crate) fn leave(py: Python<'_>, instances: Vec<PyRef<'_, Instance>>) {
    LEADS.set(true);
    // Destructors may call and be refused when nothing can be imported any more.
    let _looked_up = failure::uninitialized(py);
    instance::end(py, &instances);
    LEAVING.store(true, Ordering::SeqCst);
    py.detach(|| {
        for _ in 0..PATIENCE {
            if INSIDE.load(Ordering::SeqCst) <= OWN.get() {
                break;
            }
            thread::sleep(Duration::from_millis(1));
        }
    });
}

/// In a child that was just forked: only the passages of this thread are here.
pub(crate) fn forked() {
    INSIDE.store(OWN.get(), Ordering::SeqCst);
}
