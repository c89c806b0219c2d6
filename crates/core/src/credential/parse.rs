//! The strict parser that every machine form goes through.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::checksum::{CHECKSUM_LEN, checksum};
use super::present::Form;
use crate::id::canonical;

/// Longest text that is looked at, in bytes.
pub(super) const MAX_TEXT: usize = 64 * 1024;

/// Longest text of ours, in bytes: only names of the original make longer ones.
pub(super) const MAX_CURRENT_TEXT: usize = 2048;

/// Number of characters of 32 random bytes in base64url.
const RANDOM_LEN: usize = 43;

/// Number of characters of an id's 36 in base64url.
const ID_LEN: usize = 48;

/// Labels of so many bytes are checked without asking for memory.
const SHORT_LABEL: usize = 96;

/// A text that does not have the form of a credential.
///
/// # Security
/// It does not tell what is wrong: a caller can't learn the form from refusals, and nothing of
/// the text gets into a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed credential")]
pub struct MalformedCredential;

/// The parts of a text that has the form of a credential, where they stand in it: no copy of a
/// secret is made.
pub(super) struct Parsed<'t> {
    pub(super) id: Uuid,
    pub(super) form: Form,
    /// The middle segment as it stands in the text.
    pub(super) middle: &'t str,
    /// The last segment, checksum included.
    pub(super) tail: &'t str,
}

impl fmt::Debug for Parsed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parsed")
            .field("id", &self.id)
            .field("form", &self.form)
            .finish_non_exhaustive()
    }
}

/// Reads a text strictly: every credential has exactly one text, and only that one is accepted.
///
/// # Errors
/// [`MalformedCredential`] for everything else.
pub(super) fn parse<'t>(prefix: &str, text: &'t str) -> Result<Parsed<'t>, MalformedCredential> {
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
    let id = decode_id(id)?;
    check_label(middle)?;
    Ok(Parsed {
        id,
        form,
        middle,
        tail,
    })
}

fn form_of(text: &str, tail: &str) -> Result<Form, MalformedCredential> {
    let (random, form) = match tail.len() {
        RANDOM_LEN => (tail, Form::Imported),
        length if length == RANDOM_LEN + CHECKSUM_LEN => {
            let (random, check) = tail
                .split_at_checked(RANDOM_LEN)
                .ok_or(MalformedCredential)?;
            if text.len() > MAX_CURRENT_TEXT {
                return Err(MalformedCredential);
            }
            let covered = text.strip_suffix(check).ok_or(MalformedCredential)?;
            if checksum(covered) != check.as_bytes() {
                return Err(MalformedCredential);
            }
            (random, Form::Current)
        }
        _ => return Err(MalformedCredential),
    };
    let mut bytes = Zeroizing::new([0; 33]);
    match decode(random, bytes.as_mut_slice())?.len() {
        32 => Ok(form),
        _ => Err(MalformedCredential),
    }
}

fn decode_id(segment: &str) -> Result<Uuid, MalformedCredential> {
    if segment.len() != ID_LEN {
        return Err(MalformedCredential);
    }
    let mut bytes = [0; 36];
    let text = std::str::from_utf8(decode(segment, &mut bytes)?).ok();
    text.and_then(canonical).ok_or(MalformedCredential)
}

/// A label may be any text; it only has to be one.
fn check_label(segment: &str) -> Result<(), MalformedCredential> {
    let mut bytes = [0; SHORT_LABEL];
    let mut long = Vec::new();
    let room = base64::decoded_len_estimate(segment.len());
    let buffer = match bytes.get_mut(..room) {
        Some(buffer) => buffer,
        None => {
            long.resize(room, 0);
            &mut long
        }
    };
    match std::str::from_utf8(decode(segment, buffer)?) {
        Ok(_) => Ok(()),
        Err(_) => Err(MalformedCredential),
    }
}

/// Decodes base64url without padding; trailing bits must be zero, so that there is one text only.
fn decode<'b>(segment: &str, buffer: &'b mut [u8]) -> Result<&'b [u8], MalformedCredential> {
    let length = URL_SAFE_NO_PAD
        .decode_slice(segment, buffer)
        .map_err(|_| MalformedCredential)?;
    buffer.get(..length).ok_or(MalformedCredential)
}
