//! What an import has found, row by row, so that a later one neither recreates nor overwrites.
//!
//! A marker belongs to the instance: it outlives what was imported.

use std::collections::HashMap;

use bosa_auth_core::{ClientId, IntegrationId, Timestamp, TokenId, UserId};
use uuid::Uuid;

use crate::columns::{Columns, statements};
use crate::db::{Later, Param, Row, Tx};
use crate::error::StoreError;
use crate::grants::AccountPlace;
use crate::many::{lists, many};
use crate::params;
use crate::store::{Source, Store};

/// What a row of the original's database is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ImportKind {
    /// A client.
    Client,
    /// A user.
    User,
    /// A token.
    Token,
    /// An account at another service.
    Integration,
}

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportOutcome {
    /// It was made here.
    Imported,
    /// Nothing was made; a later import tries again.
    Skipped,
}

/// The memory of one row of the original's database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportMarker {
    /// What it is.
    pub kind: ImportKind,
    /// Its id, there and here.
    pub id: Uuid,
    /// What became of it.
    pub outcome: ImportOutcome,
    /// Why it was skipped.
    pub reason: Option<String>,
    /// Its name there, when it has another one here.
    pub former_name: Option<String>,
    /// Whether it was active there when it was last seen.
    pub was_active: bool,
    /// When it was imported, or skipped last.
    pub imported_at: Timestamp,
}

impl ImportKind {
    /// Returns the fixed text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::User => "user",
            Self::Token => "token",
            Self::Integration => "integration",
        }
    }
}

/// Finds the markers of these rows.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn find_all(
    store: &Store,
    kind: ImportKind,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, ImportMarker>, StoreError> {
    let statements = lists(kind.as_str(), ids).map(|list| (FIND_MANY, list));
    let answers = store.db().read_together(statements.collect()).await?;
    let found = answers.iter().flatten().map(|row| {
        let marker = read(kind, row)?;
        Ok((marker.id, marker))
    });
    found.collect()
}

/// Finds the marker of one row.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn find(
    mut source: impl Source,
    kind: ImportKind,
    id: Uuid,
) -> Result<Option<ImportMarker>, StoreError> {
    let row = source.row(FIND, params![kind.as_str(), id]).await?;
    row.as_ref().map(|row| read(kind, row)).transpose()
}

/// Stores the marker of a row, or replaces what it says, with the next statement; when the row was first
/// seen stays. No row changed means that another run has imported a row that this one skipped: its marker
/// stays then.
pub fn put_later(tx: &mut Tx, marker: &ImportMarker) -> Later {
    tx.later(PUT, values(marker))
}

fn values(marker: &ImportMarker) -> Vec<Param> {
    let outcome = match marker.outcome {
        ImportOutcome::Imported => IMPORTED,
        ImportOutcome::Skipped => SKIPPED,
    };
    params![
        marker.kind.as_str(),
        marker.id,
        outcome,
        marker.reason.as_deref(),
        marker.former_name.as_deref(),
        marker.was_active,
        marker.imported_at
    ]
}

/// Tells whether any user was ever imported.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn has_users(mut source: impl Source) -> Result<bool, StoreError> {
    Ok(source.row(HAS_USERS, params![]).await?.is_some())
}

/// Tells whether this was the name of an imported user in the original's database, which has another
/// name here.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn is_former_name(
    mut source: impl Source,
    id: UserId,
    name: &str,
) -> Result<bool, StoreError> {
    Ok(source.row(IS_FORMER, params![id, name]).await?.is_some())
}

/// Lists up to `limit` accounts of any client that were imported and not changed here since, in the order
/// of their ids, from the one after `after` on.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn unchanged_accounts(
    store: &Store,
    after: Option<IntegrationId>,
    limit: i64,
) -> Result<Vec<AccountPlace>, StoreError> {
    let after = after.map_or(Uuid::nil(), |id| id.as_uuid());
    let rows = store.db().read(UNCHANGED, params![after, limit]).await?;
    let read = |row: &Row| {
        let mut columns = Columns::of(row);
        Ok(AccountPlace {
            client_id: columns.next()?,
            id: columns.next()?,
            user_id: columns.next()?,
            connector: columns.next()?,
            user_identifier: columns.next()?,
        })
    };
    rows.iter().map(read).collect()
}

