//! The instance that an import fills.

use std::sync::Arc;

use bosa_auth_core::{SystemClock, SystemEntropy};
use bosa_auth_store::{Db, migrate};

use super::ImportSource;
use crate::auth::{Auth, OpenMode, db_options};
use crate::error::Result;
use crate::settings::{Configuration, Settings, table};

impl Auth {
    /// Opens the instance that an import from `source` fills, and makes it if it is not there. A dry
    /// run makes nothing: in place of what is not there it gets an empty one in memory.
    ///
    /// # Errors
    /// As [`Auth::open`]; `Configuration` when the memory for hashes is too small for the source's
    /// user secrets, and nothing was made then.
    pub async fn open_for_import(
        configuration: &Configuration,
        source: &ImportSource,
    ) -> Result<Self> {
        let settings = Settings::resolve(configuration)?;
        source.check_memory(&settings)?;
        let nowhere;
        let (configuration, mode) = if !source.dry_run {
            (configuration, OpenMode::Create)
        } else if is_there(&settings).await? {
            (configuration, OpenMode::Existing)
        } else {
            nowhere = configuration.replacing(table::DATABASE_URL, "sqlite://");
            (&nowhere, OpenMode::Create)
        };
        let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
        Self::open_without_hint(configuration, mode, clock, entropy).await
    }
}

async fn is_there(settings: &Settings) -> Result<bool> {
    let database = &settings.database;
    let has_no_file = || database.sqlite_path().is_none_or(|path| !path.exists());
    if database.is_sqlite() && has_no_file() {
        return Ok(false);
    }
    let db = Db::open(database, db_options(settings)).await?;
    let status = migrate::status(&db).await;
    db.close().await;
    Ok(!status?.applied.is_empty())
}
