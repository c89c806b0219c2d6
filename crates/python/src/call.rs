//! One call of an operation, which its caller waits for or awaits.

use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bosa_auth::{Auth, Error};
use futures_util::FutureExt as _;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use tokio::task::AbortHandle;

use crate::answer::Answer;
use crate::instance::{Opened, Place};
use crate::{exit, failure, runtime};

/// How long a blocking call waits before it looks for signals, such as that of control and C.
const BETWEEN_SIGNALS: Duration = Duration::from_millis(100);

type Work = Pin<Box<dyn Future<Output = Result<Boxed, Error>> + Send>>;
type Operation = Box<dyn FnOnce(Arc<Opened>) -> Work + Send>;
/// A result, which becomes a Python object once its receiver is attached to the interpreter.
type Boxed = Box<dyn FnOnce(Python<'_>) -> PyResult<Py<PyAny>> + Send>;

/// An operation with its arguments, made once: by `wait` or by `future`.
#[pyclass(frozen, module = "bosa_auth._native")]
pub(crate) struct Call {
    target: Target,
    operation: Mutex<Option<Operation>>,
}

enum Target {
    Place(Arc<Place>),
    /// Also when it has been closed to others.
    Opened(Arc<Opened>),
}

impl Call {
    /// A call on whatever instance is at the place.
    pub(crate) fn new<T, F>(
        place: Arc<Place>,
        operation: impl FnOnce(Auth) -> F + Send + 'static,
    ) -> Self
    where
        T: Answer,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        Self::of(Target::Place(place), |opened| async move {
            let auth = opened.auth().await?.clone();
            operation(auth).await
        })
    }

    /// A call on this very instance.
    pub(crate) fn on<T, F>(
        opened: Arc<Opened>,
        operation: impl FnOnce(Arc<Opened>) -> F + Send + 'static,
    ) -> Self
    where
        T: Answer,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        Self::of(Target::Opened(opened), operation)
    }

    fn of<T, F>(target: Target, operation: impl FnOnce(Arc<Opened>) -> F + Send + 'static) -> Self
    where
        T: Answer,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let operation: Operation = Box::new(|opened| {
            let work = operation(opened);
            Box::pin(async move {
                let answer = work.await?;
                let boxed: Boxed = Box::new(|py| Ok(answer.into_python(py)?.unbind()));
                Ok(boxed)
            })
        });
        Self {
            target,
            operation: Mutex::new(Some(operation)),
        }
    }

    fn begin(&self, py: Python<'_>) -> PyResult<(Arc<Opened>, Work)> {
        let opened = match &self.target {
            Target::Place(place) => place.opened(py)?,
            Target::Opened(opened) => opened.clone(),
        };
        let operation = self
            .operation
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
            .ok_or_else(|| PyRuntimeError::new_err("this call was made already"))?;
        Ok((opened.clone(), operation(opened)))
    }
}

#[pymethods]
impl Call {
    /// Makes the call and waits for its result; other threads of Python run meanwhile.
    fn wait(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let begun = {
            let _inside = exit::passage(py);
            self.begin(py)?
        };
        let (opened, mut work) = begun;
        loop {
            let (waited, _inside) = exit::detached(py, || {
                opened
                    .runtime
                    .block_on(async { tokio::time::timeout(BETWEEN_SIGNALS, &mut work).await })
            });
            match waited {
                Ok(Ok(answer)) => return answer(py),
                Ok(Err(error)) => return Err(failure::exception(py, &error)),
                Err(_) => {
                    let interrupted = py.check_signals().err();
                    if opened.generation != runtime::generation() {
                        // A signal's handler has forked and this is the child.
                        std::mem::forget(work);
                        return Err(PyRuntimeError::new_err(
                            "the process forked during this call; make it again",
                        ));
                    }
                    if let Some(interrupted) = interrupted {
                        let _entered = opened.runtime.enter();
                        drop(work);
                        return Err(interrupted);
                    }
                }
            }
        }
    }

