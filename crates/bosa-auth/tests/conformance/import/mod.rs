//! Taking over a database of the original.

mod again;
mod arrived;
mod left;
mod odd;
mod older;
mod redis;
mod redis_server;
mod releases;
mod removed;
mod source;
