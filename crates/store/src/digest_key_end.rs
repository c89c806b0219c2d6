//! What depends on a digest key, and its end: the credentials of every client that nobody has used
//! since it was replaced.

use bosa_auth_core::{ApiKeyId, ClientId, DigestKeyId, IntegrationId, Timestamp, UserId};
use uuid::Uuid;

use crate::columns::{Columns, Opaque, statements};
use crate::db::Tx;
use crate::error::StoreError;
use crate::params;
use crate::store::Source;

/// An API key that still works and depends on a digest key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DependentApiKey {
    /// The client.
    pub client_id: ClientId,
    /// The client's name.
    pub client_name: String,
    /// The API key.
    pub id: ApiKeyId,
    /// What is shown of it.
    pub preview: String,
}

/// A user whose secret depends on a digest key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DependentUser {
    /// The client.
    pub client_id: ClientId,
    /// The client's name.
    pub client_name: String,
    /// The user.
    pub id: UserId,
    /// The user's name.
    pub identifier: String,
}

/// The key that ends, the one that takes what is left of its rows, and when.
#[derive(Debug, Clone, Copy)]
pub struct Ending {
    /// The key that ends.
    pub key: DigestKeyId,
    /// The active key.
    pub successor: DigestKeyId,
    /// When.
    pub at: Timestamp,
}

/// Lists up to `limit` API keys that depend on a digest key and work at `at`, in the order of clients
/// and ids, from the first one or after one.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn api_keys(
    mut source: impl Source,
    key: DigestKeyId,
    at: Timestamp,
    after: Option<(ClientId, ApiKeyId)>,
    limit: u32,
) -> Result<Vec<DependentApiKey>, StoreError> {
    let after = after.map(|(client, id)| (client.as_uuid(), id.as_uuid()));
    let (client, id) = after.unwrap_or((Uuid::nil(), Uuid::nil()));
    let rows = source.rows(API_KEYS, params![key, at, client, id, limit]);
    rows.await?
        .iter()
        .map(|row| {
            let mut columns = Columns::of(row);
            Ok(DependentApiKey {
                client_id: columns.next()?,
                client_name: columns.next()?,
                id: columns.next()?,
                preview: columns.next()?,
            })
        })
        .collect()
}

/// Lists up to `limit` users whose secrets depend on a digest key, as [`api_keys`] does.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn users(
    mut source: impl Source,
    key: DigestKeyId,
    after: Option<(ClientId, UserId)>,
    limit: u32,
) -> Result<Vec<DependentUser>, StoreError> {
    let after = after.map(|(client, id)| (client.as_uuid(), id.as_uuid()));
    let (client, id) = after.unwrap_or((Uuid::nil(), Uuid::nil()));
    let rows = source.rows(USERS, params![key, client, id, limit]).await?;
    rows.iter()
        .map(|row| {
            let mut columns = Columns::of(row);
            Ok(DependentUser {
                client_id: columns.next()?,
                client_name: columns.next()?,
                id: columns.next()?,
                identifier: columns.next()?,
            })
        })
        .collect()
}

impl Ending {
    /// Frees the key from up to `limit` rows of either kind that verify nothing anyway: of API keys that
    /// were revoked or have expired, and of clients that are being deleted. Returns how many.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses or cannot be reached.
    pub async fn free_from_dead(&self, tx: &mut Tx, limit: u32) -> Result<u64, StoreError> {
        let keys = tx.execute(FREE_API_KEYS, self.values(limit)).await?;
        let users = tx.execute(FREE_USERS, self.values(limit)).await?;
        Ok(keys + users)
    }

    /// Revokes up to `limit` API keys that depend on the key; returns how many.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses or cannot be reached.
    pub async fn end_api_keys(&self, tx: &mut Tx, limit: u32) -> Result<u64, StoreError> {
        tx.execute(END_API_KEYS, self.values(limit)).await
    }

    /// Ends the secrets of up to `limit` users that depend on the key; returns how many. The users stay,
    /// and so do their tokens.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses or cannot be reached.
    pub async fn end_user_secrets(&self, tx: &mut Tx, limit: u32) -> Result<u64, StoreError> {
        tx.execute(END_USERS, self.values(limit)).await
    }

