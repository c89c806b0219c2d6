//! The HTTP API over a real socket, on every database.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod app;
mod bad_input;
mod browser;
mod connect;
mod credentials;
mod documents;
mod idempotency;
mod imported;
mod isolation;
mod metrics;
mod protocol;
mod routes;
mod scopes;
mod secrecy;
mod shutdown;
mod tour;
mod walk;
