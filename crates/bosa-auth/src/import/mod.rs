//! Taking over a database of the original system.
//!
//! The rows of a kind are read in portions. Of each portion it is first found out what is to be done,
//! which only reads, then that is written in one transaction with the markers by which the next run
//! knows the rows again. A dry run leaves the second half out, and so reports the same. What changed
//! between the two halves rolls the portion back, and it is looked at once more.

mod cache;
mod clients;
mod ending;
mod gone;
mod hint;
mod integrations;
pub(crate) mod left;
mod names;
mod opening;
mod report;
mod run;
mod source;
mod target;
mod tokens;
mod users;
mod write;

use std::sync::Arc;

use bosa_auth_core::Secret;
use bosa_auth_store::{DatabaseUrl, StoreError};

use self::run::Run;
use crate::error::{Error, Result};
use crate::principal::Operator;
use crate::settings::{Configuration, Settings, table};

pub use self::report::{ImportLine, ImportOutcome, ImportReason, ImportReport, ImportedKind};
pub use self::source::ImportSource;

/// What is imported, and how.
#[derive(Debug, Default)]
pub struct ImportOptions {
    /// The URL of the original's PostgreSQL database.
    pub from: Secret,
    /// The URL of the original's Redis.
    pub redis: Option<Secret>,
    /// The original's encryption password, as base32 text.
    pub encryption_password: Option<Secret>,
    /// The original's encryption salt, as base32 text.
    pub encryption_salt: Option<Secret>,
    /// Only report what would be done.
    pub dry_run: bool,
}

/// Is told how many rows were looked at, and how many there are.
pub type ImportProgress = Arc<dyn Fn(u64, u64) + Send + Sync>;

impl ImportOptions {
    /// Takes the source and its encryption settings from a configuration. Without a source, that is
    /// the configured database itself, which the original may share.
    ///
    /// # Errors
    /// `Configuration`: no source is named, or another setting cannot be used.
    pub fn configured(configuration: &Configuration, dry_run: bool) -> Result<Self> {
        Settings::resolve(configuration)?;
        let given = |variable| {
            let value = configuration.get(variable);
            value.filter(|value| !value.is_empty()).map(Secret::from)
        };
        let shared = || {
            let url = given(table::DATABASE_URL)?;
            let is_postgres = DatabaseUrl::parse(url.expose()).is_ok_and(|url| !url.is_sqlite());
            is_postgres.then_some(url)
        };
        let from = given(table::IMPORT_FROM).or_else(shared).ok_or_else(|| {
            Error::configuration(
                "name the database of the original with --from or BOSA_AUTH_IMPORT_FROM",
            )
        })?;
        Ok(Self {
            from,
            redis: given(table::IMPORT_REDIS),
            encryption_password: given(table::ENCRYPTION_PASSWORD),
            encryption_salt: given(table::ENCRYPTION_SALT),
            dry_run,
        })
    }
}

impl Operator {
    /// Takes over clients, users, tokens and integrations of a database of the original system, of
    /// any schema version from 1 to 6. It is only read.
    ///
    /// A run can be repeated, also after it was interrupted: what is here already stays as it is,
    /// what was ended here stays ended, and what was ended there since the last run is ended here.
    ///
    /// # Errors
    /// `Configuration`: the memory for hashes is too small for the source's user secrets; nothing was
    /// written then. `DatabaseUnavailable`: one of the databases cannot be reached; run it again.
    pub async fn import_bosa(
        &self,
        source: ImportSource,
        progress: ImportProgress,
    ) -> Result<ImportReport> {
        Run::begin(self, source, progress)?.finish().await
    }
}

/// Says which of the two databases it was.
fn of_the_source(error: StoreError) -> Error {
    match error {
        StoreError::Unavailable { reason } => StoreError::Unavailable {
            reason: format!("the source: {reason}"),
        }
        .into(),
        // Some name it themselves.
        StoreError::Configuration(text) if !text.contains("the source") => {
            Error::configuration(format!("the source: {text}"))
        }
        error => error.into(),
    }
}
