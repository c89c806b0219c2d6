//! Schema versions: forward only, all pending ones in one transaction under a lock.

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::{
    StoreError,
    db::{BoxFuture, Db, Dialect, Row, Tx},
    params,
};

/// One change of the schema; never edited once released.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// Its place in the order, from 1.
    pub version: u32,
    /// What it does, for people.
    pub name: &'static str,
    /// The statements for SQLite.
    pub sql_sqlite: &'static str,
    /// The statements for PostgreSQL.
    pub sql_postgres: &'static str,
}

/// How a database stands to this program's migrations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The migrations that are applied, in order.
    pub applied: Vec<Applied>,
    /// Version and name of those that are not, in order.
    pub pending: Vec<(u32, &'static str)>,
}

/// An applied migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Its version.
    pub version: u32,
    /// Its name when it was applied.
    pub name: String,
    /// When it was applied.
    pub applied_at: Timestamp,
}

/// Compares a database with this program's migrations, without writing.
///
/// # Errors
/// [`StoreError::Migration`] when the database is newer than this program or was migrated with
/// other texts; else as [`Db::read`].
pub async fn status(db: &Db) -> Result<Status, StoreError> {
    status_with(db, MIGRATIONS).await
}

/// Applies every pending migration, in one transaction; `now` is recorded with each.
///
/// Processes that start together wait for one another.
///
/// # Errors
/// As [`status`], and as [`Db::write`].
pub async fn up(db: &Db, now: Timestamp) -> Result<Status, StoreError> {
    up_with(db, MIGRATIONS, now).await
}

/// As [`status`], for a given list.
///
/// # Errors
/// As [`status`].
pub async fn status_with(db: &Db, migrations: &'static [Migration]) -> Result<Status, StoreError> {
    let exists = match db.dialect() {
        Dialect::Sqlite => TABLE_EXISTS_SQLITE,
        Dialect::Postgres => TABLE_EXISTS_POSTGRES,
    };
    let recorded = match db.read(exists, params![]).await?.is_empty() {
        true => Vec::new(),
        false => db.read(RECORDED, params![]).await?,
    };
    compare(&recorded, migrations, db.dialect())
}

/// As [`up`], for a given list.
///
/// # Errors
/// As [`up`].
pub async fn up_with(
    db: &Db,
    migrations: &'static [Migration],
    now: Timestamp,
) -> Result<Status, StoreError> {
    // The usual start finds nothing to do and takes no lock.
    let status = status_with(db, migrations).await?;
    if status.pending.is_empty() {
        return Ok(status);
    }
    db.write_alone(move |tx| -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(apply_pending(tx, migrations, now))
    })
    .await?;
    status_with(db, migrations).await
}

async fn apply_pending(
    tx: &mut Tx,
    migrations: &'static [Migration],
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.without_timeouts().await?;
    // Before `create table if not exists`, which two sessions of PostgreSQL cannot run at once.
    tx.advisory_lock(LOCK).await?;
    let dialect = tx.dialect();
    tx.batch(match dialect {
        Dialect::Sqlite => CREATE_TABLE_SQLITE,
        Dialect::Postgres => CREATE_TABLE_POSTGRES,
    })
    .await?;
    let recorded = tx.query(RECORDED, params![]).await?;
    let status = compare(&recorded, migrations, dialect)?;
    let pending = migrations
        .iter()
        .filter(|migration| migration.version > newest(&status.applied));
    for migration in pending {
        tx.batch(migration.sql(dialect)).await?;
        let (version, checksum) = (migration.version, migration.checksum(dialect));
        tx.execute(RECORD, params![version, migration.name, checksum, now])
            .await?;
    }
    Ok(())
}

/// Checks what is recorded against the list.
fn compare(
    recorded: &[Row],
    migrations: &[Migration],
    dialect: Dialect,
) -> Result<Status, StoreError> {
    let mut applied = Vec::with_capacity(recorded.len());
    for (index, row) in recorded.iter().enumerate() {
        let version: i64 = row.get(0)?;
        let name: String = row.get(1)?;
        let Some(migration) = migrations.get(index) else {
            return Err(StoreError::Migration(format!(
                "the database has migration {version} ({name}), which this program does not know; \
                 use the program's version that made it, or a newer one"
            )));
        };
        if i64::from(migration.version) != version
            || migration.checksum(dialect) != row.get::<String>(2)?
        {
            return Err(StoreError::Migration(format!(
                "migration {version} ({name}) was applied with another text than this program's; \
                 use an official release, or restore a backup made before it was applied"
            )));
        }
        applied.push(Applied {
            version: migration.version,
            name,
            applied_at: row.get(3)?,
        });
    }
    let pending = migrations
        .iter()
        .skip(applied.len())
        .map(|migration| (migration.version, migration.name))
        .collect();
    Ok(Status { applied, pending })
}

fn newest(applied: &[Applied]) -> u32 {
    applied.last().map_or(0, |applied| applied.version)
}

impl Migration {
    fn sql(&self, dialect: Dialect) -> &'static str {
        match dialect {
            Dialect::Sqlite => self.sql_sqlite,
            Dialect::Postgres => self.sql_postgres,
        }
    }

    /// SHA-256 of the text, whatever line endings a checkout gave it.
    fn checksum(&self, dialect: Dialect) -> String {
        let text = self.sql(dialect).replace("\r\n", "\n");
        let digest = Sha256::digest(text.as_bytes());
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// This program's migrations, in order.
const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        name: "init",
        sql_sqlite: include_str!("migrations/sqlite/0001_init.sql"),
        sql_postgres: include_str!("migrations/postgres/0001_init.sql"),
    },
    Migration {
        version: 2,
        name: "connections",
        sql_sqlite: include_str!("migrations/sqlite/0002_connections.sql"),
        sql_postgres: include_str!("migrations/postgres/0002_connections.sql"),
    },
    Migration {
        version: 3,
        name: "import",
        sql_sqlite: include_str!("migrations/sqlite/0003_import.sql"),
        sql_postgres: include_str!("migrations/postgres/0003_import.sql"),
    },
];

/// The advisory lock of migrations: "bosaauth" as bytes.
const LOCK: i64 = i64::from_be_bytes(*b"bosaauth");

const CREATE_TABLE_SQLITE: &str = "
create table if not exists bosa_schema_migrations (
    version integer not null primary key,
    name text not null,
    checksum text not null,
    applied_at integer not null
) strict";

const CREATE_TABLE_POSTGRES: &str = "
create table if not exists bosa_schema_migrations (
    version bigint not null primary key,
    name text not null,
    checksum text not null,
    applied_at bigint not null
)";

const TABLE_EXISTS_SQLITE: &str =
    "select name from sqlite_schema where type = 'table' and name = 'bosa_schema_migrations'";

const TABLE_EXISTS_POSTGRES: &str =
    "select 1 where to_regclass('bosa_schema_migrations') is not null";

const RECORDED: &str =
    "select version, name, checksum, applied_at from bosa_schema_migrations order by version";

const RECORD: &str = "insert into bosa_schema_migrations (version, name, checksum, applied_at) \
     values ($1, $2, $3, $4)";
