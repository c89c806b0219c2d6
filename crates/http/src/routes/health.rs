//! What probes and tools ask: health, readiness, version, the OpenAPI document.

use axum::extract::State;
use axum::routing::get;
use http::{Method, header};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::envelope::Enveloped;
use crate::openapi;
use crate::problem::Problem;
use crate::route::{Caller, Route};
use crate::router::AppState;

pub(crate) const ROUTES: &[Route] = &[
    Route::new(Method::GET, "/healthz", Caller::Anyone, || get(health))
        .summary("Says that the process answers.")
        .data::<Health>(),
    Route::new(Method::GET, "/readyz", Caller::Anyone, || get(readiness))
        .summary("Says whether the database answers, has this version's schema and fits the keys.")
        .data::<Ready>(),
    Route::new(Method::GET, "/version", Caller::Anyone, || get(version))
        .summary("The version of the server.")
        .data::<Version>(),
    Route::new(Method::GET, "/openapi.json", Caller::Anyone, || {
        get(document)
    })
    .summary("This document.")
    .bare("An OpenAPI 3.1 document."),
];

/// The process answers.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// Always `ok`.
    status: &'static str,
}

/// Whether the server can do its work.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Ready {
    /// Whether the database answers.
    database: bool,
    /// Whether the schema is this version's.
    migrations: bool,
    /// Whether the root keys open what they have to.
    keys: bool,
    /// The id of a root key that the database refers to and the server lacks.
    missing_root_key: Option<String>,
    /// Whether it may have missed revocations elsewhere and so reads for every decision.
    stale: bool,
}

/// What is running.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Version {
    name: &'static str,
    version: &'static str,
}

async fn health() -> Enveloped<Health> {
    Enveloped::new(Health { status: "ok" })
}

async fn readiness(State(state): State<AppState>) -> Result<Enveloped<Ready>, Problem> {
    let readiness = state.auth.readiness().await;
    let ready = Ready {
        database: readiness.database,
        migrations: readiness.migrations,
        keys: readiness.keys,
        missing_root_key: readiness.missing_root_key.clone(),
        stale: readiness.stale,
    };
    if readiness.is_ready() {
        return Ok(Enveloped::new(ready));
    }
    tracing::warn!(problem = readiness.problem, "not ready");
    Err(Problem::not_ready(json!(ready)))
}

async fn version() -> Enveloped<Version> {
    Enveloped::new(Version {
        name: "bosa-auth",
        version: env!("CARGO_PKG_VERSION"),
    })
}

async fn document() -> ([(header::HeaderName, &'static str); 1], String) {
    let text = openapi::openapi_json().unwrap_or_default();
    ([(header::CONTENT_TYPE, "application/json")], text)
}
