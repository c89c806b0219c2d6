//! The keys that seal values, and the values that they seal.

mod status;
mod verify;

pub use status::VaultStatus;
pub use verify::VaultReport;
