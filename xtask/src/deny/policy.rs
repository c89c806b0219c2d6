//! The part of `deny.toml` that is read here.

use std::path::Path;

use serde::Deserialize;

use super::graph::Package;
use crate::TaskError;

/// The whole policy.
#[derive(Debug, Deserialize)]
pub(super) struct Policy {
    pub(super) graph: Graph,
    pub(super) licenses: Licences,
    pub(super) bans: Bans,
    pub(super) sources: Sources,
}

/// Which builds are looked at.
#[derive(Debug, Deserialize)]
pub(super) struct Graph {
    /// Target triples.
    pub(super) targets: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Licences {
    /// SPDX identifiers.
    pub(super) allow: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Bans {
    pub(super) deny: Vec<Ban>,
    pub(super) skip: Vec<Skip>,
}

/// A crate that must not be built at all.
#[derive(Debug, Deserialize)]
pub(super) struct Ban {
    #[serde(rename = "crate")]
    pub(super) name: String,
    pub(super) reason: String,
}

/// A version that may exist beside another one.
#[derive(Debug, Deserialize)]
pub(super) struct Skip {
    /// `name@version`, the version possibly shortened from the right.
    #[serde(rename = "crate")]
    pub(super) krate: String,
    reason: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Sources {
    #[serde(rename = "allow-registry")]
    pub(super) allow_registry: Vec<String>,
}

impl Skip {
    pub(super) fn name(&self) -> &str {
        self.krate
            .split_once('@')
            .map_or(&*self.krate, |(name, _)| name)
    }

    pub(super) fn covers(&self, package: &Package) -> bool {
        let Some((name, version)) = self.krate.split_once('@') else {
            return false;
        };
        name == package.name
            && package
                .version
                .strip_prefix(version)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }
}

/// Reads the policy from its file.
pub(super) fn read(path: &Path) -> Result<Policy, TaskError> {
    let text = std::fs::read_to_string(path).map_err(|source| TaskError::Read {
        path: path.to_path_buf(),
        source,
    })?;
    parse(&text)
}

/// Reads the policy from its text; every ban and every skip must say why.
pub(super) fn parse(text: &str) -> Result<Policy, TaskError> {
    let wrong = |message: String| TaskError::Format {
        what: "deny.toml",
        message,
    };
    let policy: Policy = toml::from_str(text).map_err(|error| wrong(error.to_string()))?;
    let bans = policy.bans.deny.iter().map(|ban| (&ban.name, &ban.reason));
    let skips = policy
        .bans
        .skip
        .iter()
        .map(|skip| (&skip.krate, &skip.reason));
    match bans
        .chain(skips)
        .find(|(_, reason)| reason.trim().is_empty())
    {
        Some((name, _)) => Err(wrong(format!("the entry {name} has no reason"))),
        None => Ok(policy),
    }
}
