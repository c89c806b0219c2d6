//! One walk over everything of an owner that lies under old keys.

use std::collections::{BTreeMap, HashMap};

use bosa_auth_core::vault::DataKey;
use bosa_auth_core::{ClientId, DataKeyId, Timestamp};
use bosa_auth_store::{
    ConnectorSettingsWithKey, DataKeyRow, IntegrationWithGrant, PageQuery, Sealed,
    shared_connector_settings,
};

use super::Run;
use super::batch::{self, Change};
use crate::auth::Inner;
use crate::error::Result;
use crate::vault::{Place, key_name, open_key_of};

/// Rows that are read at once.
const PAGE: u32 = 200;

/// What a walk has found, and what it has yet to write.
pub(super) struct Pass<'k> {
    owner: Option<ClientId>,
    new: &'k DataKey,
    /// Keys made before are old.
    before: Timestamp,
    /// Old keys as they were opened; `None` for one that does not open.
    keys: HashMap<DataKeyId, Option<DataKey>>,
    batch: Vec<Change>,
    /// Whether anything came under the new key, or had been changed by somebody else.
    pub(super) has_moved: bool,
    /// Values that do not open although their key does.
    unreadable: Vec<String>,
    /// How many values lie under keys that do not open.
    under_unreadable: BTreeMap<DataKeyId, u64>,
}

impl Run<'_> {
    /// Seals everything under the new key that can be.
    pub(super) async fn walk(&mut self, pass: &mut Pass<'_>) -> Result<()> {
        let (inner, before) = (self.replacement.inner, pass.before);
        let Some(client) = pass.owner else {
            let settings = shared_connector_settings::under_keys_before(&inner.store, before);
            for found in settings.await? {
                pass.add_settings(inner, found)?;
                self.write_full(pass).await?;
            }
            return self.write(pass).await;
        };
        let mut client = inner.store.client(client);
        for found in client.connector_settings_under_keys_before(before).await? {
            pass.add_settings(inner, found)?;
            self.write_full(pass).await?;
        }
        let mut after = None;
        loop {
            let query = PageQuery { after, limit: PAGE };
            let page = client.verifiers_under_keys_before(before, query).await?;
            for found in page.items {
                let place = Place::code_verifier(&found.row);
                let after = pass.reseal(inner, &place, &found.verifier, &found.key)?;
                pass.batch.extend(after.map(|after| Change::CodeVerifier {
                    id: found.row.id,
                    before: found.verifier,
                    after,
                }));
                self.write_full(pass).await?;
            }
            after = page.next;
            if after.is_none() || self.is_over {
                break;
            }
        }
        let mut after = None;
        loop {
            let query = PageQuery { after, limit: PAGE };
            let page = client.integrations_under_keys_before(before, query).await?;
            for found in page.items {
                pass.add_account(inner, found)?;
                self.write_full(pass).await?;
            }
            after = page.next;
            if after.is_none() || self.is_over {
                break;
            }
        }
        self.write(pass).await
    }

    async fn write_full(&mut self, pass: &mut Pass<'_>) -> Result<()> {
        match pass.batch.len() >= self.pace.batch() {
            true => self.write(pass).await,
            false => Ok(()),
        }
    }

    async fn write(&mut self, pass: &mut Pass<'_>) -> Result<()> {
        let batch = std::mem::take(&mut pass.batch);
        if batch.is_empty() || self.is_over {
            return Ok(());
        }
        self.pace
            .wait_for(batch.iter().map(Change::values).sum())
            .await;
        let (store, at) = (
            &self.replacement.inner.store,
            self.replacement.inner.clock.now(),
        );
        let operation = self.replacement.begun.operation_id;
        let written = batch::write(store, pass.owner, operation, at, batch).await?;
        pass.has_moved |= written.values + written.lost > 0;
        self.is_over |= written.is_over;
        self.resealed += u64::from(written.values);
        self.report();
        Ok(())
    }
}

impl<'k> Pass<'k> {
    pub(super) fn new(owner: Option<ClientId>, new: &'k DataKey, before: Timestamp) -> Self {
        Self {
            owner,
            new,
            before,
            keys: HashMap::new(),
            batch: Vec::new(),
            has_moved: false,
            unreadable: Vec::new(),
            under_unreadable: BTreeMap::new(),
        }
    }

    /// Everything that does not open, by name.
    pub(super) fn unreadable(self) -> Vec<String> {
        let keys = self
            .under_unreadable
            .into_iter()
            .map(|(id, values)| format!("{}, with {values} under it", key_name(self.owner, id)));
        keys.chain(self.unreadable).collect()
    }

    fn add_settings(&mut self, inner: &Inner, found: ConnectorSettingsWithKey) -> Result<()> {
        let (Some(before), Some(key)) = (found.settings.secret, found.key) else {
            return Ok(());
        };
        let connector = found.settings.connector;
        let place = Place::connector_secret(self.owner, &connector);
        if let Some(after) = self.reseal(inner, &place, &before, &key)? {
            self.batch.push(Change::ConnectorSecret {
                connector,
                before,
                after,
            });
        }
        Ok(())
    }

    /// Adds what of an account can be sealed anew; the other half stays as it is.
    fn add_account(&mut self, inner: &Inner, found: IntegrationWithGrant) -> Result<()> {
        let row = &found.integration;
        let credential = Sealed {
            bytes: row.sealed.clone(),
            key_id: row.data_key_id,
        };
        let new_credential =
            self.reseal(inner, &Place::credential(row), &credential, &found.key)?;
        let grant = found.grant.as_ref();
        let token = grant.and_then(|grant| {
            let token = grant.row.refresh_token.as_ref()?;
            Some((&token.sealed, grant.key.as_ref()?))
        });
        let new_token = match token {
            Some((token, key)) => self.reseal(inner, &Place::refresh_token(row), token, key)?,
            None => None,
        };
        let values = u32::from(new_credential.is_some()) + u32::from(new_token.is_some());
        if values > 0 {
            self.batch.push(Change::Account {
                credential: new_credential.unwrap_or(credential),
                refresh_token: new_token.or_else(|| token.map(|(token, _)| token.clone())),
                before: Box::new(found),
                values,
            });
        }
        Ok(())
    }

    /// Seals a value under the new key; `None` when it does not lie under an old one, or does not open.
    fn reseal(
        &mut self,
        inner: &Inner,
        place: &Place<'_>,
        value: &Sealed,
        key: &DataKeyRow,
    ) -> Result<Option<Sealed>> {
        if key.created_at >= self.before {
            return Ok(None);
        }
        let owner = self.owner;
        let opened = self.keys.entry(key.id);
        let opened = opened.or_insert_with(|| open_key_of(inner, owner, key).ok());
        let Some(opened) = opened else {
            *self.under_unreadable.entry(key.id).or_default() += 1;
            return Ok(None);
        };
        let Ok(plain) = place.open(opened, &value.bytes) else {
            self.unreadable.push(place.to_string());
            return Ok(None);
        };
        place
            .seal(self.new, plain.expose(), inner.entropy.as_ref())
            .map(Some)
    }
}
