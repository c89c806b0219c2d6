//! The end of a root key that seals nothing any more.

use std::sync::Arc;

use bosa_auth_core::AuditAction;
use bosa_auth_core::vault::RootKeyId;
use bosa_auth_store::changes::ChangeKind;
use bosa_auth_store::{StoreError, Tx, instance, root_keys};

use super::{NOT_FOUND, detail, file};
use crate::error::{Error, Result};
use crate::instance::sealed_by;
use crate::memory::{Change, Outcome};
use crate::operation::Operation;
use crate::principal::Operator;

impl Operator {
    /// Forgets a root key that seals nothing any more, and takes it out of the file in which this
    /// instance keeps its root keys, if it does.
    ///
    /// # Errors
    /// `NotFound`: the database does not know it. `InvalidInput`: it is the active one, or still seals
    /// something; the text says how much. `Configuration`: the file cannot be written; the database
    /// has forgotten the key then, and the same call tries again.
    pub async fn retire_root_key(&self, id: &str) -> Result<()> {
        let inner = self.auth.inner.clone();
        let id: RootKeyId = id.parse().map_err(|_| NOT_FOUND)?;
        let is_left_in_file = match &inner.active_root_key.directory {
            Some(directory) => file::read(directory)?.get(&id).is_some(),
            None => false,
        };
        let event = inner.event(
            &self.actor,
            AuditAction::RootKeyRetire,
            None,
            None,
            Some(detail(&id)),
        )?;
        let act = Arc::new((id.clone(), Operation::new(event, None)));
        let change = Change::of_instance(ChangeKind::RootKey);
        let forgotten = inner
            .narrow(change, move |tx| {
                let act = act.clone();
                Box::pin(async move {
                    let (id, operation) = act.as_ref();
                    let opening = operation.open(tx);
                    check_unused(tx, id).await?;
                    let deleted = match root_keys::delete_canary(tx, id.as_str()).await {
                        // Something was sealed under it in between; the next attempt counts it.
                        Err(StoreError::ForeignKey) => return Err(tx.run_again().into()),
                        deleted => deleted,
                    };
                    if opening.earlier(tx)?.is_some() {
                        return Ok(Outcome::Unchanged(()));
                    }
                    match deleted? {
                        true => Ok(Outcome::Changed(())),
                        false => Err(NOT_FOUND),
                    }
                })
            })
            .await;
        match forgotten {
            // Forgotten before, but not by the file.
            Err(Error::NotFound { .. }) if is_left_in_file => {}
            forgotten => forgotten?,
        }
        let Some(directory) = inner.active_root_key.directory.clone() else {
            return Ok(());
        };
        let taken = tokio::task::spawn_blocking(move || file::take(&inner, &directory, &id));
        taken.await.map_err(Error::internal)?
    }
}

/// Refuses while a root key is the active one or seals something.
async fn check_unused(tx: &mut Tx, id: &RootKeyId) -> Result<()> {
    let found = instance::load(&mut *tx).await?;
    if found.is_some_and(|instance| instance.active_root_key == id.as_str()) {
        return Err(Error::invalid(
            "id",
            "is the active root key; activate another one first",
        ));
    }
    let usage = root_keys::usage(&mut *tx, id.as_str()).await?;
    match sealed_by(&usage) {
        None => Ok(()),
        Some(sealed) => Err(Error::invalid(
            "id",
            format!(
                "still seals {sealed}; run bosa-auth vault rekey --wrap-only, or bosa-auth vault rekey after a compromise, and try again"
            ),
        )),
    }
}
