//! Replacing the keys of one client, or without an owner of the deployment.

use std::sync::Arc;
use std::time::Duration;

use bosa_auth_core::{ClientId, ClientState, DataKeyId};
use bosa_auth_store::{ClientTx, DataKeyRow, StoreError, Tx, clients, connector_keys, rekey};

use super::pass::Pass;
use super::{Replacement, Run};
use crate::error::Result;
use crate::vault::{key_name, new_data_key, open_key_of};

/// How long to wait for a transaction that holds an old key, and how often.
const WAIT: Duration = Duration::from_millis(100);
const WAITS: u32 = 100;

/// What became of the key that seals new values.
enum Switched {
    /// This one seals them.
    To { key: DataKeyRow, is_made: bool },
    /// Its client is being deleted.
    Gone,
    /// The replacement has ended.
    Over,
}

impl Run<'_> {
    /// Replaces all old keys of an owner; false when one stays, as the report says.
    pub(super) async fn replace_keys_of(&mut self, owner: Option<ClientId>) -> Result<bool> {
        let row = match self.replacement.switch(owner).await? {
            Switched::To { key, is_made } => {
                self.keys_made += u64::from(is_made);
                key
            }
            Switched::Gone => return Ok(true),
            Switched::Over => {
                self.is_over = true;
                return Ok(true);
            }
        };
        let Ok(new) = open_key_of(self.replacement.inner, owner, &row) else {
            self.left.push(key_name(owner, row.id));
            return Ok(false);
        };
        let mut waits = 0;
        loop {
            let mut pass = Pass::new(owner, &new, self.replacement.begun.started_at);
            self.walk(&mut pass).await?;
            if self.is_over {
                return Ok(true);
            }
            let held = self.remove_old_keys(owner).await?;
            if held.is_empty() {
                return Ok(true);
            }
            if pass.has_moved {
                waits = 0;
                continue;
            }
            let mut left = pass.unreadable();
            if left.is_empty() {
                if waits < WAITS {
                    waits += 1;
                    tokio::time::sleep(WAIT).await;
                    continue;
                }
                left.extend(
                    held.into_iter().map(|id| {
                        format!("{}, which another transaction holds", key_name(owner, id))
                    }),
                );
            }
            // What does not open because its client is being deleted by now is not amiss.
            if self.replacement.is_gone(owner).await? {
                return Ok(true);
            }
            self.left.extend(left);
            return Ok(false);
        }
    }

    /// Removes the old keys of an owner that seal nothing any more; returns the others.
    async fn remove_old_keys(&mut self, owner: Option<ClientId>) -> Result<Vec<DataKeyId>> {
        let mut held = Vec::new();
        for key in self.replacement.old_keys(owner).await? {
            let id = key.id;
            let removed = self.replacement.inner.store.write(move |tx| {
                Box::pin(async move {
                    match owner {
                        Some(client) => ClientTx::new(tx, client).delete_data_key(id).await,
                        None => connector_keys::delete(tx, id).await,
                    }
                })
            });
            match removed.await {
                Ok(removed) => self.keys_removed += u64::from(removed),
                // The database knows of something under it, be it committed or not yet.
                Err(StoreError::ForeignKey | StoreError::Busy) => held.push(id),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(held)
    }
}

impl Replacement<'_> {
    /// The old keys of an owner.
    pub(super) async fn old_keys(&self, owner: Option<ClientId>) -> Result<Vec<DataKeyRow>> {
        let store = &self.inner.store;
        let mut keys = match owner {
            Some(client) => store.client(client).data_keys().await?,
            None => connector_keys::list(store).await?,
        };
        keys.retain(|key| key.created_at < self.begun.started_at);
        Ok(keys)
    }

    /// Makes a new key seal new values, unless one does already.
    async fn switch(&self, owner: Option<ClientId>) -> Result<Switched> {
        loop {
            let switched = self.try_to_switch(owner).await;
            // Another root key may have become the active one.
            if let Some(switched) = self.inner.unless_keys_were_replaced(switched).await? {
                return Ok(switched);
            }
        }
    }

    async fn try_to_switch(&self, owner: Option<ClientId>) -> Result<Switched> {
        let (inner, begun) = (self.inner, &self.begun);
        let at = inner.clock.now().max(begun.started_at);
        let (new, _) = new_data_key(inner, owner, &inner.active_root_key.id(), at)?;
        let new = Arc::new(new);
        let (operation, started_at) = (begun.operation_id, begun.started_at);
        let switched = inner.store.write::<_, StoreError, _>(move |tx| {
            let new = new.clone();
            Box::pin(async move {
                // Two runs at once do this one after the other, and the second finds it done.
                if !rekey::advance(tx, operation, 0, at).await? {
                    return Ok(Switched::Over);
                }
                if let Some(client) = owner
                    && !ClientTx::new(tx, client).hold_client().await?
                {
                    return Ok(Switched::Gone);
                }
                let active = active_key(tx, owner).await?;
                if let Some(key) = active.filter(|key| key.created_at >= started_at) {
                    let is_made = key.id == new.id;
                    return Ok(Switched::To { key, is_made });
                }
                match owner {
                    Some(client) => ClientTx::new(tx, client).replace_data_key(&new).await?,
                    None => connector_keys::replace_active(tx, &new).await?,
                }
                let key = DataKeyRow::clone(&new);
                Ok(Switched::To { key, is_made: true })
            })
        });
        Ok(switched.await?)
    }

    async fn is_gone(&self, owner: Option<ClientId>) -> Result<bool> {
        let Some(client) = owner else {
            return Ok(false);
        };
        let row = clients::find(&self.inner.store, client).await?;
        Ok(row.is_none_or(|row| row.state == ClientState::Deleting))
    }
}

async fn active_key(
    tx: &mut Tx,
    owner: Option<ClientId>,
) -> std::result::Result<Option<DataKeyRow>, StoreError> {
    match owner {
        Some(client) => ClientTx::new(tx, client).active_data_key().await,
        None => connector_keys::active(tx).await,
    }
}
