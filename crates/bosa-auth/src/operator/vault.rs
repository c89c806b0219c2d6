//! The keys that seal, and whether everything sealed still opens.

use bosa_auth_core::vault::{DataKey, KeyPurpose, open_key};
use bosa_auth_core::{ClientId, ClientState, Timestamp};
use bosa_auth_store::clients::ClientRow;
use bosa_auth_store::{KeyState, PageQuery, Store, clients, digest_keys, root_keys};

use super::data_key_name;
use crate::auth::Auth;
use crate::error::{Error, Result};
use crate::instance::root_key;
use crate::principal::Operator;
use crate::tenant::open_integration;

const PAGE: u32 = 500;

/// A root key as it is listed.
#[derive(Debug, Clone)]
pub struct RootKeyInfo {
    /// The key's id.
    pub id: String,
    /// Whether new keys are sealed under it.
    pub is_active: bool,
    /// Whether this process has it.
    pub is_present: bool,
    /// How many digest keys, data keys, signing keys and keys of connector secrets it seals.
    pub seals: u64,
    /// When it was first used here.
    pub created_at: Timestamp,
}

/// A digest key as it is listed.
#[derive(Debug, Clone)]
pub struct DigestKeyInfo {
    /// The key's id.
    pub id: String,
    /// Whether new digests are made with it.
    pub is_active: bool,
    /// How many API keys and users depend on it.
    pub used_by: u64,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What lies in the vault.
#[derive(Debug, Clone)]
pub struct VaultStatus {
    /// The root keys.
    pub root_keys: Vec<RootKeyInfo>,
    /// The digest keys.
    pub digest_keys: Vec<DigestKeyInfo>,
    /// How many clients there are.
    pub clients: u64,
    /// How many sealed credentials there are.
    pub integrations: u64,
}

/// What reading every sealed value has shown.
#[derive(Debug, Clone, Default)]
pub struct VaultReport {
    /// How many keys and values open.
    pub readable: u64,
    /// What does not open, by name; without a secret.
    pub unreadable: Vec<String>,
}

impl Operator {
    /// Lists the root keys that the database knows.
    ///
    /// # Errors
    /// `DatabaseUnavailable`.
    pub async fn root_keys(&self) -> Result<Vec<RootKeyInfo>> {
        let inner = &self.auth.inner;
        let mut keys = Vec::new();
        for canary in root_keys::canaries(&inner.store).await? {
            let usage = root_keys::usage(&inner.store, &canary.root_key_id).await?;
            keys.push(RootKeyInfo {
                is_active: canary.root_key_id == inner.active_root_key,
                is_present: root_key(&inner.root_keys, &canary.root_key_id).is_ok(),
                seals: count(
                    usage.digest_keys + usage.data_keys + usage.signing_keys + usage.connector_keys,
                ),
                id: canary.root_key_id,
                created_at: canary.created_at,
            });
        }
        Ok(keys)
    }

    /// Lists the digest keys.
    ///
    /// # Errors
    /// `DatabaseUnavailable`.
    pub async fn digest_keys(&self) -> Result<Vec<DigestKeyInfo>> {
        let store = &self.auth.inner.store;
        let mut keys = Vec::new();
        for row in digest_keys::list(store).await? {
            let usage = digest_keys::usage(store, row.id).await?;
            keys.push(DigestKeyInfo {
                id: row.id.to_string(),
                is_active: row.state == KeyState::Active,
                used_by: count(usage.api_keys + usage.users),
                created_at: row.created_at,
            });
        }
        Ok(keys)
    }

    /// What lies in the vault.
    ///
    /// # Errors
    /// `DatabaseUnavailable`.
    pub async fn vault_status(&self) -> Result<VaultStatus> {
        let counts = bosa_auth_store::counts(&self.auth.inner.store).await?;
        Ok(VaultStatus {
            root_keys: self.root_keys().await?,
            digest_keys: self.digest_keys().await?,
            clients: count(counts.clients),
            integrations: count(counts.integrations),
        })
    }

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

/// Opens a client's data key.
///
/// # Errors
/// `Unreadable` when it does not open, `Configuration` when its root key is missing.
pub(crate) fn open_data_key(
    auth: &Auth,
    client_id: ClientId,
    row: &bosa_auth_store::DataKeyRow,
) -> Result<DataKey> {
    let unreadable = || Error::Unreadable {
        what: "a data key".to_owned(),
    };
    let root = root_key(&auth.inner.root_keys, &row.root_key_id)?;
    let name = data_key_name(client_id, row.id);
    let bytes =
        open_key(root, KeyPurpose::DataKey, &name, &row.sealed).map_err(|_| unreadable())?;
    DataKey::from_bytes(row.id, &bytes).map_err(|_| unreadable())
}

fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}
