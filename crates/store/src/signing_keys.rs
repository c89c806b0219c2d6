//! Generated keys that sign access tokens.

use bosa_auth_core::Timestamp;

use crate::columns::{Columns, Opaque, statements};
use crate::db::{Row, Tx};
use crate::error::StoreError;
use crate::instance;
use crate::key_state::KeyState;
use crate::params;
use crate::store::Source;
use crate::together::Reading;

/// A sealed signing key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningKeyRow {
    /// The key's id in token headers.
    pub kid: String,
    /// The algorithm's name, for example `ES256`.
    pub algorithm: String,
    /// The root key that it is sealed under.
    pub root_key_id: String,
    /// The sealed key.
    pub sealed: Opaque,
    /// Whether new tokens are signed with it.
    pub state: KeyState,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Lists all stored signing keys, oldest first.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn list(mut source: impl Source) -> Result<Vec<SigningKeyRow>, StoreError> {
    let rows = source.rows(LIST, params![]).await?;
    rows.iter().map(read).collect()
}

/// Returns the stored key that signs, if there is one.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn active(mut source: impl Source) -> Result<Option<SigningKeyRow>, StoreError> {
    active_reading().alone(&mut source).await
}

/// As [`active`], to be read together with other things.
pub fn active_reading() -> Reading<Option<SigningKeyRow>> {
    let first = |rows: &[Row]| rows.first().map(read).transpose();
    Reading::new(ACTIVE, params![], first)
}

/// Adds a key that only verifies, so that every node knows it before it signs; false when it is
/// there already.
///
/// # Errors
/// [`StoreError::RootKeyReplaced`] when it is sealed under a root key that is not the active one.
pub async fn insert(tx: &mut Tx, key: &SigningKeyRow) -> Result<bool, StoreError> {
    let inserted = tx
        .execute(
            INSERT,
            params![
                &key.kid,
                &key.algorithm,
                &key.root_key_id,
                &key.sealed,
                key.created_at
            ],
        )
        .await?;
    if inserted == 1 {
        return Ok(true);
    }
    match tx.query_opt(EXISTS, params![&key.kid]).await? {
        Some(_) => Ok(false),
        None => Err(instance::why_absent(tx, &key.root_key_id).await),
    }
}

/// Makes a stored key the one that signs; the former one only verifies from now on. False, having
/// changed nothing, when there is no such key.
///
/// # Errors
/// [`StoreError::Busy`] when another activation was faster; the write is repeated then.
pub async fn activate(tx: &mut Tx, kid: &str) -> Result<bool, StoreError> {
    if tx.query_opt(EXISTS, params![kid]).await?.is_none() {
        return Ok(false);
    }
    tx.execute(DEMOTE, params![kid]).await?;
    match tx.execute(ACTIVATE, params![kid]).await {
        Ok(changed) => Ok(changed == 1),
        Err(StoreError::Unique { .. }) => Err(tx.run_again()),
        Err(error) => Err(error),
    }
}

/// Adds a key and makes it the one that signs; the former one only verifies from now on.
///
/// # Errors
/// [`StoreError::Busy`] when another activation was faster; the write is repeated then.
pub async fn insert_active(tx: &mut Tx, key: &SigningKeyRow) -> Result<(), StoreError> {
    insert(tx, key).await?;
    activate(tx, &key.kid).await.map(drop)
}

/// Seals a key under another root key, if it is still sealed as it was read.
///
/// # Errors
/// [`StoreError::ForeignKey`] when the root key has no canary.
pub async fn reseal(
    tx: &mut Tx,
    before: &SigningKeyRow,
    root_key_id: &str,
    sealed: &Opaque,
) -> Result<bool, StoreError> {
    let values = params![&before.kid, &before.sealed, root_key_id, sealed];
    Ok(tx.execute(RESEAL, values).await? == 1)
}

/// Makes no stored key the one that signs: the configured one does again.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn deactivate(tx: &mut Tx) -> Result<(), StoreError> {
    tx.execute(DEMOTE, params![""]).await.map(drop)
}

/// Removes a key that does not sign, which ends the tokens it signed; false when there is no such
/// key or it is the active one.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn retire(tx: &mut Tx, kid: &str) -> Result<bool, StoreError> {
    Ok(tx.execute(RETIRE, params![kid]).await? == 1)
}

fn read(row: &Row) -> Result<SigningKeyRow, StoreError> {
    let mut columns = Columns::of(row);
    Ok(SigningKeyRow {
        kid: columns.next()?,
        algorithm: columns.next()?,
        root_key_id: columns.next()?,
        sealed: columns.opaque()?,
        state: columns.text("signing key state")?,
        created_at: columns.next()?,
    })
}

statements! {
    LIST = "select kid, algorithm, root_key_id, sealed, state, created_at from bosa_signing_keys \
        order by created_at, kid";
    ACTIVE = "select kid, algorithm, root_key_id, sealed, state, created_at from bosa_signing_keys \
        where state = 'active'";
    EXISTS = "select 1 from bosa_signing_keys where kid = $1";
    INSERT = "insert into bosa_signing_keys (kid, algorithm, root_key_id, sealed, state, created_at) \
        select $1, $2, i.active_root_key, $4, 'verifying', $5 from bosa_instance i where i.active_root_key = $3 \
        on conflict (kid) do nothing";
    RESEAL = "update bosa_signing_keys set root_key_id = $3, sealed = $4 where kid = $1 and sealed = $2";
    DEMOTE = "update bosa_signing_keys set state = 'verifying' where state = 'active' and kid <> $1";
    ACTIVATE = "update bosa_signing_keys set state = 'active' where kid = $1";
    RETIRE = "delete from bosa_signing_keys where kid = $1 and state = 'verifying'";
}
