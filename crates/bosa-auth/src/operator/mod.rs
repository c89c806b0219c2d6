//! What the operator does: clients, their API keys, and the vault.

mod api_keys;
mod clients;
mod digest_keys;
mod root_keys;
mod vault;

use api_keys::new_api_key;
pub(crate) use clients::model as client_model;
pub use digest_keys::{DependentCredential, DigestKeyInfo, EndedCredentials, RetireDigestKey};
pub use root_keys::{RewrappedKeys, RootKeyInfo};
pub use vault::{
    ConnectorKeyInfo, DataKeyAges, RekeyEnd, RekeyOptions, RekeyProgress, RekeyReport, RekeyStatus,
    VaultCounts, VaultReport, VaultStatus, WrapReport,
};

fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}
