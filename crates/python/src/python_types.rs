//! The classes of the Python modules beside this one, looked up once.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyModule;

/// The exceptions.
pub(crate) static EXCEPTIONS: Classes = Classes::of("bosa_auth.exception");

/// A module whose members are looked up when they are first needed: it imports this module itself.
pub(crate) struct Classes {
    path: &'static str,
    module: PyOnceLock<Py<PyModule>>,
}

impl Classes {
    const fn of(path: &'static str) -> Self {
        Self {
            path,
            module: PyOnceLock::new(),
        }
    }

    pub(crate) fn get<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        let module = self
            .module
            .get_or_try_init(py, || Ok::<_, PyErr>(py.import(self.path)?.unbind()))?;
        module.bind(py).getattr(name)
    }
}

/// How instances of a class of `bosa_auth.models` are made from their fields.
pub(crate) struct Maker {
    class: &'static str,
    make: PyOnceLock<Py<PyAny>>,
}

impl Maker {
    pub(crate) const fn of(class: &'static str) -> Self {
        Self {
            class,
            make: PyOnceLock::new(),
        }
    }

    pub(crate) fn make<'py>(
        &self,
        py: Python<'py>,
        fields: impl IntoPyObject<'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let make = self.make.get_or_try_init(py, || {
            let class = py.import("bosa_auth.models")?.getattr(self.class)?;
            Ok::<_, PyErr>(class.getattr("_of")?.unbind())
        })?;
        make.bind(py).call1((fields,))
    }
}
