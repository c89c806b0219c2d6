//! Starting: many at once, with wrong settings, and with missing, foreign or readable keys.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use bosa_auth::{Auth, AuthenticationDbSettings, Configuration, Error, OpenMode, Secret};
use bosa_auth_testkit::on_every_database;
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::support::{MASTER_KEY, ROOT_KEYS, SIGNING_KEY, World, code, payload};

const FOREIGN_ROOT_KEYS: &str = "k1:ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";

/// Settings by the names of their variables, and nothing of this process's environment.
pub(crate) fn configured(settings: &[(&'static str, &str)]) -> Result<Configuration, Error> {
    let others = settings
        .iter()
        .map(|(name, value)| (*name, Secret::from(*value)))
        .collect();
    AuthenticationDbSettings {
        others,
        ..Default::default()
    }
    .gather_from(Vec::new())
}

pub(crate) async fn start(settings: &[(&'static str, &str)]) -> Result<Auth, Error> {
    Auth::open_configured(&configured(settings)?, OpenMode::Create).await
}

/// Starts in a data directory, with everything else as it comes.
pub(crate) async fn start_in(directory: &Path) -> Result<Auth, Error> {
    start(&[("BOSA_AUTH_DATA_DIR", directory.to_str().unwrap())]).await
}

/// The text of a refusal to start.
#[track_caller]
pub(crate) fn refusal(result: Result<Auth, Error>) -> String {
    match result {
        Err(Error::Configuration(text)) => text,
        Err(error) => panic!("{error:?}"),
        Ok(_) => panic!("it started"),
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn readable_by_all(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
}

/// A data directory in which a client was made, and the client's key.
async fn used() -> (TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let auth = start_in(directory.path()).await.unwrap();
    let client = auth
        .create_client_service()
        .create_client("acme")
        .await
        .unwrap();
    auth.close().await.unwrap();
    (directory, client.api_key.expose().to_owned())
}

on_every_database! {
    async fn ten_handles_open_an_empty_database_at_once(db: TestDatabase) {
        let address = db.address();
        let mut tasks = JoinSet::new();
        for _ in 0..10 {
            let address = address.clone();
            tasks.spawn(async move {
                start(&[
                    ("DATABASE_AUTHENTICATION_URL", &address),
                    ("AUTH_SECRET_KEY", SIGNING_KEY),
                    ("BOSA_AUTH_ROOT_KEYS", ROOT_KEYS),
                    ("BOSA_WHITELISTED_KEYS", MASTER_KEY),
                ])
                .await
                .unwrap()
            });
        }
        let handles = tasks.join_all().await;
        let client = handles[0].create_client_service().create_client("acme").await.unwrap();
        for handle in &handles {
            assert_eq!(code(handle.authenticate_client(client.api_key.expose()).await), "accepted");
            assert!(handle.readiness().await.is_ready());
        }
    }

    async fn a_foreign_root_key_stops_the_start_and_is_named(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let settings = |keys| [
            ("DATABASE_AUTHENTICATION_URL", db.address()),
            ("AUTH_SECRET_KEY", SIGNING_KEY.to_owned()),
            ("BOSA_AUTH_ROOT_KEYS", keys),
        ];
        let with = async |keys: &str| {
            let settings = settings(keys.to_owned());
            start(&settings.iter().map(|(name, value)| (*name, value.as_str())).collect::<Vec<_>>()).await
        };
        let text = refusal(with(FOREIGN_ROOT_KEYS).await);
        assert!(text.contains("k1") && text.contains("not the one"), "{text}");
        let text = refusal(with(&FOREIGN_ROOT_KEYS.replace("k1", "k2")).await);
        assert!(text.contains("k1") && text.contains("missing"), "{text}");
        let both = format!("{},{}", FOREIGN_ROOT_KEYS.replace("k1", "k2"), ROOT_KEYS);
        assert_eq!(code(with(&both).await), "accepted");
        assert_eq!(code(world.auth.authenticate_client(&client.key).await), "accepted");
    }

    async fn an_edited_canary_stops_the_start(db: TestDatabase) {
        let world = World::new(&db).await;
        let rows = db.db().read("select sealed from bosa_root_key_canaries", vec![]).await.unwrap();
        let mut sealed: Vec<u8> = rows[0].get(0).unwrap();
        *sealed.last_mut().unwrap() ^= 1;
        db.db()
            .write(move |tx| {
                let sealed = sealed.clone();
                Box::pin(async move { tx.execute("update bosa_root_key_canaries set sealed = $1", vec![sealed.into()]).await.map(drop) })
            })
            .await
            .unwrap_or_else(|error: bosa_auth_store::StoreError| panic!("{error}"));
        let address = db.address();
        let text = refusal(start(&[("DATABASE_AUTHENTICATION_URL", &address), ("AUTH_SECRET_KEY", SIGNING_KEY), ("BOSA_AUTH_ROOT_KEYS", ROOT_KEYS)]).await);
        assert!(text.contains("k1"), "{text}");
        let readiness = world.auth.readiness().await;
        assert!(readiness.database && readiness.migrations && !readiness.keys && !readiness.is_ready());
    }

    async fn a_database_with_data_and_no_root_keys_is_not_given_new_ones(db: TestDatabase) {
        let world = World::new(&db).await;
        world.client("acme").await;
        let address = db.address();
        let text = refusal(start(&[("DATABASE_AUTHENTICATION_URL", &address), ("AUTH_SECRET_KEY", SIGNING_KEY)]).await);
        assert!(text.contains("BOSA_AUTH_ROOT_KEYS"), "{text}");
        if let Some(directory) = db.directory() {
            assert!(!directory.join("root.keys").exists());
        }
    }

    async fn an_existing_instance_is_opened_and_nothing_is_created(db: TestDatabase) {
        let address = db.address();
        let settings = [("DATABASE_AUTHENTICATION_URL", address.as_str()), ("AUTH_SECRET_KEY", SIGNING_KEY), ("BOSA_AUTH_ROOT_KEYS", ROOT_KEYS)];
        let open = async || Auth::open_configured(&configured(&settings).unwrap(), OpenMode::Existing).await;
        assert_eq!(code(open().await), "configuration");
        bosa_auth::migrate_up(&configured(&settings).unwrap()).await.unwrap();
        let before = crate::dump::dump(&db).await;
        let text = refusal(open().await);
        assert!(text.contains("no instance"), "{text}");
        bosa_auth::doctor(&configured(&settings).unwrap()).await;
        assert_eq!(crate::dump::dump(&db).await, before);
        if let Some(directory) = db.directory() {
            for name in ["root.keys", "auth_secret.key", "master.key"] {
                assert!(!directory.join(name).exists(), "{name}");
            }
        }
        start(&settings).await.unwrap();
        if let Some(directory) = db.directory() {
            fs::remove_file(directory.join("master.key")).unwrap();
            assert!(!open().await.unwrap().has_master_key());
            assert!(!directory.join("master.key").exists());
        }
        assert_eq!(code(open().await), "accepted");
    }

    async fn a_start_with_a_wrong_root_key_makes_no_key(db: TestDatabase) {
        let address = db.address();
        let settings = |root| [("DATABASE_AUTHENTICATION_URL", address.as_str()), ("AUTH_SECRET_KEY", SIGNING_KEY), ("BOSA_AUTH_ROOT_KEYS", root)];
        start(&settings(ROOT_KEYS)).await.unwrap();
        if let Some(directory) = db.directory() {
            fs::remove_file(directory.join("master.key")).unwrap();
            let wrong = "k1:AQECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
            assert!(refusal(start(&settings(wrong)).await).contains("k1"));
            assert!(!directory.join("master.key").exists());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_start_makes_a_private_directory_with_private_files() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("deep").join("data");
    let auth = start_in(&directory).await.unwrap();
    auth.create_client_service()
        .create_client("acme")
        .await
        .unwrap();
    assert_eq!(mode(&directory), 0o700);
    let mut names: Vec<_> = fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap())
        .collect();
    names.sort_by_key(|entry| entry.file_name());
    for entry in &names {
        assert_eq!(mode(&entry.path()), 0o600, "{:?}", entry.file_name());
    }
    let names: Vec<_> = names
        .iter()
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    for name in [
        "auth_secret.key",
        "bosa-auth.db",
        "bosa-auth.db-shm",
        "bosa-auth.db-wal",
        "master.key",
        "root.keys",
    ] {
        assert!(
            names.iter().any(|found| found == name),
            "{name} in {names:?}"
        );
    }
    assert_eq!(names.len(), 6, "no temporary file is left: {names:?}");
    let description = auth.description();
    let master = description.generated_master_key.as_ref().unwrap();
    assert_eq!(code(auth.verify_master_key(master.expose())), "accepted");
    let kept = fs::read_to_string(description.master_key_path.as_ref().unwrap()).unwrap();
    assert_eq!(kept.trim_end(), master.expose());
    auth.close().await.unwrap();
    let again = start_in(&directory).await.unwrap();
    assert!(again.description().generated_master_key.is_none());
    assert_eq!(code(again.verify_master_key(kept.trim_end())), "accepted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_first_starts_in_one_directory_agree_on_every_key() {
    for _ in 0..8 {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("data");
        let mut tasks = JoinSet::new();
        for _ in 0..3 {
            let directory = directory.clone();
            tasks.spawn(async move { start_in(&directory).await.unwrap() });
        }
        let handles = tasks.join_all().await;
        let master = fs::read_to_string(directory.join("master.key")).unwrap();
        let client = handles[0]
            .create_client_service()
            .create_client("acme")
            .await
            .unwrap();
        let key = client.api_key.expose();
        let user = handles[1]
            .create_user_service()
            .create_user(key, "ana")
            .await
            .unwrap();
        let token = handles[2]
            .authenticate_user_service()
            .authenticate_user(key, "ana", user.secret.expose())
            .await
            .unwrap();
        for handle in &handles {
            assert_eq!(
                code(
                    handle
                        .verify_token_service()
                        .verify_token(key, token.token.expose())
                        .await
                ),
                "accepted"
            );
            assert_eq!(
                code(handle.verify_master_key(master.trim_end())),
                "accepted"
            );
        }
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 6);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_foreign_and_readable_key_files_stop_the_start_and_are_named() {
    let (directory, key) = used().await;
    let path = directory.path().join("root.keys");
    let kept = fs::read(&path).unwrap();

    fs::remove_file(&path).unwrap();
    let text = refusal(start_in(directory.path()).await);
    assert!(
        text.contains("root.keys") && text.contains("restore"),
        "{text}"
    );
    assert!(!path.exists(), "nothing is generated beside existing data");

    fs::write(&path, FOREIGN_ROOT_KEYS).unwrap();
    readable_by_all(&path);
    let text = refusal(start_in(directory.path()).await);
    assert!(
        text.contains("chmod 600") && text.contains("root.keys"),
        "{text}"
    );

    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let text = refusal(start_in(directory.path()).await);
    assert!(text.contains("k1"), "{text}");

    for broken in [
        "",
        "\n",
        "k1",
        "k1:short",
        "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=,",
        "\u{0}",
    ] {
        fs::write(&path, broken).unwrap();
        let text = refusal(start_in(directory.path()).await);
        assert!(text.contains("root.keys"), "{text}");
    }
    fs::write(&path, &kept).unwrap();
    let auth = start_in(directory.path()).await.unwrap();
    assert_eq!(code(auth.authenticate_client(&key).await), "accepted");
    for name in ["auth_secret.key", "master.key"] {
        let path = directory.path().join(name);
        readable_by_all(&path);
        let text = refusal(start_in(directory.path()).await);
        assert!(text.contains("chmod 600") && text.contains(name), "{text}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    assert_eq!(code(start_in(directory.path()).await), "accepted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_signing_key_is_not_replaced_by_a_new_one() {
    let (directory, key) = used().await;
    let path = directory.path().join("auth_secret.key");
    fs::remove_file(&path).unwrap();
    match start_in(directory.path()).await {
        Err(error) => assert!(matches!(error, Error::Configuration(_))),
        Ok(auth) => {
            let user = auth
                .create_user_service()
                .create_user(&key, "ana")
                .await
                .unwrap();
            let refused = auth
                .authenticate_user_service()
                .authenticate_user(&key, "ana", user.secret.expose())
                .await;
            assert_eq!(code(refused), "configuration");
        }
    }
    assert!(!path.exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_that_cannot_be_made_is_a_clear_refusal() {
    let parent = tempfile::tempdir().unwrap();
    let file = parent.path().join("file");
    fs::write(&file, "").unwrap();
    for directory in [file.join("data"), file.clone(), "/proc/bosa-auth".into()] {
        let text = refusal(start_in(&directory).await);
        assert!(text.contains(directory.to_str().unwrap()), "{text}");
    }
    let missing = parent.path().join("missing");
    let settings = [("BOSA_AUTH_DATA_DIR", missing.to_str().unwrap())];
    let opened = Auth::open_configured(&configured(&settings).unwrap(), OpenMode::Existing).await;
    assert!(refusal(opened).contains(missing.to_str().unwrap()));
    assert!(!missing.exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_in_memory_keeps_its_keys_in_memory() {
    let auth = start(&[("DATABASE_AUTHENTICATION_URL", "sqlite://")])
        .await
        .unwrap();
    let client = auth
        .create_client_service()
        .create_client("acme")
        .await
        .unwrap();
    let key = client.api_key.expose();
    let user = auth
        .create_user_service()
        .create_user(key, "ana")
        .await
        .unwrap();
    let token = auth
        .authenticate_user_service()
        .authenticate_user(key, "ana", user.secret.expose())
        .await
        .unwrap();
    assert_eq!(
        code(
            auth.verify_token_service()
                .verify_token(key, token.token.expose())
                .await
        ),
        "accepted"
    );
    let description = auth.description();
    assert!(description.key_directory.is_none() && description.master_key_path.is_none());
    assert!(description.generated_master_key.is_some());
    let other = start(&[("DATABASE_AUTHENTICATION_URL", "sqlite://")])
        .await
        .unwrap();
    assert_eq!(code(other.authenticate_client(key).await), "invalid_client");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_algorithm_starts_with_a_generated_key_and_again_with_the_same() {
    for algorithm in [
        "HS256", "HS384", "HS512", "RS256", "PS256", "ES256", "ES384", "EdDSA",
    ] {
        let directory = tempfile::tempdir().unwrap();
        let settings = [
            ("BOSA_AUTH_DATA_DIR", directory.path().to_str().unwrap()),
            ("AUTH_ALGORITHM", algorithm),
        ];
        let auth = start(&settings).await.unwrap();
        let client = auth
            .create_client_service()
            .create_client("acme")
            .await
            .unwrap();
        let key = client.api_key.expose();
        let user = auth
            .create_user_service()
            .create_user(key, "ana")
            .await
            .unwrap();
        let token = auth
            .authenticate_user_service()
            .authenticate_user(key, "ana", user.secret.expose())
            .await
            .unwrap();
        assert_eq!(payload(token.token.expose(), 0)["alg"], algorithm);
        auth.close().await.unwrap();
        let again = start(&settings).await.unwrap();
        assert_eq!(
            code(
                again
                    .verify_token_service()
                    .verify_token(key, token.token.expose())
                    .await
            ),
            "accepted",
            "{algorithm}"
        );
        again.close().await.unwrap();
    }
    // The key of another algorithm is not taken for one of this.
    let (directory, _) = used().await;
    let data = directory.path().to_str().unwrap();
    for algorithm in ["RS256", "HS512"] {
        let text =
            refusal(start(&[("BOSA_AUTH_DATA_DIR", data), ("AUTH_ALGORITHM", algorithm)]).await);
        assert!(
            text.contains("auth_secret.key") && text.contains(algorithm) || text.contains("PKCS#8"),
            "{text}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replaced_master_key_counts_from_the_next_start() {
    let (directory, _) = used().await;
    let settings = [("BOSA_AUTH_DATA_DIR", directory.path().to_str().unwrap())];
    let former = fs::read_to_string(directory.path().join("master.key")).unwrap();
    let key = Auth::replace_master_key(&configured(&settings).unwrap()).unwrap();
    let auth = start(&settings).await.unwrap();
    assert_eq!(code(auth.verify_master_key(key.expose())), "accepted");
    assert_eq!(
        code(auth.verify_master_key(former.trim_end())),
        "invalid_client"
    );
    assert_eq!(mode(&directory.path().join("master.key")), 0o600);
}
