//! `${…}` in the texts of a scenario: what earlier steps saved, whole or spoiled on purpose.

use std::collections::BTreeMap;

use serde_json::Value;

/// What earlier steps saved, by name.
pub(super) type Saved = BTreeMap<String, Value>;

/// The value with every `${…}` in it replaced.
pub(super) fn resolve(value: &Value, saved: &Saved) -> Result<Value, String> {
    match value {
        Value::String(text) => resolve_text(text, saved),
        Value::Array(items) => items.iter().map(|item| resolve(item, saved)).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, member)| Ok((name.clone(), resolve(member, saved)?)))
            .collect(),
        other => Ok(other.clone()),
    }
}

/// A text that is one `${…}` becomes the value itself; elsewhere values become part of the text.
fn resolve_text(text: &str, saved: &Saved) -> Result<Value, String> {
    let (mut whole, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once("${") {
        let (inner, after) = after.split_once('}').ok_or(format!("no }} in {text:?}"))?;
        let value = evaluate(inner, saved).map_err(|error| format!("${{{inner}}}: {error}"))?;
        if before.is_empty() && after.is_empty() && whole.is_empty() {
            return Ok(value);
        }
        whole.push_str(before);
        whole.push_str(&as_text(&value)?);
        rest = after;
    }
    whole.push_str(rest);
    Ok(Value::String(whole))
}

/// `subject | filter argument… | …`
fn evaluate(inner: &str, saved: &Saved) -> Result<Value, String> {
    let mut pieces = inner.split('|').map(str::trim);
    let subject = pieces.next().unwrap_or_default();
    let quoted = subject
        .strip_prefix('\'')
        .and_then(|text| text.strip_suffix('\''));
    let mut value = match quoted {
        Some(literal) => Value::String(literal.to_owned()),
        None => look_up(subject, saved)?,
    };
    for filter in pieces {
        value = apply(filter, &as_text(&value)?)?;
    }
    Ok(value)
}

fn look_up(path: &str, saved: &Saved) -> Result<Value, String> {
    let mut names = path.split('.');
    let first = names.next().unwrap_or_default();
    let mut value = saved.get(first).ok_or("nothing of this name is saved")?;
    for name in names {
        let next = match value {
            Value::Array(items) => name.parse().ok().and_then(|index: usize| items.get(index)),
            other => other.get(name),
        };
        value = next.ok_or(format!("it has no {name}"))?;
    }
    Ok(value.clone())
}

fn apply(filter: &str, text: &str) -> Result<Value, String> {
    let characters: Vec<char> = text.chars().collect();
    let length = characters.len();
    let words: Vec<&str> = filter.split_whitespace().collect();
    let number = |word: &str| word.parse::<usize>().map_err(|error| error.to_string());
    let spoiled = match words.as_slice() {
        ["upper"] => text.to_uppercase(),
        ["repeat", times] => text.repeat(number(times)?),
        ["skip", count] => characters.iter().skip(number(count)?).collect(),
        ["cut", count] => characters.iter().take(length - number(count)?).collect(),
        ["last", count] => characters.iter().skip(length - number(count)?).collect(),
        ["part", index] => {
            let part = text.split('.').nth(number(index)?);
            part.ok_or("it has fewer parts")?.to_owned()
        }
        ["replace", old, new] => text.replacen(old, new, 1),
        ["change", index] => changed(&characters, number(index)?),
        ["every_change"] => {
            return Ok((0..length)
                .map(|index| changed(&characters, index))
                .collect());
        }
        _ => return Err(format!("there is no filter {filter:?}")),
    };
    Ok(Value::String(spoiled))
}

/// With `A` at a place, or `B` where `A` was.
fn changed(characters: &[char], index: usize) -> String {
    let mut changed = characters.to_vec();
    changed[index] = if changed[index] == 'A' { 'B' } else { 'A' };
    changed.into_iter().collect()
}

fn as_text(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        other => Err(format!("{other} is no text")),
    }
}

#[test]
fn a_text_takes_in_what_was_saved_and_spoils_it() {
    let saved = serde_json::json!({ "it": { "key": "AéC.D", "list": [true, 7] } });
    let saved: Saved = serde_json::from_value(saved).unwrap();
    let text = |text: &str| resolve(&text.into(), &saved).unwrap();
    assert_eq!(text("plain $1 {}"), "plain $1 {}");
    assert_eq!(text("${it.list.0}"), true);
    assert_eq!(text("<${it.list.1}|${'x' | repeat 3}>"), "<7|xxx>");
    assert_eq!(text("${it.key | skip 1}${it.key | cut 4}"), "éC.DA");
    assert_eq!(text("${it.key | last 2 | upper}"), ".D");
    assert_eq!(text("${it.key | part 0 | change 0 | change 1}"), "BAC");
    assert_eq!(text("${it.key | replace AéC sk-}"), "sk-.D");
    assert_eq!(
        text("${it.key | cut 3 | every_change}"),
        serde_json::json!(["Bé", "AA"])
    );
    for wrong in [
        "${it.other}",
        "${nothing}",
        "${it.key",
        "${it.key | turn}",
        "x${it.list}",
    ] {
        assert!(resolve(&wrong.into(), &saved).is_err(), "{wrong}");
    }
}
