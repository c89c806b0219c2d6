//! Taking over a database of the original.

mod again;
mod arrived;
mod left;
mod odd;
mod older;
mod redis;
mod releases;
mod removed;
mod source;
