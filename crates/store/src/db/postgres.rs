//! PostgreSQL: pooled connections, unnamed typed statements, limits set inside each transaction.
//!
//! Nothing outlives a transaction on a connection, so that a transaction pooler may stand between.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use deadpool_postgres::{
    ClientWrapper, Hook, HookError, Manager, ManagerConfig, Metrics, Object, Pool, PoolError,
    RecyclingMethod, Runtime, TimeoutType,
};
use futures_util::future::{join_all, join3};
use tokio::time::timeout;
use tokio_postgres::{Error, error::SqlState, types::ToSql, types::Type};

use super::{DbOptions, Param, Row, connect::Connector, row::RowArm, sent::sent};
use crate::{error::StoreError, url::PostgresUrl};

/// How much longer than the server's own limit we wait for an answer that may never come.
pub(super) const GRACE: Duration = Duration::from_secs(5);
/// How long opening a connection may take when the URL does not say.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a read is repeated after its connection turned out to be dead.
const READ_REPEATS: u32 = 3;
/// The most statements that leave together; `join_all` begins more than 30 in no certain order.
const TOGETHER: usize = 30;

pub(super) struct Postgres {
    pool: Pool,
    /// Connections that were opened before are closed instead of used again.
    renewed: Arc<Mutex<Instant>>,
    begin_read: String,
    begin_write: String,
    patience: Duration,
}

