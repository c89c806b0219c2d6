//! JSON objects read without mercy: a member that occurs twice, at any depth, is an error.
//!
//! RFC 7515 section 4 and RFC 7519 section 4 let a reader choose between refusing duplicates and
//! taking the last one; two readers that choose differently see two different tokens.
//!
//! A value is handed on as it stands in the bytes: what nobody asked for costs no memory.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// A JSON value, with only as much detail as tokens need.
pub(super) enum Json<'a> {
    Text(Cow<'a, str>),
    Integer(i64),
    /// Null, a truth value, an array, an object, or a number that is not a whole one of 64 bits.
    Other,
}

/// What a member's value was taken as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    First,
    Again,
    /// Nobody asked for a member of this name.
    Unknown,
}

/// Takes the members of one object.
pub(super) trait Members: Default {
    fn take(&mut self, name: &str, value: Json<'_>) -> Taken;
}

/// Reads bytes that are exactly one JSON object.
pub(super) fn object<M: Members>(bytes: &[u8]) -> Option<M> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let members = reader
        .deserialize_map(ObjectVisitor(PhantomData::<M>))
        .ok()?;
    reader.end().ok()?;
    Some(members)
}

struct ObjectVisitor<M>(PhantomData<M>);

impl<'de, M: Members> Visitor<'de> for ObjectVisitor<M> {
    type Value = M;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<M, A::Error> {
        let mut members = M::default();
        let mut unknown = BTreeSet::new();
        while let Some(Name(name)) = entries.next_key()? {
            let is_new = match members.take(&name, entries.next_value()?) {
                Taken::First => true,
                Taken::Again => false,
                Taken::Unknown => unknown.insert(name),
            };
            if !is_new {
                return Err(twice());
            }
        }
        Ok(members)
    }
}

/// The name of a member, borrowed unless it holds an escape.
#[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for Json<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Json<'de>, E> {
        Ok(Json::Other)
    }

    fn visit_unit<E>(self) -> Result<Json<'de>, E> {
        Ok(Json::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Json<'de>, E> {
        Ok(Json::Other)
    }

    fn visit_i64<E>(self, number: i64) -> Result<Json<'de>, E> {
        Ok(Json::Integer(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Json<'de>, E> {
        Ok(i64::try_from(number).map_or(Json::Other, Json::Integer))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Json<'de>, A::Error> {
        while elements.next_element::<Json<'_>>()?.is_some() {}
        Ok(Json::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json<'de>, A::Error> {
        let mut names = BTreeSet::new();
        while let Some(Name(name)) = entries.next_key()? {
            entries.next_value::<Json<'_>>()?;
            if !names.insert(name) {
                return Err(twice());
            }
        }
        Ok(Json::Other)
    }
}

fn twice<E: Error>() -> E {
    E::custom("a member occurs twice")
}
