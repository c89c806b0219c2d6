//! The `bosa-auth` command.
fn main() {}
