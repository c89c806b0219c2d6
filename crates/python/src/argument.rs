//! Arguments, each by the name that the API reference gives it: what is wrong with one is said by that
//! name.

use std::marker::PhantomData;
use std::ops::Deref;

use bosa_auth::{NewApiKey, PageRequest, ScopeSet, Timestamp};
use pyo3::exceptions::{PyTypeError, PyUnicodeEncodeError};
use pyo3::prelude::*;
use pyo3::types::{PyDateTime, PyInt, PyString, PyTzInfo};
use uuid::Uuid;

use crate::failure;

/// The name of an argument.
pub(crate) trait Name {
    const NAME: &'static str;
}

macro_rules! names {
    ($($name:ident = $text:literal),* $(,)?) => {
        $(
            #[doc = concat!("The argument `", $text, "`.")]
            pub(crate) struct $name;

            impl Name for $name {
                const NAME: &'static str = $text;
            }
        )*
    };
}

names! {
    ApiKey = "api_key",
    AuthScopes = "auth_scopes",
    AuthString = "auth_string",
    ClientApiKey = "client_api_key",
    ClientId = "client_id",
    Connector = "connector",
    CurrentSecret = "current_secret",
    Cursor = "cursor",
    Identifier = "identifier",
    KeyId = "key_id",
    Limit = "limit",
    ClientName = "name",
    NewSecret = "new_secret",
    OverlapSeconds = "overlap_seconds",
    Scopes = "scopes",
    Secret = "secret",
    Setting = "settings",
    Token = "token",
    UserId = "user_id",
    UserIdentifier = "user_identifier",
}

/// Text that is valid Unicode.
pub(crate) struct Text<N> {
    text: String,
    name: PhantomData<fn() -> N>,
}

impl<N> Deref for Text<N> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl<N> From<Text<N>> for String {
    fn from(text: Text<N>) -> Self {
        text.text
    }
}

impl<N> From<Text<N>> for bosa_auth::Secret {
    fn from(text: Text<N>) -> Self {
        Self::new(text.text)
    }
}

impl<N: Name> FromPyObject<'_, '_> for Text<N> {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        let text = value
            .cast::<PyString>()
            .map_err(|_| of_another_type(N::NAME, "a str", value))?;
        match text.to_cow() {
            Ok(text) => Ok(Self {
                text: text.into_owned(),
                name: PhantomData,
            }),
            Err(error) if error.is_instance_of::<PyUnicodeEncodeError>(value.py()) => {
                Err(failure::invalid_input(
                    value.py(),
                    N::NAME,
                    "holds a lone surrogate, which is no character",
                ))
            }
            Err(error) => Err(error),
        }
    }
}

/// An id, as a `uuid.UUID` or as its text.
pub(crate) struct Id<N> {
    id: Uuid,
    name: PhantomData<fn() -> N>,
}

impl<N> Id<N> {
    pub(crate) fn uuid(&self) -> Uuid {
        self.id
    }
}

impl<N: Name> FromPyObject<'_, '_> for Id<N> {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        let id = match value.cast::<PyString>() {
            Ok(_) => {
                let text: Text<N> = value.extract()?;
                Uuid::try_parse(&text)
                    .map_err(|_| failure::invalid_input(value.py(), N::NAME, "is not a UUID"))?
            }
            Err(_) => value
                .extract()
                .map_err(|_| of_another_type(N::NAME, "a uuid.UUID or its text", value))?,
        };
        Ok(Self {
            id,
            name: PhantomData,
        })
    }
}

/// A number of things; one that no operation takes is refused by the name of its argument.
pub(crate) struct Number<N> {
    number: u32,
    name: PhantomData<fn() -> N>,
}

impl<N> Number<N> {
    pub(crate) fn get(&self) -> u32 {
        self.number
    }
}

impl<N: Name> FromPyObject<'_, '_> for Number<N> {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        if !value.is_instance_of::<PyInt>() {
            return Err(of_another_type(N::NAME, "an int", value));
        }
        let number = value
            .extract()
            .map_err(|_| failure::invalid_input(value.py(), N::NAME, "is out of range"))?;
        Ok(Self {
            number,
            name: PhantomData,
        })
    }
}

fn of_another_type(name: &str, wanted: &str, value: Borrowed<'_, '_, PyAny>) -> PyErr {
    let given = value.get_type();
    let given = given
        .name()
        .map_or_else(|_| "object".to_owned(), |name| name.to_string());
    PyTypeError::new_err(format!("{name} must be {wanted}, not {given}"))
}

/// Which page of a list is wanted.
pub(crate) fn page(limit: Option<Number<Limit>>, cursor: Option<Text<Cursor>>) -> PageRequest {
    PageRequest {
        limit: limit.map(|limit| limit.get()),
        cursor: cursor.map(String::from),
    }
}

/// The scopes of these names.
///
/// # Errors
/// `InvalidInputException`: one of them is unknown.
pub(crate) fn scopes(py: Python<'_>, texts: &[Text<Scopes>]) -> PyResult<ScopeSet> {
    let texts: Vec<&str> = texts.iter().map(|text| &**text).collect();
    NewApiKey::parse_scopes(&texts).map_err(|error| failure::exception(py, &error))
}

/// The time of a `datetime` that knows its time zone.
///
/// # Errors
/// `InvalidInputException`: it knows none, or is out of range.
pub(crate) fn expiry(time: &Bound<'_, PyAny>) -> PyResult<Timestamp> {
    let py = time.py();
    let time = time.cast::<PyDateTime>()?;
    if time.call_method0("utcoffset")?.is_none() {
        return Err(failure::invalid_input(
            py,
            "expires_at",
            "needs a time zone, for example datetime.UTC",
        ));
    }
    let time = time.call_method1("astimezone", (PyTzInfo::utc(py)?,))?;
    let text: String = time.call_method0("isoformat")?.extract()?;
    text.parse()
        .map_err(|_| failure::invalid_input(py, "expires_at", "is out of range"))
}
