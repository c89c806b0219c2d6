//! The behaviour of the library, the same on SQLite and PostgreSQL.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod accounts;
mod acts;
mod api_keys;
mod at_rest;
mod backup;
mod cache;
mod clients;
mod connector_settings;
mod digest_keys;
mod dump;
mod fork;
mod from_memory;
mod granted;
mod hostile;
mod import;
mod imported;
mod integrations;
mod isolation;
mod login;
mod login_records;
mod operations;
mod races;
mod records;
mod refresh;
mod repeats;
mod revocations;
mod root_keys;
mod scenarios;
mod scopes;
mod settings;
mod start;
mod statements;
mod support;
mod tokens;
mod users;
mod vault;
