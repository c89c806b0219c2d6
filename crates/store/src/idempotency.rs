//! Requests that named an idempotency key.

use bosa_auth_core::{DigestKeyId, OperationId, Timestamp};

use crate::columns::{Columns, Opaque, statements};
use crate::db::{Later, Param, Tx};
use crate::error::StoreError;
use crate::params;
use crate::store::Source;

/// Whose request it is, and the digest of its idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyScope {
    /// The authenticated caller.
    pub caller: String,
    /// The route.
    pub route: String,
    /// The keyed digest of the idempotency key.
    pub key_digest: Opaque,
}

/// What is kept of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyRow {
    /// The keyed digest of the request.
    pub request_digest: Opaque,
    /// The digest key of both digests.
    pub digest_key_id: DigestKeyId,
    /// The operation that acted.
    pub operation_id: OperationId,
    /// The HTTP status of its answer.
    pub status: i64,
    /// The id of what it made.
    pub resource_id: Option<String>,
    /// When it acted.
    pub created_at: Timestamp,
}

/// Inserts the record first in the effect's transaction; waits for one still in flight. False when
/// there is one already.
///
/// # Errors
/// [`StoreError::Busy`] when the wait takes longer than the lock timeout.
pub async fn insert(
    tx: &mut Tx,
    scope: &IdempotencyScope,
    row: &IdempotencyRow,
) -> Result<bool, StoreError> {
    Ok(tx.execute(INSERT, values(scope, row)).await? == 1)
}

/// As [`insert`], with the next statement: no row changed means that there is a record already, and
/// that nothing else of this transaction may be kept.
pub fn insert_later(tx: &mut Tx, scope: &IdempotencyScope, row: &IdempotencyRow) -> Later {
    tx.later(INSERT, values(scope, row))
}

/// Looks with the next statement whether there is a record, and keeps it to the end of the transaction:
/// a row changed means that there is one, and that nothing of this transaction may be kept.
pub fn look_later(tx: &mut Tx, scope: &IdempotencyScope) -> Later {
    tx.later(
        LOOK,
        params![&scope.caller, &scope.route, &scope.key_digest],
    )
}

/// Reads what is kept of a request.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn load(
    mut source: impl Source,
    scope: &IdempotencyScope,
) -> Result<Option<IdempotencyRow>, StoreError> {
    let row = source
        .row(
            LOAD,
            params![&scope.caller, &scope.route, &scope.key_digest],
        )
        .await?;
    row.map(|row| {
        let mut columns = Columns::of(&row);
        Ok(IdempotencyRow {
            request_digest: columns.opaque()?,
            digest_key_id: columns.next()?,
            operation_id: columns.next()?,
            status: columns.next()?,
            resource_id: columns.next()?,
            created_at: columns.next()?,
        })
    })
    .transpose()
}

/// Forgets up to `limit` records made before `before`; returns how many.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn prune(tx: &mut Tx, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
    tx.execute(PRUNE, params![before, limit]).await
}

fn values(scope: &IdempotencyScope, row: &IdempotencyRow) -> Vec<Param> {
    params![
        &scope.caller,
        &scope.route,
        &scope.key_digest,
        &row.request_digest,
        row.digest_key_id,
        row.operation_id,
        row.status,
        row.resource_id.as_deref(),
        row.created_at
    ]
}

statements! {
    INSERT = "insert into bosa_idempotency (caller, route, key_digest, request_digest, digest_key_id, \
        operation_id, status, resource_id, created_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
        on conflict (caller, route, key_digest) do nothing";
    LOOK = "update bosa_idempotency set status = status where caller = $1 and route = $2 and key_digest = $3";
    LOAD = "select request_digest, digest_key_id, operation_id, status, resource_id, created_at \
        from bosa_idempotency where caller = $1 and route = $2 and key_digest = $3";
    PRUNE = "delete from bosa_idempotency where (caller, route, key_digest) in \
        (select caller, route, key_digest from bosa_idempotency where created_at < $1 \
        order by created_at limit $2)";
}
