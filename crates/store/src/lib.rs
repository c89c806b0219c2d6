//! The database of BOSA Auth: one SQL text for SQLite and PostgreSQL.
//!
//! [`Db`] hides which of the two is behind it: callers write one statement in the common dialect
//! and bind typed parameters. [`Db::write`] runs a closure in a transaction that its caller cannot
//! cancel halfway and repeats it when the database asks for that; [`migrate`] brings a database to
//! the current schema.

pub mod db;
pub mod error;
pub mod migrate;
mod tls;
pub mod url;

pub use db::{BoxFuture, Column, Db, DbOptions, Dialect, Param, Row, Tx};
pub use error::StoreError;
pub use url::{DatabaseUrl, UrlError};
