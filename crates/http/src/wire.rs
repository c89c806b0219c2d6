//! How values look in JSON.

use bosa_auth::{Secret, Timestamp};
use serde::{Serialize, Serializer};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, SchemaType, Type};
use utoipa::{PartialSchema, ToSchema};

/// A credential that an answer shows: the only way a secret gets into one.
#[derive(Debug)]
pub(crate) struct Shown(Secret);

impl Shown {
    /// The secret, unless it is the empty text that stands for "not shown".
    pub(crate) fn unless_empty(secret: Secret) -> Option<Self> {
        (!secret.is_empty()).then_some(Self(secret))
    }
}

impl From<Secret> for Shown {
    fn from(secret: Secret) -> Self {
        Self(secret)
    }
}

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose())
    }
}

impl PartialSchema for Shown {
    fn schema() -> RefOr<Schema> {
        text("A credential. It is shown in this answer only.", None)
    }
}

impl ToSchema for Shown {
    fn name() -> std::borrow::Cow<'static, str> {
        "Credential".into()
    }
}

/// A moment, as RFC 3339 text in UTC with `Z`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Time(Timestamp);

impl From<Timestamp> for Time {
    fn from(moment: Timestamp) -> Self {
        Self(moment)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl PartialSchema for Time {
    fn schema() -> RefOr<Schema> {
        let format = SchemaFormat::KnownFormat(KnownFormat::DateTime);
        text("RFC 3339, UTC.", Some(format))
    }
}

impl ToSchema for Time {}

/// Seconds since the epoch as naive UTC text with microseconds, for example
/// `2025-07-31T20:20:01.970582`: the form that the public clients of the login routes read.
pub(crate) fn naive_utc(seconds: i64) -> String {
    Timestamp::from_second(seconds)
        .map(|moment| moment.strftime("%Y-%m-%dT%H:%M:%S%.6f").to_string())
        .unwrap_or_default()
}

fn text(description: &str, format: Option<SchemaFormat>) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(SchemaType::Type(Type::String))
        .format(format)
        .description(Some(description))
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_naive_time_has_six_digits_and_no_zone() {
        assert_eq!(naive_utc(1_754_000_401), "2025-07-31T22:20:01.000000");
    }
}
