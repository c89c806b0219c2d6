//! The database file, private to its owner.

use std::{
    fs::{self, OpenOptions, Permissions},
    io::{self, ErrorKind},
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use crate::error::StoreError;

const OWNER_ONLY: u32 = 0o600;
const ANYONE_ELSE: u32 = 0o077;

/// Tells a file from every other one of this machine, as long as it exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileId {
    /// The file system.
    pub device: u64,
    /// The file in it.
    pub inode: u64,
}

impl FileId {
    fn of(path: &Path) -> io::Result<Self> {
        let metadata = fs::metadata(path)?;
        Ok(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
        })
    }
}

/// The file that was opened, and whether its name still leads to it.
///
/// A connection stays on the file that it has opened, whatever becomes of the name. Without this
/// check, one process would go on with the former file while others work on the new one, and a
/// connection that is opened later would be on another file than those beside it.
pub(in crate::db) struct OpenFile {
    path: PathBuf,
    id: FileId,
    gone: AtomicBool,
}

impl OpenFile {
    /// Notes which file is there. The caller opens it then, and checks once more.
    pub(super) fn at(path: &Path) -> Result<Self, StoreError> {
        let id = FileId::of(path)
            .map_err(|error| refuse(format!("the database file {}: {error}", path.display())))?;
        Ok(Self {
            path: path.to_owned(),
            id,
            gone: AtomicBool::new(false),
        })
    }

    pub(in crate::db) fn id(&self) -> FileId {
        self.id
    }

    pub(in crate::db) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Relaxed)
    }

    /// Refuses for good once the file was found replaced or removed: what was written meanwhile is
    /// not in it, even if it comes back.
    pub(in crate::db) fn check(&self) -> Result<(), StoreError> {
        if !self.is_gone() {
            match FileId::of(&self.path) {
                Ok(id) if id == self.id => return Ok(()),
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(StoreError::unavailable(error));
                }
                _ if self.gone.swap(true, Ordering::Relaxed) => {}
                _ => tracing::error!(
                    path = %self.path.display(),
                    "the database file was replaced or removed while it was open; \
                     this process answers nothing from it any more and has to be started again"
                ),
            }
        }
        Err(StoreError::unavailable(
            "the database file was replaced or removed while it was open; start this process again",
        ))
    }
}

/// Creates the file if it is missing and refuses one that others can open.
///
/// SQLite gives its log and shared-memory files the mode of the database file.
pub(super) fn prepare(path: &Path) -> Result<(), StoreError> {
    let shown = path.display();
    let created = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(OWNER_ONLY)
        .open(path);
    match created {
        // Set once more, because the umask may have taken bits away.
        Ok(file) => file
            .set_permissions(Permissions::from_mode(OWNER_ONLY))
            .map_err(|error| refuse(format!("the database file {shown}: {error}"))),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => check(path),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(refuse(format!(
            "the directory of the database file {shown} does not exist"
        ))),
        Err(error) => Err(refuse(format!(
            "the database file {shown} cannot be created: {error}"
        ))),
    }
}

fn check(path: &Path) -> Result<(), StoreError> {
    let shown = path.display();
    let metadata = fs::metadata(path)
        .map_err(|error| refuse(format!("the database file {shown}: {error}")))?;
    if !metadata.is_file() {
        return Err(refuse(format!("{shown} is not a database file")));
    }
    if metadata.permissions().mode() & ANYONE_ELSE != 0 {
        return Err(refuse(format!(
            "the database file {shown} is open to other users of this machine; \
             run: chmod 600 {shown}"
        )));
    }
    Ok(())
}

fn refuse(text: String) -> StoreError {
    StoreError::Configuration(text)
}