/// A token that was imported: its client, its user, its id.
pub type ImportedToken = (ClientId, UserId, TokenId);

/// Lists up to `limit` tokens of any client that were imported and are live at `now`, in the order of
/// their ids, from the one after `after` on.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn live_tokens(
    store: &Store,
    now: Timestamp,
    after: Option<TokenId>,
    limit: i64,
) -> Result<Vec<ImportedToken>, StoreError> {
    let after = after.map_or(Uuid::nil(), |id| id.as_uuid());
    let rows = store.db().read(LIVE, params![after, now, limit]).await?;
    let read = |row: &Row| {
        let mut columns = Columns::of(row);
        Ok((columns.next()?, columns.next()?, columns.next()?))
    };
    rows.iter().map(read).collect()
}

/// Forgets a row, with the next statement: where it is found again, it is a new one.
pub fn forget_later(tx: &mut Tx, kind: ImportKind, id: Uuid) -> Later {
    tx.later(FORGET, params![kind.as_str(), id])
}

const IMPORTED: &str = "imported";
const SKIPPED: &str = "skipped";

fn read(kind: ImportKind, row: &Row) -> Result<ImportMarker, StoreError> {
    let mut columns = Columns::of(row);
    Ok(ImportMarker {
        kind,
        id: columns.next()?,
        outcome: match columns.next::<String>()?.as_str() {
            IMPORTED => ImportOutcome::Imported,
            SKIPPED => ImportOutcome::Skipped,
            _ => return Err(StoreError::unreadable("the outcome of an import")),
        },
        reason: columns.next()?,
        former_name: columns.next()?,
        was_active: columns.next()?,
        imported_at: columns.next()?,
    })
}

statements! {
    FIND = "select id, outcome, reason, former_name, was_active, imported_at from bosa_import_markers \
        where kind = $1 and id = $2";
    FIND_MANY = concat!("select id, outcome, reason, former_name, was_active, imported_at \
        from bosa_import_markers where kind = $1 and id in ", many!());
    PUT = "insert into bosa_import_markers (kind, id, outcome, reason, former_name, was_active, imported_at) \
        values (cast($1 as text), $2, $3, $4, $5, $6, $7) on conflict (kind, id) do update set \
        outcome = excluded.outcome, reason = excluded.reason, former_name = excluded.former_name, \
        was_active = excluded.was_active, imported_at = case bosa_import_markers.outcome \
        when 'skipped' then excluded.imported_at else bosa_import_markers.imported_at end \
        where bosa_import_markers.outcome = 'skipped' or excluded.outcome = 'imported'";
    UNCHANGED = "select i.client_id, i.id, i.user_id, i.connector, i.user_identifier \
        from bosa_import_markers m join bosa_integrations i on i.id = m.id \
        where m.kind = 'integration' and m.id > $1 and m.outcome = 'imported' \
        and m.imported_at = i.updated_at order by m.id limit $2";
    LIVE = "select t.client_id, t.user_id, t.id \
        from bosa_import_markers m join bosa_tokens t on t.id = m.id \
        where m.kind = 'token' and m.id > $1 and m.outcome = 'imported' \
        and t.revoked_at is null and t.expires_at > $2 order by m.id limit $3";
    FORGET = "delete from bosa_import_markers where kind = $1 and id = $2";
    HAS_USERS = "select 1 from bosa_import_markers where kind = 'user' and outcome = 'imported' limit 1";
    IS_FORMER = "select 1 from bosa_import_markers where kind = 'user' and id = $1 and former_name = $2";
}
