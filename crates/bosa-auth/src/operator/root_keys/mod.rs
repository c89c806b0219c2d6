//! The root keys, which lie outside the database and seal every key in it.

mod activate;
mod file;
mod retire;
mod rewrap;

use bosa_auth_core::Timestamp;
use bosa_auth_core::vault::RootKeyId;
use bosa_auth_store::root_keys;

use super::count;
use crate::error::{Error, Result};
use crate::instance::root_key;
use crate::principal::Operator;

pub use rewrap::RewrappedKeys;

/// A root key as it is listed.
#[derive(Debug, Clone)]
pub struct RootKeyInfo {
    /// The key's id.
    pub id: String,
    /// Whether new keys are sealed under it.
    pub is_active: bool,
    /// Whether this process has it.
    pub is_present: bool,
    /// How many digest keys, data keys, signing keys and keys of connector secrets it seals.
    pub seals: u64,
    /// When it was first used here.
    pub created_at: Timestamp,
}

impl Operator {
    /// Lists the root keys that the database knows.
    ///
    /// # Errors
    /// `DatabaseUnavailable`.
    pub async fn root_keys(&self) -> Result<Vec<RootKeyInfo>> {
        let inner = &self.auth.inner;
        let mut keys = Vec::new();
        for canary in root_keys::canaries(&inner.store).await? {
            let usage = root_keys::usage(&inner.store, &canary.root_key_id).await?;
            keys.push(RootKeyInfo {
                is_active: canary.root_key_id == *inner.active_root_key.id(),
                is_present: root_key(&inner.root_keys, &canary.root_key_id).is_ok(),
                seals: count(
                    usage.digest_keys + usage.data_keys + usage.signing_keys + usage.connector_keys,
                ),
                id: canary.root_key_id,
                created_at: canary.created_at,
            });
        }
        Ok(keys)
    }

    async fn root_key_info(&self, id: &str) -> Result<RootKeyInfo> {
        let keys = self.root_keys().await?;
        keys.into_iter().find(|key| key.id == id).ok_or(NOT_FOUND)
    }
}

const NOT_FOUND: Error = Error::NotFound { what: "root key" };

fn detail(id: &RootKeyId) -> String {
    serde_json::json!({ "id": id.as_str() }).to_string()
}
