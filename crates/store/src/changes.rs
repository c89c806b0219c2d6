//! The feed of changes that narrow what is valid, numbered in the order of their commits.
//!
//! It has [`PARTS`] parts, each with numbers of its own, so that clients that revoke at the same time
//! seldom wait for one another. All changes of one client are in one part; what concerns no single
//! client is in the first.

use std::str::FromStr;

use bosa_auth_core::{ClientId, Timestamp};
use uuid::Uuid;

use crate::columns::{Columns, statements};
use crate::db::{Db, Dialect, Param, Row, Tx};
use crate::error::StoreError;
use crate::params;
use crate::store::Source;

/// How many parts the feed has. The schema holds a head for each.
pub const PARTS: usize = 16;

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
    /// The active root key.
    RootKey,
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
            Self::RootKey => "root_key",
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
            "root_key" => Ok(Self::RootKey),
            _ => Err(()),
        }
    }
}

/// The newest change of a part.
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
    /// The part of the feed that it belongs to.
    pub part: i64,
    /// Its number in that part; the part's next change has the next one.
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

/// The part that holds the changes of a client, or of none.
pub fn part_of(client_id: Option<ClientId>) -> i64 {
    client_id.map_or(0, |id| {
        // The last bits of an id are random.
        i64::from(id.as_uuid().as_bytes().last().copied().unwrap_or(0)) % PARTS as i64
    })
}

/// Begins a feed: every part with one change, so that there is a row to go on from.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn begin(tx: &mut Tx, mark: Uuid, at: Timestamp) -> Result<(), StoreError> {
    tx.execute(BEGIN, params![mark]).await?;
    tx.execute(BEGIN_CHANGES, params![ChangeKind::Instance.as_str(), at])
        .await?;
    Ok(())
}

/// Adds a change under the next number of its part, together with the commit.
///
/// The row lock of the part's head is held from then to the end of the transaction, so it comes last:
/// sent with the commit, it is held for no round trip. A failure is the commit's. A transaction adds
/// one change: two of different parts could wait for each other.
pub fn append(
    tx: &mut Tx,
    mark: Uuid,
    kind: ChangeKind,
    client_id: Option<ClientId>,
    subject: Option<Uuid>,
    at: Timestamp,
) {
    let part = part_of(client_id);
    let appended = [
        tx.later(ADVANCE, params![part, mark]),
        tx.later(APPEND, params![part, kind.as_str(), client_id, subject, at]),
    ];
    // Both change a row or fail.
    drop(appended);
}

/// Reads the number and mark of a part's newest change.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn head(mut source: impl Source, part: i64) -> Result<Option<FeedHead>, StoreError> {
    let row = source.row(HEAD, params![part]).await?;
    row.map(|row| {
        let mut columns = Columns::of(&row);
        Ok(FeedHead {
            seq: columns.next()?,
            mark: columns.next()?,
        })
    })
    .transpose()
}

/// Lists changes of a part from number `from` on, that one included, at most `limit`.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn since(
    mut source: impl Source,
    part: i64,
    from: i64,
    limit: u32,
) -> Result<Vec<ChangeRow>, StoreError> {
    let rows = source.rows(SINCE, params![part, from, limit]).await?;
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
    /// The newest change of each part, in their order.
    pub heads: Vec<FeedHead>,
    /// The changes from the asked numbers on, those included, each part's in their order.
    pub changes: Vec<ChangeRow>,
}

/// Reads the newest change's number of every part, and the changes from the numbers `from` on, in one
/// statement and so at one moment. When there are more than `limit`, it reads once more and gives the
/// heads without any change. `None` when the database holds no instance.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn poll(db: &Db, from: [i64; PARTS], limit: u32) -> Result<Option<FeedPage>, StoreError> {
    let mut page = FeedPage::read(&poll_rows(db, from, limit).await?)?;
    if page.heads.len() < PARTS && !page.heads.is_empty() {
        let heads_alone = [i64::MAX; PARTS];
        page = FeedPage::read(&poll_rows(db, heads_alone, PARTS as u32).await?)?;
    }
    Ok((!page.heads.is_empty()).then_some(page))
}

async fn poll_rows(db: &Db, from: [i64; PARTS], limit: u32) -> Result<Vec<Row>, StoreError> {
    let statement = match db.dialect() {
        Dialect::Sqlite => POLL,
        Dialect::Postgres => POLL_SERVER,
    };
    let numbers = from.into_iter().map(Param::from);
    db.read(statement, numbers.chain([Param::from(limit)]).collect())
        .await
}

