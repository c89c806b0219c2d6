//! Taking over a database of the original.

mod again;
mod arrived;
mod source;
