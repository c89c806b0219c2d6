//! Errors of the library as exceptions of `bosa_auth.exception`.

use bosa_auth::{Error, ErrorKind};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;

use crate::answer;
use crate::exit;

/// The exception of an error.
pub(crate) fn exception(py: Python<'_>, error: &Error) -> PyErr {
    let _inside = exit::passage(py);
    build(py, error).unwrap_or_else(|while_building| while_building)
}

/// An argument that is malformed.
pub(crate) fn invalid_input(py: Python<'_>, field: &'static str, reason: &str) -> PyErr {
    let error = Error::InvalidInput {
        field,
        reason: reason.to_owned(),
        violations: Vec::new(),
    };
    exception(py, &error)
}

/// A use of an instance that is not open.
pub(crate) fn uninitialized(py: Python<'_>) -> PyErr {
    exception(py, &Error::Uninitialized)
}

/// A use of an instance that was closed.
pub(crate) fn closed(py: Python<'_>) -> PyErr {
    let text =
        "this instance is closed; open another one, or call initialize_authentication_db again";
    class(py, ErrorKind::Uninitialized)
        .and_then(|class| class.call1((text,)))
        .map_or_else(|while_building| while_building, PyErr::from_value)
}

/// A setting that cannot be used.
pub(crate) fn configuration(py: Python<'_>, text: &str) -> PyErr {
    exception(py, &Error::Configuration(text.to_owned()))
}

fn build(py: Python<'_>, error: &Error) -> PyResult<PyErr> {
    let details = details(py, error)?;
    let exception =
        PyErr::from_value(class(py, error.kind())?.call((error.to_string(),), Some(&details))?);
    if let Some(note) = note(error) {
        exception.value(py).call_method1("add_note", (note,))?;
    }
    Ok(exception)
}

/// The class of a kind of error.
fn class(py: Python<'_>, kind: ErrorKind) -> PyResult<Bound<'_, PyAny>> {
    static CLASSES: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    CLASSES
        .import(py, "bosa_auth.exception", "_CLASSES")?
        .get_item(kind.code())
}

/// What a program can use, as keyword arguments of the exception.
fn details<'py>(py: Python<'py>, error: &Error) -> PyResult<Bound<'py, PyDict>> {
    let details = PyDict::new(py);
    match error {
        Error::InvalidInput {
            field, violations, ..
        } => {
            details.set_item("field", field)?;
            let violations: Vec<_> = violations
                .iter()
                .map(|violation| (&violation.pointer, &violation.reason))
                .collect();
            details.set_item("violations", violations)?;
        }
        Error::PermissionDenied { scope } => details.set_item("scope", scope.as_str())?,
        Error::AmbiguousAccount {
            connector,
            accounts,
        } => {
            details.set_item("connector", connector)?;
            details.set_item("accounts", accounts)?;
        }
        Error::NeedsReauthorization {
            connector,
            account,
            since,
        } => {
            details.set_item("connector", connector)?;
            details.set_item("account", account)?;
            details.set_item("since", answer::datetime(py, *since)?)?;
        }
        _ => {}
    }
    if let Some(wait) = error.retry_after() {
        details.set_item("retry_after", wait.as_secs_f64())?;
    }
    Ok(details)
}

/// What the developer should know beyond the message, which may be shown to callers.
fn note(error: &Error) -> Option<String> {
    match error {
        Error::DatabaseUnavailable(_) | Error::Configuration(_) | Error::Internal(_) => {
            let (title, remedy) = error.explain();
            let message = error.to_string();
            Some(match message.contains(&title) {
                true => remedy,
                false => format!("{title}; {remedy}"),
            })
            .filter(|note| !message.contains(note.as_str()))
        }
        _ => None,
    }
}
