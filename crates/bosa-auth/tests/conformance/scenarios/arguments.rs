//! The arguments of a call, taken by name and type.

use bosa_auth::{PageRequest, Timestamp};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use uuid::Uuid;

/// Arguments that have not been taken yet.
pub(super) struct Arguments(Map<String, Value>);

impl Arguments {
    pub(super) fn new(with: Value) -> Self {
        match with {
            Value::Object(members) => Self(members),
            other => panic!("{other} is no table of arguments"),
        }
    }

    /// An argument that must be there.
    #[track_caller]
    pub(super) fn take<T: DeserializeOwned>(&mut self, name: &str) -> T {
        self.optional(name)
            .unwrap_or_else(|| panic!("the argument {name} is missing"))
    }

    #[track_caller]
    pub(super) fn optional<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        let value = self.0.remove(name)?;
        let read = serde_json::from_value(value.clone());
        Some(read.unwrap_or_else(|error| panic!("{name} is {value}: {error}")))
    }

    #[track_caller]
    pub(super) fn text(&mut self, name: &str) -> String {
        self.take(name)
    }

    #[track_caller]
    pub(super) fn id(&mut self, name: &str) -> Uuid {
        self.take(name)
    }

    /// A time, as RFC 3339 text.
    pub(super) fn time(&mut self, name: &str) -> Option<Timestamp> {
        let text: String = self.optional(name)?;
        Some(
            text.parse()
                .unwrap_or_else(|error| panic!("{name}: {error}")),
        )
    }

    /// Which page of a list is wanted.
    pub(super) fn page(&mut self) -> PageRequest {
        PageRequest {
            limit: self.optional("limit"),
            cursor: self.optional("cursor"),
        }
    }

    /// Fails for an argument that the operation does not have.
    pub(super) fn assert_all_taken(&self, operation: &str) {
        assert!(self.0.is_empty(), "{operation} does not take {:?}", self.0);
    }
}
