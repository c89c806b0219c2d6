//! What the files of scenarios hold.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// A file of scenarios about one section of the interface.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(rename = "scenario")]
    pub(super) scenarios: Vec<Scenario>,
}

/// A sentence about behaviour, and the steps that show it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Scenario {
    pub(super) name: String,
    /// Names of beginnings that come before the steps.
    #[serde(default)]
    pub(super) given: Vec<String>,
    pub(super) steps: Vec<Step>,
}

/// A call with what is expected of it, or several steps; either of them for each value of a list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Step {
    pub(super) each: Option<Value>,
    #[serde(default)]
    pub(super) steps: Vec<Step>,
    pub(super) call: Option<String>,
    #[serde(default = "no_arguments")]
    pub(super) with: Value,
    pub(super) save: Option<String>,
    pub(super) expect: Option<Value>,
    pub(super) error: Option<String>,
    pub(super) message: Option<String>,
    pub(super) details: Option<Value>,
}

fn no_arguments() -> Value {
    json!({})
}

/// The beginnings that scenarios share, by name.
pub(super) type Beginnings = BTreeMap<String, Vec<Step>>;

/// The scenarios of a file.
pub(super) fn scenarios(file: &str) -> Vec<Scenario> {
    read::<File>(&format!("{file}.toml")).scenarios
}

/// The beginnings that scenarios share.
pub(super) fn beginnings() -> Beginnings {
    read("given.toml")
}

/// Where the files are.
pub(super) fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios")
}

fn read<T: DeserializeOwned>(name: &str) -> T {
    let text = std::fs::read_to_string(directory().join(name))
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    toml::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}
