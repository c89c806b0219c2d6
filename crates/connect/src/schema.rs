//! The part of JSON Schema (draft 2020-12) that describes the fields of a custom credential: one
//! object of plain members.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};
use toml::Spanned;

use crate::problem::Findings;

/// The fields of a custom credential.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Schema {
    /// Always [`SchemaType::Object`].
    r#type: SchemaType,
    /// The fields, by name.
    pub properties: BTreeMap<String, Property>,
    /// The fields that must be there.
    pub required: BTreeSet<String>,
    /// Whether fields of other names may be there too; they are not looked at.
    pub additional_properties: bool,
    /// A title for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What it is, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// One field.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Property {
    /// Its type.
    pub r#type: PropertyType,
    /// A text must match this somewhere; anchors bind it to the whole.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_text")]
    pub pattern: Option<Regex>,
    /// The least number of characters of a text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_length: Option<u32>,
    /// The largest number of characters of a text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_length: Option<u32>,
    /// A text must be one of these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r#enum: Option<Vec<String>>,
    /// What the provider calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Where it is found or how it is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// The type of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PropertyType {
    /// Text.
    String,
    /// A number without a fraction.
    Integer,
    /// A number.
    Number,
    /// True or false.
    Boolean,
}

/// The type of the schema itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum SchemaType {
    Object,
}

/// A field that does not fit the schema.
///
/// # Security
/// It never quotes the field's value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} {reason}")]
pub struct Violation {
    /// The field's name.
    pub field: String,
    /// What is wrong with it, as the rest of a sentence that begins with the field.
    pub reason: String,
}

impl Schema {
    /// What is wrong with the given fields; nothing when they fit.
    #[must_use]
    pub fn violations(&self, fields: &Map<String, Value>) -> Vec<Violation> {
        let violation = |field: &str, reason: String| Violation {
            field: field.to_owned(),
            reason,
        };
        let missing = self
            .required
            .iter()
            .filter(|name| !fields.contains_key(*name))
            .map(|name| violation(name, "is missing".to_owned()));
        let wrong = fields.iter().filter_map(|(name, value)| {
            let reason = match self.properties.get(name) {
                Some(property) => property.refusal(value)?,
                None if self.additional_properties => return None,
                None => "is not a field of this credential".to_owned(),
            };
            Some(violation(name, reason))
        });
        missing.chain(wrong).collect()
    }
}

impl Property {
    fn refusal(&self, value: &Value) -> Option<String> {
        let (fits, expected) = match self.r#type {
            PropertyType::String => (value.is_string(), "must be a text"),
            PropertyType::Integer => (is_whole(value), "must be a whole number"),
            PropertyType::Number => (value.is_number(), "must be a number"),
            PropertyType::Boolean => (value.is_boolean(), "must be true or false"),
        };
        if !fits {
            return Some(expected.to_owned());
        }
        let text = value.as_str()?;
        let length = text.chars().count();
        if let Some(least) = self.min_length.filter(|least| length < *least as usize) {
            return Some(format!("must have at least {least} characters"));
        }
        if let Some(most) = self.max_length.filter(|most| length > *most as usize) {
            return Some(format!("must have at most {most} characters"));
        }
        if let Some(pattern) = self
            .pattern
            .as_ref()
            .filter(|pattern| !pattern.is_match(text))
        {
            return Some(format!("must match {pattern}"));
        }
        match &self.r#enum {
            Some(allowed) if !allowed.iter().any(|one| one == text) => {
                Some(format!("must be one of {}", allowed.join(", ")))
            }
            _ => None,
        }
    }
}

/// JSON Schema counts 1.0 as an integer.
fn is_whole(value: &Value) -> bool {
    value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0)
}

fn as_text<S: Serializer>(pattern: &Option<Regex>, serializer: S) -> Result<S::Ok, S::Error> {
    match pattern {
        Some(pattern) => serializer.serialize_str(pattern.as_str()),
        None => serializer.serialize_none(),
    }
}

/// A schema as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct SchemaDeclaration {
    r#type: SchemaType,
    properties: BTreeMap<String, Spanned<PropertyDeclaration>>,
    #[serde(default)]
    required: Vec<Spanned<String>>,
    #[serde(default = "yes")]
    additional_properties: bool,
    title: Option<String>,
    description: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct PropertyDeclaration {
    r#type: PropertyType,
    pattern: Option<Spanned<String>>,
    min_length: Option<u32>,
    max_length: Option<Spanned<u32>>,
    r#enum: Option<Spanned<Vec<String>>>,
    title: Option<String>,
    description: Option<String>,
}

/// What is not said about other fields allows them (draft 2020-12, §10.3.2.3).
fn yes() -> bool {
    true
}

/// Checks a schema; what is wrong is added to the findings.
pub(crate) fn check(declared: Spanned<SchemaDeclaration>, findings: &mut Findings) -> Schema {
    let at = declared.span();
    let declared = declared.into_inner();
    if declared.properties.is_empty() {
        findings.add(at, "schema: properties names at least one field");
    }
    for name in &declared.required {
        if !declared.properties.contains_key(name.get_ref()) {
            let reason = format!("required: {} is not among the properties", name.get_ref());
            findings.add(name.span(), reason);
        }
    }
    let required = declared.required.into_iter().map(Spanned::into_inner);
    Schema {
        r#type: declared.r#type,
        required: required.collect(),
        properties: declared
            .properties
            .into_iter()
            .map(|(name, property)| (name, check_property(property, findings)))
            .collect(),
        additional_properties: declared.additional_properties,
        title: declared.title,
        description: declared.description,
    }
}

