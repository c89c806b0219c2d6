//! Rows read from either database.

use std::fmt;

use jiff::Timestamp;
use rusqlite::types::Value;
use tokio_postgres::types::{FromSql, Type};
use uuid::Uuid;

use crate::error::StoreError;

/// One row of a result. `Debug` shows the number of columns only.
pub struct Row(pub(crate) RowArm);

pub(crate) enum RowArm {
    Sqlite(Vec<Value>),
    Postgres(tokio_postgres::Row),
}

impl Row {
    /// Reads the column at `index`, counted from zero.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`] when there is no such column, or when its value is of another
    /// type, null where `T` is no `Option`, or outside `T`'s range.
    pub fn get<T: Column>(&self, index: usize) -> Result<T, StoreError> {
        let value = match &self.0 {
            RowArm::Sqlite(values) => values.get(index).and_then(T::from_sqlite),
            RowArm::Postgres(row) => T::from_postgres(row, index),
        };
        value.ok_or_else(|| StoreError::unreadable(self.describe(index, T::NAME)))
    }

    fn describe(&self, index: usize, expected: &str) -> String {
        let name = match &self.0 {
            RowArm::Sqlite(_) => None,
            RowArm::Postgres(row) => row.columns().get(index).map(tokio_postgres::Column::name),
        };
        format!(
            "column {index}{}{} is no {expected}",
            if name.is_some() { " " } else { "" },
            name.unwrap_or_default()
        )
    }
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = match &self.0 {
            RowArm::Sqlite(values) => values.len(),
            RowArm::Postgres(row) => row.len(),
        };
        write!(f, "Row({columns} columns)")
    }
}

/// A type that a column's value can be read as.
pub trait Column: Sized + sealed::Sealed {
    /// The type's name in errors.
    #[doc(hidden)]
    const NAME: &'static str;
    #[doc(hidden)]
    fn from_sqlite(value: &Value) -> Option<Self>;
    #[doc(hidden)]
    fn from_postgres(row: &tokio_postgres::Row, index: usize) -> Option<Self>;
}

mod sealed {
    pub trait Sealed {}
    impl<T: Sealed> Sealed for Option<T> {}
}

/// A column that PostgreSQL's driver reads as `$wire`, then converted.
macro_rules! column {
    ($($type:ty, $name:literal, $sqlite:pat => $from_sqlite:expr, $wire:ty => $convert:expr;)*) => {$(
        impl sealed::Sealed for $type {}
        impl Column for $type {
            const NAME: &'static str = $name;
            fn from_sqlite(value: &Value) -> Option<Self> {
                match value {
                    $sqlite => $from_sqlite,
                    _ => None,
                }
            }
            fn from_postgres(row: &tokio_postgres::Row, index: usize) -> Option<Self> {
                row.try_get::<_, $wire>(index).ok().and_then($convert)
            }
        }
    )*};
}

column! {
    bool, "boolean", Value::Integer(value) => int_to_bool(*value), bool => Some;
    i64, "integer", Value::Integer(value) => Some(*value), AnyInt => |value| Some(value.0);
    String, "text", Value::Text(value) => Some(value.clone()), String => Some;
    Vec<u8>, "byte string", Value::Blob(value) => Some(value.clone()), Vec<u8> => Some;
    Uuid, "UUID", Value::Blob(value) => Uuid::from_slice(value).ok(), Uuid => Some;
    Timestamp, "time",
        Value::Integer(value) => Timestamp::from_microsecond(*value).ok(),
        i64 => |value| Timestamp::from_microsecond(value).ok();
}

macro_rules! id_columns {
    ($($id:ident),* $(,)?) => {
        column! {
            $(bosa_auth_core::$id, "id",
                Value::Blob(value) => Uuid::from_slice(value).ok().map(Self::from),
                Uuid => |value| Some(Self::from(value));)*
        }
    };
}

id_columns!(
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

impl<T: Column> Column for Option<T> {
    const NAME: &'static str = T::NAME;

    fn from_sqlite(value: &Value) -> Option<Self> {
        match value {
            Value::Null => Some(None),
            value => T::from_sqlite(value).map(Some),
        }
    }

    fn from_postgres(row: &tokio_postgres::Row, index: usize) -> Option<Self> {
        match row.try_get::<_, IsNull>(index).ok()? {
            IsNull(true) => Some(None),
            IsNull(false) => T::from_postgres(row, index).map(Some),
        }
    }
}

fn int_to_bool(value: i64) -> Option<bool> {
    match value {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

/// Any of PostgreSQL's integer types: a literal `1` is an `int4` there.
struct AnyInt(i64);

impl<'a> FromSql<'a> for AnyInt {
    fn from_sql(
        ty: &Type,
        raw: &'a [u8],
    ) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(match *ty {
            Type::INT4 => i32::from_sql(ty, raw)?.into(),
            Type::INT2 => i16::from_sql(ty, raw)?.into(),
            _ => i64::from_sql(ty, raw)?,
        }))
    }

    fn accepts(ty: &Type) -> bool {
        matches!(*ty, Type::INT2 | Type::INT4 | Type::INT8)
    }
}

/// Whether a value of any type is null.
struct IsNull(bool);

impl<'a> FromSql<'a> for IsNull {
    fn from_sql(_: &Type, _: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(false))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(true))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}
