//! Every refusal: one table from the library's error kinds to status, code and body.
//!
//! A [`Problem`] travels as an extension of its response; the outermost layer writes the body,
//! because only it knows the request's id and what the caller accepts.

use std::error::Error as _;
use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bosa_auth::{Error, ErrorKind};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// The media type of RFC 9457.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";
const JSON: &str = "application/json";

/// Why a request was refused.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    code: &'static str,
    kind: Box<str>,
    message: String,
    details: Option<Box<Value>>,
    retry_after: Option<u64>,
    challenge: Option<&'static str>,
    cause: Option<Box<Error>>,
}

/// The body of every refusal; also problem details as RFC 9457 describes them.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProblemBody<'a> {
    error: ProblemError<'a>,
    /// The message again, where some clients look for it.
    message: &'a str,
    /// Always `about:blank`: the code says more.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The status in words.
    title: &'static str,
    /// The status.
    status: u16,
    /// Present where a caller asks for the outcome of selecting or removing an account.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<FailedOutcome<'a>>,
}

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
struct ProblemError<'a> {
    /// For people; it may change.
    message: &'a str,
    /// For programs; it never changes.
    code: &'static str,
    /// The class of error.
    #[serde(rename = "type")]
    kind: &'a str,
    /// The id under which the request is logged.
    request_id: &'a str,
    /// What a program can use, depending on the code.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    details: Option<&'a Value>,
}

/// The outcome of selecting or removing an account that failed.
#[derive(Debug, Serialize, ToSchema)]
struct FailedOutcome<'a> {
    /// Always false.
    success: bool,
    error: &'a str,
    message: &'a str,
}

/// What the outermost layer knows and the body needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rendering<'a> {
    pub(crate) request_id: &'a str,
    pub(crate) as_problem_json: bool,
    /// Whether the body also carries `data.success`.
    pub(crate) with_outcome: bool,
}

impl Problem {
    /// A malformed part of the request, by its name.
    pub(crate) fn invalid(field: &str, reason: impl std::fmt::Display) -> Self {
        let mut problem = Self::of_kind(ErrorKind::InvalidInput, format!("{field} {reason}"));
        problem.details = Some(Box::new(json!({ "field": field })));
        problem
    }

    /// A path that names nothing.
    pub(crate) fn not_found(what: &str) -> Self {
        Self::of_kind(ErrorKind::NotFound, format!("{what} not found"))
    }

    /// A credential that is missing; the message says which.
    pub(crate) fn unauthenticated(kind: ErrorKind, message: &'static str) -> Self {
        Self::of_kind(kind, message)
    }

    pub(crate) fn method_not_allowed() -> Self {
        let status = StatusCode::METHOD_NOT_ALLOWED;
        Self::of_transport(
            status,
            "method_not_allowed",
            "this route has no such method",
        )
    }

    pub(crate) fn body_too_large(limit: usize) -> Self {
        let status = StatusCode::PAYLOAD_TOO_LARGE;
        let message = format!("the body is longer than {limit} bytes");
        Self::of_transport(status, "payload_too_large", message)
    }

    pub(crate) fn not_json() -> Self {
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        let message = "send JSON with content-type: application/json";
        Self::of_transport(status, "unsupported_media_type", message)
    }

    /// The time limit of a request has passed.
    pub(crate) fn took_too_long() -> Self {
        let mut problem = Self::of_kind(ErrorKind::Overloaded, "the request took too long");
        problem.retry_after = Some(1);
        problem
    }

    /// The server cannot do its work now; the details say what is missing.
    pub(crate) fn not_ready(details: Value) -> Self {
        let mut problem = Self::of_kind(ErrorKind::DatabaseUnavailable, "the server is not ready");
        problem.retry_after = Some(1);
        problem.details = Some(Box::new(details));
        problem
    }

    /// A handler that panicked.
    pub(crate) fn defect() -> Self {
        Self::of_kind(ErrorKind::Internal, "internal error")
    }

    /// Writes to the log what the caller is not told.
    pub(crate) fn log(&self) {
        if !self.status.is_server_error() {
            return;
        }
        let code = self.code;
        match &self.cause {
            None => tracing::error!(code, "request failed"),
            Some(error) => {
                let mut causes = error.to_string();
                let mut source = error.source();
                while let Some(cause) = source {
                    causes.push_str(": ");
                    causes.push_str(&cause.to_string());
                    source = cause.source();
                }
                tracing::error!(code, error = causes, "request failed");
            }
        }
    }

