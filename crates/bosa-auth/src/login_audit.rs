//! Who logged in and which logins were refused: written in batches, so that a flood of refusals costs
//! the database little and never more memory than the bound.

use std::sync::{Mutex, PoisonError};

use bosa_auth_core::{Actor, AuditAction, AuditEvent, ClientId, UserId};
use bosa_auth_store::audit;

use crate::auth::Inner;
use crate::error::{Error, Result};

/// Records that may wait; what comes beyond is counted and dropped.
const MOST_WAITING: usize = 10_000;
/// Records of one transaction.
const BATCH: usize = 500;

/// Records that are not written yet.
#[derive(Debug, Default)]
pub(crate) struct LoginAudit(Mutex<Vec<AuditEvent>>);

impl LoginAudit {
    fn take(&self) -> Vec<AuditEvent> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let batch = waiting.len().min(BATCH);
        waiting.drain(..batch).collect()
    }
}

impl Inner {
    /// Notes the outcome of a login. Of a refusal nothing is kept that the caller sent: an identifier
    /// may well be a secret in the wrong field.
    pub(crate) fn note_login(
        &self,
        client_id: Option<ClientId>,
        actor: &Actor,
        outcome: std::result::Result<UserId, &'static str>,
    ) {
        let (action, subject, detail) = match outcome {
            Ok(user_id) => (AuditAction::LoginAccept, Some(user_id.as_uuid()), None),
            Err(code) => (
                AuditAction::LoginRefuse,
                None,
                Some(serde_json::json!({ "code": code }).to_string()),
            ),
        };
        let Ok(event) = self.event(actor, action, client_id, subject, detail) else {
            return;
        };
        let mut waiting = self.logins.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < MOST_WAITING {
            waiting.push(event);
        } else {
            metrics::counter!("bosa_auth_audit_dropped_total").increment(1);
        }
    }

    /// Writes the records that wait; a batch that cannot be written is counted and dropped.
    pub(crate) async fn write_logins(&self) -> Result<()> {
        loop {
            let batch = self.logins.take();
            if batch.is_empty() {
                return Ok(());
            }
            let count = batch.len() as u64;
            let written = self
                .store
                .write(move |tx| {
                    let batch = batch.clone();
                    Box::pin(async move {
                        // An earlier attempt has written all or none of them.
                        for event in &batch {
                            drop(audit::record_later(tx, event));
                        }
                        Ok::<_, Error>(())
                    })
                })
                .await;
            if written.is_err() {
                metrics::counter!("bosa_auth_audit_dropped_total").increment(count);
            }
            written?;
        }
    }
}
