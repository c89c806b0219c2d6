//! One handle on either database.

mod connect;
mod listen;
mod param;
mod placeholder;
mod postgres;
mod row;
mod sent;
pub(crate) mod snapshot;
mod sqlite;
mod tx;
mod watch;
mod write;

use std::{fmt, sync::Arc, time::Duration};

pub use futures_util::future::BoxFuture;

pub(crate) use self::postgres::Entry;
pub use self::{
    listen::Listener,
    param::Param,
    row::{Column, Row},
    sqlite::FileId,
    tx::{Later, Tx},
    watch::{FileVersion, FileWatch},
};
use self::{postgres::Postgres, sqlite::Sqlite};
use crate::{
    error::StoreError,
    fork::Process,
    url::{DatabaseUrl, Target},
};

/// A handle on the database, cheap to clone.
///
/// Statements are written in the dialect that both databases share: lowercase, columns listed,
/// placeholders `$1`, `$2`, ….
#[derive(Clone)]
pub struct Db {
    inner: Arc<Inner>,
}

struct Inner {
    arm: Arm,
    process: Process,
    options: DbOptions,
}

enum Arm {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

/// Limits of a [`Db`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DbOptions {
    /// The most connections to PostgreSQL; SQLite has one for writes and at most four for reads.
    pub pool_size: usize,
    /// How long one statement may run.
    pub statement_timeout: Duration,
    /// How long to wait for another transaction, or for a free connection.
    pub lock_timeout: Duration,
}

impl Default for DbOptions {
    fn default() -> Self {
        Self {
            pool_size: 10,
            statement_timeout: Duration::from_secs(10),
            lock_timeout: Duration::from_secs(5),
        }
    }
}

/// Which database is behind a [`Db`], for the few things they do differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite, embedded.
    Sqlite,
    /// PostgreSQL, over the network.
    Postgres,
}

impl Db {
    /// Opens the database and makes sure that it answers.
    ///
    /// A missing SQLite file is created, readable by its owner only; a missing directory is not.
    ///
    /// # Errors
    /// [`StoreError::Configuration`] when the settings cannot work, which includes a SQLite file
    /// that others may read; [`StoreError::Unavailable`] when PostgreSQL does not answer.
    pub async fn open(url: &DatabaseUrl, options: DbOptions) -> Result<Self, StoreError> {
        let process = Process::current();
        let arm = match &url.target {
            Target::SqliteMemory => Arm::Sqlite(Sqlite::open_memory(&options)?),
            Target::SqliteFile(path) => Arm::Sqlite(Sqlite::open_file(path, &options).await?),
            Target::Postgres(url) => Arm::Postgres(Postgres::open(url, &options).await?),
        };
        Ok(Self {
            inner: Arc::new(Inner {
                arm,
                process,
                options,
            }),
        })
    }

    /// Runs one reading statement and returns its rows.
    ///
    /// # Errors
    /// [`StoreError`]; a statement that writes is refused.
    pub async fn read(
        &self,
        sql: &'static str,
        params: Vec<Param>,
    ) -> Result<Vec<Row>, StoreError> {
        self.inner.process.check()?;
        match &self.inner.arm {
            Arm::Sqlite(sqlite) => sqlite.read(sql, &params).await,
            Arm::Postgres(postgres) => postgres.read(sql, &params).await,
        }
    }

    /// Runs several reading statements on one connection and returns the rows of each, in their
    /// order; PostgreSQL gets them in one round trip.
    ///
    /// They see no common state: what is committed between two of them is seen by the later one only.
    ///
    /// # Errors
    /// As [`Db::read`]; the first failure, and nothing of the others.
    pub async fn read_together(
        &self,
        statements: Vec<(&'static str, Vec<Param>)>,
    ) -> Result<Vec<Vec<Row>>, StoreError> {
        self.inner.process.check()?;
        match &self.inner.arm {
            Arm::Sqlite(sqlite) => sqlite.read_together(&statements).await,
            Arm::Postgres(postgres) => postgres.read_together(&statements).await,
        }
    }

    /// Runs one reading statement and returns its first row, if there is one.
    ///
    /// # Errors
    /// As [`Db::read`].
    pub async fn read_opt(
        &self,
        sql: &'static str,
        params: Vec<Param>,
    ) -> Result<Option<Row>, StoreError> {
        Ok(self.read(sql, params).await?.into_iter().next())
    }

    /// Which database this is.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        match &self.inner.arm {
            Arm::Sqlite(_) => Dialect::Sqlite,
            Arm::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Which file is open; `None` when the database is no file.
    #[must_use]
    pub fn file(&self) -> Option<FileId> {
        match &self.inner.arm {
            Arm::Sqlite(sqlite) => sqlite.file().map(|file| file.id()),
            Arm::Postgres(_) => None,
        }
    }

    /// Whether another file, or none, was found where the open one was. Nothing is answered then,
    /// also when the former one comes back.
    #[must_use]
    pub fn file_is_gone(&self) -> bool {
        match &self.inner.arm {
            Arm::Sqlite(sqlite) => sqlite.file().is_some_and(|file| file.is_gone()),
            Arm::Postgres(_) => false,
        }
    }

    /// Opens a connection that only notices changes; `None` when the database is no file.
    ///
    /// # Errors
    /// [`StoreError`] when the file cannot be opened.
    pub async fn watch(&self) -> Result<Option<FileWatch>, StoreError> {
        self.inner.process.check()?;
        match &self.inner.arm {
            Arm::Sqlite(sqlite) => sqlite.watch().await,
            Arm::Postgres(_) => Ok(None),
        }
    }

    /// Gives up the connections to PostgreSQL that are open now: those in use are closed when their
    /// statements are done. What is asked later is asked of the server that answers then.
    pub fn renew_connections(&self) {
        if let Arm::Postgres(postgres) = &self.inner.arm {
            postgres.renew();
        }
    }

    /// Asks the database for a sign of life.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when there is none.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.read(PING, Vec::new()).await.map(|_| ())
    }

    /// Closes every connection once the running transactions are over; later calls fail with
    /// [`StoreError::Unavailable`].
    pub async fn close(&self) {
        // The connections are the parent's.
        if !self.inner.process.is_current() {
            return;
        }
        match &self.inner.arm {
            Arm::Sqlite(sqlite) => sqlite.close().await,
            Arm::Postgres(postgres) => postgres.close(),
        }
    }
}

impl fmt::Debug for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Db({:?})", self.dialect())
    }
}

const PING: &str = "select 1";
