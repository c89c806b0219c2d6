//! The secret of an OAuth client, sealed for its owner and connector.

use std::sync::Arc;

use bosa_auth_core::vault::DataKey;
use bosa_auth_core::{ClientId, Secret};
use bosa_auth_store::{ConnectorSettingsWithKey, DataKeyRow, Sealed, connector_keys};

use crate::auth::Inner;
use crate::error::{Error, Result};
use crate::vault::{Place, new_data_key, open_connector_key, open_key_of};

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
    inner: &Inner,
    owner: Option<ClientId>,
    found: &ConnectorSettingsWithKey,
) -> Result<Option<Secret>> {
    let place = Place::connector_secret(owner, &found.settings.connector);
    let Some(sealed) = &found.settings.secret else {
        return Ok(None);
    };
    let key = found.key.as_ref().ok_or_else(|| Error::Unreadable {
        what: place.name().to_owned(),
    })?;
    let key = open_key_of(inner, owner, key)?;
    place.open_text(&key, &sealed.bytes).map(Some)
}

/// Seals the secret of a client's own OAuth client, or of the deployment's, under an opened key.
pub(super) fn seal_secret(
    inner: &Inner,
    key: &DataKey,
    owner: Option<ClientId>,
    connector: &str,
    secret: &Secret,
) -> Result<Sealed> {
    let place = Place::connector_secret(owner, connector);
    place.seal_text(key, secret, inner.entropy.as_ref())
}

/// The key that seals new secrets of the deployment; the first one is made when it is needed.
pub(super) async fn active_connector_key(inner: &Inner) -> Result<DataKey> {
    let row = match connector_keys::active(&inner.store).await? {
        Some(row) => row,
        None => {
            let made = make_connector_key(inner).await;
            match inner.unless_keys_were_replaced(made).await? {
                Some(made) => made,
                None => make_connector_key(inner).await?,
            }
        }
    };
    open_connector_key(inner, &row)
}

/// Makes the first key, unless another process is faster; returns the one that is there then.
async fn make_connector_key(inner: &Inner) -> Result<DataKeyRow> {
    let root = inner.active_root_key.id();
    let (new, _) = new_data_key(inner, None, &root, inner.clock.now())?;
    let new = Arc::new(new);
    inner
        .store
        .write(move |tx| {
            let new = new.clone();
            Box::pin(async move {
                let active = connector_keys::insert_first(tx, &new).await?;
                Ok::<_, Error>(active)
            })
        })
        .await
}
