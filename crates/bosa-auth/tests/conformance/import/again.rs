//! A run that is repeated, interrupted, or made beside the original that goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bosa_auth::{BackupMode, ClientId, ClientUpdate, RestoreOptions, UserId, UserUpdate, restore};
use bosa_auth_store::Store;
use bosa_auth_testkit::{TestDatabase, on_every_database};

use super::source::{DUMP, Source, counts, import, known, options, rows, text, world};
use crate::dump::dump;
use crate::support::{World, code};

const ACME: &str = "077621c2-9523-4583-8a0c-f367035f71ce";
const GLOBEX: &str = "df5f31e1-1c99-4b8b-8ab5-2a7f096663a5";
const ALICE: &str = "a023f9c3-9ef0-4b77-a4d6-16e00b1cd540";
const BOB: &str = "c830fb10-e265-4701-bd06-68c1927f234d";
const CAROL: &str = "6a8406bf-275b-4887-82fe-f3585f3761bb";

/// The key of a client in the fixture.
fn key(client: &str) -> String {
    let known = known();
    let found = rows(&known, "clients")
        .iter()
        .find(|of| text(of, "id") == client);
    text(found.unwrap(), "api_key").to_owned()
}

/// The live token of a user in the fixture.
fn token(user: &str) -> String {
    let known = known();
    let mut live = rows(&known, "tokens")
        .iter()
        .filter(|of| of["is_revoked"] == false);
    text(
        live.find(|of| text(of, "user_id") == user).unwrap(),
        "token",
    )
    .to_owned()
}

async fn verify(world: &World, client: &str, user: &str) -> &'static str {
    let service = world.auth.verify_token_service();
    code(
        service
            .verify_token_and_get_user_id(&key(client), &token(user))
            .await,
    )
}

async fn login(world: &World, client: &str, user: &str) -> &'static str {
    let known = known();
    let found = rows(&known, "users")
        .iter()
        .find(|of| text(of, "id") == user)
        .unwrap();
    let service = world.auth.authenticate_user_service();
    let (identifier, secret) = (text(found, "identifier"), text(found, "user_secret"));
    code(
        service
            .authenticate_user(&key(client), identifier, secret)
            .await,
    )
}

