//! Keys that seal the values of one client.

use bosa_auth_core::{ClientId, DataKeyId, Timestamp};
use uuid::Uuid;

use crate::client_tx::ClientScope;
use crate::columns::{Columns, Opaque, statements};
use crate::db::{Later, Row, Tx};
use crate::error::StoreError;
use crate::instance;
use crate::params;
use crate::store::Source;
use crate::together::Reading;

/// How many values a data key seals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DataKeyUse {
    /// What accounts authenticate with.
    pub integrations: i64,
    /// Refresh tokens of accounts.
    pub refresh_tokens: i64,
    /// OAuth client secrets of the client's connectors.
    pub connector_secrets: i64,
    /// Code verifiers of connections that were begun.
    pub code_verifiers: i64,
}

/// A sealed data key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataKeyRow {
    /// The key's id.
    pub id: DataKeyId,
    /// The root key that it is sealed under.
    pub root_key_id: String,
    /// The sealed key.
    pub sealed: Opaque,
    /// False once a newer key seals new values.
    pub is_active: bool,
    /// When it was made.
    pub created_at: Timestamp,
}

impl<S: Source> ClientScope<S> {
    /// Returns the key that seals new values.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses or cannot be reached.
    pub async fn active_data_key(&mut self) -> Result<Option<DataKeyRow>, StoreError> {
        self.active_data_key_reading().alone(&mut self.source).await
    }

    /// As [`active_data_key`](Self::active_data_key), to be read together with other things.
    pub fn active_data_key_reading(&self) -> Reading<Option<DataKeyRow>> {
        let first = |rows: &[Row]| rows.first().map(read).transpose();
        Reading::new(ACTIVE, params![self.client_id], first)
    }

    /// Finds a data key of the client.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses or cannot be reached.
    pub async fn data_key(&mut self, id: DataKeyId) -> Result<Option<DataKeyRow>, StoreError> {
        let row = self.source.row(FIND, params![self.client_id, id]).await?;
        row.as_ref().map(read).transpose()
    }

    /// Lists the client's data keys, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses or cannot be reached.
    pub async fn data_keys(&mut self) -> Result<Vec<DataKeyRow>, StoreError> {
        let rows = self.source.rows(LIST, params![self.client_id]).await?;
        rows.iter().map(read).collect()
    }

    /// Counts what a data key of the client seals.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses or cannot be reached.
    pub async fn data_key_usage(&mut self, id: DataKeyId) -> Result<DataKeyUse, StoreError> {
        let Some(row) = self.source.row(USAGE, params![self.client_id, id]).await? else {
            return Ok(DataKeyUse::default());
        };
        let mut columns = Columns::of(&row);
        Ok(DataKeyUse {
            integrations: columns.next()?,
            refresh_tokens: columns.next()?,
            connector_secrets: columns.next()?,
            code_verifiers: columns.next()?,
        })
    }
}

impl ClientScope<&mut Tx> {
    /// Makes this key the active one if there is none; returns the active key, which may be another.
    ///
    /// # Errors
    /// [`StoreError::RootKeyReplaced`] when it is sealed under a root key that is not the active one.
    pub async fn insert_first_data_key(
        &mut self,
        key: &DataKeyRow,
    ) -> Result<DataKeyRow, StoreError> {
        let _is_looked_at_below = self.insert_data_key_later(key);
        match self.active_data_key().await? {
            Some(active) => Ok(active),
            // Or the winner of a race was replaced in between.
            None => Err(instance::why_absent(self.source, &key.root_key_id).await),
        }
    }

    /// Makes this key the active one if there is none, with the next statement. No row changed means
    /// that there is one, or that it is sealed under a root key that is not the active one any more.
    pub fn insert_data_key_later(&mut self, key: &DataKeyRow) -> Later {
        let values = params![
            self.client_id,
            key.id,
            &key.root_key_id,
            &key.sealed,
            key.created_at
        ];
        self.source.later(INSERT_ACTIVE, values)
    }

    /// Keeps the deletion of the client from beginning before this transaction ends; false when it
    /// has begun.
    ///
    /// The deletion overwrites the keys that it finds, so that one made beside it would be left.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses or cannot be reached.
    pub async fn hold_client(&mut self) -> Result<bool, StoreError> {
        Ok(self.source.execute(HOLD, params![self.client_id]).await? == 1)
    }

    /// Makes this key the one that seals new values; the former one only opens from now on.
    ///
    /// # Errors
    /// [`StoreError::RootKeyReplaced`] when it is sealed under a root key that is not the active one.
    pub async fn replace_data_key(&mut self, key: &DataKeyRow) -> Result<(), StoreError> {
        let demote = params![self.client_id, key.id];
        let _makes_room = self.source.later(DEMOTE, demote);
        self.insert_first_data_key(key).await.map(drop)
    }

    /// Overwrites the sealed bytes of all data keys of the client; returns how many.
    ///
    /// # Security
    /// Cannot be undone: no value of the client can be opened afterwards.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses or cannot be reached.
    pub async fn wipe_data_keys(&mut self, with: &[u8]) -> Result<u64, StoreError> {
        self.source
            .execute(WIPE, params![self.client_id, with])
            .await
    }

    /// Seals a data key under another root key, if it is still sealed as it was read.
    ///
    /// # Errors
    /// [`StoreError::ForeignKey`] when the root key has no canary.
    pub async fn reseal_data_key(
        &mut self,
        before: &DataKeyRow,
        root_key_id: &str,
        sealed: &Opaque,
    ) -> Result<bool, StoreError> {
        let changed = self
            .source
            .execute(
                RESEAL,
                params![
                    self.client_id,
                    before.id,
                    &before.sealed,
                    root_key_id,
                    sealed
                ],
            )
            .await?;
        Ok(changed == 1)
    }

