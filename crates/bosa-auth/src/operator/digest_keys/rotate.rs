//! A new key for digests; the former one only verifies.

use std::sync::Arc;

use bosa_auth_core::vault::KeyPurpose;
use bosa_auth_core::{AuditAction, DigestKey, DigestKeyId};
use bosa_auth_store::changes::ChangeKind;
use bosa_auth_store::digest_keys::{self, DigestKeyRow};
use bosa_auth_store::{DigestKeyUse, KeyState};

use super::{DigestKeyInfo, NOT_FOUND, info};
use crate::error::{Error, Result};
use crate::memory::{Change, Outcome};
use crate::operation::Operation;
use crate::principal::Operator;

impl Operator {
    /// Makes a new key with which every digest is made from now on, in every process. What was digested
    /// before is still right, and is digested anew at its next use. Of several calls at once one makes
    /// the key, and all return it.
    ///
    /// # Errors
    /// `Configuration`: this process lacks the active root key.
    pub async fn rotate_digest_key(&self) -> Result<DigestKeyInfo> {
        // The one to be replaced: the database's, whatever this process has heard.
        self.auth.inner.reload_keys().await?;
        let made = self.rotate_digest_key_once().await;
        match self.auth.inner.unless_keys_were_replaced(made).await? {
            Some(made) => Ok(made),
            None => self.rotate_digest_key_once().await,
        }
    }

    async fn rotate_digest_key_once(&self) -> Result<DigestKeyInfo> {
        let inner = self.auth.inner.clone();
        let (former, _) = inner.digest_keys.active();
        let entropy = inner.entropy.as_ref();
        let now = inner.clock.now();
        let id = DigestKeyId::generate(now, entropy)?;
        let key = DigestKey::generate(entropy)?;
        let sealed = inner.seal_new_key(KeyPurpose::DigestKey, &id.to_string(), key.expose())?;
        let row = DigestKeyRow {
            id,
            root_key_id: sealed.root_key_id,
            sealed: sealed.sealed,
            state: KeyState::Active,
            created_at: now,
        };
        let detail = serde_json::json!({ "id": id.to_string(), "replaces": former.to_string() });
        let event = inner.event(
            &self.actor,
            AuditAction::DigestKeyRotate,
            None,
            Some(id.as_uuid()),
            Some(detail.to_string()),
        )?;
        let new = Arc::new((row, Operation::new(event, None)));
        inner
            .narrow(Change::of_instance(ChangeKind::DigestKey), move |tx| {
                let new = new.clone();
                Box::pin(async move {
                    let (row, operation) = new.as_ref();
                    let opening = operation.open(tx);
                    let replaced = digest_keys::replace_active(tx, former, row).await;
                    if opening.earlier(tx)?.is_some() {
                        return Ok(Outcome::Unchanged(()));
                    }
                    if replaced? {
                        return Ok(Outcome::Changed(()));
                    }
                    // Another call was faster: its key will do, and nothing is on record of this one.
                    tx.discard();
                    Ok(Outcome::Unchanged(()))
                })
            })
            .await?;
        inner.reload_keys().await?;
        let active = digest_keys::list(&inner.store).await?;
        let active = active.iter().find(|row| row.state == KeyState::Active);
        let active = active.ok_or(NOT_FOUND)?;
        match active.id == id {
            true => Ok(info(active, &DigestKeyUse::default())),
            false => {
                let usage = digest_keys::usage(&inner.store, active.id, now).await;
                Ok(info(active, &usage.map_err(Error::from)?))
            }
        }
    }
}
