//! The root keys of a process, and their text.

use std::fmt;
use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::root_key::{KEY_BYTES, RootKey, RootKeyId};
use crate::entropy::{Entropy, EntropyError};
use crate::secret::Secret;

/// The root keys of a process, in the order in which they were given.
///
/// Keys that it learns while it is in use come after the others, and none ever goes: whoever holds a
/// key of it may go on.
pub struct RootKeyring {
    keys: Vec<RootKey>,
    learned: OnceLock<Box<RootKeyring>>,
}

/// Why a text is not a list of root keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// Nothing between two separators, or nothing at all.
    #[error("an element is empty")]
    EmptyElement,
    /// No `id:` before the key, or not a valid id.
    #[error("element {position} does not begin with a root key's id and a colon")]
    InvalidId {
        /// Which element, counted from 1.
        position: usize,
    },
    /// Not the base64 of 32 bytes.
    #[error("the root key {id} is not the base64 of 32 bytes")]
    InvalidKey {
        /// The element's id.
        id: RootKeyId,
    },
    /// The same id twice.
    #[error("the root key {id} is given twice")]
    DuplicateId {
        /// The id.
        id: RootKeyId,
    },
}

impl fmt::Debug for RootKeyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<&RootKey> = self.all().collect();
        f.debug_tuple("RootKeyring").field(&keys).finish()
    }
}

impl RootKeyring {
    /// Reads `id:base64` elements, separated by commas or one a line.
    ///
    /// # Errors
    /// [`KeyringError`] names the element, never the key.
    pub fn parse(text: &Secret) -> Result<Self, KeyringError> {
        let text = text.expose();
        let text = text.strip_suffix('\n').unwrap_or(text);
        let mut keys: Vec<RootKey> = Vec::new();
        for (index, element) in text.split([',', '\n']).map(str::trim).enumerate() {
            let key = parse_element(element, index + 1)?;
            if keys.iter().any(|other| other.id() == key.id()) {
                return Err(KeyringError::DuplicateId {
                    id: key.id().clone(),
                });
            }
            keys.push(key);
        }
        Ok(Self::of(keys))
    }

    /// Makes a keyring of one new key.
    ///
    /// # Errors
    /// [`EntropyError`] when there is no randomness.
    pub fn generate(id: RootKeyId, entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        RootKey::generate(id, entropy).map(|key| Self::of(vec![key]))
    }

    /// Adds the keys of another keyring whose names are new here.
    pub fn learn(&self, other: Self) {
        let mut new: Vec<RootKey> = other.into_keys().collect();
        let mut ring = self;
        loop {
            new.retain(|key| ring.keys.iter().all(|known| known.id() != key.id()));
            if new.is_empty() {
                return;
            }
            // Another caller may be faster; its keys are looked at next then.
            let more = ring
                .learned
                .get_or_init(|| Box::new(Self::of(std::mem::take(&mut new))));
            ring = more;
        }
    }

    /// Leaves out the key of this name; `None` when no other is left.
    pub fn without(self, id: &RootKeyId) -> Option<Self> {
        let keys: Vec<RootKey> = self.into_keys().filter(|key| key.id() != id).collect();
        (!keys.is_empty()).then(|| Self::of(keys))
    }

    /// Returns the text that [`RootKeyring::parse`] reads, one key a line.
    pub fn to_text(&self) -> Secret {
        let mut text = String::with_capacity(self.all().count() * 80);
        for key in self.all() {
            text.push_str(key.id().as_str());
            text.push(':');
            STANDARD.encode_string(key.bytes(), &mut text);
            text.push('\n');
        }
        Secret::new(text)
    }

    /// Returns the key of this name.
    pub fn get(&self, id: &RootKeyId) -> Option<&RootKey> {
        self.all().find(|key| key.id() == id)
    }

    /// Returns the key that was given first.
    pub fn first(&self) -> Option<(&RootKeyId, &RootKey)> {
        self.all().next().map(|key| (key.id(), key))
    }

    /// Returns every name, in the order given.
    pub fn ids(&self) -> impl Iterator<Item = &RootKeyId> {
        self.all().map(RootKey::id)
    }

    const fn of(keys: Vec<RootKey>) -> Self {
        Self {
            keys,
            learned: OnceLock::new(),
        }
    }

    fn all(&self) -> impl Iterator<Item = &RootKey> {
        let rings = std::iter::successors(Some(self), |ring| ring.learned.get().map(AsRef::as_ref));
        rings.flat_map(|ring| &ring.keys)
    }

    fn into_keys(self) -> impl Iterator<Item = RootKey> {
        let mut keys = self.keys;
        let mut rest = self.learned.into_inner();
        while let Some(ring) = rest {
            keys.extend(ring.keys);
            rest = ring.learned.into_inner();
        }
        keys.into_iter()
    }
}

fn parse_element(element: &str, position: usize) -> Result<RootKey, KeyringError> {
    if element.is_empty() {
        return Err(KeyringError::EmptyElement);
    }
    let (id, encoded) = element
        .split_once(':')
        .ok_or(KeyringError::InvalidId { position })?;
    let id: RootKeyId = id
        .parse()
        .map_err(|_| KeyringError::InvalidId { position })?;
    let decoded = STANDARD.decode(encoded).map(Zeroizing::new);
    match decoded
        .as_ref()
        .map(|bytes| <[u8; KEY_BYTES]>::try_from(bytes.as_slice()))
    {
        Ok(Ok(bytes)) => Ok(RootKey::new(id, bytes)),
        _ => Err(KeyringError::InvalidKey { id }),
    }
}
