//! The settings of connectors that the deployment has for clients without settings of their own.

use bosa_auth_core::Timestamp;

use crate::columns::{Columns, statements};
use crate::connector_settings::{ConnectorSettingsChange, ConnectorSettingsWithKey};
use crate::data_keys::data_key_columns;
use crate::db::{Row, Tx};
use crate::error::StoreError;
use crate::params;
use crate::sealed::Sealed;
use crate::store::Source;
use crate::together::Reading;

/// Finds the deployment's settings of a connector.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn find(
    mut source: impl Source,
    connector: &str,
) -> Result<Option<ConnectorSettingsWithKey>, StoreError> {
    reading(connector).alone(&mut source).await
}

/// As [`find`], to be read together with other things.
pub fn reading(connector: &str) -> Reading<Option<ConnectorSettingsWithKey>> {
    let first = |rows: &[Row]| rows.first().map(read).transpose();
    Reading::new(FIND, params![connector], first)
}

/// Lists the deployment's settings of all connectors, in alphabetical order.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn list(mut source: impl Source) -> Result<Vec<ConnectorSettingsWithKey>, StoreError> {
    let rows = source.rows(LIST, params![]).await?;
    rows.iter().map(read).collect()
}

/// Lists the settings whose secret is sealed under a key made before `before`.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn under_keys_before(
    mut source: impl Source,
    before: Timestamp,
) -> Result<Vec<ConnectorSettingsWithKey>, StoreError> {
    let rows = source.rows(UNDER_KEYS_BEFORE, params![before]).await?;
    rows.iter().map(read).collect()
}

/// Stores the deployment's settings of a connector; false when those that were read have changed: read
/// again.
///
/// # Errors
/// [`StoreError::ForeignKey`] when there is no such key of connector secrets.
pub async fn set(
    tx: &mut Tx,
    connector: &str,
    change: &ConnectorSettingsChange,
) -> Result<bool, StoreError> {
    let Some(version) = change.version else {
        let [sealed, key] = Sealed::params(change.secret.value().flatten());
        let settings = params![connector, &change.settings, sealed, key, change.at];
        return Ok(tx.execute(INSERT, settings).await? == 1);
    };
    let mut values = params![connector, version, &change.settings, change.at];
    let statement = match change.secret.value() {
        None => UPDATE_ALL_BUT_SECRET,
        Some(secret) => {
            values.extend(Sealed::params(secret));
            UPDATE
        }
    };
    Ok(tx.execute(statement, values).await? == 1)
}

/// Removes the deployment's settings of a connector; false when there are none.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn unset(tx: &mut Tx, connector: &str) -> Result<bool, StoreError> {
    Ok(tx.execute(UNSET, params![connector]).await? == 1)
}

/// Seals the secret of a connector under another key, if it is still sealed as it was read.
///
/// # Errors
/// [`StoreError::ForeignKey`] when there is no such key of connector secrets.
pub async fn reseal(
    tx: &mut Tx,
    connector: &str,
    before: &Sealed,
    sealed: &Sealed,
) -> Result<bool, StoreError> {
    let values = params![connector, &before.bytes, &sealed.bytes, sealed.key_id];
    Ok(tx.execute(RESEAL, values).await? == 1)
}

fn read(row: &Row) -> Result<ConnectorSettingsWithKey, StoreError> {
    ConnectorSettingsWithKey::read(&mut Columns::of(row))
}

macro_rules! select_with_key {
    ($rest:literal) => {
        concat!(
            "select s.connector, s.settings, s.sealed, s.connector_key_id, s.version, s.created_at, \
             s.updated_at, ",
            data_key_columns!(),
            " from bosa_shared_connector_settings s \
             left join bosa_connector_keys k on k.id = s.connector_key_id ",
            $rest
        )
    };
}

statements! {
    FIND = select_with_key!("where s.connector = $1");
    LIST = select_with_key!("order by s.connector");
    UNDER_KEYS_BEFORE = select_with_key!("where k.created_at < $1 order by s.connector");
    INSERT = "insert into bosa_shared_connector_settings (connector, settings, sealed, connector_key_id, version, \
        created_at, updated_at) values ($1, $2, $3, $4, 1, $5, $5) on conflict (connector) do nothing";
    UPDATE_ALL_BUT_SECRET = "update bosa_shared_connector_settings set settings = $3, version = version + 1, \
        updated_at = $4 where connector = $1 and version = $2";
    UPDATE = "update bosa_shared_connector_settings set settings = $3, version = version + 1, updated_at = $4, \
        sealed = $5, connector_key_id = $6 where connector = $1 and version = $2";
    UNSET = "delete from bosa_shared_connector_settings where connector = $1";
    RESEAL = "update bosa_shared_connector_settings set sealed = $3, connector_key_id = $4 \
        where connector = $1 and sealed = $2";
}
