//! JSON bodies, read strictly.

use std::error::Error as _;
use std::fmt;

use axum::body::{Bytes, to_bytes};
use axum::extract::{FromRequest, Request};
use http::{HeaderMap, header};
use http_body_util::LengthLimitError;
use serde::de::DeserializeOwned;
use serde_path_to_error::Path;

use super::strict_json::{self, Malformed};
use crate::problem::Problem;
use crate::router::AppState;

/// Longest part of an unknown name that an answer repeats.
const LONGEST_NAME: usize = 64;

/// A JSON body that must be there.
#[derive(Debug)]
pub(crate) struct JsonBody<T> {
    pub(crate) value: T,
    pub(crate) text: Text,
}

/// A JSON body that may be absent, and then is the default.
#[derive(Debug)]
pub(crate) struct OptionalJson<T> {
    pub(crate) value: T,
    pub(crate) text: Text,
}

/// A body as it was sent; it may hold secrets.
///
/// It is the connection's own buffer, which cannot be wiped; a copy that is would change nothing.
#[derive(Default)]
pub(crate) struct Text(Bytes);

impl Text {
    pub(crate) fn expose(&self) -> &str {
        // It was read as UTF-8 before.
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Text(…)")
    }
}

impl<T: DeserializeOwned> FromRequest<AppState> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::not_json());
        }
        let bytes = read(request, state).await?;
        let value = parse(&bytes)?;
        let text = Text(bytes);
        Ok(Self { value, text })
    }
}

impl<T: DeserializeOwned + Default> FromRequest<AppState> for OptionalJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Problem> {
        let is_json = is_json(request.headers());
        let bytes = read(request, state).await?;
        if bytes.is_empty() {
            let (value, text) = Default::default();
            return Ok(Self { value, text });
        }
        if !is_json {
            return Err(Problem::not_json());
        }
        let value = parse(&bytes)?;
        let text = Text(bytes);
        Ok(Self { value, text })
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let Some(media_type) = value.and_then(|value| value.split(';').next()) else {
        return false;
    };
    let media_type = media_type.trim();
    let is = |text: Option<&str>, wanted: &str| {
        text.is_some_and(|text| text.eq_ignore_ascii_case(wanted))
    };
    let suffix = media_type.len().saturating_sub("+json".len());
    is(Some(media_type), "application/json")
        || is(media_type.get(.."application/".len()), "application/")
            && is(media_type.get(suffix..), "+json")
}

async fn read(request: Request, state: &AppState) -> Result<Bytes, Problem> {
    let limit = state.config.body_limit;
    to_bytes(request.into_body(), limit).await.map_err(|error| {
        // Its only cause of its own; the others are the connection's.
        if error
            .source()
            .is_some_and(|cause| cause.is::<LengthLimitError>())
        {
            Problem::body_too_large(limit)
        } else {
            Problem::invalid("body", "could not be read")
        }
    })
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let Ok(text) = str::from_utf8(bytes) else {
        return Err(Problem::invalid("body", "is not UTF-8"));
    };
    strict_json::check(bytes).map_err(|malformed| match malformed {
        Malformed::Syntax { line, column } => {
            let place = format!("is not valid JSON at line {line}, column {column}");
            Problem::invalid("body", place)
        }
        Malformed::TooDeep => Problem::invalid("body", "is nested too deeply"),
        Malformed::Duplicate(name) => Problem::invalid(&shortened(&name), "is given twice"),
    })?;
    // A list would pass for an object whose members come in order.
    if !text.trim_start().starts_with('{') {
        return Err(Problem::invalid("body", "must be an object"));
    }
    serde_json::from_str(text).or_else(|_| {
        // Read once more, by what keeps track of where it is.
        let mut json = serde_json::Deserializer::from_str(text);
        serde_path_to_error::deserialize(&mut json)
            .map_err(|error| mistyped(error.path(), &error.inner().to_string()))
    })
}

/// Says which field is wrong without repeating its value, which may be a secret.
fn mistyped(path: &Path, message: &str) -> Problem {
    let path = path.to_string();
    let parent = if path == "." { "" } else { path.as_str() };
    let below = |name: &str| {
        if parent.is_empty() {
            name.to_owned()
        } else {
            format!("{parent}.{name}")
        }
    };
    let quoted = |prefix: &str| {
        message
            .strip_prefix(prefix)
            .and_then(|rest| rest.split('`').next())
    };
    if let Some(name) = quoted("missing field `") {
        return Problem::invalid(&below(name), "is missing");
    }
    if let Some(name) = quoted("unknown field `") {
        // The path may end in the unknown name already.
        let name = shortened(name);
        let known = parent == name || parent.ends_with(&format!(".{name}"));
        let field = if known {
            parent.to_owned()
        } else {
            below(&name)
        };
        return Problem::invalid(&field, "is not a field of this request");
    }
    let field = if parent.is_empty() { "body" } else { parent };
    match message.rsplit_once("expected ") {
        Some((_, expected)) => {
            let expected = expected.split(" at line ").next().unwrap_or(expected);
            let expected = match expected {
                "i64" => "a whole number",
                "u32" => "a whole number from 0 to 4294967295",
                object if object.starts_with("struct ") => "an object",
                other => other,
            };
            Problem::invalid(field, format_args!("must be {expected}"))
        }
        None => Problem::invalid(field, "is malformed"),
    }
}

fn shortened(name: &str) -> String {
    name.chars().take(LONGEST_NAME).collect()
}
