//! The `Idempotency-Key` header.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use bosa_auth::{CurrentUser, IdempotencyKey, Operator, Tenant};
use http::request::Parts;
use http::{HeaderName, HeaderValue};

use crate::problem::Problem;
use crate::router::AppState;

pub(crate) const HEADER: HeaderName = HeaderName::from_static("idempotency-key");

/// What the caller sent as idempotency key, and for which path.
#[derive(Debug)]
pub(crate) struct Idempotency {
    values: Vec<HeaderValue>,
    path: String,
}

impl FromRequestParts<AppState> for Idempotency {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, Infallible> {
        Ok(Self {
            values: parts.headers.get_all(HEADER).iter().cloned().collect(),
            path: parts.uri.path().to_owned(),
        })
    }
}

impl Idempotency {
    /// Makes the caller's next creation carry the key, if one was sent.
    ///
    /// `route` may have another path of the same meaning; a repeat may come over either.
    pub(crate) fn attach<C: Creator>(
        self,
        caller: C,
        route: &'static str,
        body: &str,
    ) -> Result<C, Problem> {
        let Some(value) = self.values.first() else {
            return Ok(caller);
        };
        if self.values.len() > 1 {
            return Err(Problem::invalid("Idempotency-Key", "is given twice"));
        }
        // What is not visible ASCII is refused by the library under the header's name.
        let key = value.to_str().unwrap_or_default();
        // Only ids in the path are part of the request.
        let path = if route.contains('{') { &self.path } else { "" };
        let request = format!("{path}\n{body}");
        Ok(caller.carrying(IdempotencyKey::new(key, route, &request)?))
    }
}

/// A caller whose creations may carry an idempotency key.
pub(crate) trait Creator {
    fn carrying(self, key: IdempotencyKey) -> Self;
}

impl Creator for Operator {
    fn carrying(self, key: IdempotencyKey) -> Self {
        self.with_idempotency(key)
    }
}

impl Creator for Tenant {
    fn carrying(self, key: IdempotencyKey) -> Self {
        self.with_idempotency(key)
    }
}

impl Creator for CurrentUser {
    fn carrying(self, key: IdempotencyKey) -> Self {
        self.with_idempotency(key)
    }
}
