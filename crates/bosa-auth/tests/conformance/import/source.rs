//! Databases of the original, on the server of the tests.

use std::sync::Arc;

use bosa_auth::{Auth, Error, ImportOptions, ImportReport, ImportSource, Secret};
use bosa_auth_testkit::TestDatabase;
use serde_json::Value;

use crate::support::{World, open};

pub(super) const DUMP: &str = include_str!("../../fixtures/original-0.9.7/dump_inserts.sql");

/// What is known of the database that version 0.9.7 made.
pub(super) fn known() -> Value {
    serde_json::from_str(include_str!("../../fixtures/original-0.9.7/known.json")).unwrap()
}

/// A text of what is known.
pub(super) fn text<'k>(of: &'k Value, name: &str) -> &'k str {
    of[name].as_str().unwrap()
}

/// The rows of a kind.
pub(super) fn rows<'k>(known: &'k Value, kind: &str) -> &'k [Value] {
    known[kind].as_array().unwrap()
}

pub(super) struct Source {
    pub(super) db: TestDatabase,
}

impl Source {
    /// The database that version 0.9.7 made.
    pub(super) async fn fixture() -> Self {
        Self::of(DUMP).await
    }

    pub(super) async fn of(sql: &'static str) -> Self {
        let db = TestDatabase::postgres().await;
        let source = Self { db };
        source.run(sql).await;
        source
    }

    /// Changes the source as its users would.
    pub(super) async fn run(&self, sql: &'static str) {
        self.db.run(sql).await;
    }

    pub(super) fn options(&self) -> ImportOptions {
        options(&self.db.address())
    }

    pub(super) async fn import(&self, auth: &Auth) -> Result<ImportReport, Error> {
        import(auth, self.options()).await
    }
}

pub(super) fn options(address: &str) -> ImportOptions {
    let known = known();
    let secret = |name| Some(Secret::from(text(&known["env"], name)));
    ImportOptions {
        from: Secret::from(address),
        encryption_password: secret("BOSA_AUTH_ENCRYPTION_PASSWORD"),
        encryption_salt: secret("BOSA_AUTH_ENCRYPTION_SALT"),
        redis: None,
        dry_run: false,
    }
}

pub(super) async fn import(auth: &Auth, options: ImportOptions) -> Result<ImportReport, Error> {
    let progress = Arc::new(|done, whole| assert!(done <= whole));
    let source = ImportSource::open(options).await?;
    auth.operator().import_bosa(source, progress).await
}

/// A world whose signing key is that of the source.
pub(super) async fn world(db: &TestDatabase) -> World {
    let mut world = World::with_system_clock(db).await;
    let known = known();
    let previous = format!("HS256:{}", text(&known["settings"], "auth_secret_key"));
    let others = [("AUTH_SECRET_KEY_PREVIOUS", previous.as_str())];
    world.auth = open(db, &others, &world.clock).await.unwrap();
    world
}

/// The counts of a kind: read, imported, already there, repaired, skipped, ended.
pub(super) fn counts(report: &ImportReport, kind: &str) -> [u64; 6] {
    let of = report.kinds.iter().find(|of| of.kind == kind).unwrap();
    [
        of.read,
        of.imported,
        of.already_there,
        of.repaired,
        of.skipped,
        of.ended,
    ]
}
