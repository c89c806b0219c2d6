//! The lines of an archive.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bosa_auth_store::Param;
use bosa_auth_store::archive::ColumnKind;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

pub(super) const FORMAT: &str = "bosa-auth-backup";
pub(super) const VERSION: u32 = 1;

/// The first line.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Header {
    pub(super) format: String,
    pub(super) version: u32,
    /// The newest step of the schema.
    pub(super) schema: u32,
    /// Whether the source was closed.
    pub(super) moved: bool,
    /// The source's instance.
    pub(super) instance: String,
    pub(super) created_at: String,
    /// The root keys that the restore needs.
    pub(super) root_keys: Vec<String>,
}

/// Any line after the first one.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Line {
    /// The rows that follow are of this table.
    Table { table: String, columns: Vec<String> },
    /// A row, its values in the order of the columns.
    Row(Vec<Value>),
    /// The last line.
    Trailer { lines: u64, sha256: String },
}

pub(super) fn to_json(value: &Param) -> Value {
    match value {
        Param::Bool(value) => value.map_or(Value::Null, Value::from),
        Param::Int(value) => value.map_or(Value::Null, Value::from),
        Param::Text(value) => value.as_deref().map_or(Value::Null, Value::from),
        Param::Bytes(value) => value
            .as_ref()
            .map_or(Value::Null, |bytes| Value::from(STANDARD.encode(bytes))),
        Param::Uuid(value) => value.map_or(Value::Null, |id| Value::from(id.to_string())),
    }
}

/// The value of a column; `None` when it is not of the column's kind.
pub(super) fn from_json(kind: ColumnKind, value: &Value) -> Option<Param> {
    if value.is_null() {
        return Some(match kind {
            ColumnKind::Bool => Param::Bool(None),
            ColumnKind::Int => Param::Int(None),
            ColumnKind::Text => Param::Text(None),
            ColumnKind::Bytes => Param::Bytes(None),
            ColumnKind::Uuid => Param::Uuid(None),
        });
    }
    Some(match kind {
        ColumnKind::Bool => Param::Bool(Some(value.as_bool()?)),
        ColumnKind::Int => Param::Int(Some(value.as_i64()?)),
        ColumnKind::Text => Param::Text(Some(value.as_str()?.to_owned())),
        ColumnKind::Bytes => Param::Bytes(Some(STANDARD.decode(value.as_str()?).ok()?)),
        ColumnKind::Uuid => Param::Uuid(Some(Uuid::try_parse(value.as_str()?).ok()?)),
    })
}
