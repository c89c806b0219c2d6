//! Keys that sign and verify tokens.

use std::fmt;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hkdf::Hkdf;
use jsonwebtoken::EncodingKey;
use jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::verifier::Verifier;
use super::{Algorithm, TokenError, pkcs8};
use crate::entropy::{Entropy, EntropyError};
use crate::secret::{Secret, SecretBytes};

/// A key that signs tokens and verifies its own, with its one algorithm.
///
/// # Security
/// It is never cloned, and its `Debug` output shows `kid` and algorithm only.
pub struct SigningKey {
    algorithm: Algorithm,
    kid: String,
    material: SecretBytes,
    /// The public half as `SubjectPublicKeyInfo` (RFC 5280 section 4.1.2.7).
    public_der: Option<Vec<u8>>,
    signer: EncodingKey,
    verifier: Verifier,
    imported_only: bool,
}

/// Why a key cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// A text secret shorter than the hash (RFC 7518 section 3.2).
    #[error("the secret has fewer than {least} bytes, the least for {algorithm}")]
    TooShort {
        /// The algorithm that it was meant for.
        algorithm: Algorithm,
        /// How many bytes that takes.
        least: usize,
    },
    /// Not the PEM text of one unencrypted PKCS#8 key.
    #[error("not the PEM text of an unencrypted PKCS#8 private key")]
    NotPkcs8,
    /// A key of another kind, or of a size that is not accepted.
    #[error("not a private key for {algorithm}")]
    WrongKind {
        /// The algorithm that it was meant for.
        algorithm: Algorithm,
    },
    /// Only HS256 has keys for imported tokens only.
    #[error("imported tokens have keys of HS256 only")]
    NotForImported,
    /// The library could not make a key.
    #[error("no key could be generated")]
    Generation,
    /// There is no randomness.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}

impl SigningKey {
    /// Takes the text of a configured key: a secret for HS256, HS384 and HS512, of which the bytes
    /// of the text are the key; the PEM text of a PKCS#8 key for the others.
    ///
    /// # Errors
    /// [`KeyError`] when the text is too short or not a key of the algorithm's kind; RSA keys have
    /// 2048 to 8192 bits.
    pub fn from_configured(algorithm: Algorithm, text: &Secret) -> Result<Self, KeyError> {
        if algorithm.is_symmetric() {
            return Self::symmetric(algorithm, text.expose().as_bytes());
        }
        let der = pkcs8::from_pem(text.expose()).ok_or(KeyError::NotPkcs8)?;
        Self::asymmetric(algorithm, der)
    }

    /// Takes the text of an HS256 key of any length, which verifies tokens without `kid` only.
    ///
    /// # Errors
    /// `NotForImported` for another algorithm; `TooShort` for the empty text.
    ///
    /// # Security
    /// A short key can be guessed from any one of its tokens: accept it only beside a check of the
    /// token's row.
    pub fn from_configured_imported_only(
        algorithm: Algorithm,
        text: &Secret,
    ) -> Result<Self, KeyError> {
        if algorithm != Algorithm::HS256 {
            return Err(KeyError::NotForImported);
        }
        if text.is_empty() {
            return Err(KeyError::TooShort {
                algorithm,
                least: 1,
            });
        }
        let mut key = Self::from_secret(algorithm, text.expose().as_bytes())?;
        // A name derived from a short secret would let whoever sees the name guess the secret.
        key.kid = String::new();
        key.imported_only = true;
        Ok(key)
    }

