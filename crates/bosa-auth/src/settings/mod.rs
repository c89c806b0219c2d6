//! Settings: from code, environment, configuration file or default, checked once at the start.

mod configuration;
mod connecting;
mod master_keys;
mod parse;
mod resolved;
pub(crate) mod table;

use bosa_auth_core::Secret;

pub use configuration::{Configuration, ConfigurationFile, Entry, Source};
pub(crate) use master_keys::MasterKeys;
pub(crate) use resolved::{Settings, how_to_make};
pub use table::{SETTINGS, SettingSpec};

use crate::error::Result;

/// The settings of the authentication system.
///
/// Every field that is `None` falls back to its environment variable, then to its default.
/// Constructing never fails and depends on no other settings object; what is wrong is reported by
/// [`initialize_authentication_db`](crate::initialize_authentication_db).
///
/// ```
/// use bosa_auth::AuthenticationDbSettings;
///
/// let settings = AuthenticationDbSettings {
///     database_authentication_url: Some("sqlite://".into()),
///     auth_secret_key: Some("0123456789abcdef0123456789abcdef".into()),
///     ..Default::default()
/// };
/// assert!(format!("{settings:?}").contains("Secret(redacted)"));
/// ```
///
/// Source: the API reference, "Configuration".
#[derive(Debug, Default)]
pub struct AuthenticationDbSettings {
    /// The database (`DATABASE_AUTHENTICATION_URL`); a secret because it may hold a password.
    pub database_authentication_url: Option<Secret>,
    /// The key that signs tokens (`AUTH_SECRET_KEY`).
    pub auth_secret_key: Option<Secret>,
    /// The signing algorithm (`AUTH_ALGORITHM`), `HS256` by default.
    pub auth_algorithm: Option<String>,
    /// Lifetime of a token in minutes (`AUTH_ACCESS_TOKEN_EXPIRE_MINUTES`), 43200 by default.
    pub auth_access_token_expire_minutes: Option<i64>,
    /// Any other setting by the name of its variable, for example
    /// `("BOSA_AUTH_ISSUER", "accounts".into())`; see [`SETTINGS`].
    pub others: Vec<(&'static str, Secret)>,
}

impl AuthenticationDbSettings {
    /// Gathers these settings and the process's environment.
    ///
    /// # Errors
    /// `Configuration` when a setting is unknown or given twice.
    pub fn gather(self) -> Result<Configuration> {
        self.gather_from(std::env::vars_os())
    }

    /// Gathers these settings and the given environment.
    ///
    /// # Errors
    /// `Configuration` when a setting is unknown or given twice.
    pub fn gather_from(
        self,
        environment: impl IntoIterator<Item = (std::ffi::OsString, std::ffi::OsString)>,
    ) -> Result<Configuration> {
        let mut overrides = Vec::new();
        let mut add = |variable, value: Option<Secret>| {
            if let Some(value) = value {
                overrides.push((variable, value, Source::Code));
            }
        };
        add(table::DATABASE_URL, self.database_authentication_url);
        add(table::SECRET_KEY, self.auth_secret_key);
        add(table::ALGORITHM, self.auth_algorithm.map(Secret::new));
        add(
            table::EXPIRE_MINUTES,
            self.auth_access_token_expire_minutes
                .map(|minutes| Secret::new(minutes.to_string())),
        );
        for (variable, value) in self.others {
            if table::spec_of_variable(variable).is_none() {
                return Err(crate::Error::configuration(format!(
                    "unknown setting {variable}"
                )));
            }
            overrides.push((variable, value, Source::Code));
        }
        Configuration::gather(overrides, environment, None, false)
    }
}
