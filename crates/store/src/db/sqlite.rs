//! SQLite: one connection that writes, a few that read, all called in place.

mod connection;
mod file;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Mutex as AsyncMutex, OwnedMutexGuard, Semaphore},
    time::{sleep, timeout},
};

use self::connection::Connection;
use super::{DbOptions, Param, Row};
use crate::error::StoreError;

/// The most connections that read at a time.
const READERS: usize = 4;

pub(super) struct Sqlite {
    /// Holds `None` once the database is closed.
    writer: Arc<AsyncMutex<Option<Connection>>>,
    /// `None` in memory, where one connection does both.
    readers: Option<Readers>,
    lock_timeout: Duration,
}

struct Readers {
    path: PathBuf,
    statement_timeout: Duration,
    /// Bounds the connections in use; closed with the database.
    permits: Semaphore,
    idle: Mutex<Vec<Connection>>,
}

impl Sqlite {
    pub(super) fn open_memory(options: &DbOptions) -> Result<Self, StoreError> {
        let connection = Connection::open_memory(options.statement_timeout)?;
        Ok(Self::new(connection, None, options))
    }

    pub(super) async fn open_file(path: &Path, options: &DbOptions) -> Result<Self, StoreError> {
        file::prepare(path)?;
        let writer = when_free(options.lock_timeout, || {
            Connection::open_writer(path, options.statement_timeout)
        })
        .await?;
        let readers = Readers {
            path: path.to_owned(),
            statement_timeout: options.statement_timeout,
            permits: Semaphore::new(READERS),
            idle: Mutex::default(),
        };
        Ok(Self::new(writer, Some(readers), options))
    }

    fn new(writer: Connection, readers: Option<Readers>, options: &DbOptions) -> Self {
        Self {
            writer: Arc::new(AsyncMutex::new(Some(writer))),
            readers,
            lock_timeout: options.lock_timeout,
        }
    }

    pub(super) async fn read(
        &self,
        sql: &'static str,
        params: &[Param],
    ) -> Result<Vec<Row>, StoreError> {
        match &self.readers {
            Some(readers) => {
                let _permit = readers.permits.acquire().await.map_err(|_| closed())?;
                when_free(self.lock_timeout, || {
                    readers.with(|connection| connection.query_reading(sql, params))
                })
                .await
            }
            None => {
                let mut writer = timeout(self.lock_timeout, self.writer.lock())
                    .await
                    .map_err(|_| StoreError::Busy)?;
                let connection = writer.as_mut().ok_or_else(closed)?;
                connection.query_reading(sql, params)
            }
        }
    }

    pub(super) async fn begin(&self) -> Result<SqliteTx, StoreError> {
        let lock = Arc::clone(&self.writer).lock_owned();
        let mut connection = timeout(self.lock_timeout, lock)
            .await
            .map_err(|_| StoreError::Busy)?;
        when_free(self.lock_timeout, || {
            connection.as_mut().ok_or_else(closed)?.begin()
        })
        .await?;
        Ok(SqliteTx {
            connection,
            open: true,
        })
    }

    pub(super) async fn close(&self) {
        if let Some(readers) = &self.readers {
            readers.permits.close();
            readers.idle().clear();
        }
        // Last, because closing the last connection folds the log into the file, which a reading
        // one cannot do.
        self.writer.lock().await.take();
    }
}

impl Readers {
    /// Lends an idle connection to `f`, or a new one.
    fn with<T>(
        &self,
        f: impl FnOnce(&mut Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let idle = self.idle().pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => Connection::open_reader(&self.path, self.statement_timeout)?,
        };
        let result = f(&mut connection);
        if !self.permits.is_closed() {
            self.idle().push(connection);
        }
        result
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A transaction on the writing connection; dropped while open, it rolls back.
pub(super) struct SqliteTx {
    connection: OwnedMutexGuard<Option<Connection>>,
    open: bool,
}

impl SqliteTx {
    pub(super) fn query(
        &mut self,
        sql: &'static str,
        params: &[Param],
    ) -> Result<Vec<Row>, StoreError> {
        self.connection()?.query(sql, params)
    }

    pub(super) fn execute(
        &mut self,
        sql: &'static str,
        params: &[Param],
    ) -> Result<u64, StoreError> {
        self.connection()?.execute(sql, params)
    }

    pub(super) fn batch(&mut self, sql: &'static str) -> Result<(), StoreError> {
        self.connection()?.batch(sql)
    }

    pub(super) fn without_timeouts(&mut self) {
        if let Some(connection) = self.connection.as_mut() {
            connection.without_timeout();
        }
    }

    /// Commits on a thread for blocking work, because it waits for the disk.
    pub(super) async fn commit(mut self) -> Result<(), StoreError> {
        tokio::task::spawn_blocking(move || self.commit_here())
            .await
            .unwrap_or(Err(StoreError::OutcomeUnknown))
    }

    fn commit_here(&mut self) -> Result<(), StoreError> {
        self.connection()?.commit()?;
        self.open = false;
        Ok(())
    }

    pub(super) fn rollback(self) {
        drop(self);
    }

    fn connection(&mut self) -> Result<&mut Connection, StoreError> {
        self.connection.as_mut().ok_or_else(closed)
    }
}

impl Drop for SqliteTx {
    fn drop(&mut self) {
        if self.open
            && let Some(connection) = self.connection.as_mut()
        {
            connection.rollback();
        }
    }
}

/// Tries until another process lets go of the file, without blocking the thread meanwhile.
async fn when_free<T>(
    limit: Duration,
    mut attempt: impl FnMut() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let attempts = async {
        let mut delay = Duration::from_micros(500);
        loop {
            match attempt() {
                Err(StoreError::Busy) => sleep(delay).await,
                result => return result,
            }
            delay = (delay * 2).min(Duration::from_millis(20));
        }
    };
    timeout(limit, attempts)
        .await
        .unwrap_or(Err(StoreError::Busy))
}

fn closed() -> StoreError {
    StoreError::unavailable("it has been closed")
}
