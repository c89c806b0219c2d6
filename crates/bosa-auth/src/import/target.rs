//! The instance that an import fills.

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
        source.check_memory(&Settings::resolve(configuration)?)?;
        if !source.dry_run {
            return Self::open_to_import(configuration, OpenMode::Create).await;
        }
        if is_there(configuration).await? {
            return Self::open_to_import(configuration, OpenMode::Existing).await;
        }
        let nowhere = configuration.replacing(table::DATABASE_URL, "sqlite://");
        Self::open_to_import(&nowhere, OpenMode::Create).await
    }
}

async fn is_there(configuration: &Configuration) -> Result<bool> {
    let settings = Settings::resolve(configuration)?;
    if let Some(path) = settings.database.sqlite_path()
        && !path.exists()
    {
        return Ok(false);
    }
    if settings.database.is_sqlite() && settings.database.sqlite_path().is_none() {
        return Ok(false);
    }
    let db = Db::open(&settings.database, db_options(&settings)).await?;
    let status = migrate::status(&db).await;
    db.close().await;
    Ok(!status?.applied.is_empty())
}
