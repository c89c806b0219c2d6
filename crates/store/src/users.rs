//! The people of a client.

use std::fmt;

use bosa_auth_core::{ClientId, DigestKeyId, SecretKind, Timestamp, UserId, UserState};
use uuid::Uuid;

use crate::client_tx::ClientScope;
use crate::clients::{ClientRow, Updated, client_columns};
use crate::columns::{Columns, Opaque, statements};
use crate::db::{Later, Param, Row, Tx};
use crate::error::StoreError;
use crate::instance::InstanceState;
use crate::many::{lists, many};
use crate::page::{Page, PageQuery};
use crate::params;
use crate::store::Source;
use crate::together::Reading;

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRow {
    /// The client that the user belongs to.
    pub client_id: ClientId,
    /// The user's id.
    pub id: UserId,
    /// The name that the client gave, unique in the client.
    pub identifier: String,
    /// Whether the user may log in.
    pub state: UserState,
    /// Raised to end every token of the user.
    pub generation: i64,
    /// Raised with every change of the row.
    pub version: i64,
    /// Where the secret came from.
    pub secret_kind: SecretKind,
    /// Raised with every new secret.
    pub secret_version: i64,
    /// What the secret is verified against.
    pub secret: StoredSecret,
    /// What may be shown of the secret; nothing of a chosen one.
    pub secret_preview: Option<String>,
    /// When the user was made.
    pub created_at: Timestamp,
    /// When the user was last changed.
    pub updated_at: Timestamp,
}

/// What a presented secret is verified against. `Debug` shows the form only.
#[derive(Clone, PartialEq, Eq)]
pub enum StoredSecret {
    /// A keyed digest.
    Digest {
        /// The digest.
        digest: Opaque,
        /// The key of that digest.
        key: DigestKeyId,
    },
    /// An Argon2 hash with its parameters and salt (PHC string).
    Hash(String),
}

/// A user with what decides whether a login is accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserWithClient {
    /// The user.
    pub user: UserRow,
    /// The user's client.
    pub client: ClientRow,
    /// Whether this database may be used.
    pub instance_state: InstanceState,
}

/// A change of a user, on condition that it still has the version that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserChange {
    /// The version that was read.
    pub version: i64,
    /// The identifier from now on.
    pub identifier: String,
    /// The state from now on.
    pub state: UserState,
    /// Whether every token of the user ends.
    pub end_tokens: bool,
    /// When.
    pub at: Timestamp,
}

/// A new secret of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSecret {
    /// Where it came from.
    pub kind: SecretKind,
    /// What it is verified against.
    pub secret: StoredSecret,
    /// What may be shown of it; nothing of a chosen one.
    pub preview: Option<String>,
}

/// Finds a user by the id inside its secret, before its client is known.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn find(
    mut source: impl Source,
    id: UserId,
) -> Result<Option<UserWithClient>, StoreError> {
    reading(id).alone(&mut source).await
}

/// As [`find`], to be read together with other things.
pub fn reading(id: UserId) -> Reading<Option<UserWithClient>> {
    Reading::new(FIND_ANY, params![id], read_first)
}

impl<S: Source> ClientScope<S> {
    /// Finds a user of the client.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses or cannot be reached.
    pub async fn user(&mut self, id: UserId) -> Result<Option<UserWithClient>, StoreError> {
        self.user_reading(id).alone(&mut self.source).await
    }

    /// As [`user`](Self::user), to be read together with other things.
    pub fn user_reading(&self, id: UserId) -> Reading<Option<UserWithClient>> {
        Reading::new(FIND, params![self.client_id, id], read_first)
    }

    /// As [`user_by_identifier`](Self::user_by_identifier), to be read together with other things.
    pub fn user_by_identifier_reading(&self, identifier: &str) -> Reading<Option<UserWithClient>> {
        let params = params![self.client_id, identifier];
        Reading::new(FIND_BY_IDENTIFIER, params, read_first)
    }

    /// Returns the generations of those of these users that there are, to be read together with other
    /// things.
    pub fn generations_readings(&self, ids: &[UserId]) -> Vec<Reading<Vec<(UserId, i64)>>> {
        let read = |rows: &[Row]| {
            let both = rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?)));
            both.collect()
        };
        lists(self.client_id, ids)
            .map(|list| Reading::new(GENERATIONS, list, read))
            .collect()
    }

    /// Returns those of these identifiers that are taken, to be read together with other things.
    pub fn taken_readings(&self, identifiers: &[String]) -> Vec<Reading<Vec<String>>> {
        let read = |rows: &[Row]| rows.iter().map(|row| row.get(0)).collect();
        lists(self.client_id, identifiers)
            .map(|list| Reading::new(TAKEN, list, read))
            .collect()
    }

    /// Finds a user of the client by the exact identifier.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses or cannot be reached.
    pub async fn user_by_identifier(
        &mut self,
        identifier: &str,
    ) -> Result<Option<UserWithClient>, StoreError> {
        self.user_by_identifier_reading(identifier)
            .alone(&mut self.source)
            .await
    }

    /// Lists the client's users in the order of their ids, which is that of their making.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses or cannot be reached.
    pub async fn users(
        &mut self,
        query: PageQuery<UserId>,
    ) -> Result<Page<UserRow, UserId>, StoreError> {
        let after = query.after_or(Uuid::nil());
        let rows = self
            .source
            .rows(PAGE, params![self.client_id, after, query.fetch()])
            .await?;
        Page::read(&rows, &query, read, |user| user.id)
    }
}

