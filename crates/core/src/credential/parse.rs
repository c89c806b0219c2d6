//! The strict parser that every machine form goes through.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use super::checksum::{CHECKSUM_LEN, checksum};
use super::present::Form;
use crate::secret::Secret;

/// Longest text that is looked at, in bytes.
pub(super) const MAX_TEXT: usize = 2048;

/// Number of characters of 32 random bytes in base64url.
const RANDOM_LEN: usize = 43;

/// A text that does not have the form of a credential.
///
/// # Security
/// It does not tell what is wrong: a caller can't learn the form from refusals, and nothing of
/// the text gets into a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed credential")]
pub struct MalformedCredential;

/// The parts of a text that has the form of a credential.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) id: Uuid,
    pub(super) form: Form,
    /// The middle segment as it stands in the text.
    pub(super) middle: String,
    /// The last segment, checksum included.
    pub(super) tail: Secret,
}

/// Reads a text strictly: every credential has exactly one text, and only that one is accepted.
///
/// # Errors
/// [`MalformedCredential`] for everything else.
pub(super) fn parse(prefix: &str, text: &str) -> Result<Parsed, MalformedCredential> {
    if text.len() > MAX_TEXT {
        return Err(MalformedCredential);
    }
    let body = text.strip_prefix(prefix).ok_or(MalformedCredential)?;
    let mut segments = body.split('.');
    let (Some(id), Some(middle), Some(tail), None) = (
        segments.next(),
        segments.next(),
        segments.next(),
        segments.next(),
    ) else {
        return Err(MalformedCredential);
    };
    let form = form_of(text, tail)?;
    let id = canonical_id(&decode_text(id)?)?;
    decode_text(middle)?;
    Ok(Parsed {
        id,
        form,
        middle: middle.to_owned(),
        tail: Secret::from(tail),
    })
}

fn form_of(text: &str, tail: &str) -> Result<Form, MalformedCredential> {
    let (random, form) = match tail.len() {
        RANDOM_LEN => (tail, Form::Imported),
        length if length == RANDOM_LEN + CHECKSUM_LEN => {
            let (random, check) = tail
                .split_at_checked(RANDOM_LEN)
                .ok_or(MalformedCredential)?;
            let covered = text.strip_suffix(check).ok_or(MalformedCredential)?;
            if checksum(covered) != check {
                return Err(MalformedCredential);
            }
            (random, Form::Current)
        }
        _ => return Err(MalformedCredential),
    };
    match decode(random)?.len() {
        32 => Ok(form),
        _ => Err(MalformedCredential),
    }
}

/// Decodes base64url without padding; trailing bits must be zero, so that there is one text only.
fn decode(segment: &str) -> Result<zeroize::Zeroizing<Vec<u8>>, MalformedCredential> {
    URL_SAFE_NO_PAD
        .decode(segment)
        .map(zeroize::Zeroizing::new)
        .map_err(|_| MalformedCredential)
}

fn decode_text(segment: &str) -> Result<String, MalformedCredential> {
    let bytes = decode(segment)?;
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(_) => Err(MalformedCredential),
    }
}

fn canonical_id(text: &str) -> Result<Uuid, MalformedCredential> {
    let id = Uuid::try_parse(text).map_err(|_| MalformedCredential)?;
    let mut buffer = Uuid::encode_buffer();
    if id.hyphenated().encode_lower(&mut buffer) == text {
        Ok(id)
    } else {
        Err(MalformedCredential)
    }
}
