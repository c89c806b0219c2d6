//! Settings, gathered and ready to open an instance with.

use std::sync::Arc;

use bosa_auth::{AuthenticationDbSettings, Configuration, SETTINGS, Secret};
use pyo3::prelude::*;

use crate::argument::{Setting, Text};
use crate::failure;

/// Settings from code and environment.
#[pyclass(frozen, module = "bosa_auth._native")]
pub(crate) struct Settings {
    pub(crate) configuration: Arc<Configuration>,
}

#[pymethods]
impl Settings {
    /// Gathers the given values, by the names of their variables, and the environment.
    #[new]
    fn new(py: Python<'_>, values: Vec<(Text<Setting>, Text<Setting>)>) -> PyResult<Self> {
        let mut settings = AuthenticationDbSettings::default();
        for (variable, value) in values {
            let Some(known) = SETTINGS.iter().find(|known| known.variable == &*variable) else {
                return Err(failure::configuration(
                    py,
                    &format!("unknown setting {}", &*variable),
                ));
            };
            settings.others.push((known.variable, Secret::from(value)));
        }
        let configuration = settings
            .gather()
            .map_err(|error| failure::exception(py, &error))?;
        Ok(Self {
            configuration: Arc::new(configuration),
        })
    }

    /// The value of a setting from code, environment or default; `None` when it has none.
    fn get(&self, variable: &str) -> Option<&str> {
        self.configuration.get(variable)
    }

    /// What is odd but does not prevent a start.
    fn warnings(&self) -> Vec<String> {
        self.configuration.warnings().to_vec()
    }
}
