//! What clients authenticate with.

use bosa_auth_core::{ApiKeyId, ClientId, DigestKeyId, Form, ScopeSet, Timestamp};
use uuid::Uuid;

use crate::client_tx::ClientScope;
use crate::clients::{ClientRow, client_columns};
use crate::columns::{Columns, Opaque, statements};
use crate::db::{Row, Tx};
use crate::error::StoreError;
use crate::instance::InstanceState;
use crate::page::{Page, PageQuery};
use crate::params;
use crate::store::Source;

/// An API key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKeyRow {
    /// The client that it belongs to.
    pub client_id: ClientId,
    /// The key's id: its first segment.
    pub id: ApiKeyId,
    /// What the digest covers.
    pub form: Form,
    /// The keyed digest of the secret.
    pub digest: Opaque,
    /// The key of that digest.
    pub digest_key_id: DigestKeyId,
    /// What may be shown of the key.
    pub preview: String,
    /// What the key may do.
    pub scopes: ScopeSet,
    /// When it ends, if it does.
    pub expires_at: Option<Timestamp>,
    /// When it was last used.
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// An API key with what decides whether it is accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKeyWithClient {
    /// The key.
    pub key: ApiKeyRow,
    /// Its client.
    pub client: ClientRow,
    /// Whether this database may be used.
    pub instance_state: InstanceState,
}

/// Finds a key by the id inside it, before its client is known.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn find(
    mut source: impl Source,
    id: ApiKeyId,
) -> Result<Option<ApiKeyWithClient>, StoreError> {
    let row = source.row(FIND_WITH_CLIENT, params![id]).await?;
    row.map(|row| {
        let mut columns = Columns::of(&row);
        Ok(ApiKeyWithClient {
            key: ApiKeyRow::read(&mut columns)?,
            client: ClientRow::read(&mut columns)?,
            instance_state: columns.text("instance state")?,
        })
    })
    .transpose()
}

/// Records when keys were last used; a record never goes back in time.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn touch(tx: &mut Tx, used: &[(ApiKeyId, Timestamp)]) -> Result<(), StoreError> {
    let Some(((last, at), others)) = used.split_last() else {
        return Ok(());
    };
    for (id, at) in others {
        // How many rows it changed does not matter: the key may be gone.
        drop(tx.later(TOUCH, params![*id, *at]));
    }
    tx.execute(TOUCH, params![*last, *at]).await?;
    Ok(())
}

/// Revokes every key of every client, as a restore may be asked to; returns how many.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn revoke_all(tx: &mut Tx, at: Timestamp) -> Result<u64, StoreError> {
    tx.execute(REVOKE_ALL, params![at]).await
}

impl<S: Source> ClientScope<S> {
    /// Finds a key of the client.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses or cannot be reached.
    pub async fn api_key(&mut self, id: ApiKeyId) -> Result<Option<ApiKeyRow>, StoreError> {
        let row = self.source.row(FIND, params![self.client_id, id]).await?;
        row.as_ref().map(read).transpose()
    }

    /// Lists the client's keys, revoked ones included, in the order of their ids.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses or cannot be reached.
    pub async fn api_keys(
        &mut self,
        query: PageQuery<ApiKeyId>,
    ) -> Result<Page<ApiKeyRow, ApiKeyId>, StoreError> {
        let after = query.after_or(Uuid::nil());
        let rows = self
            .source
            .rows(PAGE, params![self.client_id, after, query.fetch()])
            .await?;
        Page::read(&rows, &query, read, |key| key.id)
    }
}

impl ClientScope<&mut Tx> {
    /// Adds a key to the client, whatever client the row names; false when its id is taken.
    ///
    /// # Errors
    /// [`StoreError::ForeignKey`] when there is no such client or digest key.
    pub async fn insert_api_key(&mut self, key: &ApiKeyRow) -> Result<bool, StoreError> {
        let inserted = self
            .source
            .execute(
                INSERT,
                params![
                    self.client_id,
                    key.id,
                    key.form.as_str(),
                    &key.digest,
                    key.digest_key_id,
                    &key.preview,
                    key.scopes.to_string(),
                    key.expires_at,
                    key.last_used_at,
                    key.revoked_at,
                    key.created_at
                ],
            )
            .await?;
        Ok(inserted == 1)
    }

