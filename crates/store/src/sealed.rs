//! Sealed values with the key that they are sealed under.

use bosa_auth_core::DataKeyId;

use crate::columns::{Columns, Opaque};
use crate::db::Param;
use crate::error::StoreError;

/// A sealed value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The sealed bytes.
    pub bytes: Opaque,
    /// The data key, or the key of connector secrets, that they are sealed under.
    pub key_id: DataKeyId,
}

/// What becomes of a sealed value when its row changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SealedChange {
    /// It stays as it is, also when it is sealed under another key in between.
    Keep,
    /// This one takes its place.
    Replace(Sealed),
    /// There is none from now on.
    Remove,
}

impl Sealed {
    /// Reads two columns, both of which are null when there is no value.
    pub(crate) fn read(columns: &mut Columns<'_>) -> Result<Option<Self>, StoreError> {
        let bytes: Option<Vec<u8>> = columns.next()?;
        let key: Option<DataKeyId> = columns.next()?;
        match (bytes, key) {
            (Some(bytes), Some(key_id)) => Ok(Some(Self {
                bytes: bytes.into(),
                key_id,
            })),
            (None, None) => Ok(None),
            _ => Err(StoreError::unreadable("a sealed value without its key")),
        }
    }

    /// The same two columns.
    pub(crate) fn params(value: Option<&Self>) -> [Param; 2] {
        [
            Param::Bytes(value.map(|value| value.bytes.to_vec())),
            value.map(|value| value.key_id).into(),
        ]
    }
}

impl SealedChange {
    /// The value from now on; `None` when it stays as it is.
    pub(crate) fn value(&self) -> Option<Option<&Sealed>> {
        match self {
            Self::Keep => None,
            Self::Replace(value) => Some(Some(value)),
            Self::Remove => Some(None),
        }
    }
}
