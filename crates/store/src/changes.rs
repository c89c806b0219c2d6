//! The feed of changes that narrow what is valid, numbered in the order of their commits.

use std::str::FromStr;

use bosa_auth_core::{ClientId, Timestamp};
use uuid::Uuid;

use crate::columns::{Columns, statements};
use crate::db::Tx;
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

/// Adds a change under the next number.
///
/// Holds the head's row lock until the commit, so it comes last in a transaction.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn append(
    tx: &mut Tx,
    mark: Uuid,
    kind: ChangeKind,
    client_id: Option<ClientId>,
    subject: Option<Uuid>,
    at: Timestamp,
) -> Result<(), StoreError> {
    tx.execute(ADVANCE, params![mark]).await?;
    tx.execute(APPEND, params![kind.as_str(), client_id, subject, at])
        .await?;
    Ok(())
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
        .map(|row| {
            let mut columns = Columns::of(row);
            Ok(ChangeRow {
                seq: columns.next()?,
                mark: columns.next()?,
                kind: columns.next::<String>()?.parse().ok(),
                client_id: columns.next()?,
                subject: columns.next()?,
                at: columns.next()?,
            })
        })
        .collect()
}

/// Forgets all changes before the first one of `before` or later, never the newest; returns how many.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn prune(tx: &mut Tx, before: Timestamp) -> Result<u64, StoreError> {
    tx.execute(PRUNE, params![before]).await
}

statements! {
    ADVANCE = "update bosa_feed_head set seq = seq + 1, mark = $1";
    APPEND = "insert into bosa_changes (seq, mark, kind, client_id, subject, at) \
        select seq, mark, $1, $2, $3, $4 from bosa_feed_head";
    HEAD = "select seq, mark from bosa_feed_head";
    SINCE = "select seq, mark, kind, client_id, subject, at from bosa_changes where seq >= $1 \
        order by seq limit $2";
    PRUNE = "delete from bosa_changes where seq < coalesce( \
        (select min(seq) from bosa_changes where at >= $1), (select seq from bosa_feed_head))";
}