impl FeedPage {
    /// Reads rows of which each has its part's head, and a change unless there is none.
    fn read(rows: &[Row]) -> Result<Self, StoreError> {
        let mut page = Self {
            is_primary: true,
            server: 0,
            heads: Vec::with_capacity(PARTS),
            changes: Vec::with_capacity(rows.len()),
        };
        let mut before = None;
        for row in rows {
            let mut columns = Columns::of(row);
            page.is_primary = columns.next()?;
            page.server = columns.next()?;
            let head = FeedHead {
                seq: columns.next()?,
                mark: columns.next()?,
            };
            let part: i64 = columns.next()?;
            if before.replace(part) != Some(part) {
                page.heads.push(head);
            }
            if row.get::<Option<i64>>(POLL_SEQ)?.is_some() {
                let mut columns = Columns::after(row, POLL_PART);
                page.changes.push(ChangeRow::read(&mut columns)?);
            }
        }
        Ok(page)
    }
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

/// Forgets up to `limit` changes of each part before its first one of `before` or later, the oldest
/// first and never the newest; returns how many.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn prune(tx: &mut Tx, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
    // All leave together; the first part's goes last, because somebody has to wait.
    let others: Vec<_> = (1..PARTS as i64)
        .map(|part| tx.later(PRUNE, params![part, before, limit]))
        .collect();
    let mut pruned = tx.execute(PRUNE, params![0, before, limit]).await?;
    for statement in &others {
        pruned += tx.changed(statement)?;
    }
    Ok(pruned)
}

impl ChangeRow {
    fn read(columns: &mut Columns<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            part: columns.next()?,
            seq: columns.next()?,
            mark: columns.next()?,
            kind: columns.next::<String>()?.parse().ok(),
            client_id: columns.next()?,
            subject: columns.next()?,
            at: columns.next()?,
        })
    }
}

/// The columns of a poll that hold the part and the number of the change.
const POLL_PART: usize = 4;
const POLL_SEQ: usize = POLL_PART + 1;

/// The heads, and what follows in each part from the asked number on.
macro_rules! poll {
    ($server:literal, $changes:literal) => {
        concat!(
            "with asked (part, since) as (values (0, cast($1 as bigint)), (1, $2), (2, $3), (3, $4), (4, $5), (5, $6), \
            (6, $7), (7, $8), (8, $9), (9, $10), (10, $11), (11, $12), (12, $13), (13, $14), (14, $15), \
            (15, $16)) select ",
            $server,
            ", h.seq, h.mark, h.part, c.seq, c.mark, c.kind, c.client_id, c.subject, c.at \
            from bosa_feed_head h join asked on asked.part = h.part left join ",
            $changes,
            " order by h.part, c.seq limit $17"
        )
    };
}

// PostgreSQL only. Each part by its index from the asked number on: the planner does not know how few
// changes follow, and would read a long feed from end to end at every look.
const POLL_SERVER: &str = poll!(
    "not pg_is_in_recovery(), (extract(epoch from pg_postmaster_start_time()) * 1000000)::bigint",
    "lateral (select part, seq, mark, kind, client_id, subject, at from bosa_changes \
    where part = h.part and seq >= asked.since order by seq limit $17) c on true"
);

// PostgreSQL only. Whoever has not heard it looks soon anyway, so that it waits for no disk.
const ANNOUNCE: &str = "select set_config('synchronous_commit', 'off', true), \
    pg_notify('bosa_auth_changes', '')";

statements! {
    BEGIN = "insert into bosa_feed_head (part, seq, mark) values (0, 1, $1), (1, 1, $1), (2, 1, $1), \
        (3, 1, $1), (4, 1, $1), (5, 1, $1), (6, 1, $1), (7, 1, $1), (8, 1, $1), (9, 1, $1), (10, 1, $1), \
        (11, 1, $1), (12, 1, $1), (13, 1, $1), (14, 1, $1), (15, 1, $1)";
    BEGIN_CHANGES = "insert into bosa_changes (part, seq, mark, kind, client_id, subject, at) \
        select part, seq, mark, $1, null, null, $2 from bosa_feed_head";
    ADVANCE = "update bosa_feed_head set seq = seq + 1, mark = $2 where part = $1";
    APPEND = "insert into bosa_changes (part, seq, mark, kind, client_id, subject, at) \
        select part, seq, mark, $2, $3, $4, $5 from bosa_feed_head where part = $1";
    HEAD = "select seq, mark from bosa_feed_head where part = $1";
    SINCE = "select part, seq, mark, kind, client_id, subject, at from bosa_changes \
        where part = $1 and seq >= $2 order by seq limit $3";
    POLL = poll!("1, 0", "bosa_changes c on c.part = h.part and c.seq >= asked.since");
    PRUNE = "delete from bosa_changes where part = $1 and seq < coalesce( \
        (select seq from bosa_changes where part = $1 and at >= $2 order by seq limit 1), \
        (select seq from bosa_feed_head where part = $1)) \
        and seq < (select seq from bosa_changes where part = $1 order by seq limit 1) + $3";
}
