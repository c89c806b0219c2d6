//! The keys that seal values, and the values that they seal.

mod status;
mod verify;

use bosa_auth_core::ClientId;
use bosa_auth_core::vault::{DataKey, KeyPurpose, open_key};
use bosa_auth_store::DataKeyRow;

pub use status::VaultStatus;
pub use verify::VaultReport;

use super::data_key_name;
use crate::auth::Auth;
use crate::error::{Error, Result};
use crate::instance::root_key;

/// Opens a client's data key.
///
/// # Errors
/// `Unreadable` when it does not open, `Configuration` when its root key is missing.
pub(crate) fn open_data_key(auth: &Auth, client_id: ClientId, row: &DataKeyRow) -> Result<DataKey> {
    let unreadable = || Error::Unreadable {
        what: "a data key".to_owned(),
    };
    let root = root_key(&auth.inner.root_keys, &row.root_key_id)?;
    let name = data_key_name(client_id, row.id);
    let bytes =
        open_key(root, KeyPurpose::DataKey, &name, &row.sealed).map_err(|_| unreadable())?;
    DataKey::from_bytes(row.id, &bytes).map_err(|_| unreadable())
}
