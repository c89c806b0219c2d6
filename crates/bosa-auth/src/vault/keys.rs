//! Data keys of clients, and the keys of the deployment's own connector secrets, under a root key.

use bosa_auth_core::vault::{DataKey, KeyPurpose, RootKey, open_key, seal_key};
use bosa_auth_core::{ClientId, DataKeyId, Entropy, Timestamp};
use bosa_auth_store::{DataKeyRow, Opaque};

use crate::auth::Inner;
use crate::error::{Error, Result};
use crate::instance::root_key;

/// Makes a key, sealed under a root key of this id: of a client, or without an owner of the
/// deployment.
///
/// # Errors
/// `Configuration`: this process does not have the root key.
pub(crate) fn new_data_key(
    inner: &Inner,
    owner: Option<ClientId>,
    root_key_id: &str,
    at: Timestamp,
) -> Result<(DataKeyRow, DataKey)> {
    let entropy = inner.entropy.as_ref();
    let key = DataKey::generate(DataKeyId::generate(at, entropy)?, entropy)?;
    let row = DataKeyRow {
        id: key.id(),
        root_key_id: root_key_id.to_owned(),
        sealed: seal_data_key(
            root_key(&inner.root_keys, root_key_id)?,
            owner,
            &key,
            entropy,
        )?,
        is_active: true,
        created_at: at,
    };
    Ok((row, key))
}

/// Seals a key of a client, or of the deployment, under a root key.
///
/// # Errors
/// `Internal`: there is no randomness.
pub(crate) fn seal_data_key(
    root: &RootKey,
    owner: Option<ClientId>,
    key: &DataKey,
    entropy: &dyn Entropy,
) -> Result<Opaque> {
    let (purpose, name) = place(owner, key.id());
    seal_key(root, purpose, &name, key.expose(), entropy)
        .map(Into::into)
        .map_err(Error::internal)
}

/// Opens a client's data key.
///
/// # Errors
/// `Unreadable` when it does not open, `Configuration` when its root key is missing.
pub(crate) fn open_data_key(
    inner: &Inner,
    client_id: ClientId,
    row: &DataKeyRow,
) -> Result<DataKey> {
    open_key_of(inner, Some(client_id), row)
}

/// Opens a key of the deployment's connector secrets.
///
/// # Errors
/// As [`open_data_key`].
pub(crate) fn open_connector_key(inner: &Inner, row: &DataKeyRow) -> Result<DataKey> {
    open_key_of(inner, None, row)
}

/// Opens a key of a client, or without an owner of the deployment.
///
/// # Errors
/// As [`open_data_key`].
pub(crate) fn open_key_of(
    inner: &Inner,
    owner: Option<ClientId>,
    row: &DataKeyRow,
) -> Result<DataKey> {
    let unreadable = || Error::Unreadable {
        what: match owner {
            Some(_) => "a data key".to_owned(),
            None => "a key of connector secrets".to_owned(),
        },
    };
    let root = root_key(&inner.root_keys, &row.root_key_id)?;
    let (purpose, name) = place(owner, row.id);
    let bytes = open_key(root, purpose, &name, &row.sealed).map_err(|_| unreadable())?;
    DataKey::from_bytes(row.id, &bytes).map_err(|_| unreadable())
}

/// The name of a key of a client, or of the deployment, for people.
pub(crate) fn key_name(owner: Option<ClientId>, id: DataKeyId) -> String {
    match owner {
        Some(client) => format!("data key {id}, client {client}"),
        None => format!("connector key {id}"),
    }
}

/// What a key is sealed for: it opens for its own client only.
fn place(owner: Option<ClientId>, id: DataKeyId) -> (KeyPurpose, String) {
    match owner {
        Some(client) => (KeyPurpose::DataKey, format!("{client}/{id}")),
        None => (KeyPurpose::ConnectorSecretKey, id.to_string()),
    }
}
