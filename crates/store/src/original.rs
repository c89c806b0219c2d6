//! The database of the original system, read and never written.
//!
//! Everything is read from one state of it. Columns are taken out of the row's JSON form: one that a
//! schema version lacks is null, so that one text fits every version. The statements are PostgreSQL's
//! own, since the original has no other database.

use std::collections::{HashMap, HashSet};

use bosa_auth_core::{Secret, from_micros};
use jiff::Timestamp;
use uuid::Uuid;

use crate::columns::Columns;
use crate::db::snapshot::Snapshot;
use crate::db::{Db, Dialect, Row};
use crate::error::StoreError;
use crate::params;
use crate::url::DatabaseUrl;

/// The newest schema that is known.
pub const NEWEST_VERSION: i64 = 6;

/// A database of the original, open for reading.
#[derive(Debug)]
pub struct Original {
    snapshot: Snapshot,
    version: i64,
}

/// A client of the original.
#[derive(Debug)]
pub struct OriginalClient {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: Option<String>,
    /// The last segment of its API key.
    pub secret: Option<Secret>,
    /// Whether it may be used; null counts as no there.
    pub is_active: Option<bool>,
    /// When the process started that made it.
    pub created_at: Option<Timestamp>,
    /// Kept and shown; since schema 5.
    pub can_get_integrations: Option<bool>,
}

/// A user of the original.
#[derive(Debug)]
pub struct OriginalUser {
    /// Its id.
    pub id: Uuid,
    /// Its client.
    pub client_id: Option<Uuid>,
    /// Its name, unique in the whole database.
    pub identifier: Option<String>,
    /// An Argon2id hash of the last segment of its secret.
    pub secret: Option<String>,
    /// What may be shown of the secret.
    pub secret_preview: Option<String>,
    /// Whether it may be used; looked at by nobody there.
    pub is_active: Option<bool>,
}

/// A token of the original.
#[derive(Debug)]
pub struct OriginalToken {
    /// Its `jti`.
    pub id: Uuid,
    /// Its user.
    pub user_id: Option<Uuid>,
    /// The client that it is accepted for.
    pub client_id: Option<Uuid>,
    /// The client of its user.
    pub user_client_id: Option<Uuid>,
    /// Whether it was revoked; null counts as no there.
    pub is_revoked: Option<bool>,
    /// When it ends, in seconds since the epoch; since schema 6.
    pub expires_at: Option<i64>,
}

/// An account of a user at another service.
#[derive(Debug)]
pub struct OriginalIntegration {
    /// Its id.
    pub id: Uuid,
    /// Its user.
    pub user_id: Option<Uuid>,
    /// The client that it was stored for.
    pub client_id: Option<Uuid>,
    /// The client of its user.
    pub user_client_id: Option<Uuid>,
    /// The connector.
    pub connector: Option<String>,
    /// The account's name.
    pub user_identifier: Option<String>,
    /// What it authenticates with: encrypted since schema 4, or empty.
    pub auth_string: Option<Secret>,
    /// What that permits, as a JSON array of texts.
    pub auth_scopes: Option<String>,
    /// Whether it is a default account; since schema 2.
    pub selected: Option<bool>,
    /// When it was stored; since schema 2.
    pub created_at: Option<Timestamp>,
}

/// How many rows there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OriginalCounts {
    /// Clients.
    pub clients: i64,
    /// Users.
    pub users: i64,
    /// Tokens.
    pub tokens: i64,
    /// Accounts at other services.
    pub integrations: i64,
}

