//! The database file, private to its owner.

use std::{
    fs::{self, OpenOptions, Permissions},
    io::ErrorKind,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

use crate::error::StoreError;

const OWNER_ONLY: u32 = 0o600;
const ANYONE_ELSE: u32 = 0o077;

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
