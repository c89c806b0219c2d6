//! Whether everything sealed still opens.

use bosa_auth_core::{ClientId, ClientState};
use bosa_auth_store::clients::ClientRow;
use bosa_auth_store::{PageQuery, Store, clients};

use super::open_data_key;
use crate::error::Result;
use crate::principal::Operator;
use crate::tenant::open_integration;

const PAGE: u32 = 500;

/// What reading every sealed value has shown.
#[derive(Debug, Clone, Default)]
pub struct VaultReport {
    /// How many keys and values open.
    pub readable: u64,
    /// What does not open, by name; without a secret.
    pub unreadable: Vec<String>,
}

impl Operator {
    /// Opens every data key and every sealed credential and reports those that do not open.
    ///
    /// `progress` is called with the number of values read so far.
    ///
    /// # Errors
    /// `DatabaseUnavailable`. What does not open is no error but part of the report.
    pub async fn vault_verify(&self, mut progress: impl FnMut(u64) + Send) -> Result<VaultReport> {
        let store = self.auth.inner.store.clone();
        let mut report = VaultReport::default();
        let mut after = None;
        loop {
            let page = clients::page(&store, PageQuery { after, limit: PAGE }).await?;
            // The keys of a client that is being deleted are overwritten on purpose.
            let deleting = |client: &&ClientRow| client.state == ClientState::Deleting;
            for client in page.items.iter().filter(|client| !deleting(client)) {
                self.verify_client(&store, client.id, &mut report, &mut progress)
                    .await?;
            }
            after = page.next;
            if after.is_none() {
                return Ok(report);
            }
        }
    }

    async fn verify_client(
        &self,
        store: &Store,
        client_id: ClientId,
        report: &mut VaultReport,
        progress: &mut (impl FnMut(u64) + Send),
    ) -> Result<()> {
        for key in store.client(client_id).data_keys().await? {
            report.note(open_data_key(&self.auth, client_id, &key).map(drop), || {
                format!("data key {}", key.id)
            });
        }
        let mut after = None;
        loop {
            let page = store
                .client(client_id)
                .all_integrations(PageQuery { after, limit: PAGE })
                .await?;
            for found in &page.items {
                let opened = open_integration(&self.auth, found).map(drop);
                report.note(opened, || {
                    format!("integration {} of client {client_id}", found.integration.id)
                });
            }
            progress(report.readable);
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }
}

impl VaultReport {
    fn note(&mut self, opened: Result<()>, name: impl FnOnce() -> String) {
        match opened {
            Ok(()) => self.readable += 1,
            Err(_) => self.unreadable.push(name()),
        }
    }
}
