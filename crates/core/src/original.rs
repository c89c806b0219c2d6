//! Values that the original service has encrypted.
//!
//! Its key is PBKDF2-HMAC-SHA-256 (RFC 8018) of a password over a salt, both given as base32 text
//! (RFC 4648 section 6); its values are the base64 text of nonce, AES-256-GCM ciphertext and tag.
//! Nothing is ever encrypted this way here.

use std::fmt;
use std::num::NonZeroU32;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::pbkdf2;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use data_encoding::BASE32;
use zeroize::Zeroizing;

use crate::secret::Secret;

/// The key of the original's encrypted values.
pub struct OriginalKey(LessSafeKey);

/// Why there is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OriginalKeyError {
    /// The password or the salt is not base32.
    #[error("is not base32 text: upper-case letters, the digits 2 to 7 and `=` at the end")]
    NotBase32,
    /// The library could not make the key.
    #[error("cannot be used as a key")]
    Unusable,
}

impl OriginalKey {
    /// Derives the key from the texts of password and salt.
    ///
    /// This takes some tens of milliseconds.
    ///
    /// # Errors
    /// `NotBase32` when one of the texts is not.
    pub fn derive(password: &Secret, salt: &Secret) -> Result<Self, OriginalKeyError> {
        let (password, salt) = (decode(password)?, decode(salt)?);
        let iterations = NonZeroU32::new(ITERATIONS).ok_or(OriginalKeyError::Unusable)?;
        let mut bytes = Zeroizing::new([0; 32]);
        pbkdf2::derive(
            pbkdf2::PBKDF2_HMAC_SHA256,
            iterations,
            &salt,
            &password,
            bytes.as_mut_slice(),
        );
        let key = UnboundKey::new(&AES_256_GCM, bytes.as_slice());
        let key = key.map_err(|_| OriginalKeyError::Unusable)?;
        Ok(Self(LessSafeKey::new(key)))
    }

    /// Opens a value; `None` when it was not encrypted under this key, or is no text.
    pub fn open(&self, stored: &str) -> Option<Secret> {
        let mut bytes = decoded(stored)?;
        let (nonce, sealed) = bytes.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let plain = self.0.open_in_place(nonce, Aad::empty(), sealed).ok()?;
        std::str::from_utf8(plain).ok().map(Secret::from)
    }
}

/// Whether a value could have been encrypted under some key: nothing else tells.
#[must_use]
pub fn may_be_encrypted(stored: &str) -> bool {
    decoded(stored).is_some_and(|bytes| bytes.len() >= NONCE_LEN + TAG_LEN)
}

fn decoded(stored: &str) -> Option<Zeroizing<Vec<u8>>> {
    let engine = match stored.contains(['+', '/']) {
        true => STANDARD,
        false => URL_SAFE,
    };
    engine.decode(stored).ok().map(Zeroizing::new)
}

impl fmt::Debug for OriginalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OriginalKey(redacted)")
    }
}

const ITERATIONS: u32 = 100_000;
const TAG_LEN: usize = 16;

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);

fn decode(text: &Secret) -> Result<Zeroizing<Vec<u8>>, OriginalKeyError> {
    let decoded = BASE32.decode(text.expose().as_bytes());
    decoded
        .map(Zeroizing::new)
        .map_err(|_| OriginalKeyError::NotBase32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(password: &str, salt: &str) -> Result<OriginalKey, OriginalKeyError> {
        OriginalKey::derive(&Secret::from(password), &Secret::from(salt))
    }

    // Made by version 0.9.7 of the original.
    const PASSWORD: &str = "MJXXGYJNN5ZGSZZNMZUXQ5DVOJSS24DBONZXO33SMQWTGMTCPF2A====";
    const SALT: &str = "MJXXGYJNN5ZGSZZNONQWY5BRGY======";
    const STORED: &str = "YU-P87WceKaU25zDUx2rv0buZscfSVe6vIwioSrzbkHGasYbdSDvGTMNlRfilmX3vAQ=";
    const PLAIN: &str = "ghp_plainpat0123456789";

    #[test]
    fn a_value_of_the_original_opens_in_either_alphabet() {
        let key = key(PASSWORD, SALT).unwrap();
        let standard = STORED.replace('-', "+").replace('_', "/");
        for stored in [STORED, STORED.trim_end_matches('='), &standard] {
            assert_eq!(key.open(stored).unwrap().expose(), PLAIN);
        }
    }

    #[test]
    fn anything_else_does_not_open() {
        let right = key(PASSWORD, SALT).unwrap();
        let changed = STORED.replace("YU-P", "YU-Q");
        for stored in ["", "ghp_plain", "AAAA", PLAIN, &changed, &STORED[4..], "é"] {
            assert!(right.open(stored).is_none(), "{stored}");
        }
        assert!(key(SALT, PASSWORD).unwrap().open(STORED).is_none());
    }

    #[test]
    fn only_what_is_long_enough_base64_may_be_encrypted() {
        for (stored, expected) in [(STORED, true), (PLAIN, false), ("", false), ("AAAA", false)] {
            assert_eq!(may_be_encrypted(stored), expected, "{stored}");
        }
    }

    #[test]
    fn password_and_salt_are_padded_upper_case_base32() {
        for bad in ["1", "mjxxg===", "MJXXG", "MJXX GYJN"] {
            assert_eq!(key(bad, SALT).unwrap_err(), OriginalKeyError::NotBase32);
            assert_eq!(key(PASSWORD, bad).unwrap_err(), OriginalKeyError::NotBase32);
        }
    }
}
