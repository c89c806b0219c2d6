//! The feed of changes that narrow what is valid, numbered in the order of their commits.

use std::str::FromStr;

use bosa_auth_core::{ClientId, Timestamp};
use uuid::Uuid;

use crate::columns::{Columns, statements};
use crate::db::{Db, Dialect, Tx};
use crate::error::StoreError;
use crate::params;
use crate::store::Source;

/// What a change is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChangeKind {
    /// The instance was made, restored or closed.
    Instance,
    /// A client; the subject is its id.
    Client,
    /// An API key; the subject is its id.
    ApiKey,
    /// A user; the subject is its id.
    User,
    /// A token; the subject is its id.
    Token,
    /// The signing keys.
    SigningKey,
    /// The digest keys.
    DigestKey,
}

impl ChangeKind {
    /// Returns the kind's fixed text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Instance => "instance",
            Self::Client => "client",
            Self::ApiKey => "api_key",
            Self::User => "user",
            Self::Token => "token",
            Self::SigningKey => "signing_key",
            Self::DigestKey => "digest_key",
        }
    }
}

impl FromStr for ChangeKind {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "instance" => Ok(Self::Instance),
            "client" => Ok(Self::Client),
            "api_key" => Ok(Self::ApiKey),
            "user" => Ok(Self::User),
            "token" => Ok(Self::Token),
            "signing_key" => Ok(Self::SigningKey),
            "digest_key" => Ok(Self::DigestKey),
            _ => Err(()),
        }
    }
}

/// The newest change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeedHead {
    /// Its number.
    pub seq: i64,
    /// Its mark, by which a reader knows that the number still means the same change.
    pub mark: Uuid,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeRow {
    /// Its number; the next change has the next one.
    pub seq: i64,
    /// Its mark.
    pub mark: Uuid,
    /// What it is about; `None` for a kind that this version does not know.
    pub kind: Option<ChangeKind>,
    /// The client that it concerns, if it is only one.
    pub client_id: Option<ClientId>,
    /// The id of what changed.
    pub subject: Option<Uuid>,
    /// When it happened, by the clock of the process that wrote it.
    pub at: Timestamp,
}

/// Adds a change under the next number, together with the commit.
///
/// The head's row lock is held from then to the end of the transaction, so it comes last: sent with
/// the commit, it is held for no round trip. A failure is the commit's.
pub fn append(
    tx: &mut Tx,
    mark: Uuid,
    kind: ChangeKind,
    client_id: Option<ClientId>,
    subject: Option<Uuid>,
    at: Timestamp,
) {
    let appended = [
        tx.later(ADVANCE, params![mark]),
        tx.later(APPEND, params![kind.as_str(), client_id, subject, at]),
    ];
    // Both change a row or fail.
    drop(appended);
}

/// Reads the number and mark of the newest change.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn head(mut source: impl Source) -> Result<Option<FeedHead>, StoreError> {
    let row = source.row(HEAD, params![]).await?;
    row.map(|row| {
        let mut columns = Columns::of(&row);
        Ok(FeedHead {
            seq: columns.next()?,
            mark: columns.next()?,
        })
    })
    .transpose()
}

/// Lists changes from number `from` on, that one included, at most `limit`.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn since(
    mut source: impl Source,
    from: i64,
    limit: u32,
) -> Result<Vec<ChangeRow>, StoreError> {
    let rows = source.rows(SINCE, params![from, limit]).await?;
    rows.iter()
        .map(|row| ChangeRow::read(&mut Columns::of(row)))
        .collect()
}

/// What a reader of the feed gets in one look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedPage {
    /// Whether the database that answered also takes writes; a standby lags behind.
    pub is_primary: bool,
    /// Tells one run of a server from another; always the same on SQLite.
    pub server: i64,
    /// The newest change.
    pub head: FeedHead,
    /// The changes from the asked number on, that one included.
    pub changes: Vec<ChangeRow>,
}

