//! Backups restore into either database.

use std::path::Path;
use std::sync::Arc;

use bosa_auth::{
    AuthStatus, AuthenticationDbSettings, BackupMode, Clock as _, Configuration, Error, OpenMode,
    RestoreOptions, Secret, ThirdPartyIntegrationAuth, restore,
};
use bosa_auth_testkit::{TestDatabase, on_every_database};

use crate::support::{Client, ROOT_KEYS, SIGNING_KEY, World};

on_every_database! {
    async fn a_copy_restores_keys_users_and_accounts_but_no_session(db: TestDatabase) {
        let (world, client, token) = furnished(&db).await;
        let files = tempfile::tempdir().unwrap();
        let archive = files.path().join("backup.jsonl");
        let report =
            world.auth.operator().backup(&archive, BackupMode::Copy, Arc::new(|_| ())).await.unwrap();
        assert_eq!(report.root_keys, ["k1"]);
        let recorded = "select action from bosa_audit_events where action = 'instance.backup'";
        assert_eq!(db.db().read(recorded, vec![]).await.unwrap().len(), 1);
        world.verify(&client, &token).await.unwrap();

        for target in targets(files.path()).await {
            let restored = restore_into(&target.address, &archive).await.unwrap();
            assert!(!restored.keeps_sessions);
            let auth = target.open().await;
            let verified = auth.verify_token_service().verify_token_and_get_user_id(&client.key, &token).await;
            assert!(matches!(verified, Err(Error::RevokedToken)));
            let ana = auth.get_user_service().get_user_by_identifier(&client.key, "ana").await.unwrap();
            let github = auth
                .third_party_integration_service()
                .get_integration(client.model.id, ana.id, "github")
                .await
                .unwrap()
                .unwrap();
            assert_eq!(github.auth_string.expose(), "gho_secret");
            let again = restore_into(&target.address, &archive).await;
            assert!(matches!(again, Err(Error::Configuration(_))));
        }
    }

    async fn a_move_keeps_every_session_and_closes_the_source(db: TestDatabase) {
        for to_postgres in [false, true] {
            let db = if db.directory().is_some() { TestDatabase::sqlite().await } else { TestDatabase::postgres().await };
            let (world, client, token) = furnished(&db).await;
            let files = tempfile::tempdir().unwrap();
            let archive = files.path().join("move.jsonl");
            world.auth.operator().backup(&archive, BackupMode::Move, Arc::new(|_| ())).await.unwrap();
            assert!(matches!(world.verify(&client, &token).await, Err(Error::DatabaseUnavailable(_))));
            let created = world.auth.create_client_service().create_client("late").await;
            assert!(matches!(created, Err(Error::DatabaseUnavailable(_))));
            assert!(!world.auth.readiness().await.is_ready());

            let target = targets(files.path()).await.remove(usize::from(to_postgres));
            let restored = restore_into(&target.address, &archive).await.unwrap();
            assert!(restored.keeps_sessions);
            assert_eq!(restored.missing_signing_keys, Vec::<String>::new());
            let auth = target.open().await;
            auth.verify_token_service().verify_token_and_get_user_id(&client.key, &token).await.unwrap();
        }
    }

    async fn a_copy_doubts_refresh_tokens_that_are_used_once_and_a_move_those_on_their_way(db: TestDatabase) {
        for (mode, was_sent, doubted, status) in [
            (BackupMode::Copy, false, 1, AuthStatus::Unverified),
            (BackupMode::Move, false, 0, AuthStatus::Active),
            // Nobody will store the answer.
            (BackupMode::Move, true, 0, AuthStatus::Unverified),
        ] {
            let db = if db.directory().is_some() { TestDatabase::sqlite().await } else { TestDatabase::postgres().await };
            let (world, client, _) = furnished(&db).await;
            grant(&db, client.model.id, was_sent).await;
            let files = tempfile::tempdir().unwrap();
            let archive = files.path().join("backup.jsonl");
            world.auth.operator().backup(&archive, mode, Arc::new(|_| ())).await.unwrap();
            for target in targets(files.path()).await {
                let restored = restore_into(&target.address, &archive).await.unwrap();
                assert_eq!(restored.unverified_accounts, doubted);
                let auth = target.open().await;
                let ana = auth.get_user_service().get_user_by_identifier(&client.key, "ana").await.unwrap();
                let service = auth.third_party_integration_service();
                // As it was restored: nothing is asked of the provider.
                let accounts = service.get_integrations(client.model.id, ana.id).await.unwrap();
                let github = &accounts[0];
                assert_eq!((github.auth_status, github.auth_string.expose()), (status, "gho_secret"));
            }
        }
    }

    async fn a_move_that_fails_leaves_the_source_open_and_foreign_files_alone(db: TestDatabase) {
        let (world, client, token) = furnished(&db).await;
        let files = tempfile::tempdir().unwrap();
        let move_to = |path: std::path::PathBuf, progress: bosa_auth::Progress| {
            let operator = world.auth.operator();
            async move { operator.backup(&path, BackupMode::Move, progress).await }
        };
        let archive = files.path().join("move.jsonl");

        // Somebody else's archive comes to lie there while ours is being written.
        let foreign = archive.clone();
        let place: bosa_auth::Progress = Arc::new(move |_| std::fs::write(&foreign, "foreign").unwrap());
        assert!(matches!(move_to(archive.clone(), place).await, Err(Error::Configuration(_))));
        assert_eq!(std::fs::read_to_string(&archive).unwrap(), "foreign");
        assert_eq!(names(files.path()), ["move.jsonl"]);
        world.verify(&client, &token).await.unwrap();

        // It lies there from the beginning, or the directory is missing.
        for path in [archive.clone(), files.path().join("missing").join("move.jsonl")] {
            assert!(matches!(move_to(path, Arc::new(|_| ())).await, Err(Error::Configuration(_))));
        }
        assert_eq!(names(files.path()), ["move.jsonl"]);
        world.client("written after the failures").await;

        // What a killed attempt has left is not written through.
        std::fs::remove_file(&archive).unwrap();
        let elsewhere = files.path().join("elsewhere");
        std::fs::write(&elsewhere, "elsewhere").unwrap();
        std::os::unix::fs::symlink(&elsewhere, files.path().join("move.jsonl.partial")).unwrap();
        move_to(archive.clone(), Arc::new(|_| ())).await.unwrap();
        assert_eq!(std::fs::read_to_string(&elsewhere).unwrap(), "elsewhere");
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&archive).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(names(files.path()), ["elsewhere", "move.jsonl"]);

        // A second move finds it closed and leaves the archive of the first.
        let again = move_to(files.path().join("again.jsonl"), Arc::new(|_| ())).await;
        assert!(matches!(again, Err(Error::DatabaseUnavailable(_))));
        assert_eq!(names(files.path()), ["elsewhere", "move.jsonl"]);
    }

    async fn a_client_whose_deletion_was_begun_is_restored_as_such_and_deleted_there(db: TestDatabase) {
        let (world, client, _) = furnished(&db).await;
        let (id, at) = (client.model.id, world.clock.now());
        let store = bosa_auth_store::Store::new(db.db().clone());
        store
            .write(move |tx| -> bosa_auth_store::BoxFuture<'_, Result<(), bosa_auth_store::StoreError>> {
                Box::pin(async move {
                    bosa_auth_store::clients::begin_deletion(tx, id, at).await?;
                    bosa_auth_store::ClientTx::new(tx, id).wipe_data_keys(&[0; 73]).await.map(drop)
                })
            })
            .await
            .unwrap();
        let verified = world.auth.operator().vault_verify(|_| ()).await.unwrap();
        assert_eq!(verified.unreadable, Vec::<String>::new());
        let files = tempfile::tempdir().unwrap();
        let archive = files.path().join("backup.jsonl");
        world.auth.operator().backup(&archive, BackupMode::Copy, Arc::new(|_| ())).await.unwrap();
        for target in targets(files.path()).await {
            restore_into(&target.address, &archive).await.unwrap();
            let auth = target.open().await;
            assert!(auth.authenticate_client(&client.key).await.is_err());
            auth.run_maintenance().await.unwrap();
            assert_eq!(auth.operator().vault_status().await.unwrap().clients, 0);
        }
    }

    async fn a_damaged_archive_restores_nothing(db: TestDatabase) {
        let (world, _, _) = furnished(&db).await;
        let files = tempfile::tempdir().unwrap();
        let archive = files.path().join("backup.jsonl");
        world.auth.operator().backup(&archive, BackupMode::Copy, Arc::new(|_| ())).await.unwrap();
        let text = std::fs::read_to_string(&archive).unwrap();
        let cut: String = text.lines().take(5).flat_map(|line| [line, "\n"]).collect();
        let edited = text.replacen("\"ana\"", "\"eve\"", 1);
        assert_ne!(edited, text);
        for (name, damaged) in [("cut", cut), ("edited", edited), ("empty", String::new()), ("other", "{}\n".to_owned())] {
            let path = files.path().join(name);
            std::fs::write(&path, damaged).unwrap();
            for target in targets(files.path()).await {
                let restored = restore_into(&target.address, &path).await;
                assert!(matches!(restored, Err(Error::Configuration(_))), "{name}");
                target.open().await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_whose_commits_are_lost_leaves_the_source_open_and_no_archive() {
    let db = TestDatabase::postgres().await;
    let (world, client, token) = furnished(&db).await;
    db.db()
        .write(
            |tx| -> bosa_auth_store::BoxFuture<'_, Result<(), bosa_auth_store::StoreError>> {
                Box::pin(async move { tx.batch(END_EVERY_COMMIT).await })
            },
        )
        .await
        .unwrap();
    let files = tempfile::tempdir().unwrap();
    let moved = world
        .auth
        .operator()
        .backup(
            &files.path().join("move.jsonl"),
            BackupMode::Move,
            Arc::new(|_| ()),
        )
        .await;
    assert!(matches!(moved, Err(Error::DatabaseUnavailable(_))));
    assert_eq!(names(files.path()), Vec::<String>::new());
    world.verify(&client, &token).await.unwrap();
}

/// Whoever writes the change feed loses its connection while committing.
const END_EVERY_COMMIT: &str = "\
    create function lose_connection() returns trigger language plpgsql as \
    $$ begin perform pg_terminate_backend(pg_backend_pid()); return null; end $$; \
    create constraint trigger lose_connection after insert on bosa_changes \
    deferrable initially deferred for each row execute function lose_connection()";

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

async fn furnished(db: &TestDatabase) -> (World, Client, String) {
    let world = World::with_system_clock(db).await;
    let client = world.client("acme").await;
    let ana = world.user(&client, "ana").await;
    let token = world.token(&client, &ana).await;
    let account = ThirdPartyIntegrationAuth::new(
        client.model.id,
        ana.id,
        "github",
        "octocat",
        Secret::from("gho_secret"),
        Vec::new(),
    );
    world
        .auth
        .third_party_integration_service()
        .create_integration(account)
        .await
        .unwrap();
    (world, client, token)
}

/// Gives the client's only account a refresh token that is used once, and is perhaps being used.
async fn grant(db: &TestDatabase, client: bosa_auth::ClientId, is_sent: bool) {
    let store = bosa_auth_store::Store::new(db.db().clone());
    store
        .write(
            move |tx| -> bosa_auth_store::BoxFuture<'_, Result<(), bosa_auth_store::StoreError>> {
                Box::pin(async move {
                    let mut scope = bosa_auth_store::ClientTx::new(tx, client);
                    let all = bosa_auth_store::PageQuery {
                        after: None,
                        limit: 1,
                    };
                    let found = scope.all_integrations(all).await?.items.remove(0);
                    let sealed = bosa_auth_store::Sealed {
                        bytes: found.integration.sealed,
                        key_id: found.key.id,
                    };
                    let grant = bosa_auth_store::GrantRow {
                        integration_id: found.integration.id,
                        oauth_client_id: "app".to_owned(),
                        expires_at: found.integration.created_at,
                        refresh_token: Some(bosa_auth_store::RefreshToken {
                            sealed,
                            rotates: true,
                        }),
                        refreshed_at: None,
                        next_refresh_at: None,
                        needs_reauth: None,
                        completion: None,
                    };
                    scope.put_grant(&grant).await?;
                    if is_sent {
                        let (id, holder) = (grant.integration_id, uuid::Uuid::from_u128(1).into());
                        let length = std::time::Duration::from_secs(3600);
                        scope.take_lease(id, holder, length).await?;
                        assert!(scope.mark_sent(id, holder).await?);
                    }
                    Ok(())
                })
            },
        )
        .await
        .unwrap();
}

struct Target {
    address: String,
    /// Keeps the database while the test needs it.
    _database: Option<TestDatabase>,
}

impl Target {
    async fn open(&self) -> bosa_auth::Auth {
        bosa_auth::Auth::open_configured(&configuration(&self.address), OpenMode::Create)
            .await
            .unwrap()
    }
}

/// An empty SQLite file that is not there yet, and an empty PostgreSQL database.
async fn targets(directory: &Path) -> Vec<Target> {
    let own = tempfile::tempdir_in(directory).unwrap().keep();
    let postgres = TestDatabase::postgres().await;
    vec![
        Target {
            address: format!("sqlite:///{}", own.join("restored.db").display()),
            _database: None,
        },
        Target {
            address: postgres.address(),
            _database: Some(postgres),
        },
    ]
}

async fn restore_into(address: &str, archive: &Path) -> Result<bosa_auth::RestoreReport, Error> {
    restore(
        &configuration(address),
        archive,
        RestoreOptions::default(),
        Arc::new(|_| ()),
    )
    .await
}

fn configuration(address: &str) -> Configuration {
    AuthenticationDbSettings {
        database_authentication_url: Some(address.into()),
        auth_secret_key: Some(SIGNING_KEY.into()),
        others: vec![("BOSA_AUTH_ROOT_KEYS", Secret::from(ROOT_KEYS))],
        ..Default::default()
    }
    .gather_from(Vec::new())
    .unwrap()
}
