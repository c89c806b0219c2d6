//! Keys of the database, sealed under a root key.

use super::root_key::RootKey;
use super::seal::{NONCE_BYTES, OpenError, SealError, TAG_BYTES, VERSION, open, push_part, seal};
use crate::entropy::Entropy;
use crate::secret::SecretBytes;

/// What a sealed key is for; one sealed for one purpose never opens for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyPurpose {
    /// Keyed digests of credentials.
    DigestKey,
    /// The values of one client.
    DataKey,
    /// Signatures of tokens.
    SigningKey,
    /// The secrets of the deployment's own connectors.
    ConnectorSecretKey,
}

/// Seals a key under a root key, for one purpose and one id.
///
/// # Errors
/// [`SealError::Entropy`] when there is no randomness.
pub fn seal_key(
    root: &RootKey,
    purpose: KeyPurpose,
    id: &str,
    plain: &[u8],
    entropy: &dyn Entropy,
) -> Result<Vec<u8>, SealError> {
    seal_under(root, purpose.mark(), id, plain, entropy)
}

/// Opens what [`seal_key`] sealed under the same root key for the same purpose and id.
///
/// # Errors
/// [`OpenError`] when it was sealed for anything else, or is changed.
pub fn open_key(
    root: &RootKey,
    purpose: KeyPurpose,
    id: &str,
    sealed: &[u8],
) -> Result<SecretBytes, OpenError> {
    open_under(root, purpose.mark(), id, sealed)
}

/// A purpose as a byte of the associated data, and as the end of the derivation label.
pub(super) type Mark = (u8, &'static [u8]);

pub(super) fn seal_under(
    root: &RootKey,
    (byte, name): Mark,
    id: &str,
    plain: &[u8],
    entropy: &dyn Entropy,
) -> Result<Vec<u8>, SealError> {
    let associated = associated(root, byte, id);
    let mut layout = Vec::with_capacity(1 + NONCE_BYTES + plain.len() + TAG_BYTES);
    layout.push(VERSION);
    seal(
        root.bytes(),
        &[LABEL, name],
        &associated,
        plain,
        layout,
        entropy,
    )
}

pub(super) fn open_under(
    root: &RootKey,
    (byte, name): Mark,
    id: &str,
    sealed: &[u8],
) -> Result<SecretBytes, OpenError> {
    match sealed.split_first() {
        Some((&VERSION, sealed)) => open(
            root.bytes(),
            &[LABEL, name],
            &associated(root, byte, id),
            sealed,
        ),
        _ => Err(OpenError::Malformed),
    }
}

impl KeyPurpose {
    const fn mark(self) -> Mark {
        match self {
            Self::DigestKey => (1, b"digest key"),
            Self::DataKey => (2, b"data key"),
            Self::SigningKey => (3, b"signing key"),
            Self::ConnectorSecretKey => (4, b"connector secret key"),
        }
    }
}

const LABEL: &[u8] = b"bosa-auth sealed key v1: ";

fn associated(root: &RootKey, purpose: u8, id: &str) -> Vec<u8> {
    let mut data = vec![VERSION, purpose];
    push_part(&mut data, root.id().as_str().as_bytes());
    push_part(&mut data, id.as_bytes());
    data
}
