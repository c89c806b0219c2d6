//! The HTTP API over a real socket, on every database.

mod app;
mod bad_input;
mod documents;
mod idempotency;
mod isolation;
mod protocol;
mod routes;
mod scopes;
mod secrecy;
mod shutdown;
mod tour;
mod walk;
