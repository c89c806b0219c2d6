//! The processes that work on this database.

use bosa_auth_core::{NodeId, Timestamp};

use crate::columns::{Columns, statements};
use crate::db::Tx;
use crate::error::StoreError;
use crate::params;
use crate::store::Source;

/// One process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeRow {
    /// The process's id, new at every start.
    pub id: NodeId,
    /// The key that it signs with.
    pub kid: String,
    /// When it started.
    pub started_at: Timestamp,
    /// When it last said so.
    pub seen_at: Timestamp,
}

/// Records that a process is alive and which key it signs with.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn seen(tx: &mut Tx, node: &NodeRow) -> Result<(), StoreError> {
    tx.execute(
        SEEN,
        params![node.id, &node.kid, node.started_at, node.seen_at],
    )
    .await
    .map(drop)
}

/// Lists the processes seen since `since`, oldest first.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn list(mut source: impl Source, since: Timestamp) -> Result<Vec<NodeRow>, StoreError> {
    let rows = source.rows(LIST, params![since]).await?;
    rows.iter()
        .map(|row| {
            let mut columns = Columns::of(row);
            Ok(NodeRow {
                id: columns.next()?,
                kid: columns.next()?,
                started_at: columns.next()?,
                seen_at: columns.next()?,
            })
        })
        .collect()
}

/// Forgets the processes not seen since `before`; returns how many.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn prune(tx: &mut Tx, before: Timestamp) -> Result<u64, StoreError> {
    tx.execute(PRUNE, params![before]).await
}

statements! {
    SEEN = "insert into bosa_nodes (id, kid, started_at, seen_at) values ($1, $2, $3, $4) \
        on conflict (id) do update set kid = excluded.kid, seen_at = excluded.seen_at";
    LIST = "select id, kid, started_at, seen_at from bosa_nodes where seen_at >= $1 order by started_at, id";
    PRUNE = "delete from bosa_nodes where seen_at < $1";
}
