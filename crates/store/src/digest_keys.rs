//! Keys under which generated secrets are digested.

use bosa_auth_core::{DigestKeyId, Timestamp};

use crate::columns::{Columns, Opaque, statements};
use crate::db::{Row, Tx};
use crate::error::StoreError;
use crate::instance;
use crate::key_state::KeyState;
use crate::params;
use crate::store::Source;

/// A sealed digest key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestKeyRow {
    /// The key's id.
    pub id: DigestKeyId,
    /// The root key that it is sealed under.
    pub root_key_id: String,
    /// The sealed key.
    pub sealed: Opaque,
    /// Whether new digests are made with it.
    pub state: KeyState,
    /// When it was made.
    pub created_at: Timestamp,
}

/// How much depends on a digest key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DigestKeyUse {
    /// API keys that work.
    pub api_keys: i64,
    /// Users whose secret is a digest.
    pub users: i64,
    /// Connections that were begun.
    pub connect_states: i64,
    /// Accounts that wait for their code.
    pub completions: i64,
    /// Records of requests that named an idempotency key, which are kept for a day.
    pub requests: i64,
}

/// Lists all digest keys, oldest first.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn list(mut source: impl Source) -> Result<Vec<DigestKeyRow>, StoreError> {
    let rows = source.rows(LIST, params![]).await?;
    rows.iter().map(read).collect()
}

/// Finds a digest key.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn find(
    mut source: impl Source,
    id: DigestKeyId,
) -> Result<Option<DigestKeyRow>, StoreError> {
    let row = source.row(FIND, params![id]).await?;
    row.as_ref().map(read).transpose()
}

/// Makes this key the active one if there is none; returns the active key, which may be another.
///
/// # Errors
/// [`StoreError::RootKeyReplaced`] when it is sealed under a root key that is not the active one.
pub async fn insert_first(tx: &mut Tx, key: &DigestKeyRow) -> Result<DigestKeyRow, StoreError> {
    tx.execute(
        INSERT_FIRST,
        params![key.id, &key.root_key_id, &key.sealed, key.created_at],
    )
    .await?;
    let row = tx.query_opt(ACTIVE, params![]).await?;
    match row {
        Some(row) => read(&row),
        // Or the winner of a race was replaced in between.
        None => Err(instance::why_absent(tx, &key.root_key_id).await),
    }
}

/// Makes this key the active one in the place of `former`, which only verifies from now on; false when
/// another one is active by now.
///
/// # Errors
/// [`StoreError::RootKeyReplaced`] when it is sealed under a root key that is not the active one.
pub async fn replace_active(
    tx: &mut Tx,
    former: DigestKeyId,
    key: &DigestKeyRow,
) -> Result<bool, StoreError> {
    if tx.execute(DEMOTE, params![former]).await? == 0 {
        return Ok(false);
    }
    Ok(insert_first(tx, key).await?.id == key.id)
}

/// Seals a key under another root key, if it is still sealed as it was read.
///
/// # Errors
/// [`StoreError::ForeignKey`] when the root key has no canary.
pub async fn reseal(
    tx: &mut Tx,
    before: &DigestKeyRow,
    root_key_id: &str,
    sealed: &Opaque,
) -> Result<bool, StoreError> {
    let values = params![before.id, &before.sealed, root_key_id, sealed];
    Ok(tx.execute(RESEAL, values).await? == 1)
}

/// Removes a digest key that nothing depends on; false when there is none or it is the active one.
///
/// # Errors
/// [`StoreError::ForeignKey`] while a credential depends on it.
pub async fn delete(tx: &mut Tx, id: DigestKeyId) -> Result<bool, StoreError> {
    Ok(tx.execute(DELETE, params![id]).await? == 1)
}

/// Counts what depends on a digest key at `at`. Clients that are being deleted do not count.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn usage(
    mut source: impl Source,
    id: DigestKeyId,
    at: Timestamp,
) -> Result<DigestKeyUse, StoreError> {
    let Some(row) = source.row(USAGE, params![id, at]).await? else {
        return Ok(DigestKeyUse::default());
    };
    let mut columns = Columns::of(&row);
    Ok(DigestKeyUse {
        api_keys: columns.next()?,
        users: columns.next()?,
        connect_states: columns.next()?,
        completions: columns.next()?,
        requests: columns.next()?,
    })
}

fn read(row: &Row) -> Result<DigestKeyRow, StoreError> {
    let mut columns = Columns::of(row);
    Ok(DigestKeyRow {
        id: columns.next()?,
        root_key_id: columns.next()?,
        sealed: columns.opaque()?,
        state: columns.text("digest key state")?,
        created_at: columns.next()?,
    })
}

statements! {
    LIST = "select id, root_key_id, sealed, state, created_at from bosa_digest_keys order by created_at, id";
    FIND = "select id, root_key_id, sealed, state, created_at from bosa_digest_keys where id = $1";
    ACTIVE = "select id, root_key_id, sealed, state, created_at from bosa_digest_keys where state = 'active'";
    INSERT_FIRST = "insert into bosa_digest_keys (id, root_key_id, sealed, state, created_at) \
        select $1, i.active_root_key, $3, 'active', $4 from bosa_instance i where i.active_root_key = $2 \
        on conflict (state) where state = 'active' do nothing";
    RESEAL = "update bosa_digest_keys set root_key_id = $3, sealed = $4 where id = $1 and sealed = $2";
    DEMOTE = "update bosa_digest_keys set state = 'verifying' where state = 'active' and id = $1";
    DELETE = "delete from bosa_digest_keys where id = $1 and state = 'verifying'";
    USAGE = "select \
        (select count(*) from bosa_api_keys k join bosa_clients c on c.id = k.client_id \
        where k.digest_key_id = $1 and k.revoked_at is null \
        and (k.expires_at is null or k.expires_at > $2) and c.state <> 'deleting'), \
        (select count(*) from bosa_users u join bosa_clients c on c.id = u.client_id \
        where u.digest_key_id = $1 and c.state <> 'deleting'), \
        (select count(*) from bosa_connect_states where digest_key_id = $1), \
        (select count(*) from bosa_integration_grants where completion_digest_key_id = $1), \
        (select count(*) from bosa_idempotency where digest_key_id = $1)";
}
