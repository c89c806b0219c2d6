//! Root keys: one takes another's place while servers run, and goes once it seals nothing.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use bosa_auth::{Auth, Error, OpenMode};
use bosa_auth_testkit::{TestDatabase, on_every_database};
use tokio::task::JoinSet;

use crate::start::{configured, refusal, start, start_in};
use crate::support::{ROOT_KEYS, SIGNING_KEY, World, code, open_apart};

const BOTH: &str = "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=,k2:ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";
const SECOND: &str = "k2:ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";
const FOREIGN_SECOND: &str = "k2:QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8=";

fn keys(text: &str) -> [(&'static str, &str); 1] {
    [("BOSA_AUTH_ROOT_KEYS", text)]
}

async fn start_with(db: &TestDatabase, root_keys: &str) -> Result<Auth, Error> {
    let address = db.address();
    start(&[
        ("DATABASE_AUTHENTICATION_URL", &address),
        ("AUTH_SECRET_KEY", SIGNING_KEY),
        ("BOSA_AUTH_ROOT_KEYS", root_keys),
    ])
    .await
}

/// The root key of every data key, oldest first.
async fn roots_of_data_keys(db: &TestDatabase) -> Vec<String> {
    let sql = "select root_key_id from bosa_data_keys order by created_at, id";
    let rows = db.db().read(sql, vec![]).await.unwrap();
    rows.iter().map(|row| row.get(0).unwrap()).collect()
}

async fn create(auth: &Auth, name: &str) -> Result<(), Error> {
    auth.operator().create_client(name).await.map(drop)
}

/// The text of a refusal.
#[track_caller]
fn text<T>(result: Result<T, Error>) -> String {
    match result {
        Err(error) => error.to_string(),
        Ok(_) => panic!("it was accepted"),
    }
}

on_every_database! {
    async fn an_activated_root_key_seals_at_once_in_every_server_that_has_it(db: TestDatabase) {
        let world = World::with(&db, &keys(BOTH)).await;
        let told = open_apart(&db, &keys(BOTH), &world.clock).await.unwrap();
        let untold = open_apart(&db, &keys(BOTH), &world.clock).await.unwrap();
        told.poll_changes().await.unwrap();
        create(&world.auth, "before").await.unwrap();
        let info = world.auth.operator().activate_root_key("k2").await.unwrap();
        assert!(info.is_active && info.is_present && info.seals == 0);
        told.poll_changes().await.unwrap();
        for (auth, name) in [(&world.auth, "actor"), (&told, "told"), (&untold, "untold")] {
            world.clock.advance(std::time::Duration::from_secs(1));
            create(auth, name).await.unwrap();
            assert!(auth.readiness().await.is_ready());
        }
        assert_eq!(roots_of_data_keys(&db).await, ["k1", "k2", "k2", "k2"]);
        untold.operator().rotate_signing_key(None).await.unwrap();
        let listed = world.auth.operator().root_keys().await.unwrap();
        let listed: Vec<_> = listed.iter().map(|key| (key.id.as_str(), key.is_active, key.seals)).collect();
        assert_eq!(listed, [("k1", false, 2), ("k2", true, 4)]);
        // Once more changes nothing, and the former one can be taken up again.
        let before = crate::dump::dump(&db).await;
        world.auth.operator().activate_root_key("k2").await.unwrap();
        assert_eq!(crate::dump::dump(&db).await, before);
        assert!(told.operator().activate_root_key("k1").await.unwrap().is_active);
    }

    async fn a_server_that_lacks_the_active_root_key_is_not_ready_and_seals_nothing(db: TestDatabase) {
        let world = World::with(&db, &keys(BOTH)).await;
        let client = world.client("acme").await;
        let lacking = open_apart(&db, &keys(ROOT_KEYS), &world.clock).await.unwrap();
        lacking.poll_changes().await.unwrap();
        let refused = lacking.operator().activate_root_key("k2").await;
        assert!(text(refused).contains("no root key k2"));
        world.auth.operator().activate_root_key("k2").await.unwrap();
        // Before it has heard of it, and after.
        for _ in 0..2 {
            let refused = text(create(&lacking, "other").await);
            assert!(refused.contains("k2") && refused.contains("missing"), "{refused}");
            let refused = text(lacking.operator().rotate_signing_key(None).await);
            assert!(refused.contains("k2"), "{refused}");
            let readiness = lacking.readiness().await;
            assert!(readiness.database && !readiness.keys && !readiness.is_ready());
            assert_eq!(readiness.missing_root_key.as_deref(), Some("k2"));
            lacking.poll_changes().await.unwrap();
        }
        assert_eq!(roots_of_data_keys(&db).await, ["k1"]);
        // What it can open it goes on verifying.
        assert_eq!(code(lacking.authenticate_client(&client.key).await), "accepted");
        let refused = refusal(start_with(&db, ROOT_KEYS).await);
        assert!(refused.contains("k2") && refused.contains("seals new keys"), "{refused}");
        assert_eq!(code(start_with(&db, BOTH).await), "accepted");
    }

    async fn a_root_key_that_is_used_is_not_retired_and_not_left_out(db: TestDatabase) {
        let world = World::with(&db, &keys(BOTH)).await;
        for name in ["one", "two"] {
            world.client(name).await;
        }
        let operator = world.auth.operator();
        operator.rotate_signing_key(None).await.unwrap();
        let refused = text(operator.retire_root_key("k1").await);
        assert!(refused.contains("is the active root key"), "{refused}");
        operator.activate_root_key("k2").await.unwrap();
        let counts = "1 digest key, 2 data keys and 1 signing key";
        let refused = text(operator.retire_root_key("k1").await);
        assert!(refused.contains(counts), "{refused}");
        let refused = refusal(start_with(&db, SECOND).await);
        assert!(refused.contains("k1") && refused.contains(counts), "{refused}");
        let address = db.address();
        let settings = [
            ("DATABASE_AUTHENTICATION_URL", address.as_str()),
            ("AUTH_SECRET_KEY", SIGNING_KEY),
            ("BOSA_AUTH_ROOT_KEYS", SECOND),
        ];
        let lacking = configured(&settings).unwrap();
        let findings = bosa_auth::doctor(&lacking).await;
        assert!(findings.iter().any(|one| one.title.contains(counts)), "{findings:?}");
        assert!(!bosa_auth::migration_status(&lacking).await.unwrap().is_empty());
        for unknown in ["k3", "", "K1", "\0"] {
            assert_eq!(code(operator.retire_root_key(unknown).await), "not_found", "{unknown:?}");
        }
        assert_eq!(code(operator.activate_root_key("\0").await), "invalid_input");
    }

    async fn a_root_key_goes_once_nothing_is_sealed_under_it(db: TestDatabase) {
        let world = World::with(&db, &keys(BOTH)).await;
        let operator = world.auth.operator();
        let kid = operator.rotate_signing_key(None).await.unwrap().kid;
        operator.activate_root_key("k2").await.unwrap();
        let client = world.client("acme").await;
        let user = world.user(&client, "ana").await;
        let token = world.token(&client, &user).await;
        let done = operator.rewrap_digest_and_signing_keys().await.unwrap();
        assert_eq!((done.digest_keys, done.signing_keys), (1, 1));
        let again = operator.rewrap_digest_and_signing_keys().await.unwrap();
        assert_eq!((again.digest_keys, again.signing_keys), (0, 0));
        operator.retire_root_key("k1").await.unwrap();
        assert_eq!(code(operator.retire_root_key("k1").await), "not_found");
        let left = open_apart(&db, &keys(SECOND), &world.clock).await.unwrap();
        assert!(left.readiness().await.is_ready());
        let tenant = left.authenticate_client(&client.key).await.unwrap();
        assert_eq!(code(tenant.authenticate_user("ana", user.secret.expose()).await), "accepted");
        assert_eq!(code(tenant.verify_token(&token).await), "accepted");
        assert!(left.operator().signing_keys().await.unwrap().iter().any(|key| key.kid == kid && key.signs));
    }

    async fn another_key_of_the_same_name_is_not_activated(db: TestDatabase) {
        let world = World::with(&db, &keys(BOTH)).await;
        let other = format!("{ROOT_KEYS},{FOREIGN_SECOND}");
        let foreign = open_apart(&db, &keys(&other), &world.clock).await.unwrap();
        world.auth.operator().activate_root_key("k2").await.unwrap();
        world.auth.operator().activate_root_key("k1").await.unwrap();
        let refused = text(foreign.operator().activate_root_key("k2").await);
        assert!(refused.contains("k2") && refused.contains("not the one"), "{refused}");
        assert!(world.auth.readiness().await.is_ready());
    }
}

fn kept(directory: &Path) -> Vec<String> {
    let text = fs::read_to_string(directory.join("root.keys")).unwrap();
    let id = |line: &str| line.split(':').next().unwrap().to_owned();
    text.lines()
        .filter(|line| !line.is_empty())
        .map(id)
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_generated_root_key_is_kept_in_the_file_and_learned_from_it() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("data");
    let auth = start_in(&directory).await.unwrap();
    let configuration = configured(&[("BOSA_AUTH_DATA_DIR", directory.to_str().unwrap())]).unwrap();
    let another = Auth::open_apart(
        &configuration,
        OpenMode::Existing,
        auth.clock().clone(),
        auth.entropy().clone(),
    )
    .await
    .unwrap();
    another.poll_changes().await.unwrap();
    let info = auth.operator().activate_new_root_key().await.unwrap();
    assert_eq!((info.id.as_str(), info.is_active), ("k2", true));
    assert_eq!(kept(&directory), ["k1", "k2"]);
    let file = directory.join("root.keys");
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(
        fs::read_dir(&directory).unwrap().count(),
        6,
        "nothing else is left"
    );
    // It was open before the file had the key.
    assert!(another.readiness().await.is_ready());
    create(&another, "acme").await.unwrap();
    let refused = text(another.operator().retire_root_key("k1").await);
    assert!(refused.contains("1 digest key"), "{refused}");
    assert_eq!(kept(&directory), ["k1", "k2"]);
    another
        .operator()
        .rewrap_digest_and_signing_keys()
        .await
        .unwrap();
    another.operator().retire_root_key("k1").await.unwrap();
    assert_eq!(kept(&directory), ["k2"]);
    // It is in memory still, but would be gone after a restart.
    let refused = text(auth.operator().activate_root_key("k1").await);
    assert!(refused.contains("holds no root key k1"), "{refused}");
    auth.close().await.unwrap();
    another.close().await.unwrap();
    let again = start_in(&directory).await.unwrap();
    assert!(again.readiness().await.is_ready());
    let names: Vec<_> = again.operator().root_keys().await.unwrap();
    assert_eq!(names.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_root_keys_made_at_once_are_all_in_the_file() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("data");
    drop(start_in(&directory).await.unwrap());
    let mut tasks = JoinSet::new();
    for _ in 0..6 {
        let directory = directory.clone();
        tasks.spawn(async move {
            let auth = start_in(&directory).await.unwrap();
            auth.operator().activate_new_root_key().await.unwrap().id
        });
    }
    let mut made = tasks.join_all().await;
    made.sort();
    assert_eq!(made, ["k2", "k3", "k4", "k5", "k6", "k7"]);
    let mut names = kept(&directory);
    names.sort();
    assert_eq!(names[1..], made);
    assert!(
        start_in(&directory)
            .await
            .unwrap()
            .readiness()
            .await
            .is_ready()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_root_key_that_the_database_has_forgotten_goes_from_the_file_too() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("data");
    let auth = start_in(&directory).await.unwrap();
    auth.operator().activate_new_root_key().await.unwrap();
    auth.operator()
        .rewrap_digest_and_signing_keys()
        .await
        .unwrap();
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o500)).unwrap();
    let failed = auth.operator().retire_root_key("k1").await;
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).unwrap();
    // The superuser writes all the same.
    if failed.is_err() {
        assert_eq!(kept(&directory), ["k1", "k2"]);
        auth.operator().retire_root_key("k1").await.unwrap();
    }
    assert_eq!(kept(&directory), ["k2"]);
    assert_eq!(
        code(auth.operator().retire_root_key("k1").await),
        "not_found"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn configured_root_keys_are_not_generated() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("data");
    let settings = [
        ("BOSA_AUTH_DATA_DIR", directory.to_str().unwrap()),
        ("BOSA_AUTH_ROOT_KEYS", ROOT_KEYS),
    ];
    let auth = start(&settings).await.unwrap();
    let refused = text(auth.operator().activate_new_root_key().await);
    assert!(refused.contains("BOSA_AUTH_ROOT_KEYS"), "{refused}");
    assert!(!directory.join("root.keys").exists());
}
