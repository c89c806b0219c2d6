//! What a JSON body may not contain, checked before it is read into a type.
//!
//! RFC 8259 §4 leaves open what duplicate members mean; here they are refused, so that no two
//! readers of one body disagree. Lone surrogates and invalid UTF-8 are refused by the parser.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

const DEEPEST: usize = 32;

/// What is wrong with a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Malformed {
    /// No JSON text, with the place where reading stopped.
    Syntax { line: usize, column: usize },
    /// More than 32 levels.
    TooDeep,
    /// A member that is there twice.
    Duplicate(String),
}

/// Checks a whole body.
pub(super) fn check(body: &[u8]) -> Result<(), Malformed> {
    let found = RefCell::new(None);
    let mut json = serde_json::Deserializer::from_slice(body);
    let level = Level {
        depth: 0,
        found: &found,
    };
    let result = level.deserialize(&mut json).and_then(|()| json.end());
    result.map_err(|error| {
        found.take().unwrap_or(Malformed::Syntax {
            line: error.line(),
            column: error.column(),
        })
    })
}

/// One level of the document; visits everything and keeps nothing.
#[derive(Clone, Copy)]
struct Level<'a> {
    depth: usize,
    found: &'a RefCell<Option<Malformed>>,
}

impl Level<'_> {
    fn below<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth == DEEPEST {
            return Err(self.refuse(Malformed::TooDeep));
        }
        Ok(Self {
            depth: self.depth + 1,
            ..self
        })
    }

    fn refuse<E: serde::de::Error>(self, reason: Malformed) -> E {
        self.found.replace(Some(reason));
        E::custom("refused")
    }
}

impl<'de> DeserializeSeed<'de> for Level<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Level<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let below = self.below()?;
        while items.next_element_seed(below)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let below = self.below()?;
        let mut names = Names::default();
        while let Some(Name(name)) = members.next_key()? {
            if names.contains(&name) {
                return Err(self.refuse(Malformed::Duplicate(name.into_owned())));
            }
            names.add(name);
            members.next_value_seed(below)?;
        }
        Ok(())
    }
}

/// The name of a member; borrowed from the body, unless it is written with escapes.
#[derive(Deserialize)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// The names of one object. A few are compared one by one, which takes less than to hash them.
#[derive(Default)]
struct Names<'de> {
    few: Vec<Cow<'de, str>>,
    more: HashSet<Cow<'de, str>>,
}

impl<'de> Names<'de> {
    const FEW: usize = 8;

    fn contains(&self, name: &str) -> bool {
        self.few.iter().any(|known| known == name) || self.more.contains(name)
    }

    fn add(&mut self, name: Cow<'de, str>) {
        if self.few.len() < Self::FEW {
            self.few.push(name);
        } else {
            self.more.insert(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_document_passes() {
        let body = br#"{"a":[1,-2,3.5,true,null,"\ud83d\ude00"],"b":{"a":{}}}"#;
        assert_eq!(check(body), Ok(()));
    }

    #[test]
    fn a_member_that_is_there_twice_is_named() {
        let twice = Err(Malformed::Duplicate("a".to_owned()));
        assert_eq!(check(br#"{"a":1,"a":2}"#), twice);
        assert_eq!(check(br#"{"b":[{"a":1,"\u0061":2}]}"#), twice);
        let many: String = (0..20).map(|number| format!(r#""{number}":0,"#)).collect();
        for name in [0, 7, 8, 19] {
            let body = format!(r#"{{{many}"{name}":1}}"#);
            let twice = Err(Malformed::Duplicate(name.to_string()));
            assert_eq!(check(body.as_bytes()), twice);
        }
        assert_eq!(check(format!(r#"{{{many}"a":1}}"#).as_bytes()), Ok(()));
    }

    #[test]
    fn deep_nesting_is_refused() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert_eq!(check(nested(32).as_bytes()), Ok(()));
        assert_eq!(check(nested(33).as_bytes()), Err(Malformed::TooDeep));
        assert_eq!(check(nested(100_000).as_bytes()), Err(Malformed::TooDeep));
    }

    #[test]
    fn what_is_no_json_is_refused() {
        let bodies: [&[u8]; 9] = [
            b"",
            b"{",
            br#"{"a":1}x"#,
            br#"{"a":"\ud800"}"#,
            br#"{"a":"\udc00\ud800"}"#,
            b"{\"a\":\"\xff\"}",
            b"{\"a\":\"\x01\"}",
            b"{a:1}",
            b"\xef\xbb\xbf{}",
        ];
        for body in bodies {
            assert!(
                matches!(check(body), Err(Malformed::Syntax { .. })),
                "{body:?}"
            );
        }
    }
}
