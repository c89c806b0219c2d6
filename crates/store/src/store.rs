//! The handle that use cases work through, and where statements may run.

use std::future::Future;
use std::sync::Arc;

use bosa_auth_core::ClientId;

use crate::client_tx::ClientReader;
use crate::db::{BoxFuture, Db, Dialect, Param, Row, Tx};
use crate::error::StoreError;
use crate::instance;

/// A database of this system: reads on the pool, writes in transactions.
#[derive(Debug, Clone)]
pub struct Store {
    db: Db,
}

impl Store {
    /// Works on an open, migrated database.
    pub fn new(db: Db) -> Self {
        Self { db }
    }

    /// Returns the database itself, for migrations, pings and closing.
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// Returns the view of one client's data outside a transaction.
    pub fn client(&self, id: ClientId) -> ClientReader<'_> {
        ClientReader::new(self, id)
    }

    /// Runs `f` in a transaction that the caller cannot cancel.
    ///
    /// `f` may run more than once: it gets its ids and times from outside and changes nothing when
    /// an earlier attempt of the same call was committed after all.
    ///
    /// # Errors
    /// [`StoreError::Moved`] when this database was closed by a move to another one; otherwise what
    /// `f` or the commit returns.
    pub async fn write<T, E, F>(&self, f: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + Sync + 'static,
    {
        self.db.write(inside(LOCK_SHARED, f)).await
    }

    /// Runs `f` in a transaction while no other transaction of [`write`](Self::write) is open.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub async fn exclusive_write<T, E, F>(&self, f: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + Sync + 'static,
    {
        self.db.write_alone(inside(LOCK_EXCLUSIVE, f)).await
    }

    /// Runs `f`, which only reads, on one state of the whole database. A moved one can be read too.
    ///
    /// # Errors
    /// What `f` returns, or what the transaction itself does.
    pub async fn snapshot<T, E, F>(&self, f: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + Sync + 'static,
    {
        let f = Arc::new(f);
        self.db
            .write_alone(move |tx| {
                let f = Arc::clone(&f);
                Box::pin(async move {
                    match tx.dialect() {
                        // `begin immediate` keeps every writer out.
                        Dialect::Sqlite => {}
                        Dialect::Postgres => tx.batch(ONE_STATE).await?,
                    }
                    f(tx).await
                })
            })
            .await
    }
}

/// `f` behind the lock that a move excludes and the look whether the database is still open.
fn inside<T, E, F>(
    lock: &'static str,
    f: F,
) -> impl for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + Sync + 'static
where
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
    F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + Sync + 'static,
{
    let f = Arc::new(f);
    move |tx| {
        let f = Arc::clone(&f);
        Box::pin(async move {
            tx.enter(instance::entry(lock, WRITER_LOCK)).await?;
            f(tx).await
        })
    }
}

/// Where a statement that only reads may run: on the pool, or inside a transaction.
pub trait Source: Send {
    /// Returns all rows of the statement.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses or cannot be reached.
    fn rows(
        &mut self,
        sql: &'static str,
        params: Vec<Param>,
    ) -> impl Future<Output = Result<Vec<Row>, StoreError>> + Send;

    /// Returns the statement's first row, if there is one.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses or cannot be reached.
    fn row(
        &mut self,
        sql: &'static str,
        params: Vec<Param>,
    ) -> impl Future<Output = Result<Option<Row>, StoreError>> + Send {
        let rows = self.rows(sql, params);
        async { Ok(rows.await?.into_iter().next()) }
    }
}

impl Source for &Store {
    async fn rows(
        &mut self,
        sql: &'static str,
        params: Vec<Param>,
    ) -> Result<Vec<Row>, StoreError> {
        self.db.read(sql, params).await
    }
}

/// For whoever reads several times in one place.
impl<S: Source> Source for &mut S {
    async fn rows(
        &mut self,
        sql: &'static str,
        params: Vec<Param>,
    ) -> Result<Vec<Row>, StoreError> {
        S::rows(self, sql, params).await
    }
}

impl Source for &mut Tx {
    async fn rows(
        &mut self,
        sql: &'static str,
        params: Vec<Param>,
    ) -> Result<Vec<Row>, StoreError> {
        self.query(sql, params).await
    }
}

/// The key of the advisory lock: "bosawrit" in ASCII.
const WRITER_LOCK: i64 = 0x626f_7361_7772_6974;

// PostgreSQL only.
const LOCK_SHARED: &str = "select pg_advisory_xact_lock_shared($1)";
const LOCK_EXCLUSIVE: &str = "select pg_advisory_xact_lock($1)";
const ONE_STATE: &str = "set transaction isolation level repeatable read, read only";
