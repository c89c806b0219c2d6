//! The files of generated keys: made once, never replaced, readable by their owner alone.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bosa_auth_core::{Entropy, Secret};

use crate::error::{Error, Result};

/// Root keys, one `id:base64` a line.
pub(crate) const ROOT_KEYS: &str = "root.keys";
/// The key that signs tokens.
pub(crate) const SIGNING_KEY: &str = "auth_secret.key";
/// The key of the client management routes.
pub(crate) const MASTER_KEY: &str = "master.key";

/// A directory that holds key files.
#[derive(Debug, Clone)]
pub(crate) struct KeyDirectory(PathBuf);

impl KeyDirectory {
    /// Makes the directory, with mode 0700, unless it is there.
    pub(crate) fn create(path: PathBuf) -> Result<Self> {
        let there = path.is_dir();
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)
            .map_err(|error| failed("cannot create the directory", &path, &error))?;
        if !there {
            sync_directory(path.parent().unwrap_or(&path))?;
        }
        Ok(Self(path))
    }

    pub(crate) fn existing(path: PathBuf) -> Self {
        Self(path)
    }

    pub(crate) fn path_of(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Reads a key file; `None` when there is none.
    ///
    /// # Errors
    /// `Configuration` when others may read it, or when it cannot be read.
    pub(crate) fn read(&self, name: &str) -> Result<Option<Secret>> {
        let path = self.path_of(name);
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("cannot read", &path, &error)),
        };
        let metadata = file
            .metadata()
            .map_err(|error| failed("cannot read", &path, &error))?;
        if metadata.mode() & 0o077 != 0 {
            return Err(Error::configuration(format!(
                "{} can be read by others; run: chmod 600 {}",
                path.display(),
                path.display()
            )));
        }
        let mut text = String::new();
        file.read_to_string(&mut text)
            .map_err(|error| failed("cannot read", &path, &error))?;
        if text.ends_with('\n') {
            text.pop();
        }
        if text.is_empty() {
            return Err(Error::configuration(format!(
                "{} is empty; restore it from a backup",
                path.display()
            )));
        }
        Ok(Some(Secret::new(text)))
    }

    /// Writes a key file that is not there yet, and returns what it holds afterwards: when another
    /// process was faster, its content.
    pub(crate) fn create_once(
        &self,
        name: &str,
        content: &Secret,
        entropy: &dyn Entropy,
    ) -> Result<Secret> {
        let target = self.path_of(name);
        let temporary = self.write_temporary(name, content, entropy)?;
        let linked = fs::hard_link(&temporary, &target);
        drop(fs::remove_file(&temporary));
        match linked {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed("cannot create", &target, &error)),
        }
        sync_directory(&self.0)?;
        self.read(name)?.ok_or_else(|| {
            Error::configuration(format!("{} disappeared while starting", target.display()))
        })
    }

    /// Replaces a key file.
    pub(crate) fn replace(
        &self,
        name: &str,
        content: &Secret,
        entropy: &dyn Entropy,
    ) -> Result<()> {
        let target = self.path_of(name);
        let temporary = self.write_temporary(name, content, entropy)?;
        fs::rename(&temporary, &target)
            .map_err(|error| failed("cannot replace", &target, &error))?;
        sync_directory(&self.0)
    }

    /// Waits until no other process changes a file of this directory by what it read there before, and
    /// keeps others waiting until the answer is dropped.
    pub(crate) fn lock(&self) -> Result<File> {
        let locked = File::open(&self.0).and_then(|directory| {
            directory.lock()?;
            Ok(directory)
        });
        locked.map_err(|error| failed("cannot lock the directory", &self.0, &error))
    }

    fn write_temporary(
        &self,
        name: &str,
        content: &Secret,
        entropy: &dyn Entropy,
    ) -> Result<PathBuf> {
        let mut suffix = [0u8; 9];
        entropy.fill(&mut suffix)?;
        let path = self
            .0
            .join(format!(".{name}.{}", URL_SAFE_NO_PAD.encode(suffix)));
        let write = || -> std::io::Result<()> {
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path)?;
            file.set_permissions(fs::Permissions::from_mode(0o600))?;
            file.write_all(content.expose().as_bytes())?;
            file.write_all(b"\n")?;
            file.sync_all()
        };
        write().map_err(|error| failed("cannot write", &path, &error))?;
        Ok(path)
    }
}

/// Makes sure that names made in a directory survive a power cut.
pub(crate) fn sync_directory(path: &Path) -> Result<()> {
    let path = if path.as_os_str().is_empty() {
        Path::new(".")
    } else {
        path
    };
    File::open(path)
        .and_then(|directory| directory.sync_all())
        .map_err(|error| failed("cannot sync the directory", path, &error))
}

fn failed(what: &str, path: &Path, error: &std::io::Error) -> Error {
    Error::configuration(format!("{what} {}: {error}", path.display()))
}
