//! The behaviour of the library, the same on SQLite and PostgreSQL.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod api_keys;
mod at_rest;
mod backup;
mod clients;
mod dump;
mod hostile;
mod integrations;
mod isolation;
mod login;
mod operations;
mod races;
mod scopes;
mod start;
mod support;
mod tokens;
mod tour;
mod users;
