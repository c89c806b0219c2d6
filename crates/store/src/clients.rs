//! The tenants themselves.

use bosa_auth_core::{ClientId, ClientState, Timestamp};
use uuid::Uuid;

use crate::columns::{Columns, statements};
use crate::db::{Later, Param, Row, Tx};
use crate::error::StoreError;
use crate::page::{Page, PageQuery};
use crate::params;
use crate::store::Source;
use crate::together::Reading;

/// A client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientRow {
    /// The client's id.
    pub id: ClientId,
    /// Its name, unique.
    pub name: String,
    /// Whether it may be used.
    pub state: ClientState,
    /// Kept from the original system; it limits nothing.
    pub can_get_integrations: bool,
    /// Raised to end every token of the client.
    pub generation: i64,
    /// Raised with every change of the row.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// A change of a client, on condition that it still has the version that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientChange {
    /// The version that was read.
    pub version: i64,
    /// The name from now on.
    pub name: String,
    /// The state from now on.
    pub state: ClientState,
    /// The flag from now on.
    pub can_get_integrations: bool,
    /// Whether every token of the client ends.
    pub end_tokens: bool,
    /// When.
    pub at: Timestamp,
}

/// What became of a change that depends on a version and a unique name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Updated {
    /// It is done.
    Done,
    /// The row has another version or is gone: read again.
    Stale,
    /// The name belongs to another row.
    Taken,
}

/// Adds a client; false when the name is taken or this client is there already.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn insert(tx: &mut Tx, client: &ClientRow) -> Result<bool, StoreError> {
    Ok(tx.execute(INSERT, values(client)).await? == 1)
}

/// As [`insert`], with the next statement: no row changed means that the name is taken or the client
/// is there already.
pub fn insert_later(tx: &mut Tx, client: &ClientRow) -> Later {
    tx.later(INSERT, values(client))
}

/// Finds a client by its id.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn find(mut source: impl Source, id: ClientId) -> Result<Option<ClientRow>, StoreError> {
    reading(id).alone(&mut source).await
}

/// As [`find`], to be read together with other things.
pub fn reading(id: ClientId) -> Reading<Option<ClientRow>> {
    Reading::new(FIND, params![id], read_first)
}

/// Finds a client by its exact name.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn find_by_name(
    mut source: impl Source,
    name: &str,
) -> Result<Option<ClientRow>, StoreError> {
    named_reading(name).alone(&mut source).await
}

/// As [`find_by_name`], to be read together with other things.
pub fn named_reading(name: &str) -> Reading<Option<ClientRow>> {
    Reading::new(FIND_BY_NAME, params![name], read_first)
}

fn read_first(rows: &[Row]) -> Result<Option<ClientRow>, StoreError> {
    rows.first().map(read).transpose()
}

/// Lists clients in the order of their ids, which is that of their making.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn page(
    mut source: impl Source,
    query: PageQuery<ClientId>,
) -> Result<Page<ClientRow, ClientId>, StoreError> {
    let after = query.after_or(Uuid::nil());
    let rows = source.rows(PAGE, params![after, query.fetch()]).await?;
    Page::read(&rows, &query, read, |client| client.id)
}

/// Lists the clients whose deletion was begun and not finished.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn deleting(mut source: impl Source) -> Result<Vec<ClientId>, StoreError> {
    let rows = source.rows(DELETING, params![]).await?;
    rows.iter().map(|row| row.get(0)).collect()
}

/// Changes a client that is not being deleted.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn update(
    tx: &mut Tx,
    id: ClientId,
    change: &ClientChange,
) -> Result<Updated, StoreError> {
    let changed = tx
        .execute(
            UPDATE,
            params![
                id,
                change.version,
                &change.name,
                change.state.as_str(),
                change.can_get_integrations,
                i64::from(change.end_tokens),
                change.at
            ],
        )
        .await;
    match changed {
        Ok(1) => Ok(Updated::Done),
        Ok(_) => match find_by_name(&mut *tx, &change.name).await? {
            Some(other) if other.id != id => Ok(Updated::Taken),
            _ => Ok(Updated::Stale),
        },
        // Another transaction took the name at this moment; the next attempt sees it.
        Err(StoreError::Unique { .. }) => Err(tx.run_again()),
        Err(error) => Err(error),
    }
}

/// Ends every token of a client; false when there is no such client.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn end_tokens(tx: &mut Tx, id: ClientId, at: Timestamp) -> Result<bool, StoreError> {
    Ok(tx.execute(END_TOKENS, params![id, at]).await? == 1)
}

/// Ends every token of every client, as a restored backup must; returns how many clients.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn end_all_tokens(tx: &mut Tx, at: Timestamp) -> Result<u64, StoreError> {
    tx.execute(END_ALL_TOKENS, params![at]).await
}

/// Closes a client for good; false when it is closed already or unknown.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn begin_deletion(tx: &mut Tx, id: ClientId, at: Timestamp) -> Result<bool, StoreError> {
    Ok(tx.execute(BEGIN_DELETION, params![id, at]).await? == 1)
}

