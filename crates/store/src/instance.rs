//! The row that says what this database is.

use bosa_auth_core::{InstanceId, Timestamp};
use uuid::Uuid;

use crate::changes;
use crate::columns::{Columns, Opaque, statements};
use crate::db::{Entry, Tx};
use crate::error::StoreError;
use crate::params;
use crate::store::Source;

/// Whether this database may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum InstanceState {
    /// In use.
    Open,
    /// Closed for good: everything lives on in another database.
    Moved,
}

impl InstanceState {
    /// Returns the state's fixed text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Moved => "moved",
        }
    }
}

impl std::str::FromStr for InstanceState {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "open" => Ok(Self::Open),
            "moved" => Ok(Self::Moved),
            _ => Err(()),
        }
    }
}

/// What this database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceRow {
    /// The instance's id; a restored backup has another one.
    pub id: InstanceId,
    /// The `iss` of its tokens.
    pub issuer: String,
    /// Whether it may be used.
    pub state: InstanceState,
    /// The root key that seals new keys.
    pub active_root_key: String,
    /// Where it went, when it was moved.
    pub moved_to: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Reads the instance; `None` in a database that has only its schema.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn load(mut source: impl Source) -> Result<Option<InstanceRow>, StoreError> {
    let row = source.row(LOAD, params![]).await?;
    row.map(|row| {
        let mut columns = Columns::of(&row);
        Ok(InstanceRow {
            id: columns.next()?,
            issuer: columns.next()?,
            state: columns.text("instance state")?,
            active_root_key: columns.next()?,
            moved_to: columns.next()?,
            created_at: columns.next()?,
        })
    })
    .transpose()
}

/// Makes the instance with the canary of its root key and the head of its change feed.
///
/// Returns false, having changed nothing, when there is an instance already.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn create(
    tx: &mut Tx,
    instance: &InstanceRow,
    canary: &Opaque,
    feed_mark: Uuid,
) -> Result<bool, StoreError> {
    if load(&mut *tx).await?.is_some() {
        return Ok(false);
    }
    crate::root_keys::insert_canary(tx, &instance.active_root_key, canary, instance.created_at)
        .await?;
    let inserted = tx
        .execute(
            CREATE,
            params![
                instance.id,
                &instance.issuer,
                instance.state.as_str(),
                &instance.active_root_key,
                instance.moved_to.as_deref(),
                instance.created_at
            ],
        )
        .await?;
    if inserted == 0 {
        // Another process was faster: what this one has written must not stay.
        return Err(tx.run_again());
    }
    changes::begin(tx, feed_mark, instance.created_at).await?;
    Ok(true)
}

/// Opens or closes the instance; `moved_to` says where it went.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn set_state(
    tx: &mut Tx,
    state: InstanceState,
    moved_to: Option<&str>,
) -> Result<(), StoreError> {
    tx.execute(SET_STATE, params![state.as_str(), moved_to])
        .await?;
    Ok(())
}

/// Names the root key that seals new keys, in the place of the one that did; its canary must be there.
/// False when another one does by now.
///
/// # Errors
/// [`StoreError::ForeignKey`] when the key has no canary.
pub async fn set_active_root_key(
    tx: &mut Tx,
    former: &str,
    root_key_id: &str,
) -> Result<bool, StoreError> {
    let changed = tx.execute(SET_ACTIVE_ROOT_KEY, params![former, root_key_id]);
    Ok(changed.await? == 1)
}

/// Why a key that was to be stored is not there: another transaction was faster, or the root key that
/// it is sealed under is not the active one any more.
pub(crate) async fn why_absent(tx: &mut Tx, root_key_id: &str) -> StoreError {
    match tx.query_opt(IS_ACTIVE_ROOT_KEY, params![root_key_id]).await {
        Ok(Some(_)) => tx.run_again(),
        Ok(None) => StoreError::RootKeyReplaced,
        Err(error) => error,
    }
}

/// Behind the lock, looks whether the instance is open; a database with only its schema is.
pub(crate) fn entry(lock: &'static str, key: i64) -> Entry {
    Entry {
        lock,
        key,
        look: STATE,
        check: |rows| {
            let Some(row) = rows.first() else {
                return Ok(());
            };
            match Columns::of(row).text("instance state")? {
                InstanceState::Open => Ok(()),
                InstanceState::Moved => Err(StoreError::Moved),
            }
        },
    }
}

statements! {
    LOAD = "select id, issuer, state, active_root_key, moved_to, created_at from bosa_instance";
    STATE = "select state from bosa_instance";
    CREATE = "insert into bosa_instance (singleton, id, issuer, state, active_root_key, moved_to, created_at) \
        values (1, $1, $2, $3, $4, $5, $6) on conflict (singleton) do nothing";
    SET_STATE = "update bosa_instance set state = $1, moved_to = $2";
    SET_ACTIVE_ROOT_KEY = "update bosa_instance set active_root_key = $2 where active_root_key = $1";
    IS_ACTIVE_ROOT_KEY = "select 1 from bosa_instance where active_root_key = $1";
}
