//! Beginning a replacement of keys, or going on with one, and ending it.

use std::sync::Arc;

use bosa_auth_core::{AuditAction, OperationId, Timestamp};
use bosa_auth_store::Tx;
use bosa_auth_store::rekey::{self, RekeyRow};
use jiff::SignedDuration;
use serde_json::json;

use crate::error::{Error, Result};
use crate::operation::Operation;
use crate::principal::Operator;

/// The shortest time that the database tells apart.
const NEXT: SignedDuration = SignedDuration::from_micros(1);

/// A replacement that goes on.
#[derive(Debug)]
pub(super) struct Begun {
    pub(super) operation_id: OperationId,
    /// Keys made before are old; new ones are made at this time or later.
    pub(super) started_at: Timestamp,
    pub(super) is_resumed: bool,
}

impl Operator {
    /// Goes on with the replacement that has not ended, unless one is to begin `anew`, or begins one.
    pub(super) async fn begin_rekey(&self, anew: bool) -> Result<Begun> {
        let store = &self.auth.inner.store;
        loop {
            let unfinished = rekey::load(store).await?;
            let (row, is_resumed) = match unfinished {
                Some(row) if !anew => (self.resume(row).await?, true),
                other => (self.begin(other).await?, false),
            };
            // Without a row, another run was faster.
            if let Some(row) = row {
                return Ok(Begun {
                    operation_id: row.operation_id,
                    started_at: row.started_at,
                    is_resumed,
                });
            }
        }
    }

    /// Records that a replacement goes on; `None` when it has ended.
    async fn resume(&self, row: RekeyRow) -> Result<Option<RekeyRow>> {
        let detail = json!({ "resumes": row.operation_id.to_string() });
        let operation = self.rekey_operation(detail)?;
        let resumed = Arc::new((row, operation));
        let write = resumed.clone();
        let goes_on = self.auth.inner.store.write(move |tx| {
            let write = write.clone();
            Box::pin(async move {
                let (row, operation) = write.as_ref();
                let opening = operation.open(tx);
                let goes_on = rekey::advance(tx, row.operation_id, 0, operation.event.at).await;
                if opening.earlier(tx)?.is_some() {
                    return Ok(true);
                }
                let goes_on = goes_on?;
                if !goes_on {
                    tx.discard();
                }
                Ok::<_, Error>(goes_on)
            })
        });
        let goes_on = goes_on.await?;
        Ok(goes_on.then(|| resumed.0.clone()))
    }

    /// Begins a replacement in the place of `former`; `None` when another has begun one.
    async fn begin(&self, former: Option<RekeyRow>) -> Result<Option<RekeyRow>> {
        let former = former.map(|row| row.operation_id);
        let abandons = former.map(|id| id.to_string());
        let operation = self.rekey_operation(json!({ "begins": true, "abandons": abandons }))?;
        let id = operation.event.id;
        let actor = self.actor;
        let operation = Arc::new(operation);
        let begun = self.auth.inner.store.write(move |tx| {
            let operation = operation.clone();
            Box::pin(async move {
                let opening = operation.open(tx);
                if let Some(former) = former {
                    rekey::abandon(tx, former).await?;
                }
                let begun = begin_after_all_keys(tx, &operation, &actor).await;
                if opening.earlier(tx)?.is_some() {
                    return rekey::load(&mut *tx).await.map_err(Error::from);
                }
                let row = begun?;
                if row.operation_id != operation.event.id {
                    tx.discard();
                }
                Ok(Some(row))
            })
        });
        let begun = begun.await?;
        Ok(begun.filter(|row| row.operation_id == id))
    }

    /// Ends a replacement; false while an old key is left, or when it has ended already.
    pub(super) async fn finish_rekey(&self, begun: &Begun, resealed: u64) -> Result<bool> {
        let id = begun.operation_id;
        let detail = json!({ "finishes": id.to_string(), "resealed": resealed });
        let operation = Arc::new(self.rekey_operation(detail)?);
        let finished = self.auth.inner.store.write(move |tx| {
            let operation = operation.clone();
            Box::pin(async move {
                let opening = operation.open(tx);
                let finished = rekey::finish(tx, id).await;
                if opening.earlier(tx)?.is_some() {
                    return Ok(true);
                }
                let finished = finished?;
                if !finished {
                    tx.discard();
                }
                Ok::<_, Error>(finished)
            })
        });
        finished.await
    }

    pub(super) fn rekey_operation(&self, detail: serde_json::Value) -> Result<Operation> {
        let inner = &self.auth.inner;
        let event = inner.event(
            &self.actor,
            AuditAction::VaultRekey,
            None,
            None,
            Some(detail.to_string()),
        )?;
        Ok(Operation::new(event, None))
    }
}

/// Begins a replacement later than every key was made, whatever the clocks of their makers said.
async fn begin_after_all_keys(
    tx: &mut Tx,
    operation: &Operation,
    actor: &bosa_auth_core::Actor,
) -> Result<RekeyRow> {
    let event = &operation.event;
    let newest = rekey::newest_key(&mut *tx).await?;
    let after = newest.and_then(|newest| newest.checked_add(NEXT).ok());
    let at = after.map_or(event.at, |after| after.max(event.at));
    Ok(rekey::begin(tx, event.id, actor, at).await?)
}
