//! Looks for everything that would keep an instance from working, and says what to do about it.

use std::os::unix::fs::MetadataExt as _;

use bosa_auth_core::{Clock, SystemClock};
use bosa_auth_store::nodes;
use jiff::SignedDuration;

use crate::auth::{Auth, OpenMode};
use crate::error::Error;
use crate::import::left;
use crate::key_files::{MASTER_KEY, ROOT_KEYS, SIGNING_KEY};
use crate::schema::migration_status;
use crate::settings::{Configuration, Settings};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// As it should be.
    Fine,
    /// Works, but should be changed.
    Warning,
    /// Does not work.
    Problem,
}

/// One thing that was looked at.
#[derive(Debug, Clone)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What was found, in one sentence.
    pub title: String,
    /// What to do about it; empty when nothing.
    pub remedy: String,
}

/// Processes seen within this time count as running.
const RUNNING: SignedDuration = SignedDuration::from_secs(120);

/// Examines settings, files, database, schema, keys and running processes; changes nothing.
///
/// Never fails: what cannot be examined is a finding.
pub async fn doctor(configuration: &Configuration) -> Vec<Finding> {
    let mut findings = Findings::default();
    for warning in configuration.warnings() {
        findings.warn(warning.clone(), "remove the variable or correct its name");
    }
    let settings = match Settings::resolve(configuration) {
        Ok(settings) => settings,
        Err(error) => {
            for line in error.to_string().lines() {
                findings.error(&Error::configuration(line));
            }
            return findings.0;
        }
    };
    findings.fine("the settings can be used");
    findings.examine_files(&settings);
    match migration_status(configuration).await {
        Err(error) => {
            findings.error(&error);
            return findings.0;
        }
        Ok(steps) => {
            findings.fine(format!("the database answers ({})", settings.database));
            let missing = steps
                .iter()
                .filter(|step| step.applied_at.is_none())
                .count();
            if missing > 0 {
                findings.problem(
                    format!("{missing} migrations are missing"),
                    "run bosa-auth migrate up",
                );
                return findings.0;
            }
            findings.fine("the schema is this version's");
        }
    }
    match Auth::open_configured(configuration, OpenMode::Existing).await {
        Err(error) => findings.error(&error),
        Ok(auth) => {
            findings.fine("every root key of the database opens its canary");
            findings.examine_instance(&auth).await;
            drop(auth.close().await);
        }
    }
    findings.0
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn fine(&mut self, title: impl Into<String>) {
        self.add(Severity::Fine, title.into(), String::new());
    }

    fn warn(&mut self, title: impl Into<String>, remedy: impl Into<String>) {
        self.add(Severity::Warning, title.into(), remedy.into());
    }

    fn problem(&mut self, title: impl Into<String>, remedy: impl Into<String>) {
        self.add(Severity::Problem, title.into(), remedy.into());
    }

    fn error(&mut self, error: &Error) {
        let (title, remedy) = error.explain();
        self.problem(title, remedy);
    }

    fn add(&mut self, severity: Severity, title: String, remedy: String) {
        self.0.push(Finding {
            severity,
            title,
            remedy,
        });
    }

    /// Key files and database must be their owner's alone.
    fn examine_files(&mut self, settings: &Settings) {
        let Some(directory) = &settings.key_dir else {
            return;
        };
        let database = settings
            .database
            .sqlite_path()
            .map(|path| path.to_path_buf());
        let keys = [ROOT_KEYS, SIGNING_KEY, MASTER_KEY].map(|name| directory.join(name));
        for path in keys.into_iter().chain(database) {
            let Ok(metadata) = path.metadata() else {
                continue;
            };
            if metadata.mode() & 0o077 != 0 {
                self.problem(
                    format!("{} can be read by others", path.display()),
                    format!("chmod 600 {}", path.display()),
                );
            }
        }
    }

    async fn examine_instance(&mut self, auth: &Auth) {
        let inner = &auth.inner;
        if auth.has_master_key() {
            self.fine("a master key is configured");
        } else {
            self.warn(
                "no master key is configured: the routes that manage clients answer 401",
                "set BOSA_WHITELISTED_KEYS to a key of at least 32 characters, for example from: openssl rand -hex 32",
            );
        }
        if inner.instance.issuer != inner.settings.issuer {
            self.warn(
                format!(
                    "the issuer is {}, but the database was created with {}",
                    inner.settings.issuer, inner.instance.issuer
                ),
                "tokens issued under the former BOSA_AUTH_ISSUER are refused; set it back unless that is intended",
            );
        }
        match inner
            .signing_keys
            .signer(&inner.store, &inner.root_keys)
            .await
        {
            Ok(key) => self.fine(format!(
                "tokens are signed with {} ({})",
                key.kid(),
                key.algorithm()
            )),
            Err(error) => self.error(&error),
        }
        self.examine_nodes(auth).await;
        match left::examine(auth, SystemClock.now()).await {
            Ok(found) => self.0.extend(found),
            Err(error) => self.error(&error),
        }
        match auth.operator().vault_verify(|_| ()).await {
            Ok(report) if report.unreadable.is_empty() => {
                self.fine(format!(
                    "all {} sealed keys and credentials open",
                    report.readable
                ));
            }
            Ok(report) => self.problem(
                format!(
                    "{} sealed values do not open, the first: {}",
                    report.unreadable.len(),
                    report.unreadable.first().cloned().unwrap_or_default()
                ),
                "restore them from a backup; bosa-auth vault verify lists all",
            ),
            Err(error) => self.error(&error),
        }
    }

    /// Running processes must sign with the same key.
    async fn examine_nodes(&mut self, auth: &Auth) {
        let inner = &auth.inner;
        let since = SystemClock.now().checked_sub(RUNNING).unwrap_or_default();
        let nodes = match nodes::list(&inner.store, since).await {
            Ok(nodes) => nodes,
            Err(error) => return self.problem(error.to_string(), "check the database"),
        };
        let mut kids: Vec<&str> = nodes
            .iter()
            .map(|node| node.kid.as_str())
            .filter(|kid| !kid.is_empty())
            .collect();
        kids.sort_unstable();
        kids.dedup();
        if kids.len() > 1 {
            self.warn(
                format!("running processes sign with different keys: {}", kids.join(", ")),
                "give all of them the same AUTH_SECRET_KEY, and the others as AUTH_SECRET_KEY_PREVIOUS",
            );
        }
    }
}
