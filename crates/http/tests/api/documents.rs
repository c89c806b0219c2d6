//! The OpenAPI document describes what is served.

use std::path::Path;

use bosa_auth_http::{Caller, openapi_json, routes};
use bosa_auth_testkit::TestDatabase;
use serde_json::Value;

use crate::app::TestApp;

#[test]
fn the_committed_copy_is_up_to_date() {
    let copy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../openapi/v1.json");
    let committed = std::fs::read_to_string(copy).unwrap();
    assert!(
        committed == openapi_json().unwrap(),
        "run `cargo xtask openapi`"
    );
}

#[test]
fn every_route_is_described_with_its_security() {
    let document: Value = serde_json::from_str(&openapi_json().unwrap()).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    let mut described = 0;
    for route in routes() {
        let operation = &document["paths"][route.path][route.method.as_str().to_lowercase()];
        assert_eq!(operation["summary"], route.summary, "{}", route.path);
        let responses = operation["responses"].as_object().unwrap();
        let succeeds = responses.contains_key("200") || responses.contains_key("303");
        assert!(succeeds, "{}", route.path);
        let secured = operation["security"].as_array().map_or(0, Vec::len);
        assert_eq!(
            secured == 0,
            matches!(route.caller, Caller::Anyone | Caller::Browser),
            "{}",
            route.path
        );
        if let Some(scope) = route.scope {
            let description = operation["description"].as_str().unwrap();
            assert!(description.contains(scope.as_str()), "{}", route.path);
        }
        described += 1;
    }
    let paths = document["paths"].as_object().unwrap().values();
    let operations: usize = paths
        .filter_map(Value::as_object)
        .map(|path| path.len())
        .sum();
    assert_eq!(operations, described);
}

#[test]
fn every_reference_resolves_and_every_operation_has_a_name_of_its_own() {
    fn walk(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                found.extend(
                    members
                        .get("$ref")
                        .and_then(Value::as_str)
                        .map(str::to_owned),
                );
                members.values().for_each(|member| walk(member, found));
            }
            Value::Array(items) => items.iter().for_each(|item| walk(item, found)),
            _ => {}
        }
    }
    let document: Value = serde_json::from_str(&openapi_json().unwrap()).unwrap();
    let mut references = Vec::new();
    walk(&document, &mut references);
    assert!(references.len() > 100);
    for reference in references {
        let pointer = reference.trim_start_matches('#');
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    let mut names: Vec<_> = document["paths"]
        .as_object()
        .unwrap()
        .values()
        .filter_map(Value::as_object)
        .flat_map(|path| path.values())
        .map(|operation| operation["operationId"].to_string())
        .collect();
    let all = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), all);
}

#[tokio::test]
async fn the_served_document_is_the_same() {
    let app = TestApp::new(&TestDatabase::sqlite_memory().await).await;
    let served = app.get("/openapi.json").send().await;
    assert_eq!(served.text, openapi_json().unwrap());
}