    /// Ends up to `limit` connections that were begun, and as many records of requests; returns how many.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses or cannot be reached.
    pub async fn end_connections(&self, tx: &mut Tx, limit: u32) -> Result<u64, StoreError> {
        let begun = tx.execute(END_CONNECTIONS, params![self.key, limit]);
        let begun = begun.await?;
        let requests = tx.execute(END_REQUESTS, params![self.key, limit]).await?;
        Ok(begun + requests)
    }

    /// Ends the code that an account waits for: `digest` is one that no code has. False when it waits
    /// for none any more.
    ///
    /// # Errors
    /// [`StoreError::Unique`] when the digest is taken.
    pub async fn end_completion(
        &self,
        tx: &mut Tx,
        (client, account): (ClientId, IntegrationId),
        digest: &Opaque,
    ) -> Result<bool, StoreError> {
        let values = params![client, account, self.key, self.successor, digest, self.at];
        Ok(tx.execute(END_COMPLETION, values).await? == 1)
    }

    fn values(&self, limit: u32) -> Vec<crate::db::Param> {
        params![
            self.key,
            self.successor,
            NO_DIGEST.as_slice(),
            self.at,
            limit
        ]
    }
}

/// Lists up to `limit` accounts that wait for a code whose digest depends on the key.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn completions(
    mut source: impl Source,
    key: DigestKeyId,
    limit: u32,
) -> Result<Vec<(ClientId, IntegrationId)>, StoreError> {
    let rows = source.rows(COMPLETIONS, params![key, limit]).await?;
    rows.iter()
        .map(|row| Ok((row.get(0)?, row.get(1)?)))
        .collect()
}

/// The digest of nothing.
const NO_DIGEST: [u8; 32] = [0; 32];

/// The rows of API keys that depend on the key, under a condition.
macro_rules! of_api_keys {
    ($condition:literal) => {
        concat!(
            "update bosa_api_keys set digest = $3, digest_key_id = $2, \
             revoked_at = coalesce(revoked_at, $4) where (client_id, id) in \
             (select k.client_id, k.id from bosa_api_keys k join bosa_clients c on c.id = k.client_id \
             where k.digest_key_id = $1",
            $condition,
            " limit $5)"
        )
    };
}

/// The rows of users that depend on the key, under a condition.
macro_rules! of_users {
    ($condition:literal) => {
        concat!(
            "update bosa_users set digest = $3, digest_key_id = $2, secret_version = secret_version + 1, \
             version = version + 1, updated_at = $4 where (client_id, id) in \
             (select u.client_id, u.id from bosa_users u join bosa_clients c on c.id = u.client_id \
             where u.digest_key_id = $1",
            $condition,
            " limit $5)"
        )
    };
}

statements! {
    API_KEYS = "select k.client_id, c.name, k.id, k.preview from bosa_api_keys k \
        join bosa_clients c on c.id = k.client_id where k.digest_key_id = $1 and k.revoked_at is null \
        and (k.expires_at is null or k.expires_at > $2) and c.state <> 'deleting' \
        and (k.client_id, k.id) > ($3, $4) order by k.client_id, k.id limit $5";
    USERS = "select u.client_id, c.name, u.id, u.identifier from bosa_users u \
        join bosa_clients c on c.id = u.client_id where u.digest_key_id = $1 and c.state <> 'deleting' \
        and (u.client_id, u.id) > ($2, $3) order by u.client_id, u.id limit $4";
    FREE_API_KEYS = of_api_keys!(" and (k.revoked_at is not null or k.expires_at <= $4 \
        or c.state = 'deleting')");
    FREE_USERS = of_users!(" and c.state = 'deleting'");
    END_API_KEYS = of_api_keys!("");
    END_USERS = of_users!("");
    END_CONNECTIONS = "delete from bosa_connect_states where (client_id, id) in \
        (select client_id, id from bosa_connect_states where digest_key_id = $1 limit $2)";
    END_REQUESTS = "delete from bosa_idempotency where (caller, route, key_digest) in \
        (select caller, route, key_digest from bosa_idempotency where digest_key_id = $1 limit $2)";
    COMPLETIONS = "select client_id, integration_id from bosa_integration_grants \
        where completion_digest_key_id = $1 order by client_id, integration_id limit $2";
    END_COMPLETION = "update bosa_integration_grants set completion_digest = $5, \
        completion_digest_key_id = $4, completion_expires_at = $6 \
        where client_id = $1 and integration_id = $2 and completion_digest_key_id = $3";
}
