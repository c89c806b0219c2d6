//! `/connectors`: which third parties are known. Anybody may ask, and the answers are bare.
//!
//! Some public clients send their API key as a bearer token here and some send nothing, so that no
//! credential is looked at.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::routing::get;
use http::Method;
use serde_json::{Value, json};

use crate::extract::Query;
use crate::problem::Problem;
use crate::route::{Caller, Route};
use crate::router::AppState;

const MODULES: &[(&str, &str)] = &[("modules", "Only these connectors, comma-separated.")];

pub(crate) const ROUTES: &[Route] = &[
    Route::new(Method::GET, "/connectors", Caller::Anyone, || get(list))
        .summary("The known connectors, as an object with one member for each.")
        .query(MODULES)
        .bare("An object whose members are named after the connectors."),
    Route::new(Method::GET, "/connectors/", Caller::Anyone, || get(list))
        .summary("The same as GET /connectors; public clients ask for one connector here.")
        .query(MODULES)
        .bare("An object whose members are named after the connectors."),
    Route::new(Method::GET, "/connectors/names", Caller::Anyone, || {
        get(names)
    })
    .summary("The names of the known connectors.")
    .bare("A list of names."),
];

async fn list(
    State(state): State<AppState>,
    mut query: Query,
) -> Result<Json<BTreeMap<String, Value>>, Problem> {
    let modules = query.text("modules");
    query.finish()?;
    let wanted = |name: &String| match &modules {
        None => true,
        Some(modules) => modules.split(',').any(|module| module == name),
    };
    let names = state.auth.connector_names().into_iter().filter(wanted);
    Ok(Json(names.map(|name| (name, json!({}))).collect()))
}

async fn names(State(state): State<AppState>) -> Json<Vec<String>> {
    Json(state.auth.connector_names())
}
