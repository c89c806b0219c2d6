//! The schema of the database: what is there, what is missing, and bringing it up.

use bosa_auth_core::{Clock, SystemClock};
use bosa_auth_store::{Db, migrate};

use crate::auth::{OpenMode, db_options, key_place, prepare_schema};
use crate::error::Result;
use crate::settings::{Configuration, Settings};

/// One step of the schema.
#[derive(Debug, Clone)]
pub struct MigrationInfo {
    /// Its number; they are applied in order.
    pub version: u32,
    /// Its name.
    pub name: String,
    /// When it was applied; `None` while it is missing.
    pub applied_at: Option<bosa_auth_core::Timestamp>,
}

/// Tells which steps of the schema are applied and which are missing, without changing anything.
///
/// # Errors
/// `Configuration`: the settings cannot be used, there is no such database, or its schema is newer
/// than this program. `DatabaseUnavailable`.
pub async fn migration_status(configuration: &Configuration) -> Result<Vec<MigrationInfo>> {
    let settings = Settings::resolve(configuration)?;
    key_place(&settings, OpenMode::Existing)?;
    let db = Db::open(&settings.database, db_options(&settings)).await?;
    let status = migrate::status(&db).await;
    db.close().await;
    status.map(infos).map_err(Into::into)
}

/// Brings the schema to this version; makes no keys and no instance. When there is data already, its
/// root keys must be at hand.
///
/// # Errors
/// As [`migration_status`].
pub async fn migrate_up(configuration: &Configuration) -> Result<Vec<MigrationInfo>> {
    let mut settings = Settings::resolve(configuration)?;
    let place = key_place(&settings, OpenMode::Create)?;
    let db = Db::open(&settings.database, db_options(&settings)).await?;
    let clock: &dyn Clock = &SystemClock;
    let prepared = prepare_schema(&db, &mut settings, &place, OpenMode::Create, clock).await;
    let status = match prepared {
        Ok(()) => migrate::status(&db).await.map_err(Into::into),
        Err(error) => Err(error),
    };
    db.close().await;
    status.map(infos)
}

fn infos(status: migrate::Status) -> Vec<MigrationInfo> {
    let applied = status.applied.into_iter().map(|applied| MigrationInfo {
        version: applied.version,
        name: applied.name,
        applied_at: Some(applied.applied_at),
    });
    let pending = status
        .pending
        .into_iter()
        .map(|(version, name)| MigrationInfo {
            version,
            name: name.to_owned(),
            applied_at: None,
        });
    applied.chain(pending).collect()
}
