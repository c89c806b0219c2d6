//! What the operator does: clients, their API keys, and the vault.

mod api_keys;
mod clients;
mod vault;

use api_keys::new_api_key;
use clients::data_key_name;
pub(crate) use clients::model as client_model;
pub(crate) use vault::open_data_key;
pub use vault::{DigestKeyInfo, RootKeyInfo, VaultReport, VaultStatus};
