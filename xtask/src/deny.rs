//! `cargo xtask deny`: the licence, ban and source policy of `deny.toml`.
//!
//! The file keeps cargo-deny's format, so that `cargo deny check` reads the same policy where it
//! is installed. This check needs nothing but cargo, runs in under a second, and is stricter in
//! one way: an allowed licence or a skipped duplicate that is no longer needed is a finding.

mod graph;
mod licence;
mod policy;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use self::graph::Package;
use self::policy::{Policy, Skip};
use crate::{Report, TaskError};

/// Checks every crate that is built for one of the policy's targets.
pub(crate) fn run(root: &Path) -> Result<Report, TaskError> {
    let policy = policy::read(&root.join("deny.toml"))?;
    let packages = graph::packages(root, &policy.graph.targets)?;
    let mut findings = licences(&policy, &packages);
    findings.extend(bans(&policy, &packages));
    findings.extend(duplicates(&policy.bans.skip, &packages));
    findings.extend(sources(&policy, &packages));
    let summary = format!(
        "deny: {} crates on {} targets",
        packages.len(),
        policy.graph.targets.len()
    );
    Ok(Report { summary, findings })
}

fn licences(policy: &Policy, packages: &[Package]) -> Vec<String> {
    let allowed: BTreeSet<&str> = policy.licenses.allow.iter().map(String::as_str).collect();
    let mut findings = Vec::new();
    let mut expressions = Vec::new();
    for package in packages {
        let Some(text) = package.license.as_deref() else {
            findings.push(format!("{package} states no licence"));
            continue;
        };
        match licence::parse(text) {
            Ok(expression) if expression.is_met_by(&allowed) => expressions.push(expression),
            Ok(_) => findings.push(format!("{package}: the licence {text:?} is not allowed")),
            Err(error) => findings.push(format!("{package}: the licence {text:?}: {error}")),
        }
    }
    for licence in &allowed {
        let mut fewer = allowed.clone();
        fewer.remove(licence);
        if expressions
            .iter()
            .all(|expression| expression.is_met_by(&fewer))
        {
            findings.push(format!("deny.toml allows {licence}, which no crate needs"));
        }
    }
    findings
}

fn bans(policy: &Policy, packages: &[Package]) -> Vec<String> {
    let mut findings = Vec::new();
    for package in packages {
        for ban in &policy.bans.deny {
            if package.name == ban.name {
                findings.push(format!("{package} is banned: {}", ban.reason));
            }
        }
        if package.is_ours() {
            for wildcard in package.wildcards() {
                findings.push(format!("{package} depends on any version of {wildcard}"));
            }
        }
    }
    findings
}

/// Crates present in several versions; all but one of them must be skipped with a reason.
fn duplicates(skips: &[Skip], packages: &[Package]) -> Vec<String> {
    let mut findings = Vec::new();
    let mut by_name: BTreeMap<&str, Vec<&Package>> = BTreeMap::new();
    for package in packages {
        by_name.entry(&package.name).or_default().push(package);
    }
    let several = |name: &str| by_name.get(name).is_some_and(|versions| versions.len() > 1);
    for (name, versions) in by_name.iter().filter(|(name, _)| several(name)) {
        let unexplained: Vec<&str> = versions
            .iter()
            .filter(|package| !skips.iter().any(|skip| skip.covers(package)))
            .map(|package| package.version.as_str())
            .collect();
        if unexplained.len() > 1 {
            findings.push(format!(
                "{name} is built in versions {}",
                unexplained.join(", ")
            ));
        }
    }
    for skip in skips {
        let present = packages.iter().any(|package| skip.covers(package));
        if !present || !several(skip.name()) {
            findings.push(format!(
                "deny.toml skips {}, which is no duplicate",
                skip.krate
            ));
        }
    }
    findings
}

fn sources(policy: &Policy, packages: &[Package]) -> Vec<String> {
    packages
        .iter()
        .filter_map(|package| {
            let source = package.source.as_deref()?;
            let known = source.strip_prefix("registry+").is_some_and(|registry| {
                policy
                    .sources
                    .allow_registry
                    .iter()
                    .any(|allowed| allowed == registry)
            });
            (!known).then(|| format!("{package} comes from {source}"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = r#"
        [graph]
        targets = []
        [licenses]
        allow = ["MIT"]
        [bans]
        deny = [{ crate = "old-tls", reason = "one provider" }]
        skip = [{ crate = "twice@1", reason = "held back by another crate" }]
        [sources]
        allow-registry = ["https://example.org/index"]
    "#;

    fn policy() -> Policy {
        policy::parse(POLICY).unwrap()
    }

    fn package(name: &str, version: &str, license: &str) -> Package {
        Package {
            name: name.to_owned(),
            version: version.to_owned(),
            license: Some(license.to_owned()),
            source: Some("registry+https://example.org/index".to_owned()),
            dependencies: Vec::new(),
        }
    }

    #[test]
    fn a_licence_outside_the_list_is_found() {
        let packages = [
            package("a", "1.0.0", "MIT"),
            package("b", "1.0.0", "GPL-3.0-only"),
        ];
        let found = licences(&policy(), &packages);
        assert_eq!(
            found,
            [r#"b 1.0.0: the licence "GPL-3.0-only" is not allowed"#]
        );
    }

    #[test]
    fn an_allowed_licence_that_no_crate_needs_is_found() {
        let found = licences(&policy(), &[]);
        assert_eq!(found, ["deny.toml allows MIT, which no crate needs"]);
    }

    #[test]
    fn a_banned_crate_is_found_with_its_reason() {
        let found = bans(&policy(), &[package("old-tls", "0.1.0", "MIT")]);
        assert_eq!(found, ["old-tls 0.1.0 is banned: one provider"]);
    }

    #[test]
    fn a_duplicate_is_found_unless_it_is_skipped() {
        let skipped = [
            package("twice", "1.2.0", "MIT"),
            package("twice", "2.0.0", "MIT"),
        ];
        assert!(duplicates(&policy().bans.skip, &skipped).is_empty());
        let unknown = [
            package("twice", "1.2.0", "MIT"),
            package("twice", "2.0.0", "MIT"),
            package("twice", "10.0.0", "MIT"),
        ];
        let found = duplicates(&policy().bans.skip, &unknown);
        assert_eq!(found, ["twice is built in versions 2.0.0, 10.0.0"]);
    }

    #[test]
    fn a_skip_without_its_duplicate_is_found() {
        let found = duplicates(&policy().bans.skip, &[package("twice", "1.2.0", "MIT")]);
        assert_eq!(found, ["deny.toml skips twice@1, which is no duplicate"]);
    }

    #[test]
    fn another_registry_and_a_git_source_are_found() {
        let mut other = package("a", "1.0.0", "MIT");
        other.source = Some("registry+https://example.com/index".to_owned());
        let mut git = package("b", "1.0.0", "MIT");
        git.source = Some("git+https://example.org/index".to_owned());
        assert_eq!(sources(&policy(), &[other, git]).len(), 2);
    }
}
