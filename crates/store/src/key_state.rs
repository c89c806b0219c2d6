//! The state of a key that is replaced by a newer one.

use std::str::FromStr;

/// Whether a digest key or a signing key is still used for new things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyState {
    /// Used for new digests or signatures.
    Active,
    /// Used only to verify what exists.
    Verifying,
}

impl KeyState {
    /// Returns the state's fixed text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Verifying => "verifying",
        }
    }
}

impl FromStr for KeyState {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "active" => Ok(Self::Active),
            "verifying" => Ok(Self::Verifying),
            _ => Err(()),
        }
    }
}
