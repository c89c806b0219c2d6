//! One SQLite connection: settings, statements, errors.

use std::{
    collections::HashMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use rusqlite::{CachedStatement, Error, ErrorCode, OpenFlags, config::DbConfig, ffi, types::Value};
use tokio::time::Instant;

use crate::{
    db::{Param, Row, placeholder::to_question_marks, row::RowArm, sent::sent},
    error::StoreError,
};

/// Prepared statements kept by each connection.
const STATEMENTS: usize = 256;
/// Virtual machine steps between two looks at the clock, well under a millisecond.
const STEPS: i32 = 1000;

pub(super) struct Connection {
    raw: rusqlite::Connection,
    /// Statements with `?N` placeholders, by address and length of the `$N` text: equal ones are
    /// the same static text.
    rewritten: HashMap<(usize, usize), Box<str>>,
    deadline: Deadline,
    statement_timeout: Option<Duration>,
    default_timeout: Duration,
}

impl Connection {
    pub(super) fn open_memory(statement_timeout: Duration) -> Result<Self, StoreError> {
        let raw = rusqlite::Connection::open_in_memory_with_flags(
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        );
        Self::configure(raw.map_err(open_error)?, statement_timeout)
    }

    pub(super) fn open_writer(path: &Path, timeout: Duration) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let raw = rusqlite::Connection::open_with_flags(path, flags).map_err(open_error)?;
        let connection = Self::configure(raw, timeout)?;
        let mode: String = connection
            .raw
            .pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))
            .map_err(open_error)?;
        if mode != "wal" {
            return Err(StoreError::Configuration(format!(
                "the database file {} is on a file system without shared memory",
                path.display()
            )));
        }
        connection
            .raw
            .pragma_update(None, "synchronous", "full")
            .map_err(open_error)?;
        Ok(connection)
    }

    pub(super) fn open_reader(path: &Path, timeout: Duration) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let raw = rusqlite::Connection::open_with_flags(path, flags).map_err(open_error)?;
        Self::configure(raw, timeout)
    }

    fn configure(
        mut raw: rusqlite::Connection,
        statement_timeout: Duration,
    ) -> Result<Self, StoreError> {
        // Waiting is ours to do, without blocking the thread.
        raw.busy_timeout(Duration::ZERO).map_err(open_error)?;
        let deadline = Deadline::new();
        let watch = deadline.clone();
        raw.progress_handler(STEPS, Some(move || watch.passed()))
            .map_err(open_error)?;
        for (config, on) in [
            (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
            (DbConfig::SQLITE_DBCONFIG_DQS_DML, false),
            (DbConfig::SQLITE_DBCONFIG_DQS_DDL, false),
            // Plans that do not look at bound values: without this, every run of a join is
            // prepared anew, which costs eight times as much as the run itself.
            (DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true),
        ] {
            raw.set_db_config(config, on).map_err(open_error)?;
        }
        for (pragma, value) in [
            ("foreign_keys", "on"),
            ("secure_delete", "on"),
            ("trusted_schema", "off"),
            ("temp_store", "memory"),
        ] {
            raw.pragma_update(None, pragma, value).map_err(open_error)?;
        }
        raw.set_prepared_statement_cache_capacity(STATEMENTS);
        Ok(Self {
            raw,
            rewritten: HashMap::new(),
            deadline,
            statement_timeout: Some(statement_timeout),
            default_timeout: statement_timeout,
        })
    }

    /// Closes without copying the log into the file, which the next one that closes it does: a fork
    /// does not wait for the disk.
    pub(super) fn close_quickly(self) {
        let quickly = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
        if let Err(error) = self.raw.set_db_config(quickly, true) {
            tracing::debug!(%error, "closing copies the log into the file");
        }
    }

    pub(super) fn query(
        &mut self,
        sql: &'static str,
        params: &[Param],
    ) -> Result<Vec<Row>, StoreError> {
        self.with(sql, params, rows)
    }

    /// As `query`, but refuses a statement that writes.
    pub(super) fn query_reading(
        &mut self,
        sql: &'static str,
        params: &[Param],
    ) -> Result<Vec<Row>, StoreError> {
        self.with(sql, params, |statement| match statement.readonly() {
            true => rows(statement),
            false => Err(StoreError::Internal("a read that writes".to_owned())),
        })
    }

    pub(super) fn execute(
        &mut self,
        sql: &'static str,
        params: &[Param],
    ) -> Result<u64, StoreError> {
        self.with(sql, params, |statement| {
            let changed = match statement.column_count() {
                0 => statement.raw_execute().map_err(map_error)?,
                _ => rows(statement)?.len(),
            };
            u64::try_from(changed).map_err(|error| StoreError::Internal(error.to_string()))
        })
    }

    pub(super) fn batch(&mut self, sql: &str) -> Result<(), StoreError> {
        self.deadline.set(self.statement_timeout);
        sent([sql]);
        self.raw.execute_batch(sql).map_err(map_error)
    }

    pub(super) fn begin(&mut self) -> Result<(), StoreError> {
        // Left over only if an earlier rollback failed.
        if !self.raw.is_autocommit() {
            self.rollback();
        }
        self.statement_timeout = Some(self.default_timeout);
        sent(["begin immediate"]);
        self.control("begin immediate")
    }

    pub(super) fn commit(&mut self) -> Result<(), StoreError> {
        self.control("commit")
    }

    /// Whether a transaction is open: some errors end it by themselves.
    pub(super) fn in_transaction(&self) -> bool {
        !self.raw.is_autocommit()
    }

    /// Opens a savepoint with the usual limit of statements.
    pub(super) fn savepoint(&mut self) -> Result<(), StoreError> {
        self.statement_timeout = Some(self.default_timeout);
        self.control("savepoint member")
    }

    pub(super) fn release(&mut self) -> Result<(), StoreError> {
        self.control("release member")
    }

    pub(super) fn undo(&mut self) -> Result<(), StoreError> {
        self.control("rollback to member")?;
        self.control("release member")
    }

    pub(super) fn rollback(&mut self) {
        self.deadline.set(None);
        sent(["rollback"]);
        // A failed commit or an interrupt may have rolled back already.
        if !self.raw.is_autocommit()
            && let Err(error) = self.raw.execute_batch("rollback")
        {
            tracing::error!(error = %map_error(error), "a transaction could not be rolled back");
        }
    }

    /// Lifts the limit of statements until the next `begin` or savepoint.
    pub(super) fn without_timeout(&mut self) {
        self.statement_timeout = None;
    }

    /// Runs a statement that opens or ends something, which nothing may interrupt.
    fn control(&mut self, sql: &'static str) -> Result<(), StoreError> {
        self.deadline.set(None);
        let mut statement = self.raw.prepare_cached(sql).map_err(map_error)?;
        statement.raw_execute().map(drop).map_err(map_error)
    }

    fn with<T>(
        &mut self,
        sql: &'static str,
        params: &[Param],
        f: impl FnOnce(&mut CachedStatement<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.deadline.set(self.statement_timeout);
        sent([sql]);
        let text = self
            .rewritten
            .entry((sql.as_ptr().addr(), sql.len()))
            .or_insert_with(|| to_question_marks(sql).into_boxed_str());
        let mut statement = self.raw.prepare_cached(text).map_err(map_error)?;
        if statement.parameter_count() != params.len() {
            return Err(StoreError::Internal(format!(
                "{} values for {} placeholders",
                params.len(),
                statement.parameter_count()
            )));
        }
        for (index, param) in params.iter().enumerate() {
            statement
                .raw_bind_parameter(index + 1, param)
                .map_err(map_error)?;
        }
        let result = f(&mut statement);
        // The statement stays in the cache; what was bound must not stay with it.
        statement.clear_bindings();
        result
    }
}

fn rows(statement: &mut CachedStatement<'_>) -> Result<Vec<Row>, StoreError> {
    let columns = statement.column_count();
    let mut rows = statement.raw_query();
    let mut out = Vec::new();
    while let Some(row) = rows.next().map_err(map_error)? {
        let values: Result<Vec<Value>, _> = (0..columns).map(|index| row.get(index)).collect();
        let values = values.map_err(|_| StoreError::unreadable("a text that is not UTF-8"))?;
        out.push(Row(RowArm::Sqlite(values)));
    }
    Ok(out)
}

/// When the running statement has to stop, in microseconds after `base`.
#[derive(Clone)]
struct Deadline {
    base: Instant,
    at: Arc<AtomicU64>,
}

impl Deadline {
    fn new() -> Self {
        Self {
            base: Instant::now(),
            at: Arc::new(AtomicU64::new(u64::MAX)),
        }
    }

    fn set(&self, limit: Option<Duration>) {
        let at = limit.map_or(u64::MAX, |limit| micros(self.base.elapsed() + limit));
        self.at.store(at, Ordering::Relaxed);
    }

    fn passed(&self) -> bool {
        micros(self.base.elapsed()) > self.at.load(Ordering::Relaxed)
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn open_error(error: Error) -> StoreError {
    match map_error(error) {
        StoreError::Unavailable { reason } | StoreError::Internal(reason) => {
            StoreError::Configuration(format!("the database file cannot be used: {reason}"))
        }
        error => error,
    }
}

/// SQLite's messages name tables, columns and constraints, never values.
fn map_error(error: Error) -> StoreError {
    let Error::SqliteFailure(failure, message) = &error else {
        return StoreError::Internal(error.to_string());
    };
    let message = message.clone().unwrap_or_else(|| failure.to_string());
    match failure.code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => StoreError::Busy,
        ErrorCode::OperationInterrupted => {
            StoreError::unavailable("a statement took longer than allowed")
        }
        ErrorCode::ConstraintViolation => match failure.extended_code {
            ffi::SQLITE_CONSTRAINT_UNIQUE
            | ffi::SQLITE_CONSTRAINT_PRIMARYKEY
            | ffi::SQLITE_CONSTRAINT_ROWID => StoreError::Unique {
                constraint: message
                    .trim_start_matches("UNIQUE constraint failed: ")
                    .to_owned(),
            },
            ffi::SQLITE_CONSTRAINT_FOREIGNKEY => StoreError::ForeignKey,
            _ => StoreError::Internal(message),
        },
        ErrorCode::CannotOpen
        | ErrorCode::DatabaseCorrupt
        | ErrorCode::NotADatabase
        | ErrorCode::DiskFull
        | ErrorCode::FileLockingProtocolFailed
        | ErrorCode::OutOfMemory
        | ErrorCode::PermissionDenied
        | ErrorCode::ReadOnly
        | ErrorCode::SystemIoFailure => StoreError::unavailable(message),
        _ => StoreError::Internal(message),
    }
}
