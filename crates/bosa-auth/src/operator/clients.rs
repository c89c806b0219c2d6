//! Clients: create, find, list, change, delete.

use std::sync::Arc;

use bosa_auth_core::{AuditAction, ClientId, ClientName, ClientState, ScopeSet, Secret};
use bosa_auth_store::clients::{self, ClientChange, ClientRow, Updated};
use bosa_auth_store::{ClientTx, StoreError};

use super::new_api_key;
use crate::auth::Inner;
use crate::error::{Error, Result};
use crate::memory::{Change, Outcome};
use crate::model::{ClientModel, ClientUpdate, Created, Page, PageRequest};
use crate::operation::{Operation, Settled, Written};
use crate::principal::Operator;
use crate::tenant::is_storable;
use crate::vault::new_data_key;

/// Rows that one transaction of a client's deletion removes.
const DELETE_BATCH: u32 = 500;
/// What a sealed data key is overwritten with: as many bytes as one has.
const WIPED_BYTES: usize = 73;

impl Operator {
    /// Makes a client with its first API key, whose text is in this result only.
    ///
    /// # Errors
    /// `InvalidInput`: the name is not 1 to 200 characters or holds control characters.
    /// `ClientAlreadyExists`: the name is taken.
    pub async fn create_client(&self, name: &str) -> Result<Created<ClientModel>> {
        let made = self.create_client_once(name).await;
        match self.auth.inner.unless_keys_were_replaced(made).await? {
            Some(made) => Ok(made),
            None => self.create_client_once(name).await,
        }
    }

    async fn create_client_once(&self, name: &str) -> Result<Created<ClientModel>> {
        let inner = self.auth.inner.clone();
        let name = ClientName::parse(name)?;
        let now = inner.clock.now();
        let client = ClientRow {
            id: ClientId::generate(now, inner.entropy.as_ref())?,
            name: name.as_str().to_owned(),
            state: ClientState::Active,
            can_get_integrations: true,
            generation: 0,
            version: 0,
            created_at: now,
            updated_at: now,
        };
        let (text, key) = new_api_key(&inner, client.id, &client.name, ScopeSet::all(), None, now)?;
        let (data_key, _) =
            new_data_key(&inner, Some(client.id), &inner.active_root_key.id(), now)?;
        let event = inner.event(
            &self.actor,
            AuditAction::ClientCreate,
            Some(client.id),
            Some(client.id.as_uuid()),
            None,
        )?;
        let resource = client.id.as_uuid();
        let operation = self
            .idempotency
            .operation(&inner, &self.actor, event, resource);
        let new = Arc::new((client, key, data_key, operation));
        let made = new.clone();
        let written = inner
            .store
            .write(move |tx| {
                let new = made.clone();
                Box::pin(async move {
                    let (client, key, data_key, operation) = new.as_ref();
                    let opening = operation.open(tx);
                    let client_inserted = clients::insert_later(tx, client);
                    let mut scope = ClientTx::new(&mut *tx, client.id);
                    let data_key_inserted = scope.insert_data_key_later(data_key);
                    let key_inserted = scope.insert_api_key(key).await;
                    if let Some(earlier) = opening.earlier(tx)? {
                        return Ok(Written::Earlier(earlier));
                    }
                    // Without the client, its keys were refused as well.
                    if tx.changed(&client_inserted)? == 0 {
                        return Err(Error::ClientAlreadyExists);
                    }
                    if !key_inserted? {
                        return Err(Error::internal("a new client has keys already"));
                    }
                    if tx.changed(&data_key_inserted)? == 0 {
                        return Err(StoreError::RootKeyReplaced.into());
                    }
                    Ok(Written::Now(()))
                })
            })
            .await;
        match new.3.settle(&inner, written).await? {
            Settled::Replay(id) => Ok(Created {
                resource: self.find_client(ClientId::from(id)).await?,
                replayed: true,
            }),
            Settled::Now(()) | Settled::Before => {
                let mut resource = model(&new.0);
                resource.api_key = text;
                Ok(Created {
                    resource,
                    replayed: false,
                })
            }
        }
    }

