//! The crates that are really built, as cargo resolves them.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use serde::Deserialize;

use crate::{TaskError, output_of};

/// One crate in one version.
#[derive(Debug, Deserialize)]
pub(super) struct Package {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) license: Option<String>,
    /// Absent for the members of this workspace.
    pub(super) source: Option<String>,
    pub(super) dependencies: Vec<Dependency>,
}

/// A line of a crate's manifest.
#[derive(Debug, Deserialize)]
pub(super) struct Dependency {
    name: String,
    req: String,
    path: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

impl Package {
    pub(super) fn is_ours(&self) -> bool {
        self.source.is_none()
    }

    /// The dependencies that name no version and are not members of the workspace.
    pub(super) fn wildcards(&self) -> impl Iterator<Item = &str> {
        self.dependencies
            .iter()
            .filter(|dependency| dependency.req == "*" && dependency.path.is_none())
            .map(|dependency| dependency.name.as_str())
    }
}

impl fmt::Display for Package {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.name, self.version)
    }
}

/// The crates built for any of `targets`, tests and build scripts included.
///
/// `cargo metadata` also lists crates that only a switched-off feature would bring, so the list
/// of what counts comes from `cargo tree`, and licence and source from the metadata.
pub(super) fn packages(root: &Path, targets: &[String]) -> Result<Vec<Package>, TaskError> {
    let mut built = BTreeSet::new();
    for target in targets {
        built.extend(built_for(root, target)?);
    }
    let arguments = ["metadata", "--format-version", "1", "--locked"];
    let json = output_of("cargo", &arguments, root)?;
    let metadata: Metadata = serde_json::from_slice(&json).map_err(|error| TaskError::Format {
        what: "cargo metadata",
        message: error.to_string(),
    })?;
    let mut packages = metadata.packages;
    packages.retain(|package| built.contains(&(package.name.clone(), package.version.clone())));
    if packages.len() < built.len() {
        let message = format!("{} crates, but {} are built", packages.len(), built.len());
        return Err(TaskError::Format {
            what: "cargo metadata",
            message,
        });
    }
    Ok(packages)
}

fn built_for(root: &Path, target: &str) -> Result<BTreeSet<(String, String)>, TaskError> {
    let arguments = [
        "tree",
        "--workspace",
        "--locked",
        "--target",
        target,
        "--edges",
        "normal,build,dev",
        "--prefix",
        "none",
        "--format",
        "{p}",
    ];
    let lines = output_of("cargo", &arguments, root)?;
    String::from_utf8_lossy(&lines)
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| {
            name_and_version(line).ok_or_else(|| TaskError::Format {
                what: "cargo tree",
                message: line.to_owned(),
            })
        })
        .collect()
}

/// Reads `name v1.2.3 …`.
fn name_and_version(line: &str) -> Option<(String, String)> {
    let mut words = line.split_whitespace();
    let name = words.next()?;
    let version = words.next()?.strip_prefix('v')?;
    Some((name.to_owned(), version.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_tree_gives_name_and_version() {
        let found = name_and_version("serde_derive v1.0.229 (proc-macro) (*)");
        assert_eq!(
            found,
            Some(("serde_derive".to_owned(), "1.0.229".to_owned()))
        );
        assert_eq!(name_and_version("[dev-dependencies]"), None);
    }

    #[test]
    fn only_a_foreign_dependency_without_a_version_is_a_wildcard() {
        let manifest = r#"{"name":"a","version":"1.0.0","license":null,"source":null,
            "dependencies":[
                {"name":"free","req":"*","path":null},
                {"name":"ours","req":"*","path":"../ours"},
                {"name":"fixed","req":"^1","path":null}]}"#;
        let package: Package = serde_json::from_str(manifest).unwrap();
        assert_eq!(package.wildcards().collect::<Vec<_>>(), ["free"]);
    }
}
