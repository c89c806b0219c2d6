//! Cursors: opaque text that carries the last key of a page.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::model::PageRequest;

/// Largest and default number of items of a page.
pub(crate) const LARGEST_PAGE: u32 = 100;
const VERSION: u8 = 1;

impl PageRequest {
    pub(crate) fn limit(&self) -> Result<u32> {
        match self.limit {
            None => Ok(LARGEST_PAGE),
            Some(limit) if (1..=LARGEST_PAGE).contains(&limit) => Ok(limit),
            Some(_) => Err(Error::invalid("limit", "must be between 1 and 100")),
        }
    }

    /// The key after which the page begins.
    pub(crate) fn after<T: From<Uuid>>(&self) -> Result<Option<T>> {
        self.cursor
            .as_deref()
            .map(|cursor| decode(cursor).map(T::from))
            .transpose()
    }
}

pub(crate) fn encode(key: impl Into<Uuid>) -> String {
    let key: Uuid = key.into();
    let mut bytes = vec![VERSION];
    bytes.extend_from_slice(key.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

fn decode(cursor: &str) -> Result<Uuid> {
    let malformed = || Error::invalid("cursor", "is not a cursor of this list");
    let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| malformed())?;
    match bytes.split_first() {
        Some((&VERSION, key)) => Uuid::from_slice(key).map_err(|_| malformed()),
        _ => Err(malformed()),
    }
}