/// Reads the newest change's number, and at most `limit` changes from number `from` on, in one
/// statement and so at one moment. `None` when the database holds no instance.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn poll(db: &Db, from: i64, limit: u32) -> Result<Option<FeedPage>, StoreError> {
    let statement = match db.dialect() {
        Dialect::Sqlite => POLL,
        Dialect::Postgres => POLL_SERVER,
    };
    let rows = db.read(statement, params![from, limit]).await?;
    let Some(first) = rows.first() else {
        return Ok(None);
    };
    let mut columns = Columns::of(first);
    let mut page = FeedPage {
        is_primary: columns.next()?,
        server: columns.next()?,
        head: FeedHead {
            seq: columns.next()?,
            mark: columns.next()?,
        },
        changes: Vec::with_capacity(rows.len()),
    };
    for row in &rows {
        // Without a change that fits, the head comes alone.
        if row.get::<Option<i64>>(POLL_HEAD_COLUMNS)?.is_some() {
            let mut columns = Columns::after(row, POLL_HEAD_COLUMNS);
            page.changes.push(ChangeRow::read(&mut columns)?);
        }
    }
    Ok(Some(page))
}

/// Tells every [`Listener`](crate::Listener) to look; does nothing on SQLite.
///
/// It goes out on a connection of its own after the change is committed: a notification that is part
/// of a transaction makes it hold a lock of the whole cluster while it commits.
///
/// # Errors
/// [`StoreError`] when the database cannot be reached: the changes are found by the next poll.
pub async fn announce(db: &Db) -> Result<(), StoreError> {
    match db.dialect() {
        Dialect::Sqlite => Ok(()),
        Dialect::Postgres => db.read(ANNOUNCE, params![]).await.map(drop),
    }
}

/// Forgets up to `limit` changes before the first one of `before` or later, the oldest first and
/// never the newest; returns how many.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn prune(tx: &mut Tx, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
    tx.execute(PRUNE, params![before, limit]).await
}

impl ChangeRow {
    fn read(columns: &mut Columns<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            seq: columns.next()?,
            mark: columns.next()?,
            kind: columns.next::<String>()?.parse().ok(),
            client_id: columns.next()?,
            subject: columns.next()?,
            at: columns.next()?,
        })
    }
}

/// How many columns of a poll come before those of the change.
const POLL_HEAD_COLUMNS: usize = 4;

// PostgreSQL only.
const POLL_SERVER: &str = "select not pg_is_in_recovery(), \
    (extract(epoch from pg_postmaster_start_time()) * 1000000)::bigint, \
    h.seq, h.mark, c.seq, c.mark, c.kind, c.client_id, c.subject, c.at \
    from bosa_feed_head h left join bosa_changes c on c.seq >= $1 order by c.seq limit $2";

// PostgreSQL only. Whoever has not heard it looks soon anyway, so that it waits for no disk.
const ANNOUNCE: &str = "select set_config('synchronous_commit', 'off', true), \
    pg_notify('bosa_auth_changes', '')";

statements! {
    ADVANCE = "update bosa_feed_head set seq = seq + 1, mark = $1";
    APPEND = "insert into bosa_changes (seq, mark, kind, client_id, subject, at) \
        select seq, mark, $1, $2, $3, $4 from bosa_feed_head";
    HEAD = "select seq, mark from bosa_feed_head";
    SINCE = "select seq, mark, kind, client_id, subject, at from bosa_changes where seq >= $1 \
        order by seq limit $2";
    POLL = "select 1, 0, h.seq, h.mark, c.seq, c.mark, c.kind, c.client_id, c.subject, c.at \
        from bosa_feed_head h left join bosa_changes c on c.seq >= $1 order by c.seq limit $2";
    PRUNE = "delete from bosa_changes where seq < coalesce( \
        (select seq from bosa_changes where at >= $1 order by seq limit 1), (select seq from bosa_feed_head)) \
        and seq < (select seq from bosa_changes order by seq limit 1) + $2";
}