impl Postgres {
    pub(super) async fn open(url: &PostgresUrl, options: &DbOptions) -> Result<Self, StoreError> {
        let connector = Connector::new(&url.tls)?;
        let mut config = connector.config(url);
        config.connect_timeout(url.connect_timeout.unwrap_or(CONNECT_TIMEOUT));
        let manager = Manager::from_connect(
            config,
            connector,
            ManagerConfig {
                recycling_method: RecyclingMethod::Fast,
            },
        );
        let renewed = Arc::new(Mutex::new(now()));
        let oldest = renewed.clone();
        let is_current =
            Hook::sync_fn(move |_: &mut ClientWrapper, metrics: &Metrics| {
                match metrics.created < *oldest.lock().unwrap_or_else(PoisonError::into_inner) {
                    true => Err(HookError::message("opened before the server changed")),
                    false => Ok(()),
                }
            });
        let pool = Pool::builder(manager)
            .pre_recycle(is_current)
            .max_size(options.pool_size.max(1))
            .wait_timeout(Some(options.lock_timeout))
            .create_timeout(Some(url.connect_timeout.unwrap_or(CONNECT_TIMEOUT) + GRACE))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| StoreError::Configuration(error.to_string()))?;
        let limits = format!(
            "set local statement_timeout = {}; set local lock_timeout = {}",
            options.statement_timeout.as_millis(),
            options.lock_timeout.as_millis()
        );
        let postgres = Self {
            pool,
            renewed,
            begin_read: format!("begin read only; {limits}"),
            begin_write: format!("begin; {limits}"),
            patience: options.statement_timeout + GRACE,
        };
        drop(postgres.connection().await?);
        Ok(postgres)
    }

    /// Sends `begin`, the limits, the statement and `commit` together and waits once.
    pub(super) async fn read(
        &self,
        sql: &'static str,
        params: &[Param],
    ) -> Result<Vec<Row>, StoreError> {
        let mut repeats = ReadRepeats::default();
        loop {
            let connection = self.connection().await?;
            match self.read_on(&connection, sql, params).await {
                Ok(rows) => return Ok(rows),
                Err(failure) => repeats.after(failure, connection)?,
            }
        }
    }

    /// As [`read`](Self::read), with several statements.
    pub(super) async fn read_together(
        &self,
        statements: &[(&'static str, Vec<Param>)],
    ) -> Result<Vec<Vec<Row>>, StoreError> {
        let mut answers = Vec::with_capacity(statements.len());
        for statements in statements.chunks(TOGETHER) {
            answers.extend(self.read_some(statements).await?);
        }
        Ok(answers)
    }

    async fn read_some(
        &self,
        statements: &[(&'static str, Vec<Param>)],
    ) -> Result<Vec<Vec<Row>>, StoreError> {
        let mut repeats = ReadRepeats::default();
        loop {
            let connection = self.connection().await?;
            match self.read_all_on(&connection, statements).await {
                Ok(answers) => return Ok(answers),
                Err(failure) => repeats.after(failure, connection)?,
            }
        }
    }

    async fn read_on(
        &self,
        connection: &Object,
        sql: &'static str,
        params: &[Param],
    ) -> Result<Vec<Row>, Failure> {
        let params = typed(params);
        sent(["begin read only", sql, "commit"]);
        let (begin, rows, commit) = answer(
            Some(self.patience),
            join3(
                connection.batch_execute(&self.begin_read),
                connection.query_typed(sql, &params),
                connection.batch_execute("commit"),
            ),
        )
        .await?;
        begin?;
        let rows = rows?;
        commit?;
        Ok(wrap(rows))
    }

    async fn read_all_on(
        &self,
        connection: &Object,
        statements: &[(&'static str, Vec<Param>)],
    ) -> Result<Vec<Vec<Row>>, Failure> {
        let texts = statements.iter().map(|(sql, _)| *sql);
        sent(
            std::iter::once("begin read only")
                .chain(texts)
                .chain(["commit"]),
        );
        let reads = statements.iter().map(|(sql, params)| {
            let params = typed(params);
            async move { connection.query_typed(sql, &params).await }
        });
        // Each may take as long as the server allows one.
        let steps = u32::try_from(statements.len()).unwrap_or(u32::MAX);
        let (begin, answers, commit) = answer(
            Some(self.patience.saturating_mul(steps)),
            join3(
                connection.batch_execute(&self.begin_read),
                join_all(reads),
                connection.batch_execute("commit"),
            ),
        )
        .await?;
        begin?;
        let answers: Vec<_> = answers.into_iter().collect::<Result<_, _>>()?;
        commit?;
        Ok(answers.into_iter().map(wrap).collect())
    }

    pub(super) async fn begin(&self) -> Result<PostgresTx, StoreError> {
        Ok(PostgresTx {
            connection: Some(self.connection().await?),
            opening: Some(Opening {
                begin: self.begin_write.clone(),
                entry: None,
            }),
            waiting: Vec::new(),
            answers: Vec::new(),
            patience: Some(self.patience),
            lost: false,
        })
    }

    /// Uses no connection again that is open now.
    pub(super) fn renew(&self) {
        *self.renewed.lock().unwrap_or_else(PoisonError::into_inner) = now();
        self.pool.retain(|_, _| false);
    }

    pub(super) fn close(&self) {
        self.pool.close();
    }

    async fn connection(&self) -> Result<Object, StoreError> {
        self.pool.get().await.map_err(|error| match error {
            PoolError::Timeout(TimeoutType::Wait) => {
                StoreError::unavailable("every connection is in use")
            }
            PoolError::Timeout(_) => StoreError::unavailable("connecting took too long"),
            PoolError::Backend(error) => map_error(&error),
            PoolError::Closed => StoreError::unavailable("it has been closed"),
            error => StoreError::unavailable(error),
        })
    }
}

/// Decides whether a read runs once more.
#[derive(Default)]
struct ReadRepeats(u32);

impl ReadRepeats {
    /// Fails unless it was only the connection, which is given up then.
    fn after(&mut self, failure: Failure, connection: Object) -> Result<(), StoreError> {
        if failure.lost {
            drop(Object::take(connection));
            self.0 += 1;
            // An answer that never came would not come the second time either.
            if self.0 <= READ_REPEATS && !failure.timed_out {
                return Ok(());
            }
        }
        Err(failure.error)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the pool notes by this clock when it opened a connection"
)]
fn now() -> Instant {
    Instant::now()
}

/// A transaction on a pooled connection; dropped while open, it closes the connection.
pub(super) struct PostgresTx {
    connection: Option<Object>,
    /// What opens the transaction, until it goes out with the first of our statements.
    opening: Option<Opening>,
    /// Statements that go out with the next one.
    waiting: Vec<(&'static str, Vec<Param>)>,
    /// What each statement that had waited has changed, until the first that failed.
    answers: Vec<u64>,
    patience: Option<Duration>,
    lost: bool,
}

impl PostgresTx {
    pub(super) async fn query(
        &mut self,
        sql: &'static str,
        params: &[Param],
    ) -> Result<Vec<Row>, StoreError> {
        let params = typed(params);
        let rows = self.exchange(sql, async |connection| {
            connection.query_typed(sql, &params).await
        });
        rows.await.map(wrap)
    }

    pub(super) async fn execute(
        &mut self,
        sql: &'static str,
        params: &[Param],
    ) -> Result<u64, StoreError> {
        let params = typed(params);
        self.exchange(sql, async |connection| {
            connection.execute_typed(sql, &params).await
        })
        .await
    }

    pub(super) async fn batch(&mut self, sql: &'static str) -> Result<(), StoreError> {
        self.exchange(sql, async |connection| connection.batch_execute(sql).await)
            .await
    }

    /// Has a statement go out with the next one; returns its place among those.
    pub(super) fn later(&mut self, sql: &'static str, params: Vec<Param>) -> usize {
        self.waiting.push((sql, params));
        self.answers.len() + self.waiting.len() - 1
    }

    /// How many rows a statement changed that has gone out; `None` when it or one before it failed.
    pub(super) fn changed(&self, place: usize) -> Option<u64> {
        self.answers.get(place).copied()
    }

    /// Adds an entry to what opens the transaction; too late, it would be ignored.
    pub(super) fn enter(&mut self, entry: Entry) {
        if let Some(opening) = &mut self.opening {
            opening.entry = Some(entry);
        }
    }

    pub(super) async fn without_timeouts(&mut self, sql: &'static str) -> Result<(), StoreError> {
        self.patience = None;
        self.batch(sql).await
    }

    pub(super) fn is_lost(&self) -> bool {
        self.lost
    }

    pub(super) async fn commit(mut self) -> Result<(), StoreError> {
        // Whether the entry lets them in must be known before they are committed.
        if self.opening.is_some() && !self.waiting.is_empty() {
            self.flush().await?;
        }
        // A transaction without statements is opened only for its entry.
        let is_needed = self
            .opening
            .as_ref()
            .is_none_or(|opening| opening.entry.is_some())
            || !self.waiting.is_empty();
        if is_needed {
            let committed = self.exchange("commit", async |connection| {
                connection.batch_execute("commit").await
            });
            if let Err(error) = committed.await {
                // Dropping `self` closes the connection.
                return Err(match self.lost {
                    true => StoreError::OutcomeUnknown,
                    false => error,
                });
            }
        }
        // Back to the pool.
        drop(self.connection.take());
        Ok(())
    }

    pub(super) async fn rollback(mut self) {
        self.waiting.clear();
        if self.opening.take().is_none() {
            if self.lost {
                return;
            }
            let rolled_back = self.exchange("rollback", async |connection| {
                connection.batch_execute("rollback").await
            });
            if rolled_back.await.is_err() {
                return;
            }
        }
        drop(self.connection.take());
    }

    /// Sends a statement behind everything that waits for it, and waits for the answers once.
    ///
    /// The server works on them in this order, and the first failure makes the rest fail.
    async fn exchange<T>(
        &mut self,
        sql: &'static str,
        statement: impl AsyncFnOnce(&Object) -> Result<T, Error>,
    ) -> Result<T, StoreError> {
        while self.waiting.len() > TOGETHER {
            self.flush().await?;
        }
        self.send(Some(sql), statement).await
    }

    /// Sends the statements that wait.
    pub(super) async fn flush_all(&mut self) -> Result<(), StoreError> {
        while !self.waiting.is_empty() {
            self.flush().await?;
        }
        Ok(())
    }

    /// Sends the statements that wait, or as many as may leave together.
    async fn flush(&mut self) -> Result<(), StoreError> {
        let rest = self.waiting.split_off(self.waiting.len().min(TOGETHER));
        let result = self.send(None, async |_| Ok(())).await;
        self.waiting = rest;
        result
    }

    async fn send<T>(
        &mut self,
        sql: Option<&'static str>,
        statement: impl AsyncFnOnce(&Object) -> Result<T, Error>,
    ) -> Result<T, StoreError> {
        let connection = self.connection.as_ref().ok_or_else(gone)?;
        let opening = self.opening.take();
        let waiting = std::mem::take(&mut self.waiting);
        let opened = opening.iter().flat_map(Opening::statements);
        sent(opened.chain(waiting.iter().map(|(sql, _)| *sql)).chain(sql));
        let waited = waiting.iter().map(|(sql, params)| {
            let params = typed(params);
            async move { connection.execute_typed(sql, &params).await }
        });
        let open = async {
            match &opening {
                Some(opening) => opening.open(connection).await,
                None => Ok(()),
            }
        };
        // Each may take as long as the server allows one.
        let steps = 1 + waiting.len() + opening.as_ref().map_or(0, |opening| opening.steps());
        let steps = u32::try_from(steps).unwrap_or(u32::MAX);
        let patience = self.patience.map(|patience| patience * steps);
        let answers = join3(open, join_all(waited), statement(connection));
        let result = match answer(patience, answers).await {
            Ok((opened, waited, result)) => self.settle_all(opened, waited, result),
            Err(failure) => Err(failure),
        };
        result.map_err(|failure| {
            self.lost |= failure.lost;
            failure.error
        })
    }

    /// The first failure, or the answer to the last statement.
    fn settle_all<T>(
        &mut self,
        opened: Result<(), Failure>,
        waited: Vec<Result<u64, Error>>,
        result: Result<T, Error>,
    ) -> Result<T, Failure> {
        opened?;
        for changed in waited {
            self.answers.push(changed?);
        }
        Ok(result?)
    }
}

impl Drop for PostgresTx {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            drop(Object::take(connection));
        }
    }
}

/// What a transaction does first.
struct Opening {
    begin: String,
    entry: Option<Entry>,
}

/// A lock that a transaction takes, and what it looks at once it has it.
///
/// Two statements on purpose: one statement would look at the state as it was before it waited.
pub(crate) struct Entry {
    /// PostgreSQL only; `$1` is `key`.
    pub(crate) lock: &'static str,
    pub(crate) key: i64,
    pub(crate) look: &'static str,
    /// Decides by the rows of `look` whether the transaction may go on.
    pub(crate) check: fn(Vec<Row>) -> Result<(), StoreError>,
}

impl Opening {
    /// Sends everything together and waits for the answers.
    async fn open(&self, connection: &Object) -> Result<(), Failure> {
        let begin = connection.batch_execute(&self.begin);
        let Some(entry) = &self.entry else {
            return Ok(begin.await?);
        };
        let key = [Param::from(entry.key)];
        let key = typed(&key);
        let lock = connection.query_typed(entry.lock, &key);
        let look = connection.query_typed(entry.look, &[]);
        let (begin, lock, look) = join3(begin, lock, look).await;
        begin?;
        lock?;
        (entry.check)(wrap(look?)).map_err(|error| Failure {
            error,
            lost: false,
            timed_out: false,
        })
    }

    /// How many statements there are that may take their time.
    fn steps(&self) -> usize {
        if self.entry.is_some() { 2 } else { 0 }
    }

    fn statements(&self) -> impl Iterator<Item = &'static str> + use<> {
        let entry = self.entry.as_ref().map(|entry| [entry.lock, entry.look]);
        ["begin"].into_iter().chain(entry.into_iter().flatten())
    }
}

/// Waits for an answer for as long as the server could take, and a little longer.
async fn answer<T>(
    patience: Option<Duration>,
    answers: impl Future<Output = T>,
) -> Result<T, Failure> {
    match patience {
        None => Ok(answers.await),
        Some(patience) => timeout(patience, answers).await.map_err(|_| Failure {
            error: StoreError::unavailable("no answer came from the server"),
            lost: true,
            timed_out: true,
        }),
    }
}

fn typed(params: &[Param]) -> Vec<(&(dyn ToSql + Sync), Type)> {
    params.iter().map(Param::postgres).collect()
}

fn wrap(rows: Vec<tokio_postgres::Row>) -> Vec<Row> {
    rows.into_iter()
        .map(|row| Row(RowArm::Postgres(row)))
        .collect()
}

struct Failure {
    error: StoreError,
    /// Whether the connection is of no more use, and whatever it had open is gone.
    lost: bool,
    timed_out: bool,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            lost: is_lost(&error),
            error: map_error(&error),
            timed_out: false,
        }
    }
}

fn gone() -> StoreError {
    StoreError::unavailable("the connection is gone")
}

fn is_lost(error: &Error) -> bool {
    let Some(database) = error.as_db_error() else {
        return true;
    };
    let code = database.code();
    let class = class(code);
    // A read-only server was the primary until a moment ago.
    class == "08" || class == "57" && *code != SqlState::QUERY_CANCELED || *code == READ_ONLY
}

const READ_ONLY: SqlState = SqlState::READ_ONLY_SQL_TRANSACTION;

/// Messages of the server may quote values: only those about names in the statement get through.
pub(super) fn map_error(error: &Error) -> StoreError {
    let Some(database) = error.as_db_error() else {
        return StoreError::unavailable(with_source(error));
    };
    let code = database.code();
    let text = || format!("SQLSTATE {}", code.code());
    match *code {
        SqlState::UNIQUE_VIOLATION => StoreError::Unique {
            constraint: database.constraint().unwrap_or_default().to_owned(),
        },
        SqlState::FOREIGN_KEY_VIOLATION => StoreError::ForeignKey,
        SqlState::T_R_SERIALIZATION_FAILURE
        | SqlState::T_R_DEADLOCK_DETECTED
        | SqlState::LOCK_NOT_AVAILABLE => StoreError::Busy,
        SqlState::QUERY_CANCELED => StoreError::unavailable("a statement took longer than allowed"),
        READ_ONLY => StoreError::unavailable("the server is read-only"),
        SqlState::INVALID_CATALOG_NAME => StoreError::Configuration(format!(
            "the PostgreSQL server has no such database ({})",
            text()
        )),
        _ => match class(code) {
            "28" => StoreError::Configuration(format!(
                "the PostgreSQL server refuses this user or password ({})",
                text()
            )),
            "08" | "53" | "57" | "58" => StoreError::unavailable(text()),
            "23" => StoreError::Internal(format!(
                "{} on {}",
                text(),
                database
                    .constraint()
                    .or(database.column())
                    .unwrap_or_default()
            )),
            "42" => StoreError::Internal(format!("{}: {}", text(), database.message())),
            _ => StoreError::Internal(text()),
        },
    }
}

fn class(code: &SqlState) -> &str {
    code.code().get(..2).unwrap_or_default()
}

fn with_source(error: &Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
