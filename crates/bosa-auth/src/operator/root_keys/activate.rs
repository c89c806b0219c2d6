//! Which root key seals new keys.

use std::sync::Arc;

use bosa_auth_core::AuditAction;
use bosa_auth_core::vault::{RootKeyId, open_canary, seal_canary};
use bosa_auth_store::changes::ChangeKind;
use bosa_auth_store::root_keys::{self, CanaryRow};
use bosa_auth_store::{Opaque, Tx, instance};

use super::{RootKeyInfo, detail, file};
use crate::auth::Inner;
use crate::error::{Error, Result};
use crate::instance::open_one;
use crate::key_files::ROOT_KEYS;
use crate::memory::{Change, Outcome};
use crate::operation::Operation;
use crate::principal::Operator;

impl Operator {
    /// Makes a root key of this process the one that seals new keys, in every process. Those that lack
    /// it are not ready from then on and seal nothing. What is sealed stays as it is.
    ///
    /// # Errors
    /// `InvalidInput`: the id is malformed. `Configuration`: this process has no such key, or another
    /// one than the database was used with under this id.
    pub async fn activate_root_key(&self, id: &str) -> Result<RootKeyInfo> {
        let inner = self.auth.inner.clone();
        let id: RootKeyId = id
            .parse()
            .map_err(|error| Error::invalid("id", format!("is not one: {error}")))?;
        let canary = new_canary(&inner, &id)?;
        let event = inner.event(
            &self.actor,
            AuditAction::RootKeyActivate,
            None,
            None,
            Some(detail(&id)),
        )?;
        let act = Arc::new((id.clone(), canary, Operation::new(event, None)));
        let (writing, change) = (inner.clone(), Change::of_instance(ChangeKind::RootKey));
        inner
            .narrow(change, move |tx| {
                let (act, inner) = (act.clone(), writing.clone());
                Box::pin(async move {
                    let (id, canary, operation) = act.as_ref();
                    activate(tx, &inner, id, canary, operation).await
                })
            })
            .await?;
        inner.reload_keys().await?;
        self.root_key_info(id.as_str()).await
    }

    /// Makes a new root key, adds it to the file in which this instance keeps its root keys, and
    /// [activates](Self::activate_root_key) it. Servers that run learn it from the file.
    ///
    /// # Errors
    /// `Configuration`: root keys are configured, not kept in a file, or the file cannot be written.
    pub async fn activate_new_root_key(&self) -> Result<RootKeyInfo> {
        let inner = self.auth.inner.clone();
        let Some(directory) = inner.active_root_key.directory.clone() else {
            return Err(Error::configuration(
                "the root keys of this instance are configured, not generated; add k2:<base64 of 32 random bytes, from: openssl rand -base64 32> to BOSA_AUTH_ROOT_KEYS of every server, then run bosa-auth root-key activate k2",
            ));
        };
        let canaries = root_keys::canaries(&inner.store).await?;
        let adding = inner.clone();
        let added = tokio::task::spawn_blocking(move || file::add(&adding, &directory, &canaries));
        let id = added.await.map_err(Error::internal)??;
        self.activate_root_key(id.as_str()).await
    }
}

/// The canary of a root key that a restart will find again.
fn new_canary(inner: &Inner, id: &RootKeyId) -> Result<Opaque> {
    let filed = match &inner.active_root_key.directory {
        Some(directory) => Some(file::read(directory)?),
        None => None,
    };
    let missing = || {
        Error::configuration(match &filed {
            Some(_) => format!(
                "the file {ROOT_KEYS} holds no root key {id}; bosa-auth root-key activate --new makes one"
            ),
            None => format!(
                "this process has no root key {id}; add it to BOSA_AUTH_ROOT_KEYS of every server first, beside those in use"
            ),
        })
    };
    let key = match &filed {
        Some(filed) => filed.get(id),
        None => inner.root_keys.get(id),
    };
    let key = key.ok_or_else(missing)?;
    let canary = seal_canary(key, id, inner.entropy.as_ref()).map_err(Error::internal)?;
    if let Some(known) = inner.root_keys.get(id) {
        // Of two keys of one name the one in memory would be gone after a restart.
        open_canary(known, id, &canary).map_err(|_| {
            Error::configuration(format!(
                "the file {ROOT_KEYS} holds another root key {id} than this process; start it again"
            ))
        })?;
    }
    if let Some(filed) = filed {
        inner.root_keys.learn(filed);
    }
    Ok(canary.into())
}

async fn activate(
    tx: &mut Tx,
    inner: &Inner,
    id: &RootKeyId,
    canary: &Opaque,
    operation: &Operation,
) -> Result<Outcome<()>> {
    let found = instance::load(&mut *tx).await?;
    let found = found.ok_or_else(|| Error::internal("the instance has disappeared"))?;
    if found.active_root_key == id.as_str() {
        return Ok(Outcome::Unchanged(()));
    }
    let opening = operation.open(tx);
    if !root_keys::insert_canary(tx, id.as_str(), canary, operation.event.at).await? {
        // The key was used here before: it must be the same one.
        let canaries = root_keys::canaries(&mut *tx).await?;
        let its = |canary: &&CanaryRow| canary.root_key_id == id.as_str();
        if let Some(canary) = canaries.iter().find(its) {
            open_one(&inner.root_keys, canary)?;
        }
    }
    let activated = instance::set_active_root_key(tx, &found.active_root_key, id.as_str()).await?;
    if opening.earlier(tx)?.is_some() {
        return Ok(Outcome::Unchanged(()));
    }
    match activated {
        true => Ok(Outcome::Changed(())),
        // Another activation was faster.
        false => Err(tx.run_again().into()),
    }
}
