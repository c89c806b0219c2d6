//! The tables and the functions on them.

#[macro_use]
mod world;

mod archive;
mod clients;
mod connect_states;
mod connected;
mod connector_settings;
mod feed;
mod grants;
mod import_markers;
mod instance;
mod integrations;
mod isolation;
mod keys;
mod leases;
mod rekey;
mod requests;
mod schema_parity;
mod statements;
mod tokens;
mod users;
