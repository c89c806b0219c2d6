//! What lies in the vault.

use bosa_auth_core::Timestamp;
use bosa_auth_store::{RekeyRemaining, connector_keys, data_keys, rekey};
use jiff::SignedDuration;

use crate::error::Result;
use crate::operator::{DigestKeyInfo, RootKeyInfo, count};
use crate::principal::Operator;

/// Ages at which data keys are counted, in days.
const AGES: [i64; 3] = [30, 90, 365];

/// What lies in the vault.
#[derive(Debug, Clone)]
pub struct VaultStatus {
    /// The root keys.
    pub root_keys: Vec<RootKeyInfo>,
    /// The digest keys.
    pub digest_keys: Vec<DigestKeyInfo>,
    /// How many clients there are.
    pub clients: u64,
    /// The data keys of clients, by age.
    pub data_keys: DataKeyAges,
    /// The keys of the deployment's own connector secrets.
    pub connector_keys: Vec<ConnectorKeyInfo>,
    /// How many values are sealed, and by how many keys.
    pub sealed: VaultCounts,
    /// A replacement of keys that has not ended.
    pub rekey: Option<RekeyStatus>,
}

/// How many values are sealed, and by how many keys; clients that are being deleted do not count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VaultCounts {
    /// What accounts authenticate with.
    pub credentials: u64,
    /// Refresh tokens of accounts.
    pub refresh_tokens: u64,
    /// OAuth client secrets of clients.
    pub connector_secrets: u64,
    /// OAuth client secrets of the deployment.
    pub shared_connector_secrets: u64,
    /// Code verifiers of connections that were begun.
    pub code_verifiers: u64,
    /// Data keys of clients.
    pub data_keys: u64,
    /// Keys of the deployment's connector secrets.
    pub connector_keys: u64,
}

/// Data keys by their age, in days of 24 hours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DataKeyAges {
    /// Made in the last 30 days.
    pub up_to_30_days: u64,
    /// Made before, in the last 90 days.
    pub up_to_90_days: u64,
    /// Made before, in the last 365 days.
    pub up_to_365_days: u64,
    /// Made before.
    pub older: u64,
    /// How many only open values and seal no new ones.
    pub retiring: u64,
    /// When the oldest was made.
    pub oldest: Option<Timestamp>,
}

/// A key of the deployment's connector secrets, as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectorKeyInfo {
    /// The key's id.
    pub id: String,
    /// Whether it seals new secrets.
    pub is_active: bool,
    /// How many secrets it seals.
    pub seals: u64,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A replacement of keys that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RekeyStatus {
    /// When it began: keys made before are replaced.
    pub started_at: Timestamp,
    /// When it last went on.
    pub updated_at: Timestamp,
    /// The kind of whoever began it, for example `operator`.
    pub started_by: String,
    /// How many values were sealed under new keys.
    pub resealed: u64,
    /// What is still under old keys.
    pub remaining: VaultCounts,
}

impl Operator {
    /// What lies in the vault; counts all of it.
    ///
    /// # Errors
    /// `DatabaseUnavailable`.
    pub async fn vault_status(&self) -> Result<VaultStatus> {
        let store = &self.auth.inner.store;
        let counts = bosa_auth_store::counts(store).await?;
        // All keys are older than the end of time.
        let sealed = rekey::remaining(store, Timestamp::MAX).await?;
        Ok(VaultStatus {
            root_keys: self.root_keys().await?,
            digest_keys: self.digest_keys().await?,
            clients: count(counts.clients),
            data_keys: self.data_key_ages().await?,
            connector_keys: self.connector_keys().await?,
            sealed: sealed.into(),
            rekey: self.rekey_status().await?,
        })
    }

    async fn data_key_ages(&self) -> Result<DataKeyAges> {
        let inner = &self.auth.inner;
        let now = inner.clock.now();
        let days = |days| SignedDuration::from_hours(24 * days);
        let ages = AGES.map(|age| now.checked_sub(days(age)).unwrap_or(Timestamp::MIN));
        let found = data_keys::ages(&inner.store, ages).await?;
        Ok(DataKeyAges {
            up_to_30_days: count(found.count - found.before_first),
            up_to_90_days: count(found.before_first - found.before_second),
            up_to_365_days: count(found.before_second - found.before_third),
            older: count(found.before_third),
            retiring: count(found.count - found.active),
            oldest: found.oldest,
        })
    }

    async fn connector_keys(&self) -> Result<Vec<ConnectorKeyInfo>> {
        let store = &self.auth.inner.store;
        let mut keys = Vec::new();
        for row in connector_keys::list(store).await? {
            keys.push(ConnectorKeyInfo {
                id: row.id.to_string(),
                is_active: row.is_active,
                seals: count(connector_keys::usage(store, row.id).await?),
                created_at: row.created_at,
            });
        }
        Ok(keys)
    }

    async fn rekey_status(&self) -> Result<Option<RekeyStatus>> {
        let store = &self.auth.inner.store;
        let Some(row) = rekey::load(store).await? else {
            return Ok(None);
        };
        let remaining = rekey::remaining(store, row.started_at).await?;
        Ok(Some(RekeyStatus {
            started_at: row.started_at,
            updated_at: row.updated_at,
            started_by: row.actor_kind,
            resealed: count(row.resealed),
            remaining: remaining.into(),
        }))
    }
}

impl VaultCounts {
    /// How many values there are of all kinds.
    #[must_use]
    pub fn values(&self) -> u64 {
        self.credentials
            + self.refresh_tokens
            + self.connector_secrets
            + self.shared_connector_secrets
            + self.code_verifiers
    }
}

impl From<RekeyRemaining> for VaultCounts {
    fn from(found: RekeyRemaining) -> Self {
        Self {
            credentials: count(found.integrations),
            refresh_tokens: count(found.refresh_tokens),
            connector_secrets: count(found.connector_secrets),
            shared_connector_secrets: count(found.shared_connector_secrets),
            code_verifiers: count(found.code_verifiers),
            data_keys: count(found.data_keys),
            connector_keys: count(found.connector_keys),
        }
    }
}