    /// Makes the call; its result is that of a future of the running event loop. Cancelling the
    /// future ends the call, unless it has begun to write.
    fn future<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let _inside = exit::passage(py);
        let running = running_loop(py)?;
        let future = running.call_method0("create_future")?;
        let (opened, work) = self.begin(py)?;
        let receiver = Receiver(Some(Waiting {
            running: running.unbind(),
            future: future.clone().unbind(),
        }));
        let task = opened.runtime.spawn(async move {
            let result = std::panic::AssertUnwindSafe(work).catch_unwind().await;
            exit::attach(|py| receiver.settle(py, result.unwrap_or_else(|_| Err(defect()))));
        });
        let cancel = Cancel {
            generation: opened.generation,
            task: task.abort_handle(),
        };
        future.call_method1("add_done_callback", (cancel,))?;
        Ok(future)
    }
}

/// What memory tells at once, without any reading; `None` when it does not suffice.
pub(crate) fn known<T: Answer>(
    py: Python<'_>,
    place: &Place,
    recall: impl FnOnce(&Auth) -> Result<Option<T>, Error>,
) -> PyResult<Option<Py<PyAny>>> {
    let _inside = exit::passage(py);
    let opened = place.opened(py)?;
    let Some(auth) = opened.if_open() else {
        return Ok(None);
    };
    match recall(auth) {
        Ok(Some(answer)) => Ok(Some(answer.into_python(py)?.unbind())),
        Ok(None) => Ok(None),
        Err(error) => Err(failure::exception(py, &error)),
    }
}

/// A future of an event loop, which only that loop's thread may touch, and that loop.
struct Receiver(Option<Waiting>);

struct Waiting {
    running: Py<PyAny>,
    future: Py<PyAny>,
}

impl Receiver {
    fn settle(mut self, py: Python<'_>, result: Result<Boxed, Error>) {
        let Some(Waiting { running, future }) = self.0.take() else {
            return;
        };
        let result = match result {
            Ok(answer) => answer(py),
            Err(error) => Err(failure::exception(py, &error)),
        };
        let (value, is_error) = match result {
            Ok(value) => (value, false),
            Err(error) => (error.into_value(py).into_any(), true),
        };
        let settle = Settle {
            future,
            value,
            is_error,
        };
        // It fails when the loop is closed: nobody waits then.
        let _told = running.call_method1(py, "call_soon_threadsafe", (settle,));
    }
}

/// Python's objects are let go by threads that are attached to the interpreter. Any other would put
/// them on a list of PyO3's, whose lock a fork could leave held.
impl Drop for Receiver {
    fn drop(&mut self) {
        if let Some(waiting) = self.0.take() {
            let waiting = ManuallyDrop::new(waiting);
            // Not at all when the interpreter goes away.
            exit::attach(|_| drop(ManuallyDrop::into_inner(waiting)));
        }
    }
}

/// Runs in the thread of the event loop, when the result is there.
#[pyclass(frozen)]
struct Settle {
    future: Py<PyAny>,
    value: Py<PyAny>,
    is_error: bool,
}

#[pymethods]
impl Settle {
    fn __call__(&self, py: Python<'_>) -> PyResult<()> {
        let _inside = exit::passage(py);
        let future = self.future.bind(py);
        if future.call_method0("done")?.is_truthy()? {
            return Ok(());
        }
        let method = match self.is_error {
            true => "set_exception",
            false => "set_result",
        };
        future.call_method1(method, (&self.value,)).map(drop)
    }
}

/// Runs when the future is done, by a result or because it was cancelled.
#[pyclass(frozen)]
struct Cancel {
    generation: u32,
    task: AbortHandle,
}

#[pymethods]
impl Cancel {
    fn __call__(&self, _future: &Bound<'_, PyAny>) {
        // Not in a forked child, where the task's runtime is dead and a lock of it may be held.
        if self.generation == runtime::generation() {
            self.task.abort();
        }
    }
}

fn running_loop(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    static GET: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    GET.import(py, "asyncio", "get_running_loop")?.call0()
}

fn defect() -> Error {
    Error::Internal("a call ended by a panic".into())
}
