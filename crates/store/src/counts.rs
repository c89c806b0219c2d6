//! How much there is.

use bosa_auth_core::Timestamp;

use crate::columns::{Columns, statements};
use crate::error::StoreError;
use crate::params;
use crate::store::Source;

/// Numbers of rows, for operators and metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Clients, those being deleted included.
    pub clients: i64,
    /// API keys, revoked ones included.
    pub api_keys: i64,
    /// Users.
    pub users: i64,
    /// Users whose secret is still stored as the original system stored it.
    pub imported_users: i64,
    /// Tokens, ended ones that are not pruned yet included.
    pub tokens: i64,
    /// Integrations.
    pub integrations: i64,
    /// Audit events.
    pub audit_events: i64,
}

/// Counts the rows of the large tables; reads all of them.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn counts(mut source: impl Source) -> Result<Counts, StoreError> {
    let Some(row) = source.row(COUNTS, params![]).await? else {
        return Ok(Counts::default());
    };
    let mut columns = Columns::of(&row);
    Ok(Counts {
        clients: columns.next()?,
        api_keys: columns.next()?,
        users: columns.next()?,
        imported_users: columns.next()?,
        tokens: columns.next()?,
        integrations: columns.next()?,
        audit_events: columns.next()?,
    })
}

/// What of the original system is still in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ImportedCounts {
    /// Users whose secret is still stored as the original system stored it.
    pub users: i64,
    /// Tokens that it issued and that are live.
    pub tokens: i64,
    /// When the last of those ends whose end is recorded.
    pub last_end: Option<Timestamp>,
}

/// Counts what of the original system is still in use; `own_end` is the key of tokens whose end only they
/// tell themselves.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn imported_counts(
    mut source: impl Source,
    now: Timestamp,
    own_end: &str,
) -> Result<ImportedCounts, StoreError> {
    let Some(row) = source.row(IMPORTED, params![now, own_end]).await? else {
        return Ok(ImportedCounts::default());
    };
    let mut columns = Columns::of(&row);
    Ok(ImportedCounts {
        users: columns.next()?,
        tokens: columns.next()?,
        last_end: columns.next()?,
    })
}

statements! {
    IMPORTED = "select (select count(*) from bosa_users where secret_kind = 'imported' \
        and password_hash is not null), count(*), \
        max(case when t.signing_key_id <> $2 then t.expires_at end) from bosa_tokens t \
        join bosa_users u on u.client_id = t.client_id and u.id = t.user_id \
        join bosa_clients c on c.id = t.client_id \
        where t.form = 'imported' and t.revoked_at is null and t.expires_at > $1 \
        and u.generation = t.user_generation and c.generation = t.client_generation";
    COUNTS = "select (select count(*) from bosa_clients), (select count(*) from bosa_api_keys), \
        (select count(*) from bosa_users), \
        (select count(*) from bosa_users where secret_kind = 'imported' and password_hash is not null), \
        (select count(*) from bosa_tokens), (select count(*) from bosa_integrations), \
        (select count(*) from bosa_audit_events)";
}