    /// Lists all clients, suspended ones included.
    ///
    /// # Errors
    /// `InvalidInput`: the page's limit or cursor is not one of ours.
    pub async fn get_client_list(&self, request: PageRequest) -> Result<Page<ClientModel>> {
        let query = request.query()?;
        let page = clients::page(&self.auth.inner.store, query).await?;
        let items = page.items.iter().filter(is_present).map(model).collect();
        Ok(Page::new(items, page.next))
    }

    /// Finds a client by its id, suspended ones too.
    ///
    /// # Errors
    /// `NotFound`: there is no such client.
    pub async fn find_client(&self, client_id: ClientId) -> Result<ClientModel> {
        self.client_row(client_id).await.map(|row| model(&row))
    }

    /// Finds a client by its exact name, suspended ones too.
    ///
    /// # Errors
    /// `NotFound`: there is no such client.
    pub async fn find_client_by_name(&self, name: &str) -> Result<ClientModel> {
        let row = match is_storable(name) {
            true => clients::find_by_name(&self.auth.inner.store, name).await?,
            false => None,
        };
        present(row).map(|row| model(&row))
    }

    /// Finds a client by its id or its exact name, suspended ones too; an id wins over an equal name.
    ///
    /// # Errors
    /// `NotFound`: there is no such client.
    pub async fn find_client_named(&self, text: &str) -> Result<ClientModel> {
        if let Ok(id) = text.parse::<ClientId>() {
            match self.find_client(id).await {
                Err(Error::NotFound { .. }) => {}
                found => return found,
            }
        }
        match self.find_client_by_name(text).await {
            // Only an imported name may begin or end with blanks.
            Err(Error::NotFound { .. }) if text != text.trim() => {
                self.find_client_by_name(text.trim()).await
            }
            found => found,
        }
    }

    /// Renames, suspends or resumes a client, or ends all tokens of its users. Renaming leaves its
    /// keys valid; suspending refuses everything under it until it is resumed.
    ///
    /// # Errors
    /// `NotFound`: there is no such client. `ClientAlreadyExists`: the new name is taken.
    /// `InvalidInput`: the new name is malformed.
    pub async fn update_client(
        &self,
        client_id: ClientId,
        update: ClientUpdate,
    ) -> Result<ClientModel> {
        let inner = self.auth.inner.clone();
        let name = update.name.as_deref().map(ClientName::parse).transpose()?;
        let event = inner.event(
            &self.actor,
            AuditAction::ClientUpdate,
            Some(client_id),
            Some(client_id.as_uuid()),
            Some(describe(&update, name.as_ref())),
        )?;
        let change = Arc::new((name, update, Operation::new(event, None)));
        inner
            .narrow(Change::of_client(client_id), move |tx| {
                let change = change.clone();
                Box::pin(async move {
                    let (name, update, operation) = change.as_ref();
                    let opening = operation.open(tx);
                    let mut row = present(clients::find(&mut *tx, client_id).await?)?;
                    if opening.earlier(tx)?.is_some() {
                        return Ok(Outcome::Unchanged(model(&row)));
                    }
                    let next = ClientChange {
                        version: row.version,
                        name: name
                            .as_ref()
                            .map_or_else(|| row.name.clone(), |name| name.as_str().to_owned()),
                        state: match update.is_active {
                            Some(true) => ClientState::Active,
                            Some(false) => ClientState::Suspended,
                            None => row.state,
                        },
                        can_get_integrations: update
                            .can_get_integrations
                            .unwrap_or(row.can_get_integrations),
                        end_tokens: update.sign_out,
                        at: operation.event.at,
                    };
                    // A new name narrows nothing, but others remember the old one.
                    let announces = update.is_active == Some(false)
                        || update.sign_out
                        || next.name != row.name
                        || next.can_get_integrations != row.can_get_integrations;
                    match clients::update(tx, client_id, &next).await? {
                        Updated::Done => {}
                        Updated::Stale => return Err(tx.run_again().into()),
                        Updated::Taken => return Err(Error::ClientAlreadyExists),
                    }
                    row.can_get_integrations = next.can_get_integrations;
                    (row.name, row.state) = (next.name, next.state);
                    Ok(match announces {
                        true => Outcome::Changed(model(&row)),
                        false => Outcome::Unchanged(model(&row)),
                    })
                })
            })
            .await
    }

