//! The user's own connectors beside the built-in ones.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

use bosa_auth_connect::{Catalogue, LookupError, Origin, Problems};
use tempfile::TempDir;

const ACME: &str = r#"title = "Acme"
documentation = ["https://docs.acme.example/"]
[[credentials]]
kind = "api_key"
title = "API key"
description = "On the page of the account."
"#;

fn directory(files: &[(&str, &str)]) -> TempDir {
    let directory = TempDir::new().unwrap();
    for (name, text) in files {
        fs::write(directory.path().join(name), text).unwrap();
    }
    directory
}

fn load(directory: &Path) -> Result<Catalogue, Problems> {
    Catalogue::load(Some(directory))
}

#[test]
fn own_connectors_are_added_and_replace_built_in_ones() {
    let directory = directory(&[("acme.toml", ACME), ("github.toml", ACME)]);
    let catalogue = load(directory.path()).unwrap();
    let names = catalogue.names();
    assert!(names.contains(&"acme") && names.contains(&"slack"));
    assert!(names.is_sorted());
    assert_eq!(names.iter().filter(|name| **name == "github").count(), 1);
    assert_eq!(catalogue.own_count(), 2);
    let github = catalogue.get("github").unwrap();
    assert_eq!(github.title, "Acme");
    assert_eq!(
        github.origin,
        Origin::File(directory.path().join("github.toml"))
    );
    assert_eq!(catalogue.get("slack").unwrap().origin, Origin::BuiltIn);
    assert_eq!(catalogue.get("unknown").unwrap_err(), LookupError::Unknown);
    let built_in = Catalogue::load(None).unwrap();
    assert_eq!(built_in.get("github").unwrap().title, "GitHub");
    assert_eq!(built_in.get("acme").unwrap_err(), LookupError::Unknown);
}

#[test]
fn what_is_no_connector_file_is_passed_over() {
    let directory = directory(&[
        ("README.md", "# Ours"),
        (".acme.toml", "half written"),
        ("acme.toml~", "former"),
    ]);
    fs::create_dir(directory.path().join("old.toml")).unwrap();
    assert_eq!(load(directory.path()).unwrap().own_count(), 0);
}

#[test]
fn all_bad_files_are_named_at_once() {
    let broken = ACME.replace("api_key", "key");
    let directory = directory(&[
        ("acme.toml", ACME),
        ("Bad Name.toml", ACME),
        ("broken.toml", &broken),
        ("empty.toml", ""),
    ]);
    fs::write(directory.path().join("latin.toml"), b"title = \"\n  \xe9\"").unwrap();
    let large = format!("{ACME}#{}", "a".repeat(300_000));
    fs::write(directory.path().join("large.toml"), large).unwrap();
    let problems = load(directory.path()).unwrap_err();
    let lines: Vec<String> = problems
        .to_string()
        .lines()
        .map(|line| line.rsplit('/').next().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(lines.len(), 5, "{lines:?}");
    for (line, expected) in lines.iter().zip([
        "Bad Name.toml: the file's name",
        "broken.toml:4:8: unknown variant `key`",
        "empty.toml:1:1: missing field `title`",
        "large.toml: is larger than",
        "latin.toml:2:3: is not UTF-8",
    ]) {
        assert!(line.starts_with(expected), "{line}");
    }
}

#[test]
fn a_directory_that_is_not_there_is_a_problem() {
    let directory = TempDir::new().unwrap();
    let absent = directory.path().join("absent");
    let problems = load(&absent).unwrap_err();
    assert_eq!(problems.as_slice().len(), 1);
    assert_eq!(problems.as_slice()[0].path, absent);
}

#[test]
fn a_reload_sees_changes_and_a_bad_file_leaves_the_former_catalogue() {
    let directory = directory(&[("acme.toml", ACME)]);
    let first = load(directory.path()).unwrap();
    let path = directory.path().join("acme.toml");
    fs::write(&path, "title = 1").unwrap();
    let problems = first.reload().unwrap_err();
    assert_eq!(problems.as_slice()[0].place.unwrap().line, 1);
    assert_eq!(first.get("acme").unwrap().title, "Acme");
    fs::write(&path, ACME.replace("Acme", "Acme Two")).unwrap();
    let second = first.reload().unwrap();
    assert_eq!(second.get("acme").unwrap().title, "Acme Two");
    assert_eq!(first.get("acme").unwrap().title, "Acme");
    fs::remove_file(&path).unwrap();
    let third = second.reload().unwrap();
    assert_eq!(third.get("acme").unwrap_err(), LookupError::Unknown);
}
