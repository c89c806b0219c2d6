//! The keys under which client keys and user secrets are digested.

use bosa_auth_core::Timestamp;
use bosa_auth_store::{KeyState, digest_keys};

use super::count;
use crate::error::Result;
use crate::principal::Operator;

/// A digest key as it is listed.
#[derive(Debug, Clone)]
pub struct DigestKeyInfo {
    /// The key's id.
    pub id: String,
    /// Whether new digests are made with it.
    pub is_active: bool,
    /// How many API keys and users depend on it.
    pub used_by: u64,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Operator {
    /// Lists the digest keys.
    ///
    /// # Errors
    /// `DatabaseUnavailable`.
    pub async fn digest_keys(&self) -> Result<Vec<DigestKeyInfo>> {
        let store = &self.auth.inner.store;
        let mut keys = Vec::new();
        for row in digest_keys::list(store).await? {
            let usage = digest_keys::usage(store, row.id).await?;
            keys.push(DigestKeyInfo {
                id: row.id.to_string(),
                is_active: row.state == KeyState::Active,
                used_by: count(usage.api_keys + usage.users),
                created_at: row.created_at,
            });
        }
        Ok(keys)
    }
}