on_every_database! {
    async fn a_second_run_changes_nothing(db: TestDatabase) {
        let (world, source) = (world(&db).await, Source::fixture().await);
        source.import(&world.auth).await.unwrap();
        let first = dump(&db).await;
        let report = source.import(&world.auth).await.unwrap();
        assert_eq!(dump(&db).await, first);
        assert_eq!(counts(&report, "client"), [2, 0, 2, 0, 0, 0]);
        assert_eq!(counts(&report, "user"), [5, 0, 5, 0, 0, 0]);
        assert_eq!(counts(&report, "token"), [6, 0, 6, 0, 0, 0]);
        assert_eq!(counts(&report, "integration"), [8, 0, 8, 0, 0, 0]);
        assert_eq!(report.lines, []);
    }

    async fn a_run_that_was_interrupted_anywhere_goes_on(db: TestDatabase) {
        let (world, source) = (world(&db).await, Source::fixture().await);
        // Interrupted after each of the portions in turn.
        for stop_at in [2_u64, 7, 13] {
            let reached = Arc::new(AtomicBool::new(false));
            let seen = reached.clone();
            let operator = world.auth.operator();
            let options = source.options();
            let running = tokio::spawn(async move {
                let progress = Arc::new(move |done, _| {
                    if done == stop_at {
                        seen.store(true, Ordering::SeqCst);
                        panic!("killed");
                    }
                });
                let source = bosa_auth::ImportSource::open(options).await.unwrap();
                operator.import_bosa(source, progress).await
            });
            assert!(running.await.is_err());
            assert!(reached.load(Ordering::SeqCst));
        }
        let report = source.import(&world.auth).await.unwrap();
        assert_eq!(counts(&report, "token"), [6, 0, 6, 0, 0, 0]);
        assert_eq!(counts(&report, "integration"), [8, 8, 0, 0, 0, 0]);
        assert_eq!(verify(&world, ACME, ALICE).await, "accepted");
        assert_eq!(login(&world, ACME, BOB).await, "accepted");
    }

    async fn what_was_ended_or_changed_here_is_not_brought_back(db: TestDatabase) {
        let (world, source) = (world(&db).await, Source::fixture().await);
        source.import(&world.auth).await.unwrap();
        let operator = world.auth.operator();
        let (acme, globex): (ClientId, ClientId) = (ACME.parse().unwrap(), GLOBEX.parse().unwrap());
        let (alice, bob): (UserId, UserId) = (ALICE.parse().unwrap(), BOB.parse().unwrap());
        let tenant = operator.tenant(acme).await.unwrap();
        assert!(tenant.revoke_token(&token(ALICE)).await.unwrap());
        tenant.delete_integration(alice, "github", Some("alice-gh")).await.unwrap();
        let renamed = UserUpdate { identifier: Some("alice@new.test".to_owned()), ..Default::default() };
        tenant.update_user(alice, renamed).await.unwrap();
        tenant.reset_user_secret(bob).await.unwrap();
        operator.revoke_api_key(globex, bosa_auth::ApiKeyId::from(globex.as_uuid())).await.unwrap();
        let renamed = ClientUpdate { name: Some("Globex".to_owned()), ..Default::default() };
        operator.update_client(globex, renamed).await.unwrap();
        operator.tenant(globex).await.unwrap().delete_user(CAROL.parse().unwrap()).await.unwrap();
        let before = dump(&db).await;
        let report = source.import(&world.auth).await.unwrap();
        assert_eq!(dump(&db).await, before);
        assert_eq!(counts(&report, "user"), [5, 0, 5, 0, 0, 0]);

        // What the original makes for those meanwhile does not bring them back either.
        source.run("insert into public.tokens values \
            ('00000000-0000-4000-8000-000000000001', 'c830fb10-e265-4701-bd06-68c1927f234d', \
            '077621c2-9523-4583-8a0c-f367035f71ce', false, 2145916811), \
            ('00000000-0000-4000-8000-000000000002', '6a8406bf-275b-4887-82fe-f3585f3761bb', \
            'df5f31e1-1c99-4b8b-8ab5-2a7f096663a5', false, 2145916811)").await;
        let report = source.import(&world.auth).await.unwrap();
        assert_eq!(counts(&report, "token"), [8, 0, 6, 0, 2, 0]);
        let reasons: Vec<_> = report.lines.iter().map(|line| line.reason.as_str()).collect();
        assert_eq!(reasons, ["its user or client was deleted here", "its user or client was signed out here"]);

        operator.delete_client(acme).await.unwrap();
        let report = source.import(&world.auth).await.unwrap();
        assert_eq!(counts(&report, "client"), [2, 0, 2, 0, 0, 0]);
        assert_eq!(code(world.auth.authenticate_client(&key(ACME)).await), "invalid_client");
    }

    async fn what_was_ended_in_the_source_is_ended_here(db: TestDatabase) {
        let (world, source) = (world(&db).await, Source::fixture().await);
        source.import(&world.auth).await.unwrap();
        assert_eq!(verify(&world, ACME, ALICE).await, "accepted");
        source.run("update public.tokens set is_revoked = true where user_id = 'a023f9c3-9ef0-4b77-a4d6-16e00b1cd540'; \
            update public.users set is_active = false where identifier = 'bob'; \
            update public.clients set is_active = null where name <> 'acme'").await;
        let before = dump(&db).await;
        let dry = bosa_auth::ImportOptions { dry_run: true, ..source.options() };
        let dry = import(&world.auth, dry).await.unwrap();
        assert_eq!(dump(&db).await, before);
        let report = source.import(&world.auth).await.unwrap();
        assert_eq!((dry.kinds, dry.lines), (report.kinds.clone(), report.lines.clone()));
        for kind in ["client", "user", "token"] {
            assert_eq!(counts(&report, kind)[5], 1, "{kind}");
        }
        assert_eq!(verify(&world, ACME, ALICE).await, "revoked_token");
        assert_eq!(login(&world, ACME, BOB).await, "unauthorized");
        assert_eq!(code(world.auth.authenticate_client(&key(GLOBEX)).await), "invalid_client");

        // Let in again here, it stays so, since nothing was ended in the source since.
        let resumed = ClientUpdate { is_active: Some(true), ..Default::default() };
        world.auth.operator().update_client(GLOBEX.parse().unwrap(), resumed).await.unwrap();
        let before = dump(&db).await;
        source.import(&world.auth).await.unwrap();
        assert_eq!(dump(&db).await, before);
        assert_eq!(login(&world, GLOBEX, CAROL).await, "accepted");
    }

    async fn what_changed_in_the_source_and_not_here_is_brought_up_to_date(db: TestDatabase) {
        let (world, source) = (world(&db).await, Source::fixture().await);
        source.run("update public.tokens set expires_at = 1800000000").await;
        source.import(&world.auth).await.unwrap();
        let (acme, alice): (ClientId, UserId) = (ACME.parse().unwrap(), ALICE.parse().unwrap());
        let tenant = world.auth.operator().tenant(acme).await.unwrap();
        let end = async || tenant.verify_token(&token(ALICE)).await.unwrap().expires_at;
        assert_eq!(end().await, 1_800_000_000);
        // By the time of a change it is known to be one of ours.
        world.clock.advance(std::time::Duration::from_secs(1));
        let update = bosa_auth::IntegrationUpdate { auth_string: Some("changed here".into()), ..Default::default() };
        tenant.update_integration_auth(alice, "github", "alice-work-gh", update).await.unwrap();
        // Both accounts get the value of a third one.
        source.run("update public.tokens set expires_at = 1900000000; \
            update public.third_party_integration_auths set auth_string = (select auth_string \
            from public.third_party_integration_auths where user_identifier = 'bob-gh') where connector = 'github'").await;
        let dry = bosa_auth::ImportOptions { dry_run: true, ..source.options() };
        let dry = import(&world.auth, dry).await.unwrap();
        assert_eq!(end().await, 1_800_000_000);
        let report = source.import(&world.auth).await.unwrap();
        assert_eq!((dry.kinds, dry.lines), (report.kinds.clone(), report.lines.clone()));
        assert_eq!(report.lines.len(), 1);
        // What is remembered of a token is read again once its end is reached.
        let now = bosa_auth::Clock::now(&world.clock).as_second();
        world.clock.advance(std::time::Duration::from_secs(u64::try_from(1_800_000_010 - now).unwrap()));
        assert_eq!(end().await, 1_900_000_000);
        let service = world.auth.third_party_integration_service();
        let read = async |name: &str| {
            let found = service.get_integration_for(acme, alice, "github", name).await.unwrap().unwrap();
            found.auth_string.expose().to_owned()
        };
        assert_eq!(read("alice-gh").await, "ghp_plainpat0123456789");
        assert_eq!(read("alice-work-gh").await, "changed here");
        let before = dump(&db).await;
        source.import(&world.auth).await.unwrap();
        assert_eq!(dump(&db).await, before);
        // Brought up to date once, it still is not one that was changed here.
        source.run("update public.third_party_integration_auths set auth_string = (select auth_string \
            from public.third_party_integration_auths where user_identifier = 'carol@gmail.test') where user_identifier = 'alice-gh'").await;
        source.import(&world.auth).await.unwrap();
        assert_eq!(read("alice-gh").await, "x");
    }

    async fn what_lost_its_owner_in_the_source_stays_and_can_still_be_switched_off(db: TestDatabase) {
        let (world, source) = (world(&db).await, Source::fixture().await);
        source.import(&world.auth).await.unwrap();
        source.run("update public.users set client_id = null where identifier = 'bob'; \
            update public.users set client_id = 'df5f31e1-1c99-4b8b-8ab5-2a7f096663a5' where identifier = 'alice@acme.test'; \
            update public.tokens set user_id = null; \
            update public.third_party_integration_auths set client_id = null where user_identifier = 'bob-gh'").await;
        let before = dump(&db).await;
        let report = source.import(&world.auth).await.unwrap();
        assert_eq!(dump(&db).await, before);
        assert_eq!((counts(&report, "user"), counts(&report, "token")), ([5, 0, 5, 0, 0, 0], [6, 0, 6, 0, 0, 0]));
        assert_eq!(login(&world, ACME, BOB).await, "accepted");
        source.run("update public.users set is_active = false where identifier in ('bob', 'alice@acme.test')").await;
        let report = source.import(&world.auth).await.unwrap();
        assert_eq!(counts(&report, "user"), [5, 0, 5, 0, 0, 2]);
        for user in [ALICE, BOB] {
            assert_eq!(login(&world, ACME, user).await, "unauthorized");
        }
    }

    async fn a_token_that_ended_here_goes_on_if_its_end_moved_in_the_source(db: TestDatabase) {
        let (world, source) = (world(&db).await, Source::fixture().await);
        source.run("update public.tokens set expires_at = 1800000000").await;
        source.import(&world.auth).await.unwrap();
        let until = |end: i64| std::time::Duration::from_secs(u64::try_from(end - bosa_auth::Clock::now(&world.clock).as_second()).unwrap());
        let over = 1_800_000_000 + 89 * 24 * 60 * 60;
        world.clock.advance(until(over));
        world.auth.run_maintenance().await.unwrap();
        assert_eq!(verify(&world, ACME, ALICE).await, "expired_token");
        source.run("update public.tokens set expires_at = 2000000000").await;
        source.import(&world.auth).await.unwrap();
        assert_eq!(verify(&world, ACME, ALICE).await, "accepted");
        // Nobody waits for it for ever.
        world.clock.advance(until(2_000_000_000 + 91 * 24 * 60 * 60));
        world.auth.run_maintenance().await.unwrap();
        assert_eq!(crate::support::counts(&db).await.tokens, 0);
    }

    async fn a_backup_carries_what_an_import_remembers(db: TestDatabase) {
        let (world, source) = (world(&db).await, Source::fixture().await);
        source.import(&world.auth).await.unwrap();
        let tenant = world.auth.operator().tenant(ACME.parse().unwrap()).await.unwrap();
        tenant.delete_user(BOB.parse().unwrap()).await.unwrap();
        let files = tempfile::tempdir().unwrap();
        let archive = files.path().join("backup.jsonl");
        world.auth.operator().backup(&archive, BackupMode::Copy, Arc::new(|_| ())).await.unwrap();
        let target = TestDatabase::postgres().await;
        let configuration = crate::support::configuration(&target, &[]).unwrap();
        restore(&configuration, &archive, RestoreOptions::default(), Arc::new(|_| ())).await.unwrap();
        let restored = crate::import::source::world(&target).await;
        let report = source.import(&restored.auth).await.unwrap();
        assert_eq!(counts(&report, "user"), [5, 0, 5, 0, 0, 0]);
        assert_eq!(bosa_auth_store::counts(&Store::new(target.db().clone())).await.unwrap().users, 4);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_source_can_be_the_database_that_is_filled() {
    let db = TestDatabase::postgres().await;
    db.run(DUMP).await;
    let world = world(&db).await;
    let report = import(&world.auth, options(&db.address())).await.unwrap();
    assert_eq!(counts(&report, "user"), [5, 5, 0, 0, 0, 0]);
    assert_eq!(verify(&world, ACME, ALICE).await, "accepted");
    assert_eq!(login(&world, ACME, BOB).await, "accepted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_runs_at_once_import_everything_once() {
    for db in [TestDatabase::sqlite().await, TestDatabase::postgres().await] {
        let (world, source) = (world(&db).await, Source::fixture().await);
        let (first, second) = tokio::join!(source.import(&world.auth), source.import(&world.auth));
        for report in [first.unwrap(), second.unwrap()] {
            for kind in ["client", "user", "token", "integration"] {
                let [read, imported, already_there, ..] = counts(&report, kind);
                assert_eq!(read, imported + already_there, "{kind}");
            }
        }
        let counted = crate::support::counts(&db).await;
        let there = (
            counted.clients,
            counted.users,
            counted.tokens,
            counted.integrations,
        );
        assert_eq!(there, (2, 5, 6, 8));
    }
}
