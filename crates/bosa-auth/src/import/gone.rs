//! Accounts that were removed in the source since they were imported.

use std::sync::Arc;

use bosa_auth_core::{AuditAction, IntegrationId};
use bosa_auth_store::{AccountPlace, ClientTx, ImportKind, import_markers};

use super::of_the_source;
use super::report::{Found, What};
use super::run::Run;
use crate::error::{Error, Result};
use crate::operation::Operation;
use crate::tenant::{describe, new_account};

/// How many accounts are asked for together.
const PORTION: i64 = 500;

impl Run<'_> {
    /// Removes here what the source has removed, so that no credential outlives its removal there, and
    /// an account that was connected there anew gets its own name. What was changed here stays, and so
    /// does all of a user whom this source does not have: it may be another source's.
    ///
    /// The marker goes too: an account that is there again in a later run is imported again.
    pub(super) async fn end_gone_accounts(&mut self) -> Result<()> {
        let store = &self.inner().store;
        let mut after: Option<IntegrationId> = None;
        loop {
            let accounts = import_markers::unchanged_accounts(store, after, PORTION).await?;
            let Some(last) = accounts.last() else {
                return Ok(());
            };
            after = Some(last.id);
            let pairs: Vec<_> = accounts
                .iter()
                .map(|account| (account.id.as_uuid(), account.user_id.as_uuid()))
                .collect();
            let gone = self.original.gone_accounts(&pairs).await;
            let gone = gone.map_err(of_the_source)?;
            let mut found = Vec::new();
            for account in accounts {
                let id = account.id.as_uuid();
                if gone.contains(&id) && self.remove(account).await? {
                    self.gone.insert(id);
                    let what = What::Gone("was removed in the source since");
                    found.push(Found { id, what });
                }
            }
            self.tell(ImportKind::Integration, found);
        }
    }

    /// False when it was changed at this moment.
    async fn remove(&self, account: AccountPlace) -> Result<bool> {
        if self.dry_run {
            return Ok(true);
        }
        let inner = self.inner();
        let row = new_account(account, self.now);
        let event = inner.event(
            &self.operator.actor,
            AuditAction::IntegrationDelete,
            Some(row.client_id),
            Some(row.id.as_uuid()),
            Some(describe(&row)),
        )?;
        let act = Arc::new((row, Operation::new(event, None)));
        inner
            .store
            .write(move |tx| {
                let act = act.clone();
                Box::pin(async move {
                    let (row, operation) = act.as_ref();
                    let opening = operation.open(tx);
                    let deleted = ClientTx::new(&mut *tx, row.client_id)
                        .delete_unchanged_integration(
                            row.user_id,
                            &row.connector,
                            &row.user_identifier,
                        )
                        .await;
                    if opening.earlier(tx)?.is_some() {
                        return Ok(true);
                    }
                    let is_deleted = deleted?.is_some();
                    match is_deleted {
                        true => {
                            let kind = ImportKind::Integration;
                            drop(import_markers::forget_later(tx, kind, row.id.as_uuid()));
                        }
                        false => tx.discard(),
                    }
                    Ok::<_, Error>(is_deleted)
                })
            })
            .await
    }
}
