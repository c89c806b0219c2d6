//! The answers to all kinds of errors, as other implementations of them are compared with.
//!
//! `BOSA_AUTH_RECORD_REFUSALS=1` writes them anew.

use std::time::Duration;

use bosa_auth::{Error, ErrorKind, Scope, Violation};
use serde_json::{Map, Value, json};

use super::*;

const RECORDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/refusals.json");

fn errors() -> Vec<Error> {
    let (connector, account) = ("github".to_owned(), "octocat".to_owned());
    let accounts = vec![account.clone(), "é \"x\"".to_owned()];
    let since = |text: &str| text.parse().unwrap();
    let retry_after = |millis| Duration::from_millis(millis);
    let violations = vec![Violation {
        pointer: "/site".to_owned(),
        reason: "is not text".to_owned(),
    }];
    let input = |violations| Error::InvalidInput {
        field: "identifier",
        reason: "is empty".to_owned(),
        violations,
    };
    let again = |since| Error::NeedsReauthorization {
        connector: connector.clone(),
        account: account.clone(),
        since,
    };
    vec![
        input(Vec::new()),
        input(violations),
        Error::InvalidClient,
        Error::Unauthorized,
        Error::InvalidToken,
        Error::ExpiredToken,
        Error::RevokedToken,
        Error::PermissionDenied {
            scope: Scope::UsersRead,
        },
        Error::NotFound { what: "user" },
        Error::ClientAlreadyExists,
        Error::UserAlreadyExists,
        Error::IntegrationAlreadyExists,
        Error::AmbiguousAccount {
            connector: connector.clone(),
            accounts,
        },
        again(since("2026-01-02T03:04:05Z")),
        again(since("2026-01-02T03:04:00.120Z")),
        Error::RateLimited {
            retry_after: retry_after(61_001),
        },
        Error::Overloaded {
            retry_after: retry_after(250),
        },
        Error::IdempotencyMismatch,
        Error::IdempotencyInProgress {
            retry_after: retry_after(1000),
        },
        Error::DatabaseUnavailable(None),
        Error::ProviderUnavailable {
            retry_after: retry_after(30_000),
        },
        Error::Uninitialized,
        Error::Configuration("AUTH_SECRET_KEY is too short".to_owned()),
        Error::Unreadable {
            what: "a credential".to_owned(),
        },
        Error::Internal("a defect".into()),
    ]
}

async fn answered(error: Error) -> Value {
    let (message, retry_after) = (error.to_string(), error.retry_after());
    let mut response = Response::default();
    let rendering = Rendering {
        request_id: "r-1",
        as_problem_json: false,
        with_outcome: false,
    };
    Problem::from(error).write(&mut response, rendering);
    let headers: Map<_, _> = response
        .headers()
        .iter()
        .map(|(name, value)| (name.to_string(), json!(value.to_str().unwrap())))
        .collect();
    let status = response.status().as_u16();
    let body = axum::body::to_bytes(response.into_body(), 10_000).await;
    let body: Value = serde_json::from_slice(&body.unwrap()).unwrap();
    json!({
        "message": message,
        "retry_after": retry_after.map(|wait| wait.as_secs_f64()),
        "status": status,
        "headers": headers,
        "body": body,
    })
}

#[tokio::test]
async fn the_answers_to_all_kinds_of_errors_are_the_recorded_ones() {
    let kinds: Vec<_> = errors().iter().map(Error::kind).collect();
    assert!(ErrorKind::ALL.iter().all(|kind| kinds.contains(kind)));
    let mut all = Vec::new();
    for error in errors() {
        all.push(answered(error).await);
    }
    let text = format!("{:#}\n", Value::from(all));
    if std::env::var_os("BOSA_AUTH_RECORD_REFUSALS").is_some() {
        std::fs::write(RECORDED, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(RECORDED).unwrap(), text);
}
