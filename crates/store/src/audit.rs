//! The record of administrative acts.

use bosa_auth_core::{AuditEvent, OperationId};

use crate::columns::statements;
use crate::db::{Later, Param, Tx};
use crate::error::StoreError;
use crate::params;
use crate::store::Source;

/// Records an act in its own transaction.
///
/// Returns false when this operation is recorded already: an earlier attempt of the same write was
/// committed after all, and there is nothing left to do.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn record(tx: &mut Tx, event: &AuditEvent) -> Result<bool, StoreError> {
    Ok(tx.execute(RECORD, values(event)).await? == 1)
}

/// Records an act with the next statement or the commit: no row changed means that the operation is
/// recorded already, and that nothing else of this transaction may be kept.
pub fn record_later(tx: &mut Tx, event: &AuditEvent) -> Later {
    tx.later(RECORD, values(event))
}

/// Tells whether an operation is recorded.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn is_recorded(mut source: impl Source, id: OperationId) -> Result<bool, StoreError> {
    Ok(source.row(FIND, params![id]).await?.is_some())
}

fn values(event: &AuditEvent) -> Vec<Param> {
    params![
        event.id,
        event.at,
        event.actor.kind(),
        event.actor.id(),
        event.action.as_str(),
        event.client_id,
        event.subject,
        event.detail.as_deref()
    ]
}

statements! {
    RECORD = "insert into bosa_audit_events (id, at, actor_kind, actor_id, action, client_id, subject, detail) \
        values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (id) do nothing";
    FIND = "select 1 from bosa_audit_events where id = $1";
}
