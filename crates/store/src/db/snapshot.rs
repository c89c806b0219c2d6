//! A connection that reads one state of another system's PostgreSQL database, and only reads.

use std::fmt;

use deadpool_postgres::Connect as _;
use tokio::time::timeout;
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::{Client, Error, error::SqlState};

use super::connect::Connector;
use super::postgres::{CONNECT_TIMEOUT, GRACE, map_error};
use super::{Param, Row, row::RowArm};
use crate::error::StoreError;
use crate::url::{DatabaseUrl, Target};

/// One transaction that reads, for as long as it is kept.
pub(crate) struct Snapshot {
    client: Client,
}

impl Snapshot {
    /// Connects and opens the transaction. A standby will do, and a user who may only `select`.
    ///
    /// # Errors
    /// [`StoreError::Configuration`] when it is not PostgreSQL or refuses the user;
    /// [`StoreError::Unavailable`] when it cannot be reached.
    pub(crate) async fn open(url: &DatabaseUrl) -> Result<Self, StoreError> {
        let Target::Postgres(url) = &url.target else {
            return Err(StoreError::Configuration(
                "the database of the original is PostgreSQL: postgresql://user@host/database"
                    .to_owned(),
            ));
        };
        let connector = Connector::new(&url.tls)?;
        let mut config = connector.config(url);
        let patience = url.connect_timeout.unwrap_or(CONNECT_TIMEOUT);
        config
            .connect_timeout(patience)
            .target_session_attrs(TargetSessionAttrs::Any);
        let open = async {
            let (client, _ends_with_it) = connector.connect(&config).await?;
            client.batch_execute(BEGIN).await?;
            Ok(client)
        };
        let client = timeout(patience + GRACE, open)
            .await
            .map_err(|_| StoreError::unavailable("connecting took too long"))?
            .map_err(|error| explain(&error))?;
        Ok(Self { client })
    }

    /// Runs one statement and returns its rows.
    ///
    /// # Errors
    /// As [`open`](Self::open); the transaction is over then.
    pub(crate) async fn rows(
        &self,
        sql: &'static str,
        params: &[Param],
    ) -> Result<Vec<Row>, StoreError> {
        let typed: Vec<_> = params.iter().map(Param::postgres).collect();
        let rows = self.client.query_typed(sql, &typed).await;
        let rows = rows.map_err(|error| explain(&error))?;
        Ok(rows
            .into_iter()
            .map(|row| Row(RowArm::Postgres(row)))
            .collect())
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Snapshot")
    }
}

/// What is missing is the operator's to grant, not a defect.
fn explain(error: &Error) -> StoreError {
    match error.as_db_error() {
        Some(refusal) if *refusal.code() == SqlState::INSUFFICIENT_PRIVILEGE => {
            StoreError::Configuration(format!(
                "the user of the source may not read it: {}; grant select on its tables",
                refusal.message()
            ))
        }
        Some(refusal)
            if *refusal.code() == SqlState::UNDEFINED_TABLE
                || *refusal.code() == SqlState::UNDEFINED_COLUMN =>
        {
            StoreError::Configuration(format!(
                "the source is not as the original leaves it, or its search_path hides a part: {}",
                refusal.message()
            ))
        }
        _ => map_error(error),
    }
}

// Rows that a policy hides are an error, or they would be missing without a word.
const BEGIN: &str = "begin isolation level repeatable read, read only; set local row_security = off; \
    set local statement_timeout = '10min'; set local idle_in_transaction_session_timeout = 0";
