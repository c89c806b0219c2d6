//! Results on standard output, everything else on standard error.

use std::io::{self, IsTerminal as _, Write as _};

use bosa_auth::Timestamp;
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;
use serde_json::Value;

use crate::args::Format;
use crate::exit::Failure;

/// Where and how a verb prints.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    pub(crate) format: Format,
    pub(crate) quiet: bool,
}

impl Output {
    /// Prints one thing: JSON, or the named fields below each other, without those that are null.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(crate) fn record(self, item: &impl Serialize, fields: &[&str]) -> Result<(), Failure> {
        if self.format == Format::Json {
            return print_json(item);
        }
        let value = to_value(item)?;
        let width = fields.iter().map(|field| field.len()).max().unwrap_or(0);
        let lines: String = fields
            .iter()
            .filter_map(|field| Some((field, value.get(field)?)))
            .filter(|(_, value)| !value.is_null())
            .map(|(field, value)| format!("{field:width$}  {}\n", cell(field, value)))
            .collect();
        print(&lines)
    }

    /// Prints one thing with members of its own: JSON, or a line for each value under its dotted
    /// name, the members of `first` before the others.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(crate) fn details(self, item: &impl Serialize, first: &[&str]) -> Result<(), Failure> {
        if self.format == Format::Json {
            return print_json(item);
        }
        let lines = detail_lines(&to_value(item)?, first);
        let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        let text: String = lines
            .iter()
            .map(|(name, value)| format!("{name:width$}  {value}\n"))
            .collect();
        print(&text)
    }

    /// Prints a list: JSON, or a table of the named columns.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(crate) fn list(self, items: &[impl Serialize], columns: &[&str]) -> Result<(), Failure> {
        if self.format == Format::Json {
            return print_json(&items);
        }
        if items.is_empty() {
            self.note("none");
            return Ok(());
        }
        print(&format!("{}\n", table(items, columns)?))
    }

    /// Prints text as it is, whatever the format.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(crate) fn text(self, text: &str) -> Result<(), Failure> {
        print(text)
    }

    /// Tells people something beside the result; `--quiet` suppresses it.
    pub(crate) fn note(self, text: &str) {
        if !self.quiet {
            // Standard error may be closed; a note is worth no failure.
            drop(writeln!(io::stderr().lock(), "{text}"));
        }
    }

    /// Whether a person reads the results.
    pub(crate) fn is_terminal(self) -> bool {
        io::stdout().is_terminal()
    }

    pub(crate) fn is_json(self) -> bool {
        self.format == Format::Json
    }
}

/// A list that is longer has a line for each of its items.
const LONG_LIST: usize = 80;

/// Lays out a table of the named columns.
pub(crate) fn table(items: &[impl Serialize], columns: &[&str]) -> Result<String, Failure> {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(columns.iter().map(|column| column.to_uppercase()));
    for item in items {
        let value = to_value(item)?;
        table.add_row(columns.iter().map(|column| {
            value
                .get(column)
                .map_or_else(|| "-".to_owned(), |value| cell(column, value))
        }));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    Ok(table.trim_fmt())
}

fn detail_lines(item: &Value, first: &[&str]) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    for name in first {
        if let Some(value) = item.get(name) {
            add_detail(name, value, &mut lines);
        }
    }
    let others = item.as_object().into_iter().flatten();
    for (name, value) in others.filter(|(name, _)| !first.contains(&name.as_str())) {
        add_detail(name, value, &mut lines);
    }
    lines
}

fn add_detail(name: &str, value: &Value, lines: &mut Vec<(String, String)>) {
    match value {
        Value::Object(members) => {
            for (member, value) in members {
                add_detail(&format!("{name}.{}", escaped(member)), value, lines);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            for (index, item) in items.iter().enumerate() {
                add_detail(&format!("{name}.{}", index + 1), item, lines);
            }
        }
        // What is blank would not be seen.
        Value::String(text) if text.trim().is_empty() => {
            lines.push((name.to_owned(), format!("{text:?}")));
        }
        Value::Array(items) if cell(name, value).len() > LONG_LIST => {
            for (index, item) in items.iter().enumerate() {
                let name = if index == 0 { name } else { "" };
                lines.push((name.to_owned(), cell(name, item)));
            }
        }
        plain => lines.push((name.to_owned(), cell(name, plain))),
    }
}

fn to_value(item: &impl Serialize) -> Result<Value, Failure> {
    serde_json::to_value(item).map_err(unprintable)
}

fn print_json(item: &impl Serialize) -> Result<(), Failure> {
    print(&format!(
        "{}\n",
        serde_json::to_string_pretty(item).map_err(unprintable)?
    ))
}

fn unprintable(error: serde_json::Error) -> Failure {
    Failure::Io(format!("cannot print the result: {error}"))
}

fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .map_err(|error| Failure::output(&error))
}

/// A value as people read it; control characters, which only imported text can hold, are escaped.
fn cell(field: &str, value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Number(number) if field == "expires_at" => moment(number),
        Value::Number(number) => number.to_string(),
        Value::String(text) => escaped(text),
        Value::Array(items) if items.is_empty() => "-".to_owned(),
        Value::Array(items) => items
            .iter()
            .map(|item| cell(field, item))
            .collect::<Vec<_>>()
            .join(" "),
        Value::Object(_) => value.to_string(),
    }
}

/// Seconds since the epoch as people read them.
fn moment(number: &serde_json::Number) -> String {
    number
        .as_i64()
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .map_or_else(|| number.to_string(), |moment| moment.to_string())
}

/// A text whose control characters, which only imported text can hold, are written out.
pub(crate) fn escaped(text: &str) -> String {
    text.chars()
        .flat_map(|character| {
            let escape = character.is_control();
            let plain = (!escape).then_some(character);
            let escaped = escape.then(|| character.escape_default());
            plain.into_iter().chain(escaped.into_iter().flatten())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn cells_are_plain_words_without_control_characters() {
        assert_eq!(cell("any", &json!(null)), "-");
        assert_eq!(cell("any", &json!(true)), "yes");
        assert_eq!(cell("expires_at", &json!(1)), "1970-01-01T00:00:01Z");
        assert_eq!(cell("any", &json!(["a", "b"])), "a b");
        assert_eq!(cell("any", &json!("a\u{1b}[31mb\n")), "a\\u{1b}[31mb\\n");
    }

    #[test]
    fn details_are_lines_under_dotted_names() {
        let long = ["a".repeat(50), "b".repeat(50)];
        let item = json!({
            "b": {"d": [1, 2], "c": true}, "a": null, "list": [{"x": 1}, {"x": 2}], "name": "n",
            "long": long, "separator": " "
        });
        let [first, second] = [long[0].as_str(), long[1].as_str()];
        let expected = [
            ("name", "n"),
            ("a", "-"),
            ("b.c", "yes"),
            ("b.d", "1 2"),
            ("list.1.x", "1"),
            ("list.2.x", "2"),
            ("long", first),
            ("", second),
            ("separator", "\" \""),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(detail_lines(&item, &["name", "absent"]), expected);
    }

    #[test]
    fn a_table_has_its_columns_in_the_given_order() {
        let items = [
            json!({"id": 1, "name": "a"}),
            json!({"name": "bb", "id": 22}),
        ];
        let text = table(&items, &["name", "id"]).unwrap();
        let lines: Vec<Vec<&str>> = text
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(lines, [["NAME", "ID"], ["a", "1"], ["bb", "22"]]);
    }
}
