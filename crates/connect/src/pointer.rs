//! JSON pointers (RFC 6901).

use serde::{Serialize, Serializer};
use serde_json::Value;

/// A JSON pointer; the empty one is the whole document.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pointer(String);

impl Pointer {
    /// Reads a pointer.
    ///
    /// # Errors
    /// What is wrong with it: it neither is empty nor begins with `/`, or has a `~` that is not `~0`
    /// or `~1`.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if !text.is_empty() && !text.starts_with('/') {
            return Err("a JSON pointer begins with /");
        }
        let mut after_tilde = text.split('~').skip(1);
        if !after_tilde.all(|rest| rest.starts_with(['0', '1'])) {
            return Err("in a JSON pointer ~ is written ~0 and / is written ~1");
        }
        Ok(Self(text.to_owned()))
    }

    /// The pointer's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What it points at.
    #[must_use]
    pub fn find<'a>(&self, document: &'a Value) -> Option<&'a Value> {
        document.pointer(&self.0)
    }

    /// The text or the whole number that it points at, as text; nothing when that is empty or of
    /// another kind.
    #[must_use]
    pub fn find_text(&self, document: &Value) -> Option<String> {
        match self.find(document)? {
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            Value::Number(number) if !number.is_f64() => Some(number.to_string()),
            _ => None,
        }
    }
}

impl Serialize for Pointer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pointer_has_the_form_of_rfc_6901() {
        for text in ["", "/", "/a/0/b", "/a~0b/c~1d", "/ü"] {
            assert_eq!(Pointer::parse(text).unwrap().as_str(), text);
        }
        for text in ["a", "a/b", "#/a", "/a~", "/a~2b", "/~~0"] {
            assert!(Pointer::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn texts_and_whole_numbers_are_found_as_text() {
        let document =
            json!({"id": 7, "name": "ana", "empty": "", "half": 0.5, "list": [{"a/b": "c"}]});
        let find = |text: &str| Pointer::parse(text).unwrap().find_text(&document);
        assert_eq!(find("/id").as_deref(), Some("7"));
        assert_eq!(find("/name").as_deref(), Some("ana"));
        assert_eq!(find("/list/0/a~1b").as_deref(), Some("c"));
        for text in ["", "/empty", "/half", "/list", "/absent", "/list/1"] {
            assert_eq!(find(text), None, "{text}");
        }
    }
}
