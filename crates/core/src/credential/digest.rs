//! Keyed digests: what is stored of a generated credential.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::entropy::{Entropy, EntropyError};
use crate::id::ClientId;
use crate::text_enum::text_enum;

/// The key of keyed digests: 32 random bytes, wiped when dropped.
pub struct DigestKey {
    bytes: Zeroizing<[u8; 32]>,
    /// The hash's state after the key, so that a digest begins with what it covers; wiped on drop.
    prepared: Hmac<Sha256>,
}

impl DigestKey {
    /// Makes a new key.
    ///
    /// # Errors
    /// [`EntropyError`] when there is no randomness.
    pub fn generate(entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        let mut bytes = Zeroizing::new([0; 32]);
        entropy.fill(bytes.as_mut_slice())?;
        Ok(Self::of(bytes))
    }

    /// Takes the bytes of an existing key.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self::of(Zeroizing::new(bytes))
    }

    fn of(bytes: Zeroizing<[u8; 32]>) -> Self {
        // A key shorter than the hash's block is padded with zeros (RFC 2104 section 2); handing over
        // the whole block leaves no length that could be wrong.
        let mut block = Zeroizing::new([0; 64]);
        for (target, source) in block.iter_mut().zip(*bytes) {
            *target = source;
        }
        let prepared = Hmac::new((&*block).into());
        Self { bytes, prepared }
    }

    /// Returns the bytes, to be sealed.
    ///
    /// # Security
    /// Whoever has them can test guesses against stored digests.
    pub fn expose(&self) -> &[u8; 32] {
        &self.bytes
    }
}

impl fmt::Debug for DigestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DigestKey(redacted)")
    }
}

text_enum! {
    /// What a credential is for; a digest of one kind never verifies the other.
    pub enum CredentialKind as "credential kind" {
        /// A client key.
        ClientKey = "client_key",
        /// A user secret.
        UserSecret = "user_secret",
    }
}

/// A keyed digest, HMAC-SHA-256 (RFC 2104, FIPS 180-4).
///
/// # Security
/// It has no `PartialEq`: compare with [`Digest::matches`], in constant time.
#[derive(Clone, Copy)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Returns the bytes, to be stored.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Compares with stored bytes, in constant time.
    pub fn matches(&self, stored: &[u8]) -> bool {
        self.0.as_slice().ct_eq(stored).into()
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(redacted)")
    }
}

/// Returns the digest of an imported credential, which covers its kind, id and secret only.
///
/// `secret` is the last segment of the credential's text.
pub fn imported_digest(
    key: &DigestKey,
    kind: CredentialKind,
    credential_id: Uuid,
    secret: &str,
) -> Digest {
    mac(
        key,
        &[
            IMPORTED,
            kind.as_str().as_bytes(),
            credential_id.as_bytes(),
            secret.as_bytes(),
        ],
    )
}

/// Returns a digest of other things than credentials, for example of idempotency keys.
///
/// The label keeps uses apart; parts are length-prefixed, so that no two lists of parts collide.
pub fn keyed_digest(key: &DigestKey, label: &'static str, parts: &[&[u8]]) -> Digest {
    let mut all: Vec<&[u8]> = vec![OTHER, label.as_bytes()];
    all.extend_from_slice(parts);
    mac(key, &all)
}

pub(super) fn current_digest(
    key: &DigestKey,
    kind: CredentialKind,
    client: ClientId,
    credential_id: Uuid,
    middle: &str,
    secret: &str,
) -> Digest {
    mac(
        key,
        &[
            CURRENT,
            kind.as_str().as_bytes(),
            client.as_uuid().as_bytes(),
            credential_id.as_bytes(),
            middle.as_bytes(),
            secret.as_bytes(),
        ],
    )
}

/// First part of every digest: the construction and its version.
const CURRENT: &[u8] = b"bosa-auth credential v1";
const IMPORTED: &[u8] = b"bosa-auth imported credential v1";
const OTHER: &[u8] = b"bosa-auth keyed digest v1";

/// HMAC-SHA-256 over the parts, each after its length as eight big-endian bytes.
fn mac(key: &DigestKey, parts: &[&[u8]]) -> Digest {
    let mut mac = key.prepared.clone();
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    Digest(mac.finalize().into_bytes().into())
}
