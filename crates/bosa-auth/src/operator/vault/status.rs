//! What lies in the vault.

use crate::error::Result;
use crate::operator::{DigestKeyInfo, RootKeyInfo, count};
use crate::principal::Operator;

/// What lies in the vault.
#[derive(Debug, Clone)]
pub struct VaultStatus {
    /// The root keys.
    pub root_keys: Vec<RootKeyInfo>,
    /// The digest keys.
    pub digest_keys: Vec<DigestKeyInfo>,
    /// How many clients there are.
    pub clients: u64,
    /// How many sealed credentials there are.
    pub integrations: u64,
}

impl Operator {
    /// What lies in the vault.
    ///
    /// # Errors
    /// `DatabaseUnavailable`.
    pub async fn vault_status(&self) -> Result<VaultStatus> {
        let counts = bosa_auth_store::counts(&self.auth.inner.store).await?;
        Ok(VaultStatus {
            root_keys: self.root_keys().await?,
            digest_keys: self.digest_keys().await?,
            clients: count(counts.clients),
            integrations: count(counts.integrations),
        })
    }
}
