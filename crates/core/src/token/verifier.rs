//! Checking signatures with keys that were made ready once.

use aws_lc_rs::hmac::{HMAC_SHA384, HMAC_SHA512, Key, verify};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, VerificationAlgorithm,
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::Algorithm;

/// The half of a key that verifies, bound to its one algorithm.
pub(super) enum Verifier {
    /// The hash's state after the secret, wiped on drop. The library of the keyed digests takes less
    /// time than the other one for texts as short as tokens.
    Sha256(Hmac<Sha256>),
    Longer(Box<Key>),
    Public(ParsedPublicKey),
}

impl Verifier {
    /// `None` for an algorithm that has a public half.
    pub(super) fn of_secret(algorithm: Algorithm, secret: &[u8]) -> Option<Self> {
        match algorithm {
            Algorithm::HS256 => Hmac::new_from_slice(secret).ok().map(Self::Sha256),
            Algorithm::HS384 => Some(Self::Longer(Box::new(Key::new(HMAC_SHA384, secret)))),
            Algorithm::HS512 => Some(Self::Longer(Box::new(Key::new(HMAC_SHA512, secret)))),
            _ => None,
        }
    }

    /// Takes the key in the library's own form; `None` when it is not one for the algorithm.
    pub(super) fn of_public(algorithm: Algorithm, key: &[u8]) -> Option<Self> {
        let algorithm: &'static dyn VerificationAlgorithm = match algorithm {
            Algorithm::RS256 => &RSA_PKCS1_2048_8192_SHA256,
            Algorithm::PS256 => &RSA_PSS_2048_8192_SHA256,
            Algorithm::ES256 => &ECDSA_P256_SHA256_FIXED,
            Algorithm::ES384 => &ECDSA_P384_SHA384_FIXED,
            Algorithm::EdDSA => &ED25519,
            Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => return None,
        };
        ParsedPublicKey::new(algorithm, key).ok().map(Self::Public)
    }

    /// Compares in constant time where the signature is a secret's.
    pub(super) fn accepts(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Sha256(key) => {
                let mut mac = key.clone();
                mac.update(message);
                mac.verify_slice(signature).is_ok()
            }
            Self::Longer(key) => verify(key, message, signature).is_ok(),
            Self::Public(key) => key.verify_sig(message, signature).is_ok(),
        }
    }
}