    /// Makes a new key.
    ///
    /// A secret is the base64url text of as many random bytes as the hash has. RSA keys have 3072
    /// bits. The randomness of the algorithms with a public half is the cryptographic library's
    /// own, not `entropy`.
    ///
    /// # Errors
    /// `Entropy` or `Generation` when there is no randomness.
    pub fn generate(algorithm: Algorithm, entropy: &dyn Entropy) -> Result<Self, KeyError> {
        let der = match algorithm {
            Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => {
                let mut bytes = Zeroizing::new(vec![0; algorithm.min_secret_bytes()]);
                entropy.fill(&mut bytes)?;
                let text = Zeroizing::new(URL_SAFE_NO_PAD.encode(&*bytes));
                return Self::symmetric(algorithm, text.as_bytes());
            }
            Algorithm::RS256 | Algorithm::PS256 => RsaKeyPair::generate(KeySize::Rsa3072)
                .and_then(|pair| AsDer::<Pkcs8V1Der<'_>>::as_der(&pair))
                .map(|der| der.as_ref().to_vec()),
            Algorithm::ES256 => generate_ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING),
            Algorithm::ES384 => generate_ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING),
            Algorithm::EdDSA => Ed25519KeyPair::generate()
                .and_then(|pair| pair.to_pkcs8v1())
                .map(|der| der.as_ref().to_vec()),
        };
        let der = der.map_err(|_| KeyError::Generation)?;
        Self::asymmetric(algorithm, SecretBytes::new(der))
    }

    /// Takes what [`SigningKey::material`] gave.
    ///
    /// # Errors
    /// [`KeyError`] when it is not a key of the algorithm's kind.
    pub fn from_material(algorithm: Algorithm, material: &SecretBytes) -> Result<Self, KeyError> {
        if algorithm.is_symmetric() {
            return Self::symmetric(algorithm, material.expose());
        }
        Self::asymmetric(algorithm, SecretBytes::new(material.expose().to_vec()))
    }

    /// Returns the bytes of the key, to be sealed: the secret, or the PKCS#8 DER.
    pub fn material(&self) -> SecretBytes {
        SecretBytes::new(self.material.expose().to_vec())
    }

    /// Returns the text that [`SigningKey::from_configured`] reads.
    ///
    /// # Errors
    /// `WrongKind` when the key is a secret that is not a text.
    pub fn to_configured(&self) -> Result<Secret, KeyError> {
        if !self.algorithm.is_symmetric() {
            return Ok(pkcs8::to_pem(&self.material));
        }
        match std::str::from_utf8(self.material.expose()) {
            Ok(text) => Ok(Secret::from(text)),
            Err(_) => Err(KeyError::WrongKind {
                algorithm: self.algorithm,
            }),
        }
    }

    /// Returns the key's name, derived from it by hash: 22 characters of base64url; empty for a key
    /// that verifies tokens without `kid` only.
    ///
    /// # Security
    /// The name of a text secret is public, and a guess of the secret can be checked against it,
    /// exactly as against the signature of any token beside it: the secret has to be random.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Returns the one algorithm that the key is used with.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Returns the public half as DER of `SubjectPublicKeyInfo`; a secret has none.
    pub fn public_der(&self) -> Option<Vec<u8>> {
        self.public_der.clone()
    }

    pub(super) const fn is_for_imported_only(&self) -> bool {
        self.imported_only
    }

    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, TokenError> {
        if self.imported_only {
            return Err(TokenError::CannotSign);
        }
        (DEFAULT_PROVIDER.signer_factory)(&self.algorithm.of_library(), &self.signer)
            .ok()
            .and_then(|signer| signer.try_sign(message).ok())
            .ok_or(TokenError::CannotSign)
    }

    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), TokenError> {
        if self.verifier.accepts(message, signature) {
            Ok(())
        } else {
            Err(TokenError::BadSignature)
        }
    }

    fn symmetric(algorithm: Algorithm, secret: &[u8]) -> Result<Self, KeyError> {
        let least = algorithm.min_secret_bytes();
        if secret.len() < least {
            return Err(KeyError::TooShort { algorithm, least });
        }
        Self::from_secret(algorithm, secret)
    }

    fn from_secret(algorithm: Algorithm, secret: &[u8]) -> Result<Self, KeyError> {
        let wrong = KeyError::WrongKind { algorithm };
        Ok(Self {
            algorithm,
            kid: kid_of_secret(algorithm, secret),
            material: SecretBytes::new(secret.to_vec()),
            public_der: None,
            signer: EncodingKey::from_secret(secret),
            verifier: Verifier::of_secret(algorithm, secret).ok_or(wrong)?,
            imported_only: false,
        })
    }

    fn asymmetric(algorithm: Algorithm, der: SecretBytes) -> Result<Self, KeyError> {
        let wrong = KeyError::WrongKind { algorithm };
        let (public_der, signer, verifier) = halves(algorithm, der.expose()).ok_or(wrong)?;
        Ok(Self {
            algorithm,
            kid: kid_of_public(algorithm, &public_der),
            material: der,
            public_der: Some(public_der),
            signer,
            verifier,
            imported_only: false,
        })
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({} {}, redacted)", self.algorithm, self.kid)
    }
}

