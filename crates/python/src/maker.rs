//! How models become Python objects.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

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
