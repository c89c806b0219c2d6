//! Parameters of the query.

use std::collections::BTreeMap;

use axum::extract::FromRequestParts;
use bosa_auth::PageRequest;
use http::request::Parts;
use percent_encoding::percent_decode_str;

use crate::problem::Problem;
use crate::router::AppState;

/// The query, from which a handler takes what it knows; anything left over is refused, so that a
/// misspelt name cannot widen what a request means.
#[derive(Debug, Default)]
pub(crate) struct Query(BTreeMap<String, String>);

impl FromRequestParts<AppState> for Query {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, Problem> {
        Self::parse(parts.uri.query().unwrap_or_default())
    }
}

impl Query {
    /// Takes a parameter as text.
    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
        self.0.remove(name)
    }

    /// Takes `limit` and `cursor`.
    pub(crate) fn page(&mut self) -> Result<PageRequest, Problem> {
        let limit = match self.text("limit") {
            None => None,
            Some(text) => match text.parse() {
                Ok(limit) => Some(limit),
                Err(_) => return Err(Problem::invalid("limit", "must be between 1 and 100")),
            },
        };
        Ok(PageRequest {
            limit,
            cursor: self.text("cursor"),
        })
    }

    /// Refuses what was not taken.
    pub(crate) fn finish(self) -> Result<(), Problem> {
        match self.0.into_keys().next() {
            None => Ok(()),
            Some(name) => {
                let name: String = name.chars().take(64).collect();
                Err(Problem::invalid(&name, "is not a parameter of this route"))
            }
        }
    }

    /// Reads the text of a query, or of a form that is written like one.
    pub(crate) fn parse(query: &str) -> Result<Self, Problem> {
        let mut parameters = BTreeMap::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decode(name)?;
            if parameters.contains_key(&name) {
                return Err(Problem::invalid(&name, "is given twice"));
            }
            parameters.insert(name, decode(value)?);
        }
        Ok(Self(parameters))
    }
}

/// As forms encode it: `+` is a space, `%2B` a plus.
fn decode(text: &str) -> Result<String, Problem> {
    let spaced = text.replace('+', " ");
    match percent_decode_str(&spaced).decode_utf8() {
        Ok(text) => Ok(text.into_owned()),
        Err(_) => Err(Problem::invalid("query", "is not UTF-8")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_as_forms_encode_them() {
        let mut query = Query::parse("name=a+b%2Bc%20%C3%A9&limit=7&").unwrap();
        assert_eq!(query.text("name").as_deref(), Some("a b+c é"));
        assert_eq!(query.page().unwrap().limit, Some(7));
        assert!(query.finish().is_ok());
    }

    #[test]
    fn unknown_repeated_and_malformed_parameters_are_refused() {
        assert!(Query::parse("a=1&a=2").is_err());
        assert!(Query::parse("a=%ff").is_err());
        assert!(Query::parse("cursr=x").unwrap().finish().is_err());
        for limit in ["-1", "x", "", "4294967296"] {
            let mut query = Query::parse(&format!("limit={limit}")).unwrap();
            assert!(query.page().is_err(), "{limit}");
        }
    }
}
