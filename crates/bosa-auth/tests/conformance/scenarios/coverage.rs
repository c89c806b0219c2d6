//! Whether the scenarios show every operation, and every refusal that it documents.

use std::collections::BTreeSet;

use serde_json::Value;

use super::file::{self, Step};

/// The operations of the API reference and those beside it, with the refusals that calls alone bring
/// about.
const OPERATIONS: &[(&str, &str)] = &[
    ("create_client", "invalid_input client_already_exists"),
    (
        "update_client",
        "invalid_input not_found client_already_exists",
    ),
    ("delete_client", "not_found"),
    ("create_api_key", "invalid_input not_found"),
    ("list_api_keys", "invalid_input not_found"),
    ("rotate_api_key", "invalid_input not_found"),
    ("revoke_api_key", "not_found"),
    ("verify_client_api_key", "invalid_client"),
    ("is_api_key_valid", ""),
    ("get_client_by_api_key", "invalid_client"),
    ("get_client_by_id", "invalid_client"),
    ("get_client_list", "invalid_input"),
    ("find_client", "not_found"),
    ("find_client_by_name", "not_found"),
    (
        "create_user",
        "invalid_client permission_denied invalid_input user_already_exists",
    ),
    (
        "update_user",
        "invalid_client permission_denied invalid_input not_found user_already_exists",
    ),
    ("delete_user", "invalid_client permission_denied not_found"),
    (
        "reset_user_secret",
        "invalid_client permission_denied not_found",
    ),
    (
        "change_user_secret",
        "invalid_client permission_denied invalid_input unauthorized",
    ),
    ("get_user", "invalid_client permission_denied unauthorized"),
    (
        "get_user_by_identifier",
        "invalid_client permission_denied unauthorized",
    ),
    (
        "get_user_complete",
        "invalid_client permission_denied unauthorized",
    ),
    (
        "list_users",
        "invalid_client permission_denied invalid_input",
    ),
    ("find_user", "invalid_client permission_denied not_found"),
    (
        "find_user_by_identifier",
        "invalid_client permission_denied not_found",
    ),
    (
        "authenticate_user",
        "invalid_client permission_denied unauthorized",
    ),
    ("create_token", "unauthorized"),
    (
        "list_tokens",
        "invalid_client permission_denied invalid_input not_found",
    ),
    (
        "verify_token_and_get_user_id",
        "invalid_client permission_denied invalid_token revoked_token",
    ),
    (
        "verify_token",
        "invalid_client permission_denied invalid_token revoked_token",
    ),
    ("revoke_token", "invalid_client permission_denied"),
    (
        "revoke_all_tokens",
        "invalid_client permission_denied not_found",
    ),
    (
        "create_integration",
        "invalid_client unauthorized invalid_input integration_already_exists",
    ),
    (
        "get_integration",
        "invalid_client unauthorized invalid_input",
    ),
    (
        "get_specific_or_default_integration",
        "invalid_client unauthorized invalid_input",
    ),
    (
        "get_integrations",
        "invalid_client unauthorized invalid_input",
    ),
    (
        "has_integration",
        "invalid_client unauthorized invalid_input",
    ),
    (
        "delete_integration",
        "invalid_client unauthorized invalid_input ambiguous_account",
    ),
    (
        "set_selected_integration",
        "invalid_client unauthorized invalid_input not_found",
    ),
    (
        "update_integration_auth",
        "invalid_client unauthorized invalid_input not_found",
    ),
];

/// Operations that a second client cannot aim at what belongs to the first: they act for the operator,
/// or for whoever holds the key that they are given.
const NOT_AIMED: &[&str] = &[
    "create_client",
    "update_client",
    "delete_client",
    "create_api_key",
    "verify_client_api_key",
    "get_client_by_api_key",
    "get_client_by_id",
    "get_client_list",
    "find_client",
    "find_client_by_name",
];

#[test]
fn every_operation_succeeds_somewhere_and_shows_its_refusals() {
    let shown = shown(&files());
    let unknown: Vec<_> = shown
        .iter()
        .filter(|(name, _)| !OPERATIONS.iter().any(|(known, _)| known == name))
        .collect();
    assert!(unknown.is_empty(), "unknown operations: {unknown:?}");
    let mut missing = Vec::new();
    for (name, refusals) in OPERATIONS {
        for outcome in std::iter::once("").chain(refusals.split_whitespace()) {
            if !shown.contains(&((*name).to_owned(), outcome.to_owned())) {
                missing.push((*name, outcome));
            }
        }
    }
    assert!(missing.is_empty(), "no scenario shows: {missing:?}");
}

#[test]
fn every_operation_on_a_clients_data_is_tried_by_a_second_client() {
    let tried: BTreeSet<String> = shown(&["isolation".to_owned()])
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    let missing: Vec<_> = OPERATIONS
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| !NOT_AIMED.contains(name) && !tried.contains(*name))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

fn files() -> Vec<String> {
    super::LISTED
        .iter()
        .map(|(file, _)| (*file).to_owned())
        .collect()
}

/// Every operation that the files call, with the refusal that it ends with, or nothing.
fn shown(files: &[String]) -> BTreeSet<(String, String)> {
    let mut shown = BTreeSet::new();
    for file in files {
        for scenario in file::scenarios(file) {
            collect(&scenario.steps, &mut shown);
        }
    }
    shown
}

fn collect(steps: &[Step], shown: &mut BTreeSet<(String, String)>) {
    for step in steps {
        collect(&step.steps, shown);
        let outcome = step.error.clone().unwrap_or_default();
        let operations = match step.call.as_deref() {
            Some("${each}") => listed(step, |item| item),
            Some("${each.call}") => listed(step, |item| &item["call"]),
            Some(operation) => vec![operation.to_owned()],
            None => Vec::new(),
        };
        shown.extend(operations.into_iter().map(|name| (name, outcome.clone())));
    }
}

/// The operations in the values of a step's own `each`.
fn listed(step: &Step, operation: impl Fn(&Value) -> &Value) -> Vec<String> {
    let values = step.each.as_ref().and_then(Value::as_array);
    values
        .map(Vec::as_slice)
        .unwrap_or_default()
        .iter()
        .filter_map(|item| operation(item).as_str().map(str::to_owned))
        .collect()
}
