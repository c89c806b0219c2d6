//! Canaries: sealed constants that tell whether a root key is the right one.

use subtle::ConstantTimeEq as _;

use super::root_key::{RootKey, RootKeyId};
use super::seal::{OpenError, SealError};
use super::sealed_key::{Mark, open_under, seal_under};
use crate::entropy::Entropy;

/// Seals the constant under a root key.
///
/// # Errors
/// `OtherKey` when the key has another id; `Entropy` when there is no randomness.
pub fn seal_canary(
    root: &RootKey,
    id: &RootKeyId,
    entropy: &dyn Entropy,
) -> Result<Vec<u8>, SealError> {
    if root.id() != id {
        return Err(SealError::OtherKey);
    }
    seal_under(root, MARK, "", CONSTANT, entropy)
}

/// Tells whether a root key is the one that sealed this canary.
///
/// # Errors
/// [`OpenError`] when it is not.
pub fn open_canary(root: &RootKey, id: &RootKeyId, sealed: &[u8]) -> Result<(), OpenError> {
    if root.id() != id {
        return Err(OpenError::OtherKey);
    }
    let opened = open_under(root, MARK, "", sealed)?;
    if bool::from(opened.expose().ct_eq(CONSTANT)) {
        Ok(())
    } else {
        Err(OpenError::Refused)
    }
}

const MARK: Mark = (0, b"canary");
const CONSTANT: &[u8] = b"bosa-auth canary";