    /// Writes the body and the headers that belong to it into a response.
    pub(crate) fn write(&self, response: &mut Response, rendering: Rendering<'_>) {
        let outcome = FailedOutcome {
            success: false,
            error: &self.message,
            message: &self.message,
        };
        let body = ProblemBody {
            error: ProblemError {
                message: &self.message,
                code: self.code,
                kind: &self.kind,
                request_id: rendering.request_id,
                details: self.details.as_deref(),
            },
            message: &self.message,
            kind: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            data: rendering.with_outcome.then_some(outcome),
        };
        let body = serde_json::to_vec(&body).unwrap_or_default();
        *response.status_mut() = self.status;
        *response.body_mut() = Body::from(body);
        let headers = response.headers_mut();
        let media_type = if rendering.as_problem_json {
            PROBLEM_JSON
        } else {
            JSON
        };
        let fixed = |headers: &mut http::HeaderMap, name: HeaderName, text: &'static str| {
            headers.insert(name, HeaderValue::from_static(text));
        };
        fixed(headers, header::CONTENT_TYPE, media_type);
        headers.remove(header::CONTENT_LENGTH);
        if let Some(challenge) = self.challenge {
            fixed(headers, header::WWW_AUTHENTICATE, challenge);
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
    }

    fn of_kind(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            status: status(kind),
            code: kind.code(),
            kind: format!("{kind:?}").into(),
            message: message.into(),
            details: None,
            retry_after: None,
            challenge: challenge(kind),
            cause: None,
        }
    }

    fn of_transport(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        let words = status.canonical_reason().unwrap_or_default();
        Self {
            status,
            code,
            kind: words.replace(' ', "").into(),
            message: message.into(),
            details: None,
            retry_after: None,
            challenge: None,
            cause: None,
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let mut problem = Self::of_kind(error.kind(), error.to_string());
        problem.details = details(&error).map(Box::new);
        problem.retry_after = error.retry_after().map(|wait| {
            let part = u64::from(wait.subsec_nanos() > 0);
            wait.as_secs().saturating_add(part).max(1)
        });
        match error.kind() {
            // What is wrong inside is for the log.
            ErrorKind::Configuration => {
                "the server is not configured correctly".clone_into(&mut problem.message)
            }
            ErrorKind::Unreadable => {
                "a stored value cannot be read".clone_into(&mut problem.message)
            }
            _ => {}
        }
        problem.cause = Some(Box::new(error));
        problem
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

/// The status of every kind of error: the HTTP column of the one table.
#[must_use]
pub fn status(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::InvalidInput => StatusCode::BAD_REQUEST,
        ErrorKind::InvalidClient
        | ErrorKind::Unauthorized
        | ErrorKind::InvalidToken
        | ErrorKind::ExpiredToken
        | ErrorKind::RevokedToken => StatusCode::UNAUTHORIZED,
        ErrorKind::PermissionDenied => StatusCode::FORBIDDEN,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::ClientAlreadyExists
        | ErrorKind::UserAlreadyExists
        | ErrorKind::IntegrationAlreadyExists
        | ErrorKind::AmbiguousAccount
        | ErrorKind::NeedsReauthorization
        | ErrorKind::IdempotencyInProgress => StatusCode::CONFLICT,
        ErrorKind::IdempotencyMismatch => StatusCode::UNPROCESSABLE_ENTITY,
        ErrorKind::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::Overloaded | ErrorKind::DatabaseUnavailable | ErrorKind::ProviderUnavailable => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        ErrorKind::Uninitialized
        | ErrorKind::Configuration
        | ErrorKind::Unreadable
        | ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The challenge of a 401 (RFC 9110 §11.6.1, RFC 6750 §3).
fn challenge(kind: ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::InvalidClient => Some(r#"ApiKey realm="bosa-auth", header="x-api-key""#),
        ErrorKind::Unauthorized => Some(r#"Bearer realm="bosa-auth""#),
        ErrorKind::InvalidToken | ErrorKind::ExpiredToken | ErrorKind::RevokedToken => {
            Some(r#"Bearer realm="bosa-auth", error="invalid_token""#)
        }
        _ => None,
    }
}

fn details(error: &Error) -> Option<Value> {
    match error {
        Error::InvalidInput {
            field, violations, ..
        } => {
            let parts = violations.iter();
            let parts: Vec<_> = parts
                .map(|part| json!({ "pointer": part.pointer, "reason": part.reason }))
                .collect();
            Some(match parts.is_empty() {
                true => json!({ "field": field }),
                false => json!({ "field": field, "violations": parts }),
            })
        }
        Error::PermissionDenied { scope } => Some(json!({ "scope": scope.as_str() })),
        Error::AmbiguousAccount {
            connector,
            accounts,
        } => Some(json!({ "connector": connector, "accounts": accounts })),
        Error::NeedsReauthorization {
            connector,
            account,
            since,
        } => Some(json!({
            "connector": connector,
            "account": account,
            "since": since.to_string(),
        })),
        Error::RateLimited { .. }
        | Error::Overloaded { .. }
        | Error::IdempotencyInProgress { .. } => {
            let seconds = error
                .retry_after()
                .map(|wait| wait.as_secs_f64().ceil() as u64);
            Some(json!({ "retry_after_seconds": seconds }))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
