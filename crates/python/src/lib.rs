//! The native half of the Python package `bosa_auth`: the operations of the library, each once, for
//! blocking callers and for asyncio. What users see (services, models, exceptions) is written in
//! Python, in `python/bosa_auth`; `_native.pyi` beside it describes this module.

mod answer;
mod argument;
mod call;
mod clients;
mod exit;
mod failure;
mod instance;
mod integrations;
mod log;
mod maker;
mod runtime;
mod settings;
mod tokens;
mod users;

/// The operations of BOSA Auth, for the Python modules beside it.
#[pyo3::pymodule]
mod _native {
    /// The version of the package.
    #[pymodule_export]
    const VERSION: &str = env!("CARGO_PKG_VERSION");
    #[pymodule_export]
    use crate::call::Call;
    #[pymodule_export]
    use crate::clients::Clients;
    #[pymodule_export]
    use crate::exit::leave;
    #[pymodule_export]
    use crate::instance::Instance;
    #[pymodule_export]
    use crate::integrations::Integrations;
    #[pymodule_export]
    use crate::runtime::{forked_in_child, forked_in_parent, forking};
    #[pymodule_export]
    use crate::settings::Settings;
    #[pymodule_export]
    use crate::tokens::Tokens;
    #[pymodule_export]
    use crate::users::Users;
}
