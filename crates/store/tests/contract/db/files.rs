//! Opening a database, or saying why not.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
};

use bosa_auth_store::{DatabaseUrl, Db, DbOptions, StoreError};
use bosa_auth_testkit::TestDatabase;

use super::tables::{Outcome, count, insert, with_items};

#[tokio::test]
async fn a_database_in_memory_reads_what_it_wrote() -> Outcome {
    let db = TestDatabase::sqlite_memory().await;
    with_items(db.db()).await?;
    db.db().write(insert(1, "a")).await?;
    assert_eq!(count(db.db()).await?, 1);
    Ok(())
}

#[tokio::test]
async fn a_database_file_is_private_to_its_owner() -> Outcome {
    let db = TestDatabase::sqlite().await;
    with_items(db.db()).await?;
    let directory = db.directory().unwrap();
    let mut files = 0;
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", entry.path());
        files += 1;
    }
    assert_eq!(files, 3, "the file, its log and its shared memory");
    Ok(())
}

#[tokio::test]
async fn a_database_file_that_others_can_open_is_refused() {
    let db = TestDatabase::sqlite().await;
    let path = db.directory().unwrap().join("open.db");
    fs::write(&path, "").unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    let error = open_error(DatabaseUrl::sqlite_file(path)).await;
    assert!(error.to_string().contains("chmod 600"), "{error}");
}

#[tokio::test]
async fn what_cannot_be_opened_is_a_matter_of_configuration() {
    let db = TestDatabase::sqlite().await;
    let directory = db.directory().unwrap();
    let other = directory.join("other");
    fs::write(&other, "no database ".repeat(100)).unwrap();
    fs::set_permissions(&other, Permissions::from_mode(0o600)).unwrap();
    for path in [
        directory.join("missing/auth.db"),
        directory.to_owned(),
        other,
    ] {
        let error = open_error(DatabaseUrl::sqlite_file(path)).await;
        assert!(matches!(error, StoreError::Configuration(_)), "{error:?}");
    }
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_unavailable() {
    let url = DatabaseUrl::parse("postgresql://ann:hunter2@127.0.0.1:1/auth").unwrap();
    let error = open_error(url).await;
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    assert!(!error.to_string().contains("hunter2"), "{error}");
}

async fn open_error(url: DatabaseUrl) -> StoreError {
    Db::open(&url, DbOptions::default()).await.unwrap_err()
}