impl Original {
    /// Opens the database at `url` and finds out its version.
    ///
    /// # Errors
    /// [`StoreError::Configuration`] when there is no database of the original, it has no tables yet,
    /// it is newer than what is known here, or its user may not read it;
    /// [`StoreError::Unavailable`] when it cannot be reached.
    pub async fn open(url: &DatabaseUrl) -> Result<Self, StoreError> {
        let snapshot = Snapshot::open(url).await?;
        let refused = |text: &str| StoreError::Configuration(format!("the source {text}"));
        if snapshot.rows(HAS_TABLES, &[]).await?.is_empty() {
            return Err(refused(
                "holds no database of the original: there is no table bosa_auth_database_versions",
            ));
        }
        let rows = snapshot.rows(VERSION, &[]).await?;
        let version = rows.first().map(|row| row.get::<Option<i64>>(0));
        let version = version.transpose()?.flatten().unwrap_or(0);
        match version {
            1..=NEWEST_VERSION => {
                snapshot.rows(MAY_READ, &[]).await?;
                Ok(Self { snapshot, version })
            }
            ..1 => Err(refused("was never filled: its schema has version 0")),
            _ => Err(refused(&format!(
                "has schema version {version}; versions 1 to {NEWEST_VERSION} are known"
            ))),
        }
    }

    /// The version of its schema, 1 to [`NEWEST_VERSION`].
    #[must_use]
    pub fn version(&self) -> i64 {
        self.version
    }

    /// Counts its rows.
    ///
    /// # Errors
    /// [`StoreError`] as [`open`](Self::open).
    pub async fn counts(&self) -> Result<OriginalCounts, StoreError> {
        let rows = self.snapshot.rows(COUNTS, &[]).await?;
        let row = rows.first();
        let row = row.ok_or_else(|| StoreError::unreadable("the counts of the source"))?;
        let mut columns = Columns::of(row);
        Ok(OriginalCounts {
            clients: columns.next()?,
            users: columns.next()?,
            tokens: columns.next()?,
            integrations: columns.next()?,
        })
    }

    /// Begins to read the clients, in the order of their ids.
    ///
    /// # Errors
    /// [`StoreError`] as [`open`](Self::open).
    pub async fn clients(&self) -> Result<Reader<'_, OriginalClient>, StoreError> {
        self.begin(CLIENTS, MORE_CLIENTS, read_client).await
    }

    /// Begins to read the users, in the order of their ids.
    ///
    /// # Errors
    /// [`StoreError`] as [`open`](Self::open).
    pub async fn users(&self) -> Result<Reader<'_, OriginalUser>, StoreError> {
        self.begin(USERS, MORE_USERS, read_user).await
    }

    /// Begins to read the tokens, in the order of their users and ids.
    ///
    /// # Errors
    /// [`StoreError`] as [`open`](Self::open).
    pub async fn tokens(&self) -> Result<Reader<'_, OriginalToken>, StoreError> {
        self.begin(TOKENS, MORE_TOKENS, read_token).await
    }

    /// Begins to read the accounts: those of one set after each other, and in it the one first that
    /// is its default. Of several that are marked as it, or of all when none is, that is the newest; where
    /// there are no times, the one that lies first, which is what the original answers with.
    ///
    /// # Errors
    /// [`StoreError`] as [`open`](Self::open).
    pub async fn integrations(&self) -> Result<Reader<'_, OriginalIntegration>, StoreError> {
        self.begin(INTEGRATIONS, MORE_INTEGRATIONS, read_integration)
            .await
    }

    /// Tells which of these accounts, given with their users, are gone, while their users are there.
    ///
    /// # Errors
    /// [`StoreError`] as [`open`](Self::open).
    pub async fn gone_accounts(
        &self,
        accounts: &[(Uuid, Uuid)],
    ) -> Result<HashSet<Uuid>, StoreError> {
        let (ids, users) = arrays(accounts);
        let rows = self
            .snapshot
            .rows(GONE_ACCOUNTS, &params![ids, users])
            .await?;
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// Tells which of these tokens, given with their users, have no row, while their users are there;
    /// and the clients of those users.
    ///
    /// # Errors
    /// [`StoreError`] as [`open`](Self::open).
    pub async fn tokens_without_rows(
        &self,
        tokens: &[(Uuid, Uuid)],
    ) -> Result<HashMap<Uuid, Option<Uuid>>, StoreError> {
        let (ids, users) = arrays(tokens);
        let rows = self
            .snapshot
            .rows(TOKENS_WITHOUT_ROWS, &params![ids, users])
            .await?;
        let read = |row: &Row| Ok((row.get(0)?, row.get(1)?));
        rows.iter().map(read).collect()
    }

    /// Begins to read what the accounts authenticate with, as far as it is not empty.
    ///
    /// # Errors
    /// [`StoreError`] as [`open`](Self::open).
    pub async fn auth_strings(&self) -> Result<Reader<'_, Secret>, StoreError> {
        let read = |row: &Row| row.get::<String>(0).map(Secret::new);
        self.begin(AUTH_STRINGS, MORE_AUTH_STRINGS, read).await
    }

    async fn begin<T>(
        &self,
        declare: &'static str,
        fetch: &'static str,
        read: fn(&Row) -> Result<T, StoreError>,
    ) -> Result<Reader<'_, T>, StoreError> {
        self.snapshot.rows(declare, &[]).await?;
        Ok(Reader {
            snapshot: &self.snapshot,
            fetch,
            read,
        })
    }
}

