//! The tables and the functions on them.

#[macro_use]
mod world;

mod archive;
mod clients;
mod feed;
mod instance;
mod integrations;
mod isolation;
mod keys;
mod requests;
mod schema_parity;
mod statements;
mod tokens;
mod users;