/// Removes up to `limit` rows of a client whose deletion was begun, the client's own row last.
///
/// Returns true while there may be more to remove.
///
/// # Errors
/// [`StoreError::ForeignKey`] when a write that began before the deletion added a row in between:
/// the next call goes on.
pub async fn delete_batch(tx: &mut Tx, id: ClientId, limit: u32) -> Result<bool, StoreError> {
    let is_deleting = tx.query_opt(IS_DELETING, params![id]).await?.is_some();
    if !is_deleting {
        return Ok(false);
    }
    for statement in DELETE_ORDER {
        if tx.execute(statement, params![id, limit]).await? > 0 {
            return Ok(true);
        }
    }
    tx.execute(DELETE, params![id]).await?;
    Ok(false)
}

/// The columns of a client, as `c`.
macro_rules! client_columns {
    () => {
        "c.id, c.name, c.state, c.can_get_integrations, c.generation, c.version, c.created_at, c.updated_at"
    };
}

pub(crate) use client_columns;

impl ClientRow {
    pub(crate) fn read(columns: &mut Columns<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            id: columns.next()?,
            name: columns.next()?,
            state: columns.text("client state")?,
            can_get_integrations: columns.next()?,
            generation: columns.next()?,
            version: columns.next()?,
            created_at: columns.next()?,
            updated_at: columns.next()?,
        })
    }
}

fn values(client: &ClientRow) -> Vec<Param> {
    params![
        client.id,
        &client.name,
        client.state.as_str(),
        client.can_get_integrations,
        client.generation,
        client.version,
        client.created_at,
        client.updated_at
    ]
}

fn read(row: &Row) -> Result<ClientRow, StoreError> {
    ClientRow::read(&mut Columns::of(row))
}

/// What refers to other rows goes before them.
const DELETE_ORDER: [&str; 8] = [
    DELETE_TOKENS,
    DELETE_CONNECT_STATES,
    DELETE_INTEGRATIONS,
    DELETE_SETS,
    DELETE_USERS,
    DELETE_API_KEYS,
    DELETE_CONNECTOR_SETTINGS,
    DELETE_DATA_KEYS,
];

statements! {
    INSERT = "insert into bosa_clients (id, name, state, can_get_integrations, generation, version, \
        created_at, updated_at) values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (name) do nothing";
    FIND = concat!("select ", client_columns!(), " from bosa_clients c where c.id = $1");
    FIND_BY_NAME = concat!("select ", client_columns!(), " from bosa_clients c where c.name = $1");
    PAGE = concat!("select ", client_columns!(), " from bosa_clients c where c.id > $1 order by c.id limit $2");
    DELETING = "select id from bosa_clients where state = 'deleting' order by id";
    IS_DELETING = "select 1 from bosa_clients where id = $1 and state = 'deleting'";
    UPDATE = "update bosa_clients set name = $3, state = $4, can_get_integrations = $5, \
        generation = generation + $6, version = version + 1, updated_at = $7 \
        where id = $1 and version = $2 and state <> 'deleting' \
        and not exists (select 1 from bosa_clients o where o.name = $3 and o.id <> $1)";
    END_TOKENS = "update bosa_clients set generation = generation + 1, version = version + 1, updated_at = $2 \
        where id = $1 and state <> 'deleting'";
    END_ALL_TOKENS = "update bosa_clients set generation = generation + 1, version = version + 1, updated_at = $1";
    BEGIN_DELETION = "update bosa_clients set state = 'deleting', generation = generation + 1, \
        version = version + 1, updated_at = $2 where id = $1 and state <> 'deleting'";
    DELETE_TOKENS = "delete from bosa_tokens where client_id = $1 and id in \
        (select id from bosa_tokens where client_id = $1 limit $2)";
    DELETE_CONNECT_STATES = "delete from bosa_connect_states where client_id = $1 and id in \
        (select id from bosa_connect_states where client_id = $1 limit $2)";
    DELETE_INTEGRATIONS = "delete from bosa_integrations where client_id = $1 and id in \
        (select id from bosa_integrations where client_id = $1 limit $2)";
    DELETE_SETS = "delete from bosa_integration_sets where client_id = $1 and user_id in \
        (select user_id from bosa_integration_sets where client_id = $1 limit $2)";
    DELETE_USERS = "delete from bosa_users where client_id = $1 and id in \
        (select id from bosa_users where client_id = $1 limit $2)";
    DELETE_API_KEYS = "delete from bosa_api_keys where client_id = $1 and id in \
        (select id from bosa_api_keys where client_id = $1 limit $2)";
    DELETE_CONNECTOR_SETTINGS = "delete from bosa_connector_settings where client_id = $1 and connector in \
        (select connector from bosa_connector_settings where client_id = $1 limit $2)";
    DELETE_DATA_KEYS = "delete from bosa_data_keys where client_id = $1 and id in \
        (select id from bosa_data_keys where client_id = $1 limit $2)";
    DELETE = "delete from bosa_clients where id = $1 and state = 'deleting'";
}
