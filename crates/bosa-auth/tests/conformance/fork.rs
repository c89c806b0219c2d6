//! What is called around a fork. It concerns the whole process, so that each test gets one of its own.
//!
//! No test of Rust can fork without unsafe code: the child is played by this process, which goes on
//! as if it were one.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bosa_auth::fork;
use bosa_auth_testkit::TestDatabase;

use crate::support::{World, code, open};

const OWN: &str = "BOSA_AUTH_TEST_HAS_A_PROCESS_OF_ITS_OWN";
const WORKERS: usize = 8;

/// Runs the test of this name in another process; true in that one.
fn is_alone(name: &str) -> bool {
    if std::env::var_os(OWN).is_some() {
        return true;
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args([&format!("fork::{name}"), "--exact"])
        .env(OWN, "1")
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && shown.contains("1 passed"),
        "{shown}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    false
}

/// The files of the database that this process has open.
fn open_files(db: &TestDatabase) -> usize {
    let Some(directory) = db.directory() else {
        return 0;
    };
    std::fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok())
        .filter(|path| path.starts_with(directory))
        .count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_parent_goes_on_as_if_nothing_had_happened() {
    if !is_alone("a_parent_goes_on_as_if_nothing_had_happened") {
        return;
    }
    for db in [TestDatabase::sqlite().await, TestDatabase::postgres().await] {
        let world = Arc::new(World::new(&db).await);
        let client = Arc::new(world.client("acme").await);
        let stop = Arc::new(AtomicBool::new(false));
        let mut workers = Vec::new();
        for worker in 0..WORKERS {
            let (world, client, stop) = (world.clone(), client.clone(), stop.clone());
            workers.push(tokio::spawn(async move {
                let mut made = Vec::new();
                while made.is_empty() || !stop.load(Ordering::Relaxed) {
                    let name = format!("{worker} {}", made.len());
                    let user = world.user(&client, &name).await;
                    let tenant = world.tenant(&client).await;
                    let found = tenant.find_user_by_identifier(&name).await.unwrap();
                    assert_eq!(found.id, user.id);
                    world.auth.poll_changes().await.unwrap();
                    made.push(name);
                }
                made
            }));
        }
        for _ in 0..100 {
            // The work of others is to get somewhere between two forks.
            world
                .tenant(&client)
                .await
                .find_user_by_identifier("nobody")
                .await
                .unwrap_err();
            fork::before();
            assert_eq!(open_files(&db), 0);
            fork::in_parent();
        }
        stop.store(true, Ordering::Relaxed);
        let tenant = world.tenant(&client).await;
        for worker in workers {
            for name in worker.await.unwrap() {
                assert_eq!(
                    code(tenant.find_user_by_identifier(&name).await),
                    "accepted",
                    "{name}"
                );
            }
        }
        if db.directory().is_some() {
            assert!(open_files(&db) > 0);
        }
        world.auth.close().await.unwrap();
        assert_eq!(open_files(&db), 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_refuses_what_is_the_parents_and_opens_its_own() {
    if !is_alone("a_child_refuses_what_is_the_parents_and_opens_its_own") {
        return;
    }
    for db in [TestDatabase::sqlite().await, TestDatabase::postgres().await] {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let user = world.user(&client, "ana").await;
        let token = world.token(&client, &user).await;
        let tenant = world.tenant(&client).await;
        world.auth.poll_changes().await.unwrap();
        world.verify(&client, &token).await.unwrap();
        let remembered = |auth: &bosa_auth::Auth| {
            let service = auth.verify_token_service();
            service
                .try_verify_token(&client.key, &token)
                .unwrap()
                .is_some()
        };
        assert!(remembered(&world.auth));

        fork::before();
        fork::in_child();

        assert!(!remembered(&world.auth));
        assert_eq!(code(world.verify(&client, &token).await), "configuration");
        assert_eq!(
            code(tenant.find_user_by_identifier("ana").await),
            "configuration"
        );
        let chosen = bosa_auth::NewUser {
            identifier: "bob".into(),
            secret: Some("a chosen secret".into()),
        };
        assert_eq!(code(tenant.create_user(chosen).await), "configuration");
        assert_eq!(
            code(tenant.revoke_all_tokens(user.id).await),
            "configuration"
        );
        assert_eq!(code(world.auth.poll_changes().await), "configuration");
        assert_eq!(code(world.auth.run_maintenance().await), "configuration");
        assert_eq!(code(world.auth.close().await), "configuration");

        let own = open(&db, &[], &world.clock).await.unwrap();
        own.poll_changes().await.unwrap();
        assert!(!remembered(&own));
        let verify = own.verify_token_service();
        assert_eq!(
            code(verify.verify_token(&client.key, &token).await),
            "accepted"
        );
        assert!(remembered(&own) && !remembered(&world.auth));
        assert_eq!(
            code(
                own.create_user_service()
                    .create_user(&client.key, "bob")
                    .await
            ),
            "accepted"
        );
        // Leaked by a child, and harmless when it is not.
        drop((tenant, world));
        assert!(
            own.revoke_token_service()
                .revoke_token(&client.key, &token)
                .await
                .unwrap()
        );
        assert_eq!(
            code(verify.verify_token(&client.key, &token).await),
            "revoked_token"
        );
        own.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_in_memory_stays_with_the_parent() {
    if !is_alone("a_database_in_memory_stays_with_the_parent") {
        return;
    }
    let db = TestDatabase::sqlite_memory().await;
    let world = World::new(&db).await;
    let client = world.client("acme").await;
    fork::before();
    fork::in_parent();
    assert_eq!(
        code(world.auth.authenticate_client(&client.key).await),
        "accepted"
    );
    world.user(&client, "ana").await;
    fork::before();
    fork::in_child();
    assert_eq!(
        code(world.auth.authenticate_client(&client.key).await),
        "configuration"
    );
    let own = World::new(&TestDatabase::sqlite_memory().await).await;
    assert_eq!(
        code(own.auth.authenticate_client(&client.key).await),
        "invalid_client"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_that_was_not_prepared_for_opens_no_sqlite_database() {
    if !is_alone("a_child_that_was_not_prepared_for_opens_no_sqlite_database") {
        return;
    }
    let db = TestDatabase::sqlite().await;
    let world = World::new(&db).await;
    fork::in_child();
    assert_eq!(code(world.auth.run_maintenance().await), "configuration");
    let refused = open(&db, &[], &world.clock).await.unwrap_err();
    assert!(
        refused.to_string().contains("was forked while"),
        "{refused}"
    );
}