    /// Removes a data key that seals nothing and is not the active one; false when there is none.
    ///
    /// # Errors
    /// [`StoreError::ForeignKey`] while a value is sealed under it.
    pub async fn delete_data_key(&mut self, id: DataKeyId) -> Result<bool, StoreError> {
        Ok(self
            .source
            .execute(DELETE, params![self.client_id, id])
            .await?
            == 1)
    }
}

/// The data keys of all clients that are not being deleted, by their age.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DataKeyAges {
    /// How many there are.
    pub count: i64,
    /// How many of them seal new values.
    pub active: i64,
    /// How many were made before the first of the given times.
    pub before_first: i64,
    /// How many were made before the second one.
    pub before_second: i64,
    /// How many were made before the third one.
    pub before_third: i64,
    /// When the oldest was made.
    pub oldest: Option<Timestamp>,
}

/// Counts the data keys of all clients that are not being deleted, by three ages; reads all of them.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn ages(
    mut source: impl Source,
    [first, second, third]: [Timestamp; 3],
) -> Result<DataKeyAges, StoreError> {
    let Some(row) = source.row(AGES, params![first, second, third]).await? else {
        return Ok(DataKeyAges::default());
    };
    let mut columns = Columns::of(&row);
    Ok(DataKeyAges {
        count: columns.next()?,
        active: columns.next()?,
        before_first: columns.next()?,
        before_second: columns.next()?,
        before_third: columns.next()?,
        oldest: columns.next()?,
    })
}

/// Lists the clients whose data keys are sealed under a root key.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn clients_under(
    mut source: impl Source,
    root_key_id: &str,
) -> Result<Vec<ClientId>, StoreError> {
    let rows = source.rows(CLIENTS_UNDER, params![root_key_id]).await?;
    rows.iter().map(|row| row.get(0)).collect()
}

/// Lists clients, other than those being deleted, that have data keys made before `before`, in the
/// order of their ids, from the first one or after one.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn clients_with_keys_before(
    mut source: impl Source,
    before: Timestamp,
    after: Option<ClientId>,
    limit: u32,
) -> Result<Vec<ClientId>, StoreError> {
    let after = after.map_or(Uuid::nil(), Into::into);
    let rows = source
        .rows(CLIENTS_BEFORE, params![before, after, limit])
        .await?;
    rows.iter().map(|row| row.get(0)).collect()
}

impl DataKeyRow {
    /// How many columns [`read`](Self::read) takes.
    pub(crate) const COLUMNS: usize = 5;

    pub(crate) fn read(columns: &mut Columns<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            id: columns.next()?,
            root_key_id: columns.next()?,
            sealed: columns.opaque()?,
            is_active: columns.next::<String>()? == "active",
            created_at: columns.next()?,
        })
    }
}

fn read(row: &Row) -> Result<DataKeyRow, StoreError> {
    DataKeyRow::read(&mut Columns::of(row))
}

/// The columns of a data key, each after `$of`, which is `k.` unless it is said.
macro_rules! data_key_columns {
    () => {
        data_key_columns!("k.")
    };
    ($of:literal) => {
        concat!(
            $of,
            "id, ",
            $of,
            "root_key_id, ",
            $of,
            "sealed, ",
            $of,
            "state, ",
            $of,
            "created_at"
        )
    };
}

pub(crate) use data_key_columns;

statements! {
    ACTIVE = concat!("select ", data_key_columns!(), " from bosa_data_keys k \
        where k.client_id = $1 and k.state = 'active'");
    FIND = concat!("select ", data_key_columns!(), " from bosa_data_keys k \
        where k.client_id = $1 and k.id = $2");
    LIST = concat!("select ", data_key_columns!(), " from bosa_data_keys k \
        where k.client_id = $1 order by k.created_at, k.id");
    INSERT_ACTIVE = "insert into bosa_data_keys (client_id, id, root_key_id, sealed, state, created_at) \
        select $1, $2, i.active_root_key, $4, 'active', $5 from bosa_instance i where i.active_root_key = $3 \
        on conflict (client_id) where state = 'active' do nothing";
    HOLD = "update bosa_clients set state = state where id = $1 and state <> 'deleting'";
    DEMOTE = "update bosa_data_keys set state = 'retiring' \
        where client_id = $1 and state = 'active' and id <> $2";
    WIPE = "update bosa_data_keys set sealed = $2 where client_id = $1";
    RESEAL = "update bosa_data_keys set root_key_id = $4, sealed = $5 \
        where client_id = $1 and id = $2 and sealed = $3";
    DELETE = "delete from bosa_data_keys where client_id = $1 and id = $2 and state = 'retiring'";
    USAGE = "select \
        (select count(*) from bosa_integrations where client_id = $1 and data_key_id = $2), \
        (select count(*) from bosa_integration_grants where client_id = $1 and data_key_id = $2), \
        (select count(*) from bosa_connector_settings where client_id = $1 and data_key_id = $2), \
        (select count(*) from bosa_connect_states where client_id = $1 and data_key_id = $2)";
    CLIENTS_BEFORE = "select c.id from bosa_clients c where c.id > $2 and c.state <> 'deleting' \
        and exists (select 1 from bosa_data_keys k where k.client_id = c.id and k.created_at < $1) \
        order by c.id limit $3";
    AGES = "select count(*), count(case when k.state = 'active' then 1 end), \
        count(case when k.created_at < $1 then 1 end), count(case when k.created_at < $2 then 1 end), \
        count(case when k.created_at < $3 then 1 end), min(k.created_at) \
        from bosa_data_keys k join bosa_clients c on c.id = k.client_id where c.state <> 'deleting'";
    CLIENTS_UNDER = "select distinct client_id from bosa_data_keys where root_key_id = $1 order by client_id";
}
