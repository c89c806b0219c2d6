//! Generated files and dependency policy.
fn main() {}
