//! The secret of an OAuth client, sealed for its owner and connector.

use std::sync::Arc;

use bosa_auth_core::vault::{
    DataKey, KeyPurpose, ValueContext, ValuePurpose, open_key, open_value, seal_key, seal_value,
};
use bosa_auth_core::{ClientId, DataKeyId, Secret};
use bosa_auth_store::{ConnectorSettingsWithKey, DataKeyRow, Sealed, connector_keys};

use crate::auth::{Auth, Inner};
use crate::error::{Error, Result};
use crate::instance::root_key;
use crate::operator::open_data_key;

const LONGEST_SECRET: usize = 16 * 1024;

/// # Errors
/// `InvalidInput` when the secret is empty or too long.
pub(super) fn check_secret(secret: &Secret) -> Result<()> {
    let reason = match secret.expose() {
        "" => "is empty",
        text if text.len() > LONGEST_SECRET => "is longer than 16384 bytes",
        text if text.trim() != text || text.chars().any(char::is_control) => {
            "holds control characters, or spaces around it"
        }
        _ => return Ok(()),
    };
    Err(Error::invalid("client_secret", reason))
}

/// Opens the secret of settings that were read; `None` when they have none.
///
/// # Errors
/// `Unreadable`: it was moved, edited or truncated, or its key was.
pub(super) fn open_secret(
    auth: &Auth,
    owner: Option<ClientId>,
    found: &ConnectorSettingsWithKey,
) -> Result<Option<Secret>> {
    let unreadable = || Error::Unreadable {
        what: "the secret of a connector".to_owned(),
    };
    let Some(sealed) = &found.settings.secret else {
        return Ok(None);
    };
    let key = found.key.as_ref().ok_or_else(unreadable)?;
    let key = match owner {
        Some(client_id) => open_data_key(auth, client_id, key)?,
        None => open_connector_key(auth, key)?,
    };
    let context = ValueContext::connector_secret(owner, &found.settings.connector);
    let plain = open_value(&key, ValuePurpose::ConnectorSecret, &context, &sealed.bytes)
        .map_err(|_| unreadable())?;
    let text = std::str::from_utf8(plain.expose()).map_err(|_| unreadable())?;
    Ok(Some(Secret::from(text)))
}

/// Seals the secret of a client's own OAuth client, or of the deployment's, under an opened key.
pub(super) fn seal_secret(
    inner: &Inner,
    key: &DataKey,
    owner: Option<ClientId>,
    connector: &str,
    secret: &Secret,
) -> Result<Sealed> {
    let bytes = seal_value(
        key,
        ValuePurpose::ConnectorSecret,
        &ValueContext::connector_secret(owner, connector),
        secret.expose().as_bytes(),
        inner.entropy.as_ref(),
    )
    .map_err(Error::internal)?;
    Ok(Sealed {
        bytes: bytes.into(),
        key_id: key.id(),
    })
}

/// The key that seals new secrets of the deployment; the first one is made when it is needed.
pub(super) async fn active_connector_key(auth: &Auth) -> Result<DataKey> {
    let inner = &auth.inner;
    let row = match connector_keys::active(&inner.store).await? {
        Some(row) => row,
        None => {
            let new = Arc::new(new_connector_key(inner)?);
            inner
                .store
                .write(move |tx| {
                    let new = new.clone();
                    Box::pin(async move {
                        let active = connector_keys::insert_first(tx, &new).await?;
                        Ok::<_, Error>(active)
                    })
                })
                .await?
        }
    };
    open_connector_key(auth, &row)
}

/// Opens a key of the deployment's connector secrets.
///
/// # Errors
/// `Unreadable` when it does not open, `Configuration` when its root key is missing.
pub(crate) fn open_connector_key(auth: &Auth, row: &DataKeyRow) -> Result<DataKey> {
    let unreadable = || Error::Unreadable {
        what: "a key of connector secrets".to_owned(),
    };
    let root = root_key(&auth.inner.root_keys, &row.root_key_id)?;
    let name = row.id.to_string();
    let bytes = open_key(root, KeyPurpose::ConnectorSecretKey, &name, &row.sealed)
        .map_err(|_| unreadable())?;
    DataKey::from_bytes(row.id, &bytes).map_err(|_| unreadable())
}

/// A new key of the deployment's connector secrets, sealed under the active root key.
pub(crate) fn new_connector_key(inner: &Inner) -> Result<DataKeyRow> {
    let now = inner.clock.now();
    let id = DataKeyId::generate(now, inner.entropy.as_ref())?;
    let key = DataKey::generate(id, inner.entropy.as_ref())?;
    let sealed = seal_key(
        root_key(&inner.root_keys, &inner.active_root_key)?,
        KeyPurpose::ConnectorSecretKey,
        &id.to_string(),
        key.expose(),
        inner.entropy.as_ref(),
    )
    .map_err(Error::internal)?;
    Ok(DataKeyRow {
        id,
        root_key_id: inner.active_root_key.clone(),
        sealed: sealed.into(),
        is_active: true,
        created_at: now,
    })
}
