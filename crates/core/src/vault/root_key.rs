//! Root keys: the keys outside the database that all others are sealed under.

use std::fmt;
use std::str::FromStr;

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::entropy::{Entropy, EntropyError};

/// How many bytes a root key or a data key has.
pub(super) const KEY_BYTES: usize = 32;
const LONGEST_ID: usize = 32;

/// The name of a root key: 1 to 32 of `a-z0-9_-`, the first a letter or digit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RootKeyId(String);

/// A text that cannot be the name of a root key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a root key's id is 1 to 32 of a-z 0-9 _ -, the first a letter or digit")]
pub struct InvalidRootKeyId;

impl RootKeyId {
    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RootKeyId {
    type Err = InvalidRootKeyId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let first_is_plain = text.bytes().next().is_some_and(plain);
        let rest_is_allowed = text
            .bytes()
            .all(|byte| plain(byte) || byte == b'_' || byte == b'-');
        if !first_is_plain || !rest_is_allowed || text.len() > LONGEST_ID {
            return Err(InvalidRootKeyId);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for RootKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A root key with its name: 32 random bytes, wiped when dropped.
#[derive(ZeroizeOnDrop)]
pub struct RootKey {
    #[zeroize(skip)]
    id: RootKeyId,
    bytes: [u8; KEY_BYTES],
}

impl RootKey {
    /// Returns the key's name.
    pub const fn id(&self) -> &RootKeyId {
        &self.id
    }

    pub(super) fn new(id: RootKeyId, mut bytes: [u8; KEY_BYTES]) -> Self {
        let key = Self { id, bytes };
        bytes.zeroize();
        key
    }

    pub(super) fn generate(id: RootKeyId, entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        let mut key = Self {
            id,
            bytes: [0; KEY_BYTES],
        };
        entropy.fill(&mut key.bytes)?;
        Ok(key)
    }

    pub(super) const fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.bytes
    }
}

impl fmt::Debug for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RootKey({}, redacted)", self.id)
    }
}