/// Rows that are read in portions.
#[derive(Debug)]
pub struct Reader<'o, T> {
    snapshot: &'o Snapshot,
    fetch: &'static str,
    read: fn(&Row) -> Result<T, StoreError>,
}

impl<T> Reader<'_, T> {
    /// Reads on; nothing at the end.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the connection is gone; [`StoreError::Unreadable`] for a value
    /// that the original never stores.
    pub async fn next(&mut self) -> Result<Vec<T>, StoreError> {
        let rows = self.snapshot.rows(self.fetch, &[]).await?;
        rows.iter().map(self.read).collect()
    }
}

/// Whether a database holds the tables of the original, which need not be readable.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn is_beside(db: &Db) -> Result<bool, StoreError> {
    match db.dialect() {
        Dialect::Sqlite => Ok(false),
        Dialect::Postgres => Ok(!db.read(HAS_TABLES, params![]).await?.is_empty()),
    }
}

/// Both halves of pairs as arrays that PostgreSQL reads.
fn arrays(pairs: &[(Uuid, Uuid)]) -> (String, String) {
    let array = |of: fn(&(Uuid, Uuid)) -> Uuid| {
        let ids: Vec<_> = pairs.iter().map(|pair| of(pair).to_string()).collect();
        format!("{{{}}}", ids.join(","))
    };
    (array(|pair| pair.0), array(|pair| pair.1))
}

fn read_client(row: &Row) -> Result<OriginalClient, StoreError> {
    let mut columns = Columns::of(row);
    Ok(OriginalClient {
        id: columns.next()?,
        name: columns.next()?,
        secret: secret(&mut columns)?,
        is_active: columns.next()?,
        created_at: time(&mut columns)?,
        can_get_integrations: columns.next()?,
    })
}

fn read_user(row: &Row) -> Result<OriginalUser, StoreError> {
    let mut columns = Columns::of(row);
    Ok(OriginalUser {
        id: columns.next()?,
        client_id: columns.next()?,
        identifier: columns.next()?,
        secret: columns.next()?,
        secret_preview: columns.next()?,
        is_active: columns.next()?,
    })
}

fn read_token(row: &Row) -> Result<OriginalToken, StoreError> {
    let mut columns = Columns::of(row);
    Ok(OriginalToken {
        id: columns.next()?,
        user_id: columns.next()?,
        client_id: columns.next()?,
        user_client_id: columns.next()?,
        is_revoked: columns.next()?,
        expires_at: columns.next()?,
    })
}

fn read_integration(row: &Row) -> Result<OriginalIntegration, StoreError> {
    let mut columns = Columns::of(row);
    Ok(OriginalIntegration {
        id: columns.next()?,
        user_id: columns.next()?,
        client_id: columns.next()?,
        user_client_id: columns.next()?,
        connector: columns.next()?,
        user_identifier: columns.next()?,
        auth_string: secret(&mut columns)?,
        auth_scopes: columns.next()?,
        selected: columns.next()?,
        created_at: time(&mut columns)?,
    })
}

fn secret(columns: &mut Columns<'_>) -> Result<Option<Secret>, StoreError> {
    Ok(columns.next::<Option<String>>()?.map(Secret::new))
}

