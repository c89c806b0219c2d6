//! SQLite: one connection that writes, a few that read, all called in place.

mod connection;
mod file;
mod job;
mod link;
mod tx;
mod writer;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Semaphore,
    time::{sleep, timeout},
};

pub use self::file::FileId;
pub(super) use self::{file::OpenFile, link::Link, tx::SqliteTx};
use self::{job::Write, writer::Writer};
use super::{BoxFuture, DbOptions, FileWatch, Param, Row, Tx, tx::Attempt};
use crate::error::StoreError;

/// The most connections that read at a time.
const READERS: usize = 4;

pub(super) struct Sqlite {
    writer: Arc<Writer>,
    /// `None` in memory, where one connection does both.
    readers: Option<Readers>,
    lock_timeout: Duration,
}

struct Readers {
    file: Arc<OpenFile>,
    path: PathBuf,
    statement_timeout: Duration,
    /// Bounds the connections in use; closed with the database.
    permits: Semaphore,
    idle: Mutex<Vec<Link>>,
}

impl Sqlite {
    pub(super) fn open_memory(options: &DbOptions) -> Result<Self, StoreError> {
        let link = Link::in_memory(options.statement_timeout)?;
        Ok(Self::new(link, None, options))
    }

    pub(super) async fn open_file(path: &Path, options: &DbOptions) -> Result<Self, StoreError> {
        file::prepare(path)?;
        let file = Arc::new(OpenFile::at(path)?);
        let writer = when_free(options.lock_timeout, || {
            Link::writer(path, options.statement_timeout, &file)
        })
        .await?;
        let readers = Readers {
            file,
            path: path.to_owned(),
            statement_timeout: options.statement_timeout,
            permits: Semaphore::new(READERS),
            idle: Mutex::default(),
        };
        Ok(Self::new(writer, Some(readers), options))
    }

    fn new(writer: Link, readers: Option<Readers>, options: &DbOptions) -> Self {
        let file = readers.as_ref().map(|readers| Arc::clone(&readers.file));
        let writer = Writer::new(writer, options.lock_timeout, file);
        Self {
            writer: Arc::new(writer),
            readers,
            lock_timeout: options.lock_timeout,
        }
    }

    /// The open file; `None` in memory.
    pub(super) fn file(&self) -> Option<&OpenFile> {
        self.readers.as_ref().map(|readers| readers.file.as_ref())
    }

    pub(super) async fn watch(&self) -> Result<Option<FileWatch>, StoreError> {
        let Some(readers) = &self.readers else {
            return Ok(None);
        };
        let link = when_free(self.lock_timeout, || readers.open()).await?;
        Ok(Some(FileWatch::new(link, Arc::clone(&readers.file))))
    }

    pub(super) async fn read(
        &self,
        sql: &'static str,
        params: &[Param],
    ) -> Result<Vec<Row>, StoreError> {
        match &self.readers {
            Some(readers) => {
                let _permit = readers.permits.acquire().await.map_err(|_| closed())?;
                readers.file.check()?;
                when_free(self.lock_timeout, || {
                    readers.with(|link| link.query_reading(sql, params))
                })
                .await
            }
            None => {
                let mut writer = self.writer.connection().await?;
                let link = writer.as_mut().ok_or_else(closed)?;
                link.query_reading(sql, params)
            }
        }
    }

    /// One after the other: there is no way to save.
    pub(super) async fn read_together(
        &self,
        statements: &[(&'static str, Vec<Param>)],
    ) -> Result<Vec<Vec<Row>>, StoreError> {
        let mut answers = Vec::with_capacity(statements.len());
        for (sql, params) in statements {
            answers.push(self.read(sql, params).await?);
        }
        Ok(answers)
    }

    /// Runs `f` in a transaction that it shares with those who wait beside it, unless it is to be
    /// alone.
    pub(super) async fn attempt<T, E, F>(&self, f: Arc<F>, alone: bool) -> Attempt<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + Sync + 'static,
    {
        let (write, answer) = Write::new(f);
        self.writer.run(Box::new(write), answer, alone).await
    }

    pub(super) async fn close(&self) {
        if let Some(readers) = &self.readers {
            readers.permits.close();
            readers.idle().clear();
        }
        // Last, because closing the last connection folds the log into the file, which a reading
        // one cannot do.
        self.writer.close().await;
    }
}

impl Readers {
    /// Lends an idle connection to `f`, or a new one.
    fn with<T>(&self, f: impl FnOnce(&mut Link) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let idle = self.idle().pop();
        let mut link = match idle {
            Some(link) => link,
            None => self.open()?,
        };
        let result = f(&mut link);
        if !self.permits.is_closed() {
            self.idle().push(link);
        }
        result
    }

    /// Opens another connection, to the same file.
    fn open(&self) -> Result<Link, StoreError> {
        Link::reader(&self.path, self.statement_timeout, &self.file)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Link>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
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