fn check_property(declared: Spanned<PropertyDeclaration>, findings: &mut Findings) -> Property {
    let at = declared.span();
    let declared = declared.into_inner();
    let for_texts = declared.pattern.is_some()
        || declared.min_length.is_some()
        || declared.max_length.is_some()
        || declared.r#enum.is_some();
    if for_texts && declared.r#type != PropertyType::String {
        findings.add(
            at,
            "pattern, minLength, maxLength and enum are for type = \"string\"",
        );
    }
    if let Some(allowed) = declared
        .r#enum
        .as_ref()
        .filter(|all| all.get_ref().is_empty())
    {
        findings.add(allowed.span(), "enum: names at least one value");
    }
    if let (Some(least), Some(most)) = (declared.min_length, &declared.max_length)
        && least > *most.get_ref()
    {
        findings.add(most.span(), "maxLength: is less than minLength");
    }
    let pattern = declared.pattern.and_then(|text| {
        let compiled = Regex::new(text.get_ref())
            .map_err(|_| "is not a regular expression (without look-around and back-references)");
        findings.take("pattern", &text, compiled)
    });
    Property {
        r#type: declared.r#type,
        pattern,
        min_length: declared.min_length,
        max_length: declared.max_length.map(Spanned::into_inner),
        r#enum: declared.r#enum.map(Spanned::into_inner),
        title: declared.title,
        description: declared.description,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn schema(text: &str) -> Schema {
        #[derive(Deserialize)]
        struct File {
            schema: Spanned<SchemaDeclaration>,
        }
        let file: File = toml::from_str(text).unwrap();
        let mut findings = Findings::default();
        let schema = check(file.schema, &mut findings);
        assert!(findings.into_problems("a.toml".as_ref(), text).is_none());
        schema
    }

    fn reasons(schema: &Schema, fields: Value) -> Vec<String> {
        let violations = schema.violations(fields.as_object().unwrap());
        violations.iter().map(Violation::to_string).collect()
    }

    const FIELDS: &str = r#"
        [schema]
        type = "object"
        required = ["site", "key"]
        additionalProperties = false
        [schema.properties.site]
        type = "string"
        enum = ["eu", "us"]
        [schema.properties.key]
        type = "string"
        pattern = "^[a-z]+$"
        minLength = 2
        maxLength = 4
        [schema.properties.count]
        type = "integer"
        [schema.properties.ratio]
        type = "number"
        [schema.properties.live]
        type = "boolean"
    "#;

    #[test]
    fn fields_that_fit_have_no_violation() {
        let schema = schema(FIELDS);
        for fields in [
            json!({"site": "eu", "key": "ab"}),
            json!({"site": "us", "key": "abcd", "count": 7, "ratio": 0.5, "live": false}),
            json!({"site": "us", "key": "abcd", "count": 7.0, "ratio": 1}),
        ] {
            assert_eq!(reasons(&schema, fields.clone()), [""; 0], "{fields}");
        }
    }

    #[test]
    fn every_field_that_does_not_fit_is_named_with_its_reason() {
        let schema = schema(FIELDS);
        for (fields, expected) in [
            (json!({"site": "eu"}), "key is missing"),
            (
                json!({"site": "eu", "key": "a"}),
                "key must have at least 2 characters",
            ),
            (
                json!({"site": "eu", "key": "abcde"}),
                "key must have at most 4 characters",
            ),
            (
                json!({"site": "eu", "key": "AB"}),
                "key must match ^[a-z]+$",
            ),
            (json!({"site": "eu", "key": 12}), "key must be a text"),
            (json!({"site": "eu", "key": null}), "key must be a text"),
            (
                json!({"site": "fr", "key": "ab"}),
                "site must be one of eu, us",
            ),
            (
                json!({"site": "eu", "key": "ab", "count": 0.5}),
                "count must be a whole number",
            ),
            (
                json!({"site": "eu", "key": "ab", "count": "1"}),
                "count must be a whole number",
            ),
            (
                json!({"site": "eu", "key": "ab", "ratio": "1"}),
                "ratio must be a number",
            ),
            (
                json!({"site": "eu", "key": "ab", "live": 1}),
                "live must be true or false",
            ),
            (
                json!({"site": "eu", "key": "ab", "other": 1}),
                "other is not a field of this credential",
            ),
        ] {
            assert_eq!(reasons(&schema, fields), [expected]);
        }
        let all = reasons(&schema, json!({"other": 1}));
        assert_eq!(
            all,
            [
                "key is missing",
                "site is missing",
                "other is not a field of this credential"
            ]
        );
    }

    #[test]
    fn other_fields_are_allowed_unless_the_schema_refuses_them() {
        let schema =
            schema("[schema]\ntype = \"object\"\n[schema.properties.key]\ntype = \"string\"\n");
        assert_eq!(reasons(&schema, json!({"other": [1], "key": "a"})), [""; 0]);
        assert_eq!(reasons(&schema, json!({})), [""; 0]);
    }

    #[test]
    fn a_schema_is_shown_in_the_words_of_json_schema() {
        let shown = serde_json::to_value(schema(FIELDS)).unwrap();
        assert_eq!(shown["type"], "object");
        assert_eq!(shown["additionalProperties"], false);
        assert_eq!(shown["required"], json!(["key", "site"]));
        assert_eq!(
            shown["properties"]["key"],
            json!({"type": "string", "pattern": "^[a-z]+$", "minLength": 2, "maxLength": 4})
        );
    }
}
