//! All connectors that are known by name: the built-in ones and the user's own.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bosa_auth_core::ConnectorName;

use crate::built_in;
use crate::problem::{Place, Problem, Problems};
use crate::provider::{Origin, Provider};

/// No honest declaration comes near.
const LARGEST_FILE: u64 = 256 * 1024;

/// Why a connector cannot be given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// There is no connector of this name.
    #[error("there is no such connector")]
    Unknown,
    /// Its built-in declaration is not valid; a test of this crate sees to it that this never
    /// happens.
    #[error("{0}")]
    Invalid(Problems),
}

/// The connectors that are known by name.
#[derive(Debug, Default)]
pub struct Catalogue {
    directory: Option<PathBuf>,
    own: BTreeMap<String, Arc<Provider>>,
}

impl Catalogue {
    /// The built-in connectors and those of a directory, which come before built-in ones of the same
    /// name.
    ///
    /// Every `NAME.toml` in the directory is one; other files, files whose name begins with a dot,
    /// and folders are passed over.
    ///
    /// # Errors
    /// Everything that is wrong with any file, and a directory or file that cannot be read.
    pub fn load(directory: Option<&Path>) -> Result<Self, Problems> {
        let own = match directory {
            Some(directory) => read_directory(directory)?,
            None => BTreeMap::new(),
        };
        Ok(Self {
            directory: directory.map(Path::to_path_buf),
            own,
        })
    }

    /// Reads the directory again; this catalogue stays as it is.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn reload(&self) -> Result<Self, Problems> {
        Self::load(self.directory.as_deref())
    }

    /// The names of all connectors, in alphabetical order.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        let mut all: BTreeSet<&str> = self.own.keys().map(String::as_str).collect();
        for name in built_in::names() {
            all.insert(name);
        }
        all.into_iter().collect()
    }

    /// How many connectors come from the directory.
    #[must_use]
    pub fn own_count(&self) -> usize {
        self.own.len()
    }

    /// The connector of a name.
    ///
    /// # Errors
    /// [`LookupError::Unknown`] when there is none.
    pub fn get(&self, name: &str) -> Result<Arc<Provider>, LookupError> {
        if let Some(own) = self.own.get(name) {
            return Ok(own.clone());
        }
        built_in::get(name)
            .ok_or(LookupError::Unknown)?
            .map_err(LookupError::Invalid)
    }
}

fn read_directory(directory: &Path) -> Result<BTreeMap<String, Arc<Provider>>, Problems> {
    let unreadable = |error: std::io::Error| {
        let reason = format!("cannot be read: {error}");
        Problems(vec![problem(directory, reason)])
    };
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let hidden = path
            .file_name()
            .is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
        if !hidden && path.extension().is_some_and(|end| end == "toml") && !path.is_dir() {
            paths.push(path);
        }
    }
    paths.sort();
    let mut own = BTreeMap::new();
    let mut problems = Vec::new();
    for path in paths {
        match read_file(&path) {
            Ok(provider) => {
                own.insert(provider.name.as_str().to_owned(), Arc::new(provider));
            }
            Err(Problems(more)) => problems.extend(more),
        }
    }
    if problems.is_empty() {
        Ok(own)
    } else {
        Err(Problems(problems))
    }
}

fn read_file(path: &Path) -> Result<Provider, Problems> {
    let refused = |reason: String| Problems(vec![problem(path, reason)]);
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    let name = ConnectorName::parse(stem.unwrap_or("?"))
        .map_err(|error| refused(format!("the file's name before .toml is its {error}")))?;
    let mut bytes = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(LARGEST_FILE + 1).read_to_end(&mut bytes))
        .map_err(|error| refused(format!("cannot be read: {error}")))?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(refused(format!("is larger than {LARGEST_FILE} bytes")));
    }
    let text = match std::str::from_utf8(&bytes) {
        Ok(text) => text,
        Err(error) => {
            let good = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let good = String::from_utf8_lossy(good);
            return Err(Problems(vec![Problem {
                path: path.to_path_buf(),
                place: Some(Place::of(&good, good.len())),
                reason: "is not UTF-8".to_owned(),
            }]));
        }
    };
    Provider::parse(&name, Origin::File(path.to_path_buf()), text)
}

fn problem(path: &Path, reason: String) -> Problem {
    Problem {
        path: path.to_path_buf(),
        place: None,
        reason,
    }
}
