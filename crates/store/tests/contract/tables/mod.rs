//! The tables and the functions on them.

#[macro_use]
mod world;

mod isolation;
mod schema_parity;
mod statements;