impl ClientScope<&mut Tx> {
    /// Adds a user to the client, whatever client the row names; false when the identifier is taken
    /// or the client is unknown or being deleted.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses or cannot be reached.
    pub async fn insert_user(&mut self, user: &UserRow) -> Result<bool, StoreError> {
        let values = values(self.client_id, user);
        Ok(self.source.execute(INSERT, values).await? == 1)
    }

    /// As [`insert_user`](Self::insert_user), with the next statement: no row changed means that the
    /// identifier is taken, or the client is unknown or being deleted.
    pub fn insert_user_later(&mut self, user: &UserRow) -> Later {
        let values = values(self.client_id, user);
        self.source.later(INSERT, values)
    }

    /// Changes a user.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses or cannot be reached.
    pub async fn update_user(
        &mut self,
        id: UserId,
        change: &UserChange,
    ) -> Result<Updated, StoreError> {
        let changed = self
            .source
            .execute(
                UPDATE,
                params![
                    self.client_id,
                    id,
                    change.version,
                    &change.identifier,
                    change.state.as_str(),
                    i64::from(change.end_tokens),
                    change.at
                ],
            )
            .await;
        match changed {
            Ok(1) => Ok(Updated::Done),
            Ok(_) => match self.user_by_identifier(&change.identifier).await? {
                Some(other) if other.user.id != id => Ok(Updated::Taken),
                _ => Ok(Updated::Stale),
            },
            // Another transaction took the identifier at this moment; the next attempt sees it.
            Err(StoreError::Unique { .. }) => Err(self.source.run_again()),
            Err(error) => Err(error),
        }
    }

    /// Gives a user a new secret and ends its tokens; with a version, if the secret is still the one
    /// that was read.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses or cannot be reached.
    pub async fn replace_secret(
        &mut self,
        id: UserId,
        secret_version: Option<i64>,
        new: &NewSecret,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let [digest, digest_key, hash] = new.secret.params();
        let changed = self
            .source
            .execute(
                REPLACE_SECRET,
                params![
                    self.client_id,
                    id,
                    secret_version,
                    new.kind.as_str(),
                    digest,
                    digest_key,
                    hash,
                    new.preview.as_deref(),
                    at
                ],
            )
            .await?;
        Ok(changed == 1)
    }

    /// Stores the same secret in another form, if it is still the one that was read. Ends nothing.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses or cannot be reached.
    pub async fn rewrite_secret(
        &mut self,
        id: UserId,
        secret_version: i64,
        secret: &StoredSecret,
    ) -> Result<bool, StoreError> {
        let [digest, digest_key, hash] = secret.params();
        let changed = self
            .source
            .execute(
                REWRITE_SECRET,
                params![self.client_id, id, secret_version, digest, digest_key, hash],
            )
            .await?;
        Ok(changed == 1)
    }

    /// Ends every token of a user; false when there is no such user.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses or cannot be reached.
    pub async fn end_user_tokens(&mut self, id: UserId, at: Timestamp) -> Result<bool, StoreError> {
        let changed = self
            .source
            .execute(END_TOKENS, params![self.client_id, id, at])
            .await?;
        Ok(changed == 1)
    }

    /// Removes a user with its tokens and integrations; false when there is no such user.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses or cannot be reached.
    pub async fn delete_user(&mut self, id: UserId) -> Result<bool, StoreError> {
        // The sets before their accounts, as every change of an account has it.
        for statement in [DELETE_TOKENS, LOCK_SETS, DELETE_INTEGRATIONS, DELETE_SETS] {
            let _fails_with_the_next = self.source.later(statement, params![self.client_id, id]);
        }
        match self
            .source
            .execute(DELETE, params![self.client_id, id])
            .await
        {
            Ok(removed) => Ok(removed == 1),
            // Another transaction added an integration in between; the next attempt removes it.
            Err(StoreError::ForeignKey) => Err(self.source.run_again()),
            Err(error) => Err(error),
        }
    }
}

impl StoredSecret {
    /// The digest, its key and the hash, of which either the last or the first two are null.
    fn params(&self) -> [Param; 3] {
        match self {
            Self::Digest { digest, key } => [digest.into(), (*key).into(), Param::Text(None)],
            Self::Hash(hash) => [Param::Bytes(None), Param::Uuid(None), hash.into()],
        }
    }
}

impl fmt::Debug for StoredSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Digest { key, .. } => write!(f, "Digest(.., {key})"),
            Self::Hash(_) => f.write_str("Hash(..)"),
        }
    }
}

