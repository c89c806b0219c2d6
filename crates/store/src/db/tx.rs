//! A transaction on either database.

use super::{
    Dialect, Param, Row,
    postgres::{Entry, PostgresTx},
    sqlite::SqliteTx,
};
use crate::error::StoreError;

/// A transaction that [`super::Db::write`] opened and will commit or roll back.
///
/// After a failed statement it can only be rolled back, on both databases. Nothing but its own
/// statements should be awaited while it is open.
pub struct Tx {
    arm: TxArm,
    trouble: Option<Trouble>,
    failure: Option<StoreError>,
    /// Whether the failure is that of a statement left for later, which the closure cannot have seen.
    is_unseen: bool,
    is_discarded: bool,
}

pub(super) enum TxArm {
    Sqlite(SqliteTx),
    Postgres(Box<PostgresTx>),
}

/// A statement that was left to be sent with a later one; [`Tx::changed`] has its answer.
#[derive(Debug)]
#[must_use]
pub struct Later(LaterArm);

#[derive(Debug)]
enum LaterArm {
    /// Run at once.
    Sqlite(Option<u64>),
    /// Its place among those that waited.
    Postgres(usize),
}

/// The first failure inside a transaction, as far as it decides what happens to the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Another transaction is in the way: roll back and repeat.
    Busy,
    /// The connection is gone and the transaction with it: repeat.
    Lost,
    /// The outcome of the commit is unknown: repeat, since writes change nothing the second time.
    Unknown,
    /// The database does not answer: the transaction is over, but nothing was learned about an
    /// earlier attempt whose outcome is unknown.
    Unreachable,
    /// Anything else: the transaction is over.
    Failed,
}

impl Trouble {
    pub(super) fn of(error: &StoreError) -> Self {
        match error {
            StoreError::Busy => Self::Busy,
            StoreError::OutcomeUnknown => Self::Unknown,
            StoreError::Unavailable { .. } => Self::Unreachable,
            _ => Self::Failed,
        }
    }
}

/// How one attempt at a write ended.
pub(super) enum Attempt<T, E> {
    /// With the closure's answer, or an error of its own transaction.
    Ended(Result<T, (Trouble, E)>),
    /// With the failure of a transaction that it shared: run it again, alone.
    Again(StoreError),
}

impl<T, E: From<StoreError>> Attempt<T, E> {
    pub(super) fn failed(error: StoreError) -> Self {
        Self::Ended(Err((Trouble::of(&error), error.into())))
    }
}

impl Tx {
    pub(super) fn new(arm: TxArm) -> Self {
        Self {
            arm,
            trouble: None,
            failure: None,
            is_unseen: false,
            is_discarded: false,
        }
    }

    /// Runs a statement and returns its rows, those of a `returning` clause included.
    ///
    /// # Errors
    /// [`StoreError`]; the transaction can then only be rolled back.
    pub async fn query(
        &mut self,
        sql: &'static str,
        params: Vec<Param>,
    ) -> Result<Vec<Row>, StoreError> {
        self.is_unseen = false;
        let result = match &mut self.arm {
            TxArm::Sqlite(tx) => match &self.failure {
                Some(error) => Err(error.clone()),
                None => tx.query(sql, &params),
            },
            TxArm::Postgres(tx) => tx.query(sql, &params).await,
        };
        self.watch(result)
    }

