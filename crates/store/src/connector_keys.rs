//! Keys that seal the OAuth client secrets of the deployment itself.
//!
//! They are data keys that belong to no client.

use bosa_auth_core::DataKeyId;

use crate::columns::{Columns, Opaque, statements};
use crate::data_keys::{DataKeyRow, data_key_columns};
use crate::db::{Row, Tx};
use crate::error::StoreError;
use crate::instance;
use crate::params;
use crate::store::Source;

/// Lists all keys, oldest first.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn list(mut source: impl Source) -> Result<Vec<DataKeyRow>, StoreError> {
    let rows = source.rows(LIST, params![]).await?;
    rows.iter().map(read).collect()
}

/// Returns the key that seals new secrets.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn active(mut source: impl Source) -> Result<Option<DataKeyRow>, StoreError> {
    let row = source.row(ACTIVE, params![]).await?;
    row.as_ref().map(read).transpose()
}

/// Finds a key.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn find(
    mut source: impl Source,
    id: DataKeyId,
) -> Result<Option<DataKeyRow>, StoreError> {
    let row = source.row(FIND, params![id]).await?;
    row.as_ref().map(read).transpose()
}

/// Makes this key the active one if there is none; returns the active key, which may be another.
///
/// # Errors
/// [`StoreError::RootKeyReplaced`] when it is sealed under a root key that is not the active one.
pub async fn insert_first(tx: &mut Tx, key: &DataKeyRow) -> Result<DataKeyRow, StoreError> {
    let values = params![key.id, &key.root_key_id, &key.sealed, key.created_at];
    let _is_looked_at_below = tx.later(INSERT_ACTIVE, values);
    match active(&mut *tx).await? {
        Some(active) => Ok(active),
        // Or the winner of a race was replaced in between.
        None => Err(instance::why_absent(tx, &key.root_key_id).await),
    }
}

/// Makes this key the one that seals new secrets; the former one only opens from now on.
///
/// # Errors
/// [`StoreError::RootKeyReplaced`] when it is sealed under a root key that is not the active one.
pub async fn replace_active(tx: &mut Tx, key: &DataKeyRow) -> Result<(), StoreError> {
    let _makes_room = tx.later(DEMOTE, params![key.id]);
    insert_first(tx, key).await.map(drop)
}

/// Seals a key under another root key, if it is still sealed as it was read.
///
/// # Errors
/// [`StoreError::ForeignKey`] when the root key has no canary.
pub async fn reseal(
    tx: &mut Tx,
    before: &DataKeyRow,
    root_key_id: &str,
    sealed: &Opaque,
) -> Result<bool, StoreError> {
    let values = params![before.id, &before.sealed, root_key_id, sealed];
    Ok(tx.execute(RESEAL, values).await? == 1)
}

/// Removes a key that seals nothing and is not the active one; false when there is none.
///
/// # Errors
/// [`StoreError::ForeignKey`] while a secret is sealed under it.
pub async fn delete(tx: &mut Tx, id: DataKeyId) -> Result<bool, StoreError> {
    Ok(tx.execute(DELETE, params![id]).await? == 1)
}

/// Counts the secrets that a key seals.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn usage(mut source: impl Source, id: DataKeyId) -> Result<i64, StoreError> {
    let row = source.row(USAGE, params![id]).await?;
    row.map_or(Ok(0), |row| row.get(0))
}

fn read(row: &Row) -> Result<DataKeyRow, StoreError> {
    DataKeyRow::read(&mut Columns::of(row))
}

statements! {
    LIST = concat!("select ", data_key_columns!(), " from bosa_connector_keys k order by k.created_at, k.id");
    ACTIVE = concat!("select ", data_key_columns!(), " from bosa_connector_keys k where k.state = 'active'");
    FIND = concat!("select ", data_key_columns!(), " from bosa_connector_keys k where k.id = $1");
    INSERT_ACTIVE = "insert into bosa_connector_keys (id, root_key_id, sealed, state, created_at) \
        select $1, i.active_root_key, $3, 'active', $4 from bosa_instance i where i.active_root_key = $2 \
        on conflict (state) where state = 'active' do nothing";
    DEMOTE = "update bosa_connector_keys set state = 'retiring' where state = 'active' and id <> $1";
    RESEAL = "update bosa_connector_keys set root_key_id = $3, sealed = $4 where id = $1 and sealed = $2";
    DELETE = "delete from bosa_connector_keys where id = $1 and state = 'retiring'";
    USAGE = "select count(*) from bosa_shared_connector_settings where connector_key_id = $1";
}
