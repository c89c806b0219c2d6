//! Whether everything sealed still opens.

use bosa_auth_core::vault::DataKey;
use bosa_auth_core::{ClientId, ClientState, Timestamp};
use bosa_auth_store::{
    DataKeyRow, IntegrationWithGrant, PageQuery, Sealed, clients, connector_keys, digest_keys,
    shared_connector_settings, signing_keys,
};

use crate::error::{Error, Result};
use crate::principal::Operator;
use crate::vault::{Place, open_connector_key, open_data_key};

const PAGE: u32 = 500;

/// What opening everything sealed has shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VaultReport {
    /// How many keys and values open.
    pub readable: u64,
    /// What does not open, by name; without a secret.
    pub unreadable: Vec<String>,
}

impl Operator {
    /// Opens everything that is sealed: digest keys, generated signing keys, data keys and keys of
    /// connector secrets; credentials and refresh tokens of accounts, connector secrets, and code
    /// verifiers. Clients that are being deleted are left out, since their keys are overwritten.
    ///
    /// `progress` is called with the number of keys and values read so far.
    ///
    /// # Errors
    /// `DatabaseUnavailable`. What does not open is no error but part of the report.
    pub async fn vault_verify(&self, mut progress: impl FnMut(u64) + Send) -> Result<VaultReport> {
        let mut report = self.verify_deployment().await?;
        progress(report.seen());
        let store = &self.auth.inner.store;
        let mut after = None;
        loop {
            let page = clients::page(store, PageQuery { after, limit: PAGE }).await?;
            for client in page.items {
                if client.state != ClientState::Deleting {
                    self.verify_client(client.id, &mut report, &mut progress)
                        .await?;
                }
            }
            after = page.next;
            if after.is_none() {
                return Ok(report);
            }
        }
    }

    /// Opens what belongs to no client.
    async fn verify_deployment(&self) -> Result<VaultReport> {
        let inner = &self.auth.inner;
        let mut report = VaultReport::default();
        for key in digest_keys::list(&inner.store).await? {
            let opened = crate::digest_keys::open_row(&key, &inner.root_keys);
            report.note(opened.is_ok(), || format!("digest key {}", key.id));
        }
        for key in signing_keys::list(&inner.store).await? {
            let opened = crate::signing_keys::open_row(&key, &inner.root_keys);
            report.note(opened.is_ok(), || format!("signing key {}", key.kid));
        }
        for key in connector_keys::list(&inner.store).await? {
            let opened = open_connector_key(inner, &key);
            report.note(opened.is_ok(), || format!("connector key {}", key.id));
        }
        for found in shared_connector_settings::list(&inner.store).await? {
            let place = Place::connector_secret(None, &found.settings.connector);
            let key = found.key.map(|key| open_connector_key(inner, &key));
            report.note_value(&place, found.settings.secret.as_ref(), key);
        }
        Ok(report)
    }

    async fn verify_client(
        &self,
        client_id: ClientId,
        report: &mut VaultReport,
        progress: &mut (impl FnMut(u64) + Send),
    ) -> Result<()> {
        let inner = &self.auth.inner;
        let readable_elsewhere = report.unreadable.len();
        let mut client = inner.store.client(client_id);
        let open = |key: &DataKeyRow| open_data_key(inner, client_id, key);
        for key in client.data_keys().await? {
            report.note(open(&key).is_ok(), || {
                format!("data key {}, client {client_id}", key.id)
            });
        }
        for found in client.all_connector_settings().await? {
            let place = Place::connector_secret(Some(client_id), &found.settings.connector);
            let key = found.key.as_ref().map(open);
            report.note_value(&place, found.settings.secret.as_ref(), key);
        }
        let mut after = None;
        loop {
            let query = PageQuery { after, limit: PAGE };
            let page = client.all_granted_integrations(query).await?;
            for found in &page.items {
                report.note_account(found, open);
            }
            progress(report.seen());
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let mut after = None;
        loop {
            let query = PageQuery { after, limit: PAGE };
            let page = client
                .verifiers_under_keys_before(Timestamp::MAX, query)
                .await?;
            for found in &page.items {
                let place = Place::code_verifier(&found.row);
                report.note_value(&place, Some(&found.verifier), Some(open(&found.key)));
            }
            progress(report.seen());
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        // What does not open because the client is being deleted by now is not amiss.
        if report.unreadable.len() > readable_elsewhere {
            let row = clients::find(&inner.store, client_id).await?;
            if row.is_none_or(|row| row.state == ClientState::Deleting) {
                report.unreadable.truncate(readable_elsewhere);
            }
        }
        Ok(())
    }
}

impl VaultReport {
    /// How many keys and values were read.
    fn seen(&self) -> u64 {
        self.readable + u64::try_from(self.unreadable.len()).unwrap_or(u64::MAX)
    }

    fn note(&mut self, opens: bool, name: impl FnOnce() -> String) {
        match opens {
            true => self.readable += 1,
            false => self.unreadable.push(name()),
        }
    }

    fn note_account(
        &mut self,
        found: &IntegrationWithGrant,
        open: impl Fn(&DataKeyRow) -> Result<DataKey>,
    ) {
        let row = &found.integration;
        let credential = Sealed {
            bytes: row.sealed.clone(),
            key_id: row.data_key_id,
        };
        let key = open(&found.key);
        self.note_value(&Place::credential(row), Some(&credential), Some(key));
        let Some(grant) = &found.grant else { return };
        let token = grant.row.refresh_token.as_ref().map(|token| &token.sealed);
        self.note_value(
            &Place::refresh_token(row),
            token,
            grant.key.as_ref().map(open),
        );
    }

    /// Notes whether a value opens, if there is one.
    fn note_value(
        &mut self,
        place: &Place<'_>,
        value: Option<&Sealed>,
        key: Option<Result<DataKey>>,
    ) {
        let Some(value) = value else { return };
        let missing = || Error::Unreadable {
            what: place.name().to_owned(),
        };
        let opened = key
            .unwrap_or_else(|| Err(missing()))
            .and_then(|key| place.open(&key, &value.bytes));
        self.note(opened.is_ok(), || place.to_string());
    }
}
