//! What every use of the database relies on, on SQLite and on PostgreSQL.

mod db;
mod migrate;
mod tables;
