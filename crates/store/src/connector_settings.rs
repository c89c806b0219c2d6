//! The settings of connectors, of each client.

use bosa_auth_core::Timestamp;

use crate::client_tx::ClientScope;
use crate::columns::{Columns, statements};
use crate::data_keys::{DataKeyRow, data_key_columns};
use crate::db::{Row, Tx};
use crate::error::StoreError;
use crate::params;
use crate::sealed::{Sealed, SealedChange};
use crate::store::Source;
use crate::together::Reading;

/// The settings of a connector, of a client or of the deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectorSettingsRow {
    /// The connector.
    pub connector: String,
    /// All but the secret, as JSON text.
    pub settings: String,
    /// The OAuth client secret, if there is one.
    pub secret: Option<Sealed>,
    /// Raised with every change, which sealing the same secret under another key is not.
    pub version: i64,
    /// When they were first stored.
    pub created_at: Timestamp,
    /// When they were last changed.
    pub updated_at: Timestamp,
}

/// Settings with the sealed key that opens their secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectorSettingsWithKey {
    /// The settings.
    pub settings: ConnectorSettingsRow,
    /// The key of their secret, if they have one.
    pub key: Option<DataKeyRow>,
}

/// Settings from now on, on condition that those that were read are still there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectorSettingsChange {
    /// The version that was read; `None` when there were none.
    pub version: Option<i64>,
    /// All but the secret, as JSON text.
    pub settings: String,
    /// What becomes of the secret.
    pub secret: SealedChange,
    /// When.
    pub at: Timestamp,
}

impl<S: Source> ClientScope<S> {
    /// Finds the client's own settings of a connector.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses or cannot be reached.
    pub async fn connector_settings(
        &mut self,
        connector: &str,
    ) -> Result<Option<ConnectorSettingsWithKey>, StoreError> {
        self.connector_settings_reading(connector)
            .alone(&mut self.source)
            .await
    }

    /// As [`connector_settings`](Self::connector_settings), to be read together with other things.
    pub fn connector_settings_reading(
        &self,
        connector: &str,
    ) -> Reading<Option<ConnectorSettingsWithKey>> {
        Reading::new(FIND, params![self.client_id, connector], read_first)
    }

    /// Lists the client's own settings of all connectors, in alphabetical order.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses or cannot be reached.
    pub async fn all_connector_settings(
        &mut self,
    ) -> Result<Vec<ConnectorSettingsWithKey>, StoreError> {
        let rows = self.source.rows(LIST, params![self.client_id]).await?;
        rows.iter().map(read).collect()
    }

    /// Lists the client's settings whose secret is sealed under a key made before `before`.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses or cannot be reached.
    pub async fn connector_settings_under_keys_before(
        &mut self,
        before: Timestamp,
    ) -> Result<Vec<ConnectorSettingsWithKey>, StoreError> {
        let old = params![self.client_id, before];
        let rows = self.source.rows(UNDER_KEYS_BEFORE, old).await?;
        rows.iter().map(read).collect()
    }
}

impl ClientScope<&mut Tx> {
    /// Stores the client's own settings of a connector; false when those that were read have changed,
    /// or the client is being deleted: read again.
    ///
    /// # Errors
    /// [`StoreError::ForeignKey`] when the client has no such data key.
    pub async fn set_connector_settings(
        &mut self,
        connector: &str,
        change: &ConnectorSettingsChange,
    ) -> Result<bool, StoreError> {
        let Some(version) = change.version else {
            let [sealed, key] = Sealed::params(change.secret.value().flatten());
            let client = self.client_id;
            let settings = params![client, connector, &change.settings, sealed, key, change.at];
            return Ok(self.source.execute(INSERT, settings).await? == 1);
        };
        let mut values = params![
            self.client_id,
            connector,
            version,
            &change.settings,
            change.at
        ];
        let statement = match change.secret.value() {
            None => UPDATE_ALL_BUT_SECRET,
            Some(secret) => {
                values.extend(Sealed::params(secret));
                UPDATE
            }
        };
        Ok(self.source.execute(statement, values).await? == 1)
    }

    /// Removes the client's own settings of a connector; false when there are none.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses or cannot be reached.
    pub async fn unset_connector_settings(&mut self, connector: &str) -> Result<bool, StoreError> {
        let settings = params![self.client_id, connector];
        Ok(self.source.execute(UNSET, settings).await? == 1)
    }

    /// Seals the secret of a connector under another key, if it is still sealed as it was read.
    ///
    /// # Errors
    /// [`StoreError::ForeignKey`] when the client has no such data key.
    pub async fn reseal_connector_secret(
        &mut self,
        connector: &str,
        before: &Sealed,
        sealed: &Sealed,
    ) -> Result<bool, StoreError> {
        let values = params![
            self.client_id,
            connector,
            &before.bytes,
            &sealed.bytes,
            sealed.key_id
        ];
        Ok(self.source.execute(RESEAL, values).await? == 1)
    }
}

impl ConnectorSettingsWithKey {
    pub(crate) fn read(columns: &mut Columns<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            settings: ConnectorSettingsRow {
                connector: columns.next()?,
                settings: columns.next()?,
                secret: Sealed::read(columns)?,
                version: columns.next()?,
                created_at: columns.next()?,
                updated_at: columns.next()?,
            },
            key: columns.joined(DataKeyRow::COLUMNS, DataKeyRow::read)?,
        })
    }
}

fn read(row: &Row) -> Result<ConnectorSettingsWithKey, StoreError> {
    ConnectorSettingsWithKey::read(&mut Columns::of(row))
}

fn read_first(rows: &[Row]) -> Result<Option<ConnectorSettingsWithKey>, StoreError> {
    rows.first().map(read).transpose()
}

macro_rules! select_with_key {
    ($rest:literal) => {
        concat!(
            "select s.connector, s.settings, s.sealed, s.data_key_id, s.version, s.created_at, s.updated_at, ",
            data_key_columns!(),
            " from bosa_connector_settings s \
             left join bosa_data_keys k on k.client_id = s.client_id and k.id = s.data_key_id \
             where s.client_id = $1",
            $rest
        )
    };
}

statements! {
    FIND = select_with_key!(" and s.connector = $2");
    LIST = select_with_key!(" order by s.connector");
    UNDER_KEYS_BEFORE = select_with_key!(" and k.created_at < $2 order by s.connector");
    INSERT = "insert into bosa_connector_settings (client_id, connector, settings, sealed, data_key_id, version, \
        created_at, updated_at) \
        select c.id, $2, $3, $4, $5, 1, $6, $6 from bosa_clients c where c.id = $1 and c.state <> 'deleting' \
        on conflict (client_id, connector) do nothing";
    UPDATE_ALL_BUT_SECRET = "update bosa_connector_settings set settings = $4, version = version + 1, \
        updated_at = $5 where client_id = $1 and connector = $2 and version = $3";
    UPDATE = "update bosa_connector_settings set settings = $4, version = version + 1, updated_at = $5, \
        sealed = $6, data_key_id = $7 where client_id = $1 and connector = $2 and version = $3";
    UNSET = "delete from bosa_connector_settings where client_id = $1 and connector = $2";
    RESEAL = "update bosa_connector_settings set sealed = $4, data_key_id = $5 \
        where client_id = $1 and connector = $2 and sealed = $3";
}
