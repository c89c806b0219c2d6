//! One SQL text, two databases, one behaviour.

mod files;
mod flights;
mod groups;
mod lost;
mod tables;
mod tls;
mod together;
mod values;
mod writes;