    /// Revokes a key; false when it is unknown or revoked already.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses or cannot be reached.
    pub async fn revoke_api_key(
        &mut self,
        id: ApiKeyId,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let changed = self
            .source
            .execute(REVOKE, params![self.client_id, id, at])
            .await?;
        Ok(changed == 1)
    }

    /// Lets a key end at `at` unless it ends earlier; false when it is unknown, revoked or does.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses or cannot be reached.
    pub async fn limit_api_key(&mut self, id: ApiKeyId, at: Timestamp) -> Result<bool, StoreError> {
        let changed = self
            .source
            .execute(LIMIT, params![self.client_id, id, at])
            .await?;
        Ok(changed == 1)
    }

    /// Replaces the digest of the same secret, if it is still the one that was read.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses or cannot be reached.
    pub async fn rewrite_api_key_digest(
        &mut self,
        id: ApiKeyId,
        before: &Opaque,
        digest: &Opaque,
        digest_key_id: DigestKeyId,
    ) -> Result<bool, StoreError> {
        let changed = self
            .source
            .execute(
                REWRITE,
                params![self.client_id, id, before, digest, digest_key_id],
            )
            .await?;
        Ok(changed == 1)
    }
}

impl ApiKeyRow {
    fn read(columns: &mut Columns<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            client_id: columns.next()?,
            id: columns.next()?,
            form: columns.text("credential form")?,
            digest: columns.opaque()?,
            digest_key_id: columns.next()?,
            preview: columns.next()?,
            scopes: columns.text("scopes")?,
            expires_at: columns.next()?,
            last_used_at: columns.next()?,
            revoked_at: columns.next()?,
            created_at: columns.next()?,
        })
    }
}

fn read(row: &Row) -> Result<ApiKeyRow, StoreError> {
    ApiKeyRow::read(&mut Columns::of(row))
}

macro_rules! api_key_columns {
    () => {
        "k.client_id, k.id, k.form, k.digest, k.digest_key_id, k.preview, k.scopes, k.expires_at, \
         k.last_used_at, k.revoked_at, k.created_at"
    };
}

statements! {
    FIND_WITH_CLIENT = concat!("select ", api_key_columns!(), ", ", client_columns!(), ", i.state \
        from bosa_api_keys k join bosa_clients c on c.id = k.client_id cross join bosa_instance i \
        where k.id = $1");
    FIND = concat!("select ", api_key_columns!(), " from bosa_api_keys k \
        where k.client_id = $1 and k.id = $2");
    PAGE = concat!("select ", api_key_columns!(), " from bosa_api_keys k \
        where k.client_id = $1 and k.id > $2 order by k.id limit $3");
    INSERT = "insert into bosa_api_keys (client_id, id, form, digest, digest_key_id, preview, scopes, \
        expires_at, last_used_at, revoked_at, created_at) \
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) on conflict (id) do nothing";
    REVOKE = "update bosa_api_keys set revoked_at = $3 \
        where client_id = $1 and id = $2 and revoked_at is null";
    REVOKE_ALL = "update bosa_api_keys set revoked_at = $1 where revoked_at is null";
    LIMIT = "update bosa_api_keys set expires_at = $3 where client_id = $1 and id = $2 \
        and revoked_at is null and (expires_at is null or expires_at > $3)";
    REWRITE = "update bosa_api_keys set digest = $4, digest_key_id = $5 \
        where client_id = $1 and id = $2 and digest = $3";
    TOUCH = "update bosa_api_keys set last_used_at = $2 \
        where id = $1 and (last_used_at is null or last_used_at < $2)";
}
