//! Whether a value is what a scenario expects. Members that are not mentioned may be anything.

use serde_json::Value;

/// Checks a value; the error names the place, what was expected and what is there.
pub(super) fn check(place: &str, expected: &Value, got: &Value) -> Result<(), String> {
    match expected {
        Value::Object(members) => members
            .iter()
            .try_for_each(|(name, expected)| check_member(place, name, expected, got)),
        Value::Array(items) => {
            length(place, items.len(), got)?;
            for (index, item) in items.iter().enumerate() {
                check(&format!("{place}.{index}"), item, &got[index])?;
            }
            Ok(())
        }
        plain => assert(plain == got, place, plain, got),
    }
}

/// A member of an expected table: a rule for the value itself, or the name of one of its members.
fn check_member(place: &str, name: &str, expected: &Value, got: &Value) -> Result<(), String> {
    let rule = || format!("{name} {expected}");
    let text = got.as_str();
    match (name, expected) {
        ("is", Value::String(kind)) => assert(is(kind, got), place, rule(), got),
        ("starts_with", Value::String(start)) => {
            let starts = text.is_some_and(|text| text.starts_with(start.as_str()));
            assert(starts, place, rule(), got)
        }
        ("length", Value::Number(count)) => {
            length(place, count.as_u64().unwrap_or(u64::MAX) as usize, got)
        }
        ("every", expected) => {
            let items = got.as_array().ok_or(format!("{place} is no list: {got}"))?;
            items
                .iter()
                .enumerate()
                .try_for_each(|(index, item)| check(&format!("{place}.{index}"), expected, item))
        }
        ("contains", Value::Array(wanted)) => wanted.iter().try_for_each(|wanted| {
            let items = got.as_array().map(Vec::as_slice).unwrap_or_default();
            let found = items.iter().any(|item| check(place, wanted, item).is_ok());
            assert(found, place, format!("contains {wanted}"), got)
        }),
        ("not", unwanted) => assert(check(place, unwanted, got).is_err(), place, rule(), got),
        (name, expected) => match got.get(name) {
            Some(member) => check(&format!("{place}.{name}"), expected, member),
            None => Err(format!("{place} has no {name}: {got}")),
        },
    }
}

fn is(kind: &str, got: &Value) -> bool {
    let text = got.as_str();
    match kind {
        "none" => got.is_null(),
        "empty" => text == Some("") || got.as_array().is_some_and(Vec::is_empty),
        "text" => text.is_some_and(|text| !text.is_empty()),
        "integer" => got.is_i64(),
        "uuid" => text.is_some_and(|text| text.parse::<uuid::Uuid>().is_ok()),
        "timestamp" => text.is_some_and(|text| {
            text.ends_with('Z') && text.parse::<bosa_auth::Timestamp>().is_ok()
        }),
        other => panic!("there is no kind {other:?}"),
    }
}

fn length(place: &str, count: usize, got: &Value) -> Result<(), String> {
    let length = match got {
        Value::String(text) => Some(text.chars().count()),
        other => other.as_array().map(Vec::len),
    };
    assert(length == Some(count), place, format!("length {count}"), got)
}

fn assert(
    holds: bool,
    place: &str,
    expected: impl std::fmt::Display,
    got: &Value,
) -> Result<(), String> {
    match holds {
        true => Ok(()),
        false => Err(format!("{place}: expected {expected}, got {got}")),
    }
}

#[test]
fn an_expectation_that_does_not_hold_names_its_place() {
    use serde_json::json;

    let got = json!({ "name": "ana", "secret": "", "items": [{ "n": 1 }, { "n": 2 }], "no": null });
    for held in [
        json!({}),
        json!({ "name": "ana", "secret": { "is": "empty" }, "no": { "is": "none" } }),
        json!({ "name": { "starts_with": "a", "not": "bob", "length": 3 } }),
        json!({ "items": [{ "n": 1 }, {}] }),
        json!({ "items": { "length": 2, "every": { "n": { "is": "integer" } } } }),
        json!({ "items": { "contains": [{ "n": 2 }, { "n": 1 }] } }),
    ] {
        assert_eq!(check("it", &held, &got), Ok(()), "{held}");
    }
    for (place, broken) in [
        ("it.name", json!({ "name": "Ana" })),
        ("it.name", json!({ "name": { "is": "empty" } })),
        ("it.name", json!({ "name": { "is": "uuid" } })),
        ("it.name", json!({ "name": { "starts_with": "b" } })),
        ("it.name", json!({ "name": { "not": "ana" } })),
        ("it.no", json!({ "no": "" })),
        ("it", json!({ "other": { "is": "none" } })),
        ("it.items", json!({ "items": [{ "n": 1 }] })),
        ("it.items.1.n", json!({ "items": [{ "n": 1 }, { "n": 1 }] })),
        ("it.items.0.n", json!({ "items": { "every": { "n": 2 } } })),
        ("it.items", json!({ "items": { "contains": [{ "n": 3 }] } })),
        ("it.items", json!({ "items": { "length": 3 } })),
    ] {
        let failure = check("it", &broken, &got).unwrap_err();
        let named = failure.split([' ', ':']).next();
        assert_eq!(named, Some(place), "{broken}: {failure}");
    }
}
