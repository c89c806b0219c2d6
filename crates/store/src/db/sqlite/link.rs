//! A connection that is closed before a fork and opened again when it is next used.

use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{connection::Connection, file::OpenFile};
use crate::{
    db::{Param, Row},
    error::StoreError,
    fork::{self, Closing, Inside, Process},
};

type Open = Box<dyn Fn() -> Result<Connection, StoreError> + Send + Sync>;

pub(in crate::db) struct Link {
    slot: Arc<Slot>,
    /// `None` in memory: what is closed would be gone.
    open: Option<Open>,
    /// How often it was opened.
    opened: u64,
    /// There while a transaction is open.
    inside: Option<Inside>,
    process: Process,
}

/// Locked only by those who are inside, and by the thread that forks when nobody is.
struct Slot(Mutex<Option<Connection>>);

impl Link {
    pub(super) fn in_memory(timeout: Duration) -> Result<Self, StoreError> {
        let _inside = fork::enter()?;
        Ok(Self::new(Connection::open_memory(timeout)?, None))
    }

    pub(super) fn writer(
        path: &Path,
        timeout: Duration,
        file: &Arc<OpenFile>,
    ) -> Result<Self, StoreError> {
        Self::to_file(Connection::open_writer, path, timeout, file)
    }

    pub(super) fn reader(
        path: &Path,
        timeout: Duration,
        file: &Arc<OpenFile>,
    ) -> Result<Self, StoreError> {
        Self::to_file(Connection::open_reader, path, timeout, file)
    }

    fn to_file(
        connect: fn(&Path, Duration) -> Result<Connection, StoreError>,
        path: &Path,
        timeout: Duration,
        file: &Arc<OpenFile>,
    ) -> Result<Self, StoreError> {
        let (path, file) = (path.to_owned(), Arc::clone(file));
        let open: Open = Box::new(move || {
            let connection = connect(&path, timeout)?;
            file.check()?;
            Ok(connection)
        });
        let _inside = fork::enter()?;
        let link = Self::new(open()?, Some(open));
        let slot: Arc<dyn Closing> = Arc::<Slot>::clone(&link.slot);
        fork::register(Arc::downgrade(&slot));
        Ok(link)
    }

    fn new(connection: Connection, open: Option<Open>) -> Self {
        Self {
            slot: Arc::new(Slot(Mutex::new(Some(connection)))),
            open,
            opened: 1,
            inside: None,
            process: Process::current(),
        }
    }

    pub(super) fn query(
        &mut self,
        sql: &'static str,
        params: &[Param],
    ) -> Result<Vec<Row>, StoreError> {
        self.with(|connection| connection.query(sql, params))
    }

    /// As `query`, but refuses a statement that writes.
    pub(in crate::db) fn query_reading(
        &mut self,
        sql: &'static str,
        params: &[Param],
    ) -> Result<Vec<Row>, StoreError> {
        self.with(|connection| connection.query_reading(sql, params))
    }

    pub(super) fn execute(
        &mut self,
        sql: &'static str,
        params: &[Param],
    ) -> Result<u64, StoreError> {
        self.with(|connection| connection.execute(sql, params))
    }

    pub(super) fn batch(&mut self, sql: &str) -> Result<(), StoreError> {
        self.with(|connection| connection.batch(sql))
    }

    /// Begins a transaction; no fork happens until it has ended.
    pub(super) fn begin(&mut self) -> Result<(), StoreError> {
        let inside = match self.inside.take() {
            Some(inside) => inside,
            None => fork::enter()?,
        };
        self.inside = Some(inside);
        let begun = self.with(Connection::begin);
        if begun.is_err() {
            self.inside = None;
        }
        begun
    }

    /// Commits; when that fails, [`rollback`](Self::rollback) has to follow.
    pub(super) fn commit(&mut self) -> Result<(), StoreError> {
        self.with(Connection::commit)?;
        self.inside = None;
        Ok(())
    }

    /// Whether a transaction is open: some errors end it by themselves.
    pub(super) fn in_transaction(&self) -> bool {
        self.inside.is_some()
            && self
                .slot
                .lock()
                .as_ref()
                .is_some_and(Connection::in_transaction)
    }

    /// Opens a savepoint with the usual limit of statements.
    pub(super) fn savepoint(&mut self) -> Result<(), StoreError> {
        self.with(Connection::savepoint)
    }

    pub(super) fn release(&mut self) -> Result<(), StoreError> {
        self.with(Connection::release)
    }

    pub(super) fn undo(&mut self) -> Result<(), StoreError> {
        self.with(Connection::undo)
    }

    pub(super) fn rollback(&mut self) {
        if self.inside.is_some() && self.process.is_current() {
            if let Some(connection) = self.slot.lock().as_mut() {
                connection.rollback();
            }
            self.inside = None;
        }
    }

    /// Lifts the limit of statements until the next `begin` or savepoint.
    pub(super) fn without_timeout(&mut self) {
        if let Some(connection) = self.slot.lock().as_mut() {
            connection.without_timeout();
        }
    }

    /// How often it was opened: what a connection tells of changes it tells of its own time only.
    pub(in crate::db) fn opened(&self) -> u64 {
        self.opened
    }

    fn with<T>(
        &mut self,
        f: impl FnOnce(&mut Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.process.check()?;
        let _inside = match &self.inside {
            Some(_) => None,
            None => Some(fork::enter()?),
        };
        let mut slot = self.slot.lock();
        if let Some(connection) = slot.as_mut() {
            return f(connection);
        }
        let open = self.open.as_ref().ok_or_else(super::closed)?;
        let connection = open().map_err(|error| match error {
            // It could be used before.
            StoreError::Configuration(reason) => StoreError::unavailable(reason),
            error => error,
        })?;
        self.opened += 1;
        f(slot.insert(connection))
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if !self.process.is_current() {
            // The parent's: whatever closing it would do, it has no threads here.
            if let Ok(mut slot) = self.slot.0.try_lock() {
                std::mem::forget(slot.take());
            }
            return;
        }
        let _inside = match self.inside.take() {
            Some(inside) => Some(inside),
            // Refused only to the thread that forks, which is alone anyway.
            None => fork::enter().ok(),
        };
        drop(self.slot.lock().take());
    }
}

impl Slot {
    fn lock(&self) -> MutexGuard<'_, Option<Connection>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Closing for Slot {
    fn close(&self) {
        if let Some(connection) = self.lock().take() {
            connection.close_quickly();
        }
    }
}
