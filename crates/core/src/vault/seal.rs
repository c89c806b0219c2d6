//! The one sealing construction.

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::root_key::KEY_BYTES;
use crate::entropy::{Entropy, EntropyError};
use crate::secret::SecretBytes;

/// The version of every layout; it is the first byte, and part of the associated data.
pub(super) const VERSION: u8 = 1;
pub(super) const NONCE_BYTES: usize = 24;
pub(super) const TAG_BYTES: usize = 16;

/// Why nothing was sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// There is no randomness.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// The root key has another id than the one to be sealed for.
    #[error("another root key")]
    OtherKey,
    /// The plain text is longer than the construction allows, 256 GiB.
    #[error("too long to be sealed")]
    TooLong,
}

/// Why sealed bytes were not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Too short, or of a version that is not known.
    #[error("not sealed bytes of a known version")]
    Malformed,
    /// Sealed under another key than the one given.
    #[error("sealed under another key")]
    OtherKey,
    /// Changed, or belonging to something else.
    #[error("sealed bytes do not open here")]
    Refused,
}

/// Appends `nonce ‖ ciphertext ‖ tag` to the layout's first bytes.
pub(super) fn seal(
    key: &[u8; KEY_BYTES],
    label: &[&[u8]],
    associated: &[u8],
    plain: &[u8],
    mut layout: Vec<u8>,
    entropy: &dyn Entropy,
) -> Result<Vec<u8>, SealError> {
    let mut nonce = [0; NONCE_BYTES];
    entropy.fill(&mut nonce)?;
    let payload = Payload {
        msg: plain,
        aad: associated,
    };
    let sealed = cipher(key, label)
        .ok_or(SealError::TooLong)?
        .encrypt(&XNonce::from(nonce), payload)
        .map_err(|_| SealError::TooLong)?;
    layout.extend_from_slice(&nonce);
    layout.extend_from_slice(&sealed);
    Ok(layout)
}

/// Opens `nonce ‖ ciphertext ‖ tag`.
pub(super) fn open(
    key: &[u8; KEY_BYTES],
    label: &[&[u8]],
    associated: &[u8],
    sealed: &[u8],
) -> Result<SecretBytes, OpenError> {
    let (nonce, sealed) = sealed
        .split_first_chunk::<NONCE_BYTES>()
        .ok_or(OpenError::Malformed)?;
    if sealed.len() < TAG_BYTES {
        return Err(OpenError::Malformed);
    }
    let payload = Payload {
        msg: sealed,
        aad: associated,
    };
    cipher(key, label)
        .and_then(|cipher| cipher.decrypt(&XNonce::from(*nonce), payload).ok())
        .map(SecretBytes::new)
        .ok_or(OpenError::Refused)
}

/// Appends a part after its length as eight big-endian bytes.
pub(super) fn push_part(target: &mut Vec<u8>, part: &[u8]) {
    target.extend_from_slice(&(part.len() as u64).to_be_bytes());
    target.extend_from_slice(part);
}

/// Derives the purpose's own key; `None` never happens, as 32 bytes are within HKDF's limit.
fn cipher(key: &[u8; KEY_BYTES], label: &[&[u8]]) -> Option<XChaCha20Poly1305> {
    let mut derived = Zeroizing::new([0; KEY_BYTES]);
    Hkdf::<Sha256>::new(None, key)
        .expand_multi_info(label, derived.as_mut_slice())
        .ok()?;
    Some(XChaCha20Poly1305::new((&*derived).into()))
}
