//! Sealing keys under the active root key, and leaving the values as they are.

use std::sync::Arc;

use bosa_auth_core::{ClientId, ClientState};
use bosa_auth_store::{
    ClientTx, DataKeyRow, StoreError, audit, clients, connector_keys, data_keys, root_keys,
};
use serde_json::json;

use crate::error::{Error, Result};
use crate::instance::root_key;
use crate::principal::Operator;
use crate::vault::{key_name, open_key_of, seal_data_key};

/// What sealing keys under the active root key has done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WrapReport {
    /// The root key that seals them now.
    pub root_key: String,
    /// How many keys were under another one.
    pub wrapped: u64,
    /// Keys that do not open, by name: they stay as they are.
    pub unreadable: Vec<String>,
}

impl Operator {
    /// Seals every key of the database under the active root key that is not yet; no value is touched. It
    /// can be stopped at any point and called again.
    ///
    /// # Security
    /// Whoever had the former root key and a copy of the database has those keys, and with them every
    /// value: only [`vault_rekey`](Self::vault_rekey) helps then.
    ///
    /// # Errors
    /// `DatabaseUnavailable`: what is done stays done. `Configuration`: this process does not have the
    /// active root key. What does not open is no error but part of the report.
    pub async fn vault_wrap(&self) -> Result<WrapReport> {
        let inner = &self.auth.inner;
        let store = &inner.store;
        inner.reload_keys().await?;
        let active = inner.active_root_key.id();
        self.record_wrap(&active).await?;
        let mut report = WrapReport {
            root_key: active.to_string(),
            ..WrapReport::default()
        };
        match self.rewrap_digest_and_signing_keys().await {
            Err(Error::Unreadable { what }) => report.unreadable.push(what),
            rewrapped => {
                let rewrapped = rewrapped?;
                report.wrapped = rewrapped.digest_keys + rewrapped.signing_keys;
            }
        }
        for canary in root_keys::canaries(store).await? {
            let former = canary.root_key_id;
            if former == *active {
                continue;
            }
            for client in data_keys::clients_under(store, &former).await? {
                let row = clients::find(store, client).await?;
                if row.is_some_and(|row| row.state != ClientState::Deleting) {
                    let keys = store.client(client).data_keys().await?;
                    self.wrap_all(Some(client), keys, &mut report).await?;
                }
            }
        }
        let keys = connector_keys::list(store).await?;
        self.wrap_all(None, keys, &mut report).await?;
        Ok(report)
    }

    async fn record_wrap(&self, root_key_id: &str) -> Result<()> {
        let operation = self.rekey_operation(json!({ "wraps_under": root_key_id }))?;
        let event = Arc::new(operation.event);
        let recorded = self.auth.inner.store.write::<_, Error, _>(move |tx| {
            let event = event.clone();
            Box::pin(async move { Ok(audit::record(tx, &event).await?) })
        });
        recorded.await.map(drop)
    }

    async fn wrap_all(
        &self,
        owner: Option<ClientId>,
        keys: Vec<DataKeyRow>,
        report: &mut WrapReport,
    ) -> Result<()> {
        for key in keys
            .into_iter()
            .filter(|key| key.root_key_id != report.root_key)
        {
            let name = key_name(owner, key.id);
            match self.wrap(owner, key, &report.root_key).await {
                Ok(wrapped) => report.wrapped += u64::from(wrapped),
                Err(Error::Unreadable { .. }) => report.unreadable.push(name),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Seals one key under a root key; false when somebody else has, or has removed it.
    async fn wrap(
        &self,
        owner: Option<ClientId>,
        key: DataKeyRow,
        root_key_id: &str,
    ) -> Result<bool> {
        let inner = &self.auth.inner;
        let opened = open_key_of(inner, owner, &key)?;
        let root = root_key(&inner.root_keys, root_key_id)?;
        let sealed = seal_data_key(root, owner, &opened, inner.entropy.as_ref())?;
        let write = Arc::new((key, root_key_id.to_owned(), sealed));
        let wrapped = inner.store.write::<_, StoreError, _>(move |tx| {
            let write = write.clone();
            Box::pin(async move {
                let (key, root, sealed) = write.as_ref();
                match owner {
                    Some(client) => {
                        ClientTx::new(tx, client)
                            .reseal_data_key(key, root, sealed)
                            .await
                    }
                    None => connector_keys::reseal(tx, key, root, sealed).await,
                }
            })
        });
        Ok(wrapped.await?)
    }
}
