//! Noticing on SQLite that a file has changed, for less than it takes to look what.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use super::sqlite::{Connection, OpenFile};
use crate::{error::StoreError, params};

/// A connection of its own that nothing else is done with, so that every change is another one's.
pub struct FileWatch {
    connection: Mutex<Connection>,
    file: Arc<OpenFile>,
}

impl FileWatch {
    pub(super) fn new(connection: Connection, file: Arc<OpenFile>) -> Self {
        Self {
            connection: Mutex::new(connection),
            file,
        }
    }

    /// Returns a number that is another one as soon as anybody has committed a change: also another
    /// process, or another connection of this one.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the file was replaced or removed, [`StoreError::Busy`] when
    /// another process is just opening it.
    pub fn version(&self) -> Result<i64, StoreError> {
        self.file.check()?;
        let mut connection = self
            .connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let rows = connection.query_reading(DATA_VERSION, &params![])?;
        let row = rows.first();
        row.ok_or_else(|| StoreError::unreadable("the version of the file"))?
            .get(0)
    }
}

impl fmt::Debug for FileWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FileWatch")
    }
}

const DATA_VERSION: &str = "pragma data_version";
