//! The keys under which client keys and user secrets are digested.

mod dependents;
mod retire;
mod rotate;

use bosa_auth_core::{DigestKeyId, Timestamp};
use bosa_auth_store::{DigestKeyUse, KeyState, digest_keys};

pub use self::dependents::DependentCredential;
pub use self::retire::{EndedCredentials, RetireDigestKey};
use super::count;
use crate::error::{Error, Result};
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
    /// How many API keys that work depend on it.
    pub api_keys: u64,
    /// How many users' secrets depend on it.
    pub users: u64,
    /// How many connections that were begun, or that wait for their code, depend on it. They end within
    /// minutes.
    pub connections: u64,
    /// How many records of requests that named an idempotency key depend on it. They are kept for a day.
    pub requests: u64,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Operator {
    /// Lists the digest keys.
    ///
    /// # Errors
    /// `DatabaseUnavailable`.
    pub async fn digest_keys(&self) -> Result<Vec<DigestKeyInfo>> {
        let inner = &self.auth.inner;
        let now = inner.clock.now();
        let mut keys = Vec::new();
        for row in digest_keys::list(&inner.store).await? {
            let usage = digest_keys::usage(&inner.store, row.id, now).await?;
            keys.push(info(&row, &usage));
        }
        Ok(keys)
    }
}

const NOT_FOUND: Error = Error::NotFound { what: "digest key" };

fn parse(id: &str) -> Result<DigestKeyId> {
    id.parse().map_err(|_| NOT_FOUND)
}

fn info(row: &digest_keys::DigestKeyRow, usage: &DigestKeyUse) -> DigestKeyInfo {
    DigestKeyInfo {
        id: row.id.to_string(),
        is_active: row.state == KeyState::Active,
        used_by: count(usage.api_keys + usage.users),
        api_keys: count(usage.api_keys),
        users: count(usage.users),
        connections: count(usage.connect_states + usage.completions),
        requests: count(usage.requests),
        created_at: row.created_at,
    }
}
