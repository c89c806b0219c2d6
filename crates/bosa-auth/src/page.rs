//! Cursors: opaque text that carries the last key of a page.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bosa_auth_store::PageQuery;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::model::{Page, PageRequest};

/// Largest and default number of items of a page.
const LARGEST_PAGE: u32 = 100;
const VERSION: u8 = 1;

impl<T> Page<T> {
    /// A page and the key after which the next one begins.
    pub(crate) fn new(items: Vec<T>, next: Option<impl Into<Uuid>>) -> Self {
        Self {
            items,
            next_cursor: next.map(encode),
        }
    }
}

impl PageRequest {
    /// What the store is asked for.
    ///
    /// # Errors
    /// `InvalidInput`: the limit or the cursor is not one of ours.
    pub(crate) fn query<K: From<Uuid>>(&self) -> Result<PageQuery<K>> {
        Ok(PageQuery {
            after: self.after()?,
            limit: self.limit()?,
        })
    }

    fn limit(&self) -> Result<u32> {
        match self.limit {
            None => Ok(LARGEST_PAGE),
            Some(limit) if (1..=LARGEST_PAGE).contains(&limit) => Ok(limit),
            Some(_) => Err(Error::invalid("limit", "must be between 1 and 100")),
        }
    }

    /// The key after which the page begins.
    fn after<T: From<Uuid>>(&self) -> Result<Option<T>> {
        self.cursor
            .as_deref()
            .map(|cursor| decode(cursor).map(T::from))
            .transpose()
    }
}

fn encode(key: impl Into<Uuid>) -> String {
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
