//! Noticing on SQLite that a file has changed, for less than it takes to look what.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use super::sqlite::{Link, OpenFile};
use crate::{error::StoreError, params};

/// A connection of its own that nothing else is done with, so that every change is another one's.
pub struct FileWatch {
    link: Mutex<Link>,
    file: Arc<OpenFile>,
}

impl FileWatch {
    pub(super) fn new(link: Link, file: Arc<OpenFile>) -> Self {
        Self {
            link: Mutex::new(link),
            file,
        }
    }

    /// Returns a version that is another one as soon as anybody has committed a change: also another
    /// process, or another connection of this one.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the file was replaced or removed, [`StoreError::Busy`] when
    /// another process is just opening it.
    pub fn version(&self) -> Result<FileVersion, StoreError> {
        self.file.check()?;
        let mut link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        let rows = link.query_reading(DATA_VERSION, &params![])?;
        let row = rows.first();
        let row = row.ok_or_else(|| StoreError::unreadable("the version of the file"))?;
        Ok(FileVersion {
            opened: link.opened(),
            version: row.get(0)?,
        })
    }
}

/// What a file was when it was looked at, comparable with what the same watch has told before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileVersion {
    /// A connection counts from anew when it was closed meanwhile.
    opened: u64,
    version: i64,
}

impl fmt::Debug for FileWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FileWatch")
    }
}

const DATA_VERSION: &str = "pragma data_version";
