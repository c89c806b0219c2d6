//! The canaries of root keys, and what each root key seals.

use bosa_auth_core::Timestamp;

use crate::columns::{Columns, Opaque, statements};
use crate::db::Tx;
use crate::error::StoreError;
use crate::params;
use crate::store::Source;

/// A sealed constant that only the right root key opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanaryRow {
    /// The root key's id.
    pub root_key_id: String,
    /// The sealed constant.
    pub sealed: Opaque,
    /// When the key was first used here.
    pub created_at: Timestamp,
}

/// How many keys a root key seals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RootKeyUse {
    /// Digest keys.
    pub digest_keys: i64,
    /// Data keys of clients.
    pub data_keys: i64,
    /// Generated signing keys.
    pub signing_keys: i64,
    /// Keys of the deployment's connector secrets.
    pub connector_keys: i64,
}

/// Lists all canaries, by the id of their root key.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn canaries(mut source: impl Source) -> Result<Vec<CanaryRow>, StoreError> {
    let rows = source.rows(CANARIES, params![]).await?;
    rows.iter()
        .map(|row| {
            let mut columns = Columns::of(row);
            Ok(CanaryRow {
                root_key_id: columns.next()?,
                sealed: columns.opaque()?,
                created_at: columns.next()?,
            })
        })
        .collect()
}

/// Adds the canary of a root key; false when that key has one already.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn insert_canary(
    tx: &mut Tx,
    root_key_id: &str,
    sealed: &Opaque,
    created_at: Timestamp,
) -> Result<bool, StoreError> {
    let inserted = tx
        .execute(INSERT_CANARY, params![root_key_id, sealed, created_at])
        .await?;
    Ok(inserted == 1)
}

/// Removes the canary of a root key that seals nothing; false when there is none.
///
/// # Errors
/// [`StoreError::ForeignKey`] while something is sealed under the key or it is the active one.
pub async fn delete_canary(tx: &mut Tx, root_key_id: &str) -> Result<bool, StoreError> {
    Ok(tx.execute(DELETE_CANARY, params![root_key_id]).await? == 1)
}

/// Counts what a root key seals.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn usage(mut source: impl Source, root_key_id: &str) -> Result<RootKeyUse, StoreError> {
    let Some(row) = source.row(USAGE, params![root_key_id]).await? else {
        return Ok(RootKeyUse::default());
    };
    let mut columns = Columns::of(&row);
    Ok(RootKeyUse {
        digest_keys: columns.next()?,
        data_keys: columns.next()?,
        signing_keys: columns.next()?,
        connector_keys: columns.next()?,
    })
}

statements! {
    CANARIES = "select id, sealed, created_at from bosa_root_key_canaries order by id";
    INSERT_CANARY = "insert into bosa_root_key_canaries (id, sealed, created_at) values ($1, $2, $3) \
        on conflict (id) do nothing";
    DELETE_CANARY = "delete from bosa_root_key_canaries where id = $1";
    USAGE = "select \
        (select count(*) from bosa_digest_keys where root_key_id = $1), \
        (select count(*) from bosa_data_keys where root_key_id = $1), \
        (select count(*) from bosa_signing_keys where root_key_id = $1), \
        (select count(*) from bosa_connector_keys where root_key_id = $1)";
}
