//! Secrets in memory: wiped when dropped, absent from logs, never copied by accident.

use std::fmt;

use serde::{Deserialize, Deserializer};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A secret text.
///
/// # Security
/// It has no `Clone`, `Display`, `PartialEq` or `Serialize`: whoever needs the text says so with
/// [`Secret::expose`], and comparing goes through a digest.
#[derive(Default)]
pub struct Secret(String);

impl Zeroize for Secret {
    fn zeroize(&mut self) {
        // Of an empty text nothing is wiped: it has no memory, and to clear none at its address, which
        // is not a real one, costs some processors as much as half a hash.
        if self.0.capacity() > 0 {
            self.0.zeroize();
        }
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.zeroize();
    }
}

impl ZeroizeOnDrop for Secret {}

impl Secret {
    /// Takes the text; its buffer is wiped when the secret is dropped.
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// Returns the text.
    ///
    /// # Security
    /// What is done with the text from here on is no longer guarded.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Tells whether the secret is the empty text, which stands for "not shown".
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

/// Secret bytes.
///
/// # Security
/// As for [`Secret`].
#[derive(Default, Zeroize, ZeroizeOnDrop)]
pub struct SecretBytes(Vec<u8>);

impl SecretBytes {
    /// Takes the bytes; their buffer is wiped when the secret is dropped.
    pub const fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Returns the bytes.
    ///
    /// # Security
    /// What is done with the bytes from here on is no longer guarded.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Tells whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Vec<u8>> for SecretBytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self::new(bytes)
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretBytes(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_shows_nothing_of_the_secret() {
        assert_eq!(format!("{:?}", Secret::from("hunter2")), "Secret(redacted)");
        assert_eq!(
            format!("{:?}", SecretBytes::new(vec![7; 32])),
            "SecretBytes(redacted)"
        );
    }

    #[test]
    fn the_default_secret_is_empty() {
        assert!(Secret::default().is_empty());
        assert!(SecretBytes::default().is_empty());
        assert!(!Secret::from("x").is_empty());
    }

    #[test]
    fn a_secret_is_read_from_a_json_string() {
        let secret: Secret = serde_json::from_str(r#""a\u0000b""#).unwrap();
        assert_eq!(secret.expose(), "a\0b");
    }

    #[test]
    fn wiping_empties_the_secret() {
        let mut secret = Secret::from("hunter2");
        secret.zeroize();
        assert!(secret.is_empty());
    }
}
