//! How far the replacement of every key that seals values has come.
//!
//! Keys made before its start are old. A key that takes the place of one must be made at the start or
//! later, also by a process whose clock is behind.

use bosa_auth_core::{Actor, OperationId, Timestamp};
use uuid::Uuid;

use crate::columns::{Columns, statements};
use crate::db::{Row, Tx};
use crate::error::StoreError;
use crate::params;
use crate::store::Source;

/// A replacement of keys that goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RekeyRow {
    /// The operation that began it.
    pub operation_id: OperationId,
    /// When it began.
    pub started_at: Timestamp,
    /// The kind of whoever began it.
    pub actor_kind: String,
    /// The id of whoever began it, if that has one.
    pub actor_id: Option<Uuid>,
    /// How many values were sealed under new keys.
    pub resealed: i64,
    /// When it last went on.
    pub updated_at: Timestamp,
}

/// What old keys still seal, and how many of them are left. Clients that are being deleted do not
/// count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RekeyRemaining {
    /// Old data keys of clients.
    pub data_keys: i64,
    /// Old keys of the deployment's connector secrets.
    pub connector_keys: i64,
    /// What accounts authenticate with.
    pub integrations: i64,
    /// Refresh tokens.
    pub refresh_tokens: i64,
    /// OAuth client secrets of clients.
    pub connector_secrets: i64,
    /// OAuth client secrets of the deployment.
    pub shared_connector_secrets: i64,
    /// Code verifiers of connections that were begun.
    pub code_verifiers: i64,
}

/// Returns the replacement that goes on, if one does.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn load(mut source: impl Source) -> Result<Option<RekeyRow>, StoreError> {
    let row = source.row(LOAD, params![]).await?;
    row.as_ref().map(read).transpose()
}

/// When the newest key was made that seals values.
///
/// A replacement that is to reach every key begins later than that, whatever the clocks of the
/// processes say that made them.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn newest_key(mut source: impl Source) -> Result<Option<Timestamp>, StoreError> {
    let row = source.row(NEWEST_KEY, params![]).await?;
    row.map_or(Ok(None), |row| row.get(0))
}

/// Begins a replacement, unless one goes on; returns the one that does, which may be another.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn begin(
    tx: &mut Tx,
    operation_id: OperationId,
    actor: &Actor,
    at: Timestamp,
) -> Result<RekeyRow, StoreError> {
    let values = params![operation_id, at, actor.kind(), actor.id()];
    let _is_looked_at_below = tx.later(BEGIN, values);
    match load(&mut *tx).await? {
        Some(row) => Ok(row),
        // The one that went on has ended in between.
        None => Err(tx.run_again()),
    }
}

/// Notes that so many more values are sealed under new keys; false when the replacement has ended.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn advance(
    tx: &mut Tx,
    operation_id: OperationId,
    resealed: i64,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let values = params![operation_id, resealed, at];
    Ok(tx.execute(ADVANCE, values).await? == 1)
}

/// Counts what is left to do for a replacement that began at `started_at`; reads all values.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn remaining(
    mut source: impl Source,
    started_at: Timestamp,
) -> Result<RekeyRemaining, StoreError> {
    let Some(row) = source.row(REMAINING, params![started_at]).await? else {
        return Ok(RekeyRemaining::default());
    };
    let mut columns = Columns::of(&row);
    Ok(RekeyRemaining {
        data_keys: columns.next()?,
        connector_keys: columns.next()?,
        integrations: columns.next()?,
        refresh_tokens: columns.next()?,
        connector_secrets: columns.next()?,
        shared_connector_secrets: columns.next()?,
        code_verifiers: columns.next()?,
    })
}

/// Ends a replacement although old keys are left, so that another can begin; false when it has ended
/// already.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn abandon(tx: &mut Tx, operation_id: OperationId) -> Result<bool, StoreError> {
    Ok(tx.execute(ABANDON, params![operation_id]).await? == 1)
}

/// Ends a replacement of which no old key is left; false while one is, or when it has ended already.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn finish(tx: &mut Tx, operation_id: OperationId) -> Result<bool, StoreError> {
    Ok(tx.execute(FINISH, params![operation_id]).await? == 1)
}

fn read(row: &Row) -> Result<RekeyRow, StoreError> {
    let mut columns = Columns::of(row);
    Ok(RekeyRow {
        operation_id: columns.next()?,
        started_at: columns.next()?,
        actor_kind: columns.next()?,
        actor_id: columns.next()?,
        resealed: columns.next()?,
        updated_at: columns.next()?,
    })
}

/// How many rows of a client's table, as `v`, lie under an old key.
macro_rules! under_old_keys {
    ($table:literal) => {
        concat!(
            "(select count(*) from ",
            $table,
            " v join bosa_data_keys k on k.client_id = v.client_id and k.id = v.data_key_id \
             join bosa_clients c on c.id = k.client_id where k.created_at < $1 and c.state <> 'deleting')"
        )
    };
}

statements! {
    LOAD = "select operation_id, started_at, actor_kind, actor_id, resealed, updated_at from bosa_rekey";
    NEWEST_KEY = "select max(k.created_at) from (select created_at from bosa_data_keys \
        union all select created_at from bosa_connector_keys) k";
    BEGIN = "insert into bosa_rekey (singleton, operation_id, started_at, actor_kind, actor_id, resealed, \
        updated_at) values (1, $1, $2, $3, $4, 0, $2) on conflict (singleton) do nothing";
    ADVANCE = "update bosa_rekey set resealed = resealed + $2, updated_at = $3 where operation_id = $1";
    REMAINING = concat!("select (select count(*) from bosa_data_keys k join bosa_clients c on c.id = k.client_id \
        where k.created_at < $1 and c.state <> 'deleting'), \
        (select count(*) from bosa_connector_keys where created_at < $1), ",
        under_old_keys!("bosa_integrations"), ", ",
        under_old_keys!("bosa_integration_grants"), ", ",
        under_old_keys!("bosa_connector_settings"), ", \
        (select count(*) from bosa_shared_connector_settings v \
        join bosa_connector_keys k on k.id = v.connector_key_id where k.created_at < $1), ",
        under_old_keys!("bosa_connect_states"));
    ABANDON = "delete from bosa_rekey where operation_id = $1";
    FINISH = "delete from bosa_rekey where operation_id = $1 \
        and not exists (select 1 from bosa_data_keys k join bosa_clients c on c.id = k.client_id \
        where k.created_at < bosa_rekey.started_at and c.state <> 'deleting') \
        and not exists (select 1 from bosa_connector_keys k where k.created_at < bosa_rekey.started_at)";
}
