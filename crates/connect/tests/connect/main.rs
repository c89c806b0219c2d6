//! Connectors from their files to the provider's answers.

mod bad_files;
mod catalogue;
mod documentation;
mod exchange;
mod loopback;
mod outbound;
mod probe;
