//! How much there is.

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

statements! {
    COUNTS = "select (select count(*) from bosa_clients), (select count(*) from bosa_api_keys), \
        (select count(*) from bosa_users), (select count(*) from bosa_users where secret_kind = 'imported'), \
        (select count(*) from bosa_tokens), (select count(*) from bosa_integrations), \
        (select count(*) from bosa_audit_events)";
}
