//! Sealing: keys under root keys, and values under data keys.
//!
//! The construction is XChaCha20-Poly1305 under a key derived with HKDF-SHA-256 (RFC 5869), one
//! derivation for each purpose; the associated data says what the sealed bytes belong to, so that
//! they open nowhere else. The layouts are in `docs/formats.md`.

mod canary;
mod keyring;
mod root_key;
mod seal;
mod sealed_key;
#[cfg(test)]
mod tests;
mod value;
#[cfg(test)]
mod vectors;

pub use canary::{open_canary, seal_canary};
pub use keyring::{KeyringError, RootKeyring};
pub use root_key::{InvalidRootKeyId, RootKey, RootKeyId};
pub use seal::{OpenError, SealError};
pub use sealed_key::{KeyPurpose, open_key, seal_key};
pub use value::{DataKey, ValueContext, ValuePurpose, open_value, seal_value, sealed_data_key_id};
