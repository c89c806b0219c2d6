//! One transaction on SQLite, with savepoints for those who share it.

use tokio::sync::OwnedMutexGuard;

use super::{closed, link::Link};
use crate::{
    db::{Param, Row, sent::sent},
    error::StoreError,
};

/// A transaction on the writing connection; dropped while open, it rolls back.
pub(in crate::db) struct SqliteTx {
    connection: OwnedMutexGuard<Option<Link>>,
    open: bool,
    /// Whether a commit waits for no disk.
    in_memory: bool,
}

impl SqliteTx {
    /// Takes over a connection on which `begin` has succeeded.
    pub(super) fn new(connection: OwnedMutexGuard<Option<Link>>, in_memory: bool) -> Self {
        Self {
            connection,
            open: true,
            in_memory,
        }
    }

    pub(in crate::db) fn query(
        &mut self,
        sql: &'static str,
        params: &[Param],
    ) -> Result<Vec<Row>, StoreError> {
        self.connection()?.query(sql, params)
    }

    pub(in crate::db) fn execute(
        &mut self,
        sql: &'static str,
        params: &[Param],
    ) -> Result<u64, StoreError> {
        self.connection()?.execute(sql, params)
    }

    pub(in crate::db) fn batch(&mut self, sql: &'static str) -> Result<(), StoreError> {
        self.connection()?.batch(sql)
    }

    pub(in crate::db) fn without_timeouts(&mut self) {
        if let Some(connection) = self.connection.as_mut() {
            connection.without_timeout();
        }
    }

    /// Opens the savepoint of the next member of a group; the one before has been closed.
    pub(super) fn savepoint(&mut self) -> Result<(), StoreError> {
        self.connection()?.savepoint()
    }

    /// Keeps what happened since the savepoint.
    pub(super) fn release(&mut self) -> Result<(), StoreError> {
        self.connection()?.release()
    }

    /// Undoes what happened since the savepoint, and closes it.
    pub(super) fn undo(&mut self) -> Result<(), StoreError> {
        self.connection()?.undo()
    }

    /// Commits on a thread for blocking work, because it waits for the disk.
    pub(in crate::db) async fn commit(mut self) -> Result<(), StoreError> {
        sent(["commit"]);
        if self.in_memory {
            return self.commit_here();
        }
        tokio::task::spawn_blocking(move || self.commit_here())
            .await
            .unwrap_or(Err(StoreError::OutcomeUnknown))
    }

    fn commit_here(&mut self) -> Result<(), StoreError> {
        self.connection()?.commit()?;
        self.open = false;
        Ok(())
    }

    pub(in crate::db) fn rollback(self) {
        drop(self);
    }

    /// Refuses when an error has ended the transaction: without one, each statement would commit
    /// by itself.
    fn connection(&mut self) -> Result<&mut Link, StoreError> {
        let connection = self.connection.as_mut().ok_or_else(closed)?;
        match connection.in_transaction() {
            true => Ok(connection),
            false => Err(StoreError::Internal(
                "an error has ended the transaction".to_owned(),
            )),
        }
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