const KID_OF_PUBLIC: &[u8] = b"bosa-auth kid v1";
const KID_OF_SECRET: &[u8] = b"bosa-auth kid of secret v1";
const KID_BYTES: usize = 16;
const LEAST_RSA_BYTES: usize = 2048 / 8;

fn generate_ecdsa(
    curve: &'static EcdsaSigningAlgorithm,
) -> Result<Vec<u8>, aws_lc_rs::error::Unspecified> {
    EcdsaKeyPair::generate(curve)?
        .to_pkcs8v1()
        .map(|der| der.as_ref().to_vec())
}

/// Checks the private key and returns the public half and what signs and verifies.
fn halves(algorithm: Algorithm, der: &[u8]) -> Option<(Vec<u8>, EncodingKey, Verifier)> {
    match algorithm {
        Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => None,
        Algorithm::RS256 | Algorithm::PS256 => {
            let pair = RsaKeyPair::from_pkcs8(der).ok()?;
            if pair.public_modulus_len() < LEAST_RSA_BYTES {
                return None;
            }
            let signer = EncodingKey::from_rsa_der(pkcs8::private_key(der)?);
            let verifier = Verifier::of_public(algorithm, pair.public_key().as_ref())?;
            Some((x509(pair.public_key())?, signer, verifier))
        }
        Algorithm::ES256 => ecdsa_halves(algorithm, &ECDSA_P256_SHA256_FIXED_SIGNING, der),
        Algorithm::ES384 => ecdsa_halves(algorithm, &ECDSA_P384_SHA384_FIXED_SIGNING, der),
        Algorithm::EdDSA => {
            let pair = Ed25519KeyPair::from_pkcs8(der).ok()?;
            let verifier = Verifier::of_public(algorithm, pair.public_key().as_ref())?;
            Some((
                x509(pair.public_key())?,
                EncodingKey::from_ed_der(der),
                verifier,
            ))
        }
    }
}

fn ecdsa_halves(
    algorithm: Algorithm,
    curve: &'static EcdsaSigningAlgorithm,
    der: &[u8],
) -> Option<(Vec<u8>, EncodingKey, Verifier)> {
    let pair = EcdsaKeyPair::from_pkcs8(curve, der).ok()?;
    let verifier = Verifier::of_public(algorithm, pair.public_key().as_ref())?;
    Some((
        x509(pair.public_key())?,
        EncodingKey::from_ec_der(der),
        verifier,
    ))
}

fn x509(public: &impl AsDer<PublicKeyX509Der<'static>>) -> Option<Vec<u8>> {
    public.as_der().ok().map(|der| der.as_ref().to_vec())
}

fn kid_of_public(algorithm: Algorithm, public_der: &[u8]) -> String {
    let mut hash = Sha256::new();
    for part in [KID_OF_PUBLIC, algorithm.as_str().as_bytes(), public_der] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let hash: [u8; 32] = hash.finalize().into();
    URL_SAFE_NO_PAD.encode(hash.first_chunk::<KID_BYTES>().unwrap_or(&[0; KID_BYTES]))
}

/// HKDF (RFC 5869) keeps the name apart from everything that the secret signs.
fn kid_of_secret(algorithm: Algorithm, secret: &[u8]) -> String {
    let mut name = [0; KID_BYTES];
    let expanded = Hkdf::<Sha256>::new(None, secret)
        .expand_multi_info(&[KID_OF_SECRET, algorithm.as_str().as_bytes()], &mut name);
    debug_assert!(expanded.is_ok(), "16 bytes are less than HKDF's limit");
    URL_SAFE_NO_PAD.encode(name)
}
