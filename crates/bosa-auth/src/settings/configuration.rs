//! Gathers every setting from its sources, in their order of precedence.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use bosa_auth_core::Secret;

use super::table::{KNOWN_ELSEWHERE, SETTINGS, SettingSpec, spec_of_file_key, spec_of_variable};
use crate::error::{Error, Result};

/// Where a value came from, the strongest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// An argument of the command line.
    Flag,
    /// A field of [`AuthenticationDbSettings`](crate::AuthenticationDbSettings).
    Code,
    /// The environment variable itself.
    Environment,
    /// The file named by the `…_FILE` variable.
    EnvironmentFile(PathBuf),
    /// The configuration file.
    File(PathBuf),
    /// Nothing else gave a value.
    Default,
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Flag => formatter.write_str("flag"),
            Source::Code => formatter.write_str("code"),
            Source::Environment => formatter.write_str("environment"),
            Source::EnvironmentFile(path) => write!(formatter, "file {}", path.display()),
            Source::File(path) => write!(formatter, "configuration file {}", path.display()),
            Source::Default => formatter.write_str("default"),
        }
    }
}

/// The values of one configuration file, by key.
#[derive(Debug)]
pub struct ConfigurationFile {
    /// Where the file lies.
    pub path: PathBuf,
    /// Its values, as text.
    pub values: BTreeMap<String, String>,
}

/// A line of `config show`.
#[derive(Debug)]
pub struct Entry {
    /// The setting.
    pub spec: &'static SettingSpec,
    /// The value, redacted when it is a secret; `None` when there is none.
    pub shown: Option<String>,
    /// Where it came from.
    pub source: Source,
}

/// Every setting with the place that it came from.
#[derive(Debug)]
pub struct Configuration {
    values: BTreeMap<&'static str, (Secret, Source)>,
    warnings: Vec<String>,
}

impl Configuration {
    /// Gathers the settings: `overrides` (flags or code) before the environment before the
    /// configuration file before the defaults.
    ///
    /// With `strict`, an unknown `BOSA_AUTH_` variable is an error that suggests the nearest name;
    /// without, it is a warning. An unknown key of the configuration file is always an error.
    ///
    /// # Errors
    /// `Configuration` with one line for each problem: unknown names, both forms of a secret given,
    /// text that is not UTF-8, a file that cannot be read.
    pub fn gather(
        overrides: Vec<(&'static str, Secret, Source)>,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        file: Option<ConfigurationFile>,
        strict: bool,
    ) -> Result<Self> {
        let mut problems = Vec::new();
        let mut gathered = Configuration {
            values: BTreeMap::new(),
            warnings: Vec::new(),
        };
        if let Some(file) = file {
            gathered.take_file(file, &mut problems);
        }
        gathered.take_environment(environment, strict, &mut problems);
        for (variable, value, source) in overrides {
            gathered.values.insert(variable, (value, source));
        }
        if problems.is_empty() {
            Ok(gathered)
        } else {
            Err(Error::configuration(problems.join("\n")))
        }
    }

    /// The same settings, but for one.
    pub(crate) fn replacing(&self, variable: &'static str, value: &str) -> Self {
        let copied = |(variable, (value, source)): (&&'static str, &(Secret, Source))| {
            (*variable, (Secret::from(value.expose()), source.clone()))
        };
        let mut values: BTreeMap<_, _> = self.values.iter().map(copied).collect();
        values.insert(variable, (Secret::from(value), Source::Code));
        Self {
            values,
            warnings: self.warnings.clone(),
        }
    }

    /// The value of a setting or its default; `None` when it has neither.
    #[must_use]
    pub fn get(&self, variable: &str) -> Option<&str> {
        match self.values.get(variable) {
            Some((value, _)) => Some(value.expose()),
            None => spec_of_variable(variable).and_then(|spec| spec.default),
        }
    }

    /// Where the value of a setting came from.
    #[must_use]
    pub fn source(&self, variable: &str) -> Source {
        self.values
            .get(variable)
            .map_or(Source::Default, |(_, source)| source.clone())
    }

    /// Every setting, its value redacted where it is a secret.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        SETTINGS
            .iter()
            .map(|spec| Entry {
                spec,
                shown: self.get(spec.variable).map(|value| shown(spec, value)),
                source: self.source(spec.variable),
            })
            .collect()
    }

    /// What is odd but does not prevent a start.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Checks every setting that this library uses, without opening anything.
    ///
    /// # Errors
    /// `Configuration` with one line for each value that cannot be used.
    pub fn check(&self) -> Result<()> {
        super::Settings::resolve(self).map(drop)
    }

