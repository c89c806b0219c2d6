//! The runtime that drives what cannot be answered at once: one for the whole process, made when it
//! is first needed and never ended, because the process may end while calls are running.
//!
//! A child made by `fork` has none of its parent's threads. It gets a runtime of its own, and whatever
//! belongs to the parent's generation is left alone: dropping it would wait for threads that are not
//! there.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use tokio::runtime::{Builder, Runtime};

use crate::{exit, log};

static GENERATION: AtomicU32 = AtomicU32::new(0);
/// Locked only by threads that are attached to the interpreter and stay so: none can hold it while
/// another one forks.
static RUNTIME: Mutex<Option<Current>> = Mutex::new(None);

#[derive(Clone, Copy)]
struct Current {
    generation: u32,
    runtime: &'static Runtime,
}

/// How many times this process and its ancestors were forked.
pub(crate) fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

/// The runtime of this process.
///
/// # Errors
/// `RuntimeError`: the system gives no more threads.
pub(crate) fn runtime(_: Python<'_>) -> PyResult<&'static Runtime> {
    let generation = generation();
    let mut current = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(current) = *current
        && current.generation == generation
    {
        return Ok(current.runtime);
    }
    let made = Builder::new_multi_thread()
        .enable_all()
        .thread_name("bosa-auth")
        .build()
        .map_err(|error| PyRuntimeError::new_err(format!("no threads for bosa_auth: {error}")))?;
    let runtime: &'static Runtime = Box::leak(Box::new(made));
    log::start();
    *current = Some(Current {
        generation,
        runtime,
    });
    Ok(runtime)
}

/// Makes this process ready to fork: no transaction of SQLite is open and no file of it until
/// `forked_in_parent` or `forked_in_child`, on the same thread.
///
/// Detached from the interpreter, because a thread of the runtime that is on its way into it may be
/// the one that a transaction waits for.
#[pyfunction]
pub(crate) fn forking(py: Python<'_>) {
    py.detach(bosa_auth::fork::before);
}

/// Says that this process has forked.
#[pyfunction]
pub(crate) fn forked_in_parent() {
    bosa_auth::fork::in_parent();
}

/// Says that this process is a child that was just forked.
#[pyfunction]
pub(crate) fn forked_in_child() {
    exit::forked();
    GENERATION.fetch_add(1, Ordering::Relaxed);
    bosa_auth::fork::in_child();
}
