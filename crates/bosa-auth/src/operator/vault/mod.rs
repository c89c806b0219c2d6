//! The keys that seal values, and the values that they seal.

mod rekey;
mod status;
mod verify;

pub use rekey::{RekeyEnd, RekeyOptions, RekeyProgress, RekeyReport, WrapReport};
pub use status::{ConnectorKeyInfo, DataKeyAges, RekeyStatus, VaultCounts, VaultStatus};
pub use verify::VaultReport;