    /// Runs a statement and returns its first row, if there is one.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn query_opt(
        &mut self,
        sql: &'static str,
        params: Vec<Param>,
    ) -> Result<Option<Row>, StoreError> {
        Ok(self.query(sql, params).await?.into_iter().next())
    }

    /// Runs a statement and returns how many rows it changed.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn execute(
        &mut self,
        sql: &'static str,
        params: Vec<Param>,
    ) -> Result<u64, StoreError> {
        self.is_unseen = false;
        let result = match &mut self.arm {
            TxArm::Sqlite(tx) => match &self.failure {
                Some(error) => Err(error.clone()),
                None => tx.execute(sql, &params),
            },
            TxArm::Postgres(tx) => tx.execute(sql, &params).await,
        };
        self.watch(result)
    }

    /// Leaves a statement to be sent with the next one, or with the commit, in one round trip.
    ///
    /// It runs before the next one; when it fails, that one fails with its error, or the commit
    /// does. How many rows it changed is known after the next one: so what runs next must do no harm whatever the answer
    /// is, or be [discarded](Self::discard). SQLite runs it at once.
    pub fn later(&mut self, sql: &'static str, params: Vec<Param>) -> Later {
        match &mut self.arm {
            TxArm::Sqlite(tx) if self.failure.is_none() => {
                let result = tx.execute(sql, &params);
                self.is_unseen = result.is_err();
                Later(LaterArm::Sqlite(self.watch(result).ok()))
            }
            TxArm::Sqlite(_) => Later(LaterArm::Sqlite(None)),
            TxArm::Postgres(tx) => Later(LaterArm::Postgres(tx.later(sql, params))),
        }
    }

    /// How many rows a statement changed that was left to be sent later and has been sent.
    ///
    /// # Errors
    /// The first error of the transaction, when this statement failed or was not reached.
    pub fn changed(&self, statement: &Later) -> Result<u64, StoreError> {
        let changed = match (&self.arm, &statement.0) {
            (TxArm::Sqlite(_), LaterArm::Sqlite(changed)) => *changed,
            (TxArm::Postgres(tx), LaterArm::Postgres(place)) => tx.changed(*place),
            _ => None,
        };
        changed.ok_or_else(|| {
            let unsent = || StoreError::Internal("a statement was not sent yet".to_owned());
            self.failure.clone().unwrap_or_else(unsent)
        })
    }

    /// Sends what was left for later, so that [`changed`](Self::changed) has an answer for all of it.
    ///
    /// # Errors
    /// As [`Tx::query`]: the first failure of those.
    pub async fn flush(&mut self) -> Result<(), StoreError> {
        self.is_unseen = false;
        let result = match &mut self.arm {
            TxArm::Sqlite(_) => match &self.failure {
                Some(error) => Err(error.clone()),
                None => Ok(()),
            },
            TxArm::Postgres(tx) => tx.flush_all().await,
        };
        self.watch(result)
    }

    /// Has the transaction rolled back although the closure succeeds: there is nothing to keep.
    ///
    /// What failed in it does not count then. The closure's answer may rest on what others have
    /// committed, and on nothing that this transaction wrote.
    pub fn discard(&mut self) {
        self.is_discarded = true;
    }

    /// Runs several statements without parameters, separated by `;`.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn batch(&mut self, sql: &'static str) -> Result<(), StoreError> {
        let result = match &mut self.arm {
            TxArm::Sqlite(tx) => tx.batch(sql),
            TxArm::Postgres(tx) => tx.batch(sql).await,
        };
        self.watch(result)
    }

    /// Waits for a lock named by `key` that is held until the transaction ends.
    ///
    /// SQLite has one writer at a time, so that the lock is already held there.
    ///
    /// # Errors
    /// As [`Tx::query`]; [`StoreError::Busy`] after the lock timeout.
    pub async fn advisory_lock(&mut self, key: i64) -> Result<(), StoreError> {
        match &mut self.arm {
            TxArm::Sqlite(_) => Ok(()),
            TxArm::Postgres(tx) => {
                let result = tx.query(ADVISORY_LOCK, &[Param::from(key)]).await;
                self.watch(result).map(|_| ())
            }
        }
    }

    /// Reads the database's own clock, in microseconds since the Unix epoch.
    ///
    /// It is for what processes must agree on without comparing their clocks: who refreshes.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub(crate) async fn database_clock(&mut self) -> Result<i64, StoreError> {
        let clock = match self.dialect() {
            Dialect::Sqlite => CLOCK_SQLITE,
            Dialect::Postgres => CLOCK_POSTGRES,
        };
        let silent = || StoreError::Internal("the database's clock is silent".to_owned());
        let row = self.query_opt(clock, Vec::new()).await?;
        row.ok_or_else(silent)?.get(0)
    }

    /// Gives this attempt up because another transaction was faster, so that the write runs again.
    ///
    /// Returns the error that the closure must return.
    pub fn run_again(&mut self) -> StoreError {
        self.trouble = Some(Trouble::Busy);
        StoreError::Busy
    }

    /// Lifts the time limits of this transaction, for changes of the schema.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub(crate) async fn without_timeouts(&mut self) -> Result<(), StoreError> {
        let result = match &mut self.arm {
            TxArm::Sqlite(tx) => {
                tx.without_timeouts();
                Ok(())
            }
            TxArm::Postgres(tx) => tx.without_timeouts(WITHOUT_TIMEOUTS).await,
        };
        self.watch(result)
    }

    /// Which database this is.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        match &self.arm {
            TxArm::Sqlite(_) => Dialect::Sqlite,
            TxArm::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Has the transaction take a lock and look whether it may go on, with its first statement.
    ///
    /// PostgreSQL answers all three in one round trip. On SQLite there is nothing to wait for, so
    /// that the statements are ordinary ones.
    ///
    /// # Errors
    /// As [`Tx::query`], or what the check returns; on PostgreSQL from the first statement or the
    /// commit.
    pub(crate) async fn enter(&mut self, entry: Entry) -> Result<(), StoreError> {
        let result = match &mut self.arm {
            TxArm::Sqlite(tx) => tx.query(entry.look, &[]).and_then(entry.check),
            TxArm::Postgres(tx) => {
                tx.enter(entry);
                Ok(())
            }
        };
        self.watch(result)
    }

    pub(super) fn trouble(&self) -> Option<Trouble> {
        self.trouble
    }

    /// Starts anew after the statements that failed have been undone.
    pub(super) fn forget_trouble(&mut self) {
        self.trouble = None;
        self.failure = None;
        self.is_unseen = false;
        self.is_discarded = false;
    }

    /// Whether nothing of this transaction is to be kept.
    pub(super) fn is_discarded(&self) -> bool {
        self.is_discarded
    }

    pub(super) fn sqlite(&mut self) -> Result<&mut SqliteTx, StoreError> {
        match &mut self.arm {
            TxArm::Sqlite(tx) => Ok(tx),
            TxArm::Postgres(_) => Err(StoreError::Internal("not on SQLite".to_owned())),
        }
    }

    /// Refuses to keep what was written around a failed statement: PostgreSQL would answer
    /// "rollback" to the commit, and SQLite would keep half of it.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        match self.trouble {
            None => Ok(()),
            // What is rolled back cannot be half written.
            Some(_) if self.is_discarded => Ok(()),
            Some(_) => {
                let went_on = || {
                    StoreError::Internal(
                        "a write went on after one of its statements had failed".to_owned(),
                    )
                };
                let unseen = self.failure.clone().filter(|_| self.is_unseen);
                Err(unseen.unwrap_or_else(went_on))
            }
        }
    }

    pub(super) async fn commit(self) -> Result<(), StoreError> {
        if let Err(error) = self.check() {
            self.rollback().await;
            return Err(error);
        }
        if self.is_discarded {
            self.rollback().await;
            return Ok(());
        }
        match self.arm {
            TxArm::Sqlite(tx) => tx.commit().await,
            TxArm::Postgres(tx) => tx.commit().await,
        }
    }

    pub(super) async fn rollback(self) {
        match self.arm {
            TxArm::Sqlite(tx) => tx.rollback(),
            TxArm::Postgres(tx) => tx.rollback().await,
        }
    }

    fn watch<T>(&mut self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(error) = &result
            && self.trouble.is_none()
        {
            self.failure = Some(error.clone());
            self.trouble = Some(match &self.arm {
                TxArm::Postgres(tx) if tx.is_lost() => Trouble::Lost,
                _ => Trouble::of(error),
            });
        }
        result
    }
}

impl std::fmt::Debug for Tx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tx({:?})", self.dialect())
    }
}

const ADVISORY_LOCK: &str = "select pg_advisory_xact_lock($1)";

// To the millisecond.
const CLOCK_SQLITE: &str = "select cast(unixepoch('subsec') * 1000000 as integer)";
const CLOCK_POSTGRES: &str = "select (extract(epoch from clock_timestamp()) * 1000000)::bigint";

const WITHOUT_TIMEOUTS: &str = "set local statement_timeout = 0; set local lock_timeout = 0";
