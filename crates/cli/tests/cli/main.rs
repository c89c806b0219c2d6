//! The command as a person or a program runs it: the real executable, in an environment of its own.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod archives;
mod arguments;
mod connector_settings;
mod connectors;
mod freshness;
mod import;
mod import_interrupted;
mod integrations;
mod nodes;
mod pages;
mod readme;
mod refreshing;
mod refusals;
mod serve;
mod server;
mod settings;
mod support;
mod walk;