    /// Deletes a client with everything that belongs to it.
    ///
    /// From the first moment on its keys and tokens are refused and its sealed values cannot be
    /// opened in the live database; the rows go in batches.
    ///
    /// # Errors
    /// `NotFound`: there is no such client.
    pub async fn delete_client(&self, client_id: ClientId) -> Result<()> {
        let inner = self.auth.inner.clone();
        let event = inner.event(
            &self.actor,
            AuditAction::ClientDelete,
            Some(client_id),
            Some(client_id.as_uuid()),
            None,
        )?;
        let operation = Arc::new(Operation::new(event, None));
        inner
            .narrow(Change::of_client(client_id), move |tx| {
                let operation = operation.clone();
                Box::pin(async move {
                    let opening = operation.open(tx);
                    let begun =
                        clients::begin_deletion(&mut *tx, client_id, operation.event.at).await;
                    if opening.earlier(tx)?.is_some() {
                        return Ok(Outcome::Unchanged(()));
                    }
                    if !begun? {
                        return Err(Error::NotFound { what: "client" });
                    }
                    ClientTx::new(&mut *tx, client_id)
                        .wipe_data_keys(&[0; WIPED_BYTES])
                        .await?;
                    Ok(Outcome::Changed(()))
                })
            })
            .await?;
        inner.remove_client(client_id).await
    }

    /// A client that is active, from memory where that suffices; `None` when there is no such client.
    ///
    /// # Errors
    /// `InvalidClient`: it is suspended.
    pub(crate) async fn active_client(&self, client_id: ClientId) -> Result<Option<ClientModel>> {
        let inner = &self.auth.inner;
        let is_active = |row: &ClientRow| row.state == ClientState::Active;
        let remembered = inner.memory.decide(
            &inner.clock,
            |cache| cache.client(client_id),
            |found, _| found.get().filter(|row| is_active(row)).map(model),
        );
        if remembered.is_some() {
            return Ok(remembered);
        }
        let read = || clients::find(&inner.store, client_id);
        let found = match inner.memory.cache() {
            Some(cache) => cache.fill_client(read, is_active).await?,
            None => read().await?,
        };
        match found.filter(|row| is_present(&row)) {
            Some(row) if is_active(&row) => Ok(Some(model(&row))),
            Some(_) => Err(Error::InvalidClient),
            None => Ok(None),
        }
    }

    async fn client_row(&self, client_id: ClientId) -> Result<ClientRow> {
        present(clients::find(&self.auth.inner.store, client_id).await?)
    }
}

impl Inner {
    /// Removes the rows of a client that is being deleted, batch by batch.
    pub(crate) async fn remove_client(&self, client_id: ClientId) -> Result<()> {
        loop {
            let more = self
                .store
                .write(move |tx| {
                    Box::pin(async move {
                        match clients::delete_batch(tx, client_id, DELETE_BATCH).await {
                            // A write that began before the deletion added a row in between.
                            Err(StoreError::ForeignKey) => Err(tx.run_again().into()),
                            result => result.map_err(Error::from),
                        }
                    })
                })
                .await?;
            if !more {
                return Ok(());
            }
        }
    }
}

/// The row of a client that is not being deleted.
fn present(row: Option<ClientRow>) -> Result<ClientRow> {
    row.filter(|row| is_present(&row))
        .ok_or(Error::NotFound { what: "client" })
}

fn is_present(row: &&ClientRow) -> bool {
    row.state != ClientState::Deleting
}

pub(crate) fn model(row: &ClientRow) -> ClientModel {
    ClientModel {
        id: row.id,
        name: row.name.clone(),
        api_key: Secret::default(),
        is_active: row.state == ClientState::Active,
        created_at: row.created_at,
        can_get_integrations: row.can_get_integrations,
    }
}

fn describe(update: &ClientUpdate, name: Option<&ClientName>) -> String {
    serde_json::json!({
        "name": name.map(ClientName::as_str),
        "is_active": update.is_active,
        "can_get_integrations": update.can_get_integrations,
        "sign_out": update.sign_out,
    })
    .to_string()
}
