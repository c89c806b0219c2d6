//! Small tools for reading rows and naming statements.

use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

use uuid::Uuid;

use crate::db::{Column, Param, Row};
use crate::error::StoreError;

/// Bytes that are stored and never shown: a digest or a sealed value.
#[derive(Clone, PartialEq, Eq)]
pub struct Opaque(Vec<u8>);

impl Opaque {
    /// Returns the bytes themselves.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

impl Deref for Opaque {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Opaque {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl From<[u8; 32]> for Opaque {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes.to_vec())
    }
}

impl From<&[u8]> for Opaque {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl From<&Opaque> for Param {
    fn from(bytes: &Opaque) -> Self {
        Self::Bytes(Some(bytes.0.clone()))
    }
}

impl fmt::Debug for Opaque {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opaque({} bytes)", self.0.len())
    }
}

/// Reads the columns of a row from left to right.
pub(crate) struct Columns<'r> {
    row: &'r Row,
    next: usize,
}

impl<'r> Columns<'r> {
    pub(crate) fn of(row: &'r Row) -> Self {
        Self { row, next: 0 }
    }

    /// Leaves out so many columns at the left.
    pub(crate) fn after(row: &'r Row, next: usize) -> Self {
        Self { row, next }
    }

    pub(crate) fn next<T: Column>(&mut self) -> Result<T, StoreError> {
        let value = self.row.get(self.next);
        self.next += 1;
        value
    }

    pub(crate) fn opaque(&mut self) -> Result<Opaque, StoreError> {
        self.next::<Vec<u8>>().map(Opaque)
    }

    /// Reads what an outer join has found: nothing, when the first of its `count` columns, an id, is
    /// null.
    pub(crate) fn joined<T>(
        &mut self,
        count: usize,
        read: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let id: Option<Uuid> = self.row.get(self.next)?;
        if id.is_some() {
            return read(self).map(Some);
        }
        self.next += count;
        Ok(None)
    }

    /// Reads a text that stands for a member of an enum.
    pub(crate) fn text<T: FromStr>(&mut self, what: &'static str) -> Result<T, StoreError> {
        self.next::<String>()?
            .parse()
            .map_err(|_| StoreError::unreadable(what))
    }
}

/// Declares named statements and the list of them that the tests prepare on both databases.
macro_rules! statements {
    ($( $(#[$meta:meta])* $name:ident = $sql:expr; )+) => {
        $( $(#[$meta])* const $name: &str = $sql; )+

        /// Every statement of this module, by name.
        pub(crate) const STATEMENTS: &[(&str, &str)] = &[
            $( (concat!(module_path!(), "::", stringify!($name)), $name), )+
        ];
    };
}

pub(crate) use statements;