impl UserRow {
    fn read(columns: &mut Columns<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            client_id: columns.next()?,
            id: columns.next()?,
            identifier: columns.next()?,
            state: columns.text("user state")?,
            generation: columns.next()?,
            version: columns.next()?,
            secret_kind: columns.text("secret kind")?,
            secret_version: columns.next()?,
            secret: read_secret(columns)?,
            secret_preview: columns.next()?,
            created_at: columns.next()?,
            updated_at: columns.next()?,
        })
    }
}

fn read_secret(columns: &mut Columns<'_>) -> Result<StoredSecret, StoreError> {
    let digest: Option<Vec<u8>> = columns.next()?;
    let key: Option<DigestKeyId> = columns.next()?;
    let hash: Option<String> = columns.next()?;
    match (digest, key, hash) {
        (Some(digest), Some(key), None) => Ok(StoredSecret::Digest {
            digest: digest.into(),
            key,
        }),
        (None, None, Some(hash)) => Ok(StoredSecret::Hash(hash)),
        _ => Err(StoreError::unreadable("user secret")),
    }
}

fn read(row: &Row) -> Result<UserRow, StoreError> {
    UserRow::read(&mut Columns::of(row))
}

fn read_with_client(row: &Row) -> Result<UserWithClient, StoreError> {
    let mut columns = Columns::of(row);
    Ok(UserWithClient {
        user: UserRow::read(&mut columns)?,
        client: ClientRow::read(&mut columns)?,
        instance_state: columns.text("instance state")?,
    })
}

fn read_first(rows: &[Row]) -> Result<Option<UserWithClient>, StoreError> {
    rows.first().map(read_with_client).transpose()
}

macro_rules! user_columns {
    () => {
        "u.client_id, u.id, u.identifier, u.state, u.generation, u.version, u.secret_kind, \
         u.secret_version, u.digest, u.digest_key_id, u.password_hash, u.secret_preview, \
         u.created_at, u.updated_at"
    };
}

macro_rules! select_with_client {
    ($condition:literal) => {
        concat!(
            "select ",
            user_columns!(),
            ", ",
            client_columns!(),
            ", i.state from bosa_users u \
             join bosa_clients c on c.id = u.client_id cross join bosa_instance i where ",
            $condition
        )
    };
}

/// What is stored of a new user.
fn values(client_id: ClientId, user: &UserRow) -> Vec<Param> {
    let [digest, digest_key, hash] = user.secret.params();
    params![
        client_id,
        user.id,
        &user.identifier,
        user.state.as_str(),
        user.generation,
        user.version,
        user.secret_kind.as_str(),
        user.secret_version,
        digest,
        digest_key,
        hash,
        user.secret_preview.as_deref(),
        user.created_at,
        user.updated_at
    ]
}

statements! {
    GENERATIONS = concat!("select id, generation from bosa_users where client_id = $1 and id in ", many!());
    TAKEN = concat!("select identifier from bosa_users where client_id = $1 and identifier in ", many!());
    FIND_ANY = select_with_client!("u.id = $1");
    FIND = select_with_client!("u.client_id = $1 and u.id = $2");
    FIND_BY_IDENTIFIER = select_with_client!("u.client_id = $1 and u.identifier = $2");
    PAGE = concat!("select ", user_columns!(), " from bosa_users u \
        where u.client_id = $1 and u.id > $2 order by u.id limit $3");
    INSERT = "insert into bosa_users (client_id, id, identifier, state, generation, version, secret_kind, \
        secret_version, digest, digest_key_id, password_hash, secret_preview, created_at, updated_at) \
        select c.id, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14 \
        from bosa_clients c where c.id = $1 and c.state <> 'deleting' \
        on conflict (client_id, identifier) do nothing";
    UPDATE = "update bosa_users set identifier = $4, state = $5, generation = generation + $6, \
        version = version + 1, updated_at = $7 where client_id = $1 and id = $2 and version = $3 \
        and not exists (select 1 from bosa_users o where o.client_id = $1 and o.identifier = $4 and o.id <> $2)";
    REPLACE_SECRET = "update bosa_users set secret_kind = $4, digest = $5, digest_key_id = $6, \
        password_hash = $7, secret_preview = $8, secret_version = secret_version + 1, \
        generation = generation + 1, version = version + 1, updated_at = $9 \
        where client_id = $1 and id = $2 and secret_version = coalesce($3, secret_version)";
    REWRITE_SECRET = "update bosa_users set digest = $4, digest_key_id = $5, password_hash = $6 \
        where client_id = $1 and id = $2 and secret_version = $3";
    END_TOKENS = "update bosa_users set generation = generation + 1, version = version + 1, updated_at = $3 \
        where client_id = $1 and id = $2";
    DELETE_TOKENS = "delete from bosa_tokens where client_id = $1 and user_id = $2";
    LOCK_SETS = "update bosa_integration_sets set version = version + 1 where client_id = $1 and user_id = $2";
    DELETE_INTEGRATIONS = "delete from bosa_integrations where client_id = $1 and user_id = $2";
    DELETE_SETS = "delete from bosa_integration_sets where client_id = $1 and user_id = $2";
    DELETE = "delete from bosa_users where client_id = $1 and id = $2";
}