    /// Whether the database lives in the memory of the process that opens it, and dies with it.
    #[must_use]
    pub fn is_in_memory(&self) -> bool {
        super::resolved::is_in_memory(self)
    }

    /// Whether every value is the same as the other's.
    #[must_use]
    pub fn is_same_as(&self, other: &Self) -> bool {
        self.fingerprint() == other.fingerprint()
    }

    /// A digest of every value, to tell whether two configurations are the same.
    pub(crate) fn fingerprint(&self) -> [u8; 32] {
        use sha2::Digest as _;
        let mut digest = sha2::Sha256::new();
        for spec in SETTINGS {
            let value = self.get(spec.variable);
            digest.update([u8::from(value.is_some())]);
            let value = value.unwrap_or_default();
            digest.update((value.len() as u64).to_be_bytes());
            digest.update(value);
        }
        digest.finalize().into()
    }

    fn take_file(&mut self, file: ConfigurationFile, problems: &mut Vec<String>) {
        for (key, value) in file.values {
            match spec_of_file_key(&key) {
                Some(spec) => {
                    let source = Source::File(file.path.clone());
                    self.values
                        .insert(spec.variable, (Secret::new(value), source));
                }
                None => {
                    let nearest = nearest(&key, SETTINGS.iter().map(|spec| spec.file_key));
                    problems.push(format!(
                        "{}: unknown key `{key}`{}",
                        file.path.display(),
                        suggestion(nearest)
                    ));
                }
            }
        }
    }

    fn take_environment(
        &mut self,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        strict: bool,
        problems: &mut Vec<String>,
    ) {
        let mut direct: BTreeMap<&'static str, String> = BTreeMap::new();
        let mut by_file: BTreeMap<&'static str, PathBuf> = BTreeMap::new();
        for (name, value) in environment {
            let Some(name) = name.to_str() else { continue };
            if let Some(spec) = spec_of_variable(name) {
                match value.into_string() {
                    Ok(text) => drop(direct.insert(spec.variable, text)),
                    Err(_) => problems.push(format!("{name} is not UTF-8")),
                }
            } else if let Some(spec) = name
                .strip_suffix("_FILE")
                .and_then(spec_of_variable)
                .filter(|spec| spec.secret)
            {
                by_file.insert(spec.variable, PathBuf::from(value));
            } else if is_unknown(name) {
                let known = SETTINGS.iter().map(|spec| spec.variable);
                let text = format!(
                    "unknown variable {name}{}",
                    suggestion(nearest(name, known))
                );
                if strict {
                    problems.push(text)
                } else {
                    self.warnings.push(text)
                }
            }
        }
        for (variable, path) in by_file {
            if direct.contains_key(variable) {
                problems.push(format!(
                    "give either {variable} or {variable}_FILE, not both"
                ));
                continue;
            }
            match read_secret_file(&path) {
                Ok(secret) => {
                    self.values
                        .insert(variable, (secret, Source::EnvironmentFile(path)));
                }
                Err(reason) => {
                    problems.push(format!("{variable}_FILE: {}: {reason}", path.display()))
                }
            }
        }
        for (variable, text) in direct {
            self.values
                .insert(variable, (Secret::new(text), Source::Environment));
        }
    }
}

/// Reads a secret from a file; exactly one trailing newline is dropped.
fn read_secret_file(path: &Path) -> std::result::Result<Secret, String> {
    let mut text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(Secret::new(text))
}

fn shown(spec: &SettingSpec, value: &str) -> String {
    if spec.secret {
        "<redacted>".to_owned()
    } else {
        value.to_owned()
    }
}

/// Whether a variable looks like one of ours but is none. What Kubernetes injects for a service
/// named `bosa-auth` is ignored.
fn is_unknown(name: &str) -> bool {
    let Some(rest) = name.strip_prefix("BOSA_AUTH_") else {
        return false;
    };
    let injected = rest == "PORT" || rest.starts_with("PORT_") || rest.starts_with("SERVICE_");
    !injected
        && !KNOWN_ELSEWHERE.contains(&name)
        && !KNOWN_ELSEWHERE.contains(&name.trim_end_matches("_FILE"))
}

fn suggestion(nearest: Option<&str>) -> String {
    nearest
        .map(|name| format!("; did you mean {name}?"))
        .unwrap_or_default()
}

fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .min()
        .filter(|(distance, _)| *distance <= name.len() / 3)
        .map(|(_, candidate)| candidate)
}
