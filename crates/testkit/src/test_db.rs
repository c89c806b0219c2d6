//! A database that lives as long as one test.

use std::path::Path;

use bosa_auth_store::{BoxFuture, DatabaseUrl, Db, DbOptions, StoreError, migrate};
use jiff::Timestamp;
use tempfile::TempDir;

use crate::{give_up, postgres::OwnDatabase};

/// An empty database, removed when dropped.
#[derive(Debug)]
pub struct TestDatabase {
    url: DatabaseUrl,
    db: Db,
    keep: Keep,
}

#[derive(Debug)]
enum Keep {
    Nothing,
    Directory(TempDir),
    Postgres { database: OwnDatabase },
}

impl TestDatabase {
    /// A SQLite file in a directory of its own.
    pub async fn sqlite() -> Self {
        let directory = match tempfile::tempdir() {
            Ok(directory) => directory,
            Err(error) => give_up("no temporary directory", &error),
        };
        let url = DatabaseUrl::sqlite_file(directory.path().join("auth.db"));
        Self::open(url, Keep::Directory(directory)).await
    }

    /// SQLite in memory.
    pub async fn sqlite_memory() -> Self {
        Self::open(DatabaseUrl::sqlite_memory(), Keep::Nothing).await
    }

    /// A database of its own on the server of `BOSA_AUTH_TEST_POSTGRES_URL`.
    ///
    /// # Panics
    /// When the variable is not set; the message says how to start a server.
    pub async fn postgres() -> Self {
        let database = OwnDatabase::create().await;
        let url = match DatabaseUrl::parse(database.url()) {
            Ok(url) => url,
            Err(error) => give_up("the URL of the test database", &error),
        };
        Self::open(url, Keep::Postgres { database }).await
    }

    async fn open(url: DatabaseUrl, keep: Keep) -> Self {
        match Db::open(&url, DbOptions::default()).await {
            Ok(db) => Self { url, db, keep },
            Err(error) => give_up("the test database does not open", &error),
        }
    }

    /// Brings the schema up to date.
    pub async fn migrated(self) -> Self {
        if let Err(error) = migrate::up(&self.db, Timestamp::UNIX_EPOCH).await {
            give_up("the test database cannot be migrated", &error);
        }
        self
    }

    /// Runs statements, separated by semicolons, that may change settings of their session.
    pub async fn run(&self, sql: &str) {
        // Statements are fixed texts everywhere else; the process of a test ends soon.
        let sql: &'static str = sql.to_owned().leak();
        let done = self
            .db
            .write(move |tx| -> BoxFuture<'_, Result<(), StoreError>> {
                Box::pin(async move { tx.batch(sql).await })
            });
        if let Err(error) = done.await {
            give_up("the statements of a test fail", &error);
        }
        self.db.renew_connections();
    }

    /// Returns the address of the database as text, for settings.
    #[must_use]
    pub fn address(&self) -> String {
        match &self.keep {
            Keep::Nothing => "sqlite://".to_owned(),
            Keep::Directory(directory) => {
                format!("sqlite:///{}", directory.path().join("auth.db").display())
            }
            Keep::Postgres { database } => database.url().to_owned(),
        }
    }

    /// Where the database is, to open another handle.
    pub fn url(&self) -> DatabaseUrl {
        self.url.clone()
    }

    /// The open handle.
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// The directory of the SQLite file, for what else a test keeps.
    pub fn directory(&self) -> Option<&Path> {
        match &self.keep {
            Keep::Directory(directory) => Some(directory.path()),
            _ => None,
        }
    }
}
