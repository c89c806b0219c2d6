//! Private keys as PKCS#8 (RFC 5958) and its PEM text (RFC 7468).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::secret::{Secret, SecretBytes};

const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END PRIVATE KEY-----";
const LINE: usize = 64;

/// Reads the PEM text of one unencrypted PKCS#8 key.
pub(super) fn from_pem(text: &str) -> Option<SecretBytes> {
    let body = text.trim().strip_prefix(BEGIN)?.strip_suffix(END)?;
    let mut encoded = Zeroizing::new(String::with_capacity(body.len()));
    encoded.extend(body.chars().filter(|char| !char.is_ascii_whitespace()));
    STANDARD
        .decode(encoded.as_bytes())
        .ok()
        .map(SecretBytes::new)
}

/// Writes the PEM text.
pub(super) fn to_pem(der: &SecretBytes) -> Secret {
    let encoded = Zeroizing::new(STANDARD.encode(der.expose()));
    let lines = encoded.len().div_ceil(LINE);
    let mut text = String::with_capacity(BEGIN.len() + encoded.len() + lines + END.len() + 2);
    text.push_str(BEGIN);
    for (position, char) in encoded.chars().enumerate() {
        if position % LINE == 0 {
            text.push('\n');
        }
        text.push(char);
    }
    text.push('\n');
    text.push_str(END);
    text.push('\n');
    Secret::new(text)
}

/// Returns the algorithm's own form of the private key inside, for RSA that of RFC 8017.
///
/// The outer form is `SEQUENCE { INTEGER, SEQUENCE, OCTET STRING, … }`.
pub(super) fn private_key(der: &[u8]) -> Option<&[u8]> {
    let (content, _) = element(der, SEQUENCE)?;
    let (_version, rest) = element(content, INTEGER)?;
    let (_algorithm, rest) = element(rest, SEQUENCE)?;
    element(rest, OCTET_STRING).map(|(key, _)| key)
}

const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const SEQUENCE: u8 = 0x30;

/// Takes one element of the given type off the front: its content, and what follows it.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    if first != tag {
        return None;
    }
    let (&length, rest) = rest.split_first()?;
    if length < 0x80 {
        return rest.split_at_checked(usize::from(length));
    }
    let (length, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
    let length = length.iter().try_fold(0usize, |sum, &byte| {
        Some(sum.checked_mul(256)? + usize::from(byte))
    })?;
    rest.split_at_checked(length)
}
