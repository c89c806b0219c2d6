//! Values bound to a statement's placeholders.

use std::fmt;

use jiff::Timestamp;
use rusqlite::types::{ToSqlOutput, ValueRef};
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

/// One bound value, with its type even when it is null.
///
/// `Debug` shows the type only.
#[derive(Clone, PartialEq, Eq)]
pub enum Param {
    /// `boolean` / `integer` 0 or 1.
    Bool(Option<bool>),
    /// `bigint` / `integer`.
    Int(Option<i64>),
    /// `text` / `text`.
    Text(Option<String>),
    /// `bytea` / `blob`.
    Bytes(Option<Vec<u8>>),
    /// `uuid` / `blob` of 16 bytes.
    Uuid(Option<Uuid>),
}

impl Param {
    /// The value and type in PostgreSQL's protocol.
    pub(crate) fn postgres(&self) -> (&(dyn ToSql + Sync), Type) {
        match self {
            Self::Bool(value) => (value, Type::BOOL),
            Self::Int(value) => (value, Type::INT8),
            Self::Text(value) => (value, Type::TEXT),
            Self::Bytes(value) => (value, Type::BYTEA),
            Self::Uuid(value) => (value, Type::UUID),
        }
    }
}

impl rusqlite::ToSql for Param {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let value = match self {
            Self::Bool(value) => value.map(|value| ValueRef::Integer(value.into())),
            Self::Int(value) => value.map(ValueRef::Integer),
            Self::Text(value) => value.as_ref().map(|text| ValueRef::Text(text.as_bytes())),
            Self::Bytes(value) => value.as_deref().map(ValueRef::Blob),
            Self::Uuid(value) => value.as_ref().map(|id| ValueRef::Blob(id.as_bytes())),
        };
        Ok(ToSqlOutput::Borrowed(value.unwrap_or(ValueRef::Null)))
    }
}

impl fmt::Debug for Param {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bool(_) => "Bool(..)",
            Self::Int(_) => "Int(..)",
            Self::Text(_) => "Text(..)",
            Self::Bytes(_) => "Bytes(..)",
            Self::Uuid(_) => "Uuid(..)",
        })
    }
}

/// Lists bound values: `params![id, "text", None::<i64>]` is a `Vec<Param>`.
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => { ::std::vec![$($crate::Param::from($value)),*] };
}

macro_rules! param_from {
    ($($type:ty => $variant:ident |$value:ident| $convert:expr;)*) => {$(
        impl From<$type> for Param {
            fn from($value: $type) -> Self {
                Self::$variant(Some($convert))
            }
        }
        impl From<Option<$type>> for Param {
            fn from(value: Option<$type>) -> Self {
                Self::$variant(value.map(|$value| $convert))
            }
        }
    )*};
}

param_from! {
    bool => Bool |value| value;
    i64 => Int |value| value;
    i32 => Int |value| value.into();
    u32 => Int |value| value.into();
    Timestamp => Int |value| value.as_microsecond();
    String => Text |value| value;
    &str => Text |value| value.to_owned();
    &String => Text |value| value.clone();
    Vec<u8> => Bytes |value| value;
    &[u8] => Bytes |value| value.to_vec();
    Uuid => Uuid |value| value;
}

impl<const N: usize> From<[u8; N]> for Param {
    fn from(value: [u8; N]) -> Self {
        Self::Bytes(Some(value.to_vec()))
    }
}

impl<const N: usize> From<&[u8; N]> for Param {
    fn from(value: &[u8; N]) -> Self {
        Self::Bytes(Some(value.to_vec()))
    }
}

macro_rules! param_from_ids {
    ($($id:ident),* $(,)?) => {
        param_from! { $(bosa_auth_core::$id => Uuid |value| value.as_uuid();)* }
    };
}

param_from_ids!(
    ClientId,
    UserId,
    ApiKeyId,
    TokenId,
    IntegrationId,
    DigestKeyId,
    DataKeyId,
    OperationId,
    InstanceId,
    NodeId,
);
