//! The HTTP API over a real socket, on every database.

mod app;
mod tour;
