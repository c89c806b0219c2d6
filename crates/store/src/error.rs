//! What can go wrong between a use case and its database.

use std::fmt::Display;

/// A failed database operation.
///
/// No variant carries a bound value, a password or a row: texts name tables, columns, constraints
/// and error codes only.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The database cannot be reached, is shutting down, or took longer than allowed.
    #[error("the database is unavailable: {reason}")]
    Unavailable {
        /// What failed, for the operator's log.
        reason: String,
    },
    /// Another transaction stood in the way for longer than the lock timeout.
    #[error("the database is busy")]
    Busy,
    /// The connection was lost while committing: the write may or may not have happened.
    #[error("the outcome of the write is unknown")]
    OutcomeUnknown,
    /// The database was closed by a move: everything lives on in another one.
    #[error("this database was moved and is closed")]
    Moved,
    /// A uniqueness rule was violated.
    #[error("a unique value is already taken ({constraint})")]
    Unique {
        /// PostgreSQL: the constraint's name; SQLite: its columns as `table.column, …`.
        constraint: String,
    },
    /// A row that is referred to does not exist, or is still referred to.
    #[error("a foreign key does not hold")]
    ForeignKey,
    /// A key was to be stored under a root key that is not the active one any more.
    #[error("the root key is not the active one any more")]
    RootKeyReplaced,
    /// A stored value is not what the code expects there.
    #[error("a stored value is unreadable: {what}")]
    Unreadable {
        /// Which column or rule, never the value.
        what: String,
    },
    /// The schema cannot be brought, or is not at, the version this program needs.
    #[error("migration: {0}")]
    Migration(String),
    /// The settings do not lead to a usable database; the text says what to change.
    #[error("{0}")]
    Configuration(String),
    /// A defect: a statement the database does not accept.
    #[error("internal database error: {0}")]
    Internal(String),
}

impl StoreError {
    pub(crate) fn unavailable(reason: impl Display) -> Self {
        Self::Unavailable {
            reason: reason.to_string(),
        }
    }

    pub(crate) fn unreadable(what: impl Display) -> Self {
        Self::Unreadable {
            what: what.to_string(),
        }
    }
}