/// A time that no calendar of ours holds is none.
fn time(columns: &mut Columns<'_>) -> Result<Option<Timestamp>, StoreError> {
    let micros: Option<i64> = columns.next()?;
    Ok(micros.and_then(|micros| from_micros(micros).ok()))
}

const HAS_TABLES: &str = "select 1 where to_regclass('bosa_auth_database_versions') is not null \
    and to_regclass('clients') is not null";

const VERSION: &str = "select max(version)::bigint from bosa_auth_database_versions";

/// Nothing, unless a column may not be read.
const MAY_READ: &str = "select (select to_jsonb(c) from clients c limit 0), \
    (select to_jsonb(u) from users u limit 0), (select to_jsonb(t) from tokens t limit 0), \
    (select to_jsonb(i) from third_party_integration_auths i limit 0)";

const COUNTS: &str = "select (select count(*) from clients), (select count(*) from users), \
    (select count(*) from tokens), (select count(*) from third_party_integration_auths)";

/// A time without a zone in microseconds since the epoch, read as UTC.
macro_rules! micros {
    ($column:literal) => {
        concat!(
            "case when isfinite((j->>'",
            $column,
            "')::timestamp) then (extract(epoch from (j->>'",
            $column,
            "')::timestamp) * 1000000)::bigint end"
        )
    };
}

const CLIENTS: &str = concat!(
    "declare original_clients no scroll cursor for select id, j->>'name', j->>'secret', \
     (j->>'is_active')::boolean, ",
    micros!("created_at"),
    ", (j->>'can_get_integrations')::boolean \
     from (select c.id, to_jsonb(c) as j from clients c) as x order by id"
);

const USERS: &str = "declare original_users no scroll cursor for select u.id, u.client_id, \
    u.identifier::text, u.secret::text, u.secret_preview::text, u.is_active from users u order by u.id";

const TOKENS: &str = "declare original_tokens no scroll cursor for select t.id, t.user_id, \
    t.client_id, u.client_id, t.is_revoked, (to_jsonb(t)->>'expires_at')::bigint \
    from tokens t left join users u on u.id = t.user_id order by t.user_id, t.id";

const INTEGRATIONS: &str = concat!(
    "declare original_integrations no scroll cursor for select id, user_id, client_id, user_client_id, \
     j->>'connector', coalesce(j->>'user_identifier', 'default'), j->>'auth_string', \
     j->>'auth_scopes', (j->>'selected')::boolean, ",
    micros!("created_at"),
    " from (select i.id, i.user_id, i.client_id, u.client_id as user_client_id, to_jsonb(i) as j, i.ctid as place \
     from third_party_integration_auths i left join users u on u.id = i.user_id) as x \
     order by user_id, client_id, j->>'connector', coalesce((j->>'selected')::boolean, false) desc, \
     (j->>'created_at')::timestamp desc nulls last, \
     case when j->>'created_at' is null then place end, id desc"
);

const GONE_ACCOUNTS: &str = "select x.id from unnest($1::uuid[], $2::uuid[]) as x (id, user_id) \
    where exists (select 1 from users u where u.id = x.user_id) \
    and not exists (select 1 from third_party_integration_auths i where i.id = x.id)";

const TOKENS_WITHOUT_ROWS: &str = "select x.id, u.client_id from unnest($1::uuid[], $2::uuid[]) \
    as x (id, user_id) join users u on u.id = x.user_id \
    where not exists (select 1 from tokens t where t.id = x.id)";

const AUTH_STRINGS: &str = "declare original_auth_strings no scroll cursor for select i.auth_string::text \
    from third_party_integration_auths i where i.auth_string <> ''";

// Accounts may be large.
const MORE_CLIENTS: &str = "fetch 200 from original_clients";
const MORE_USERS: &str = "fetch 500 from original_users";
const MORE_TOKENS: &str = "fetch 500 from original_tokens";
const MORE_INTEGRATIONS: &str = "fetch 100 from original_integrations";
const MORE_AUTH_STRINGS: &str = "fetch 100 from original_auth_strings";
