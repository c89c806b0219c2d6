//! Databases of older versions of the original, and how they are opened.

use std::time::Duration;

use bosa_auth::{Clock as _, ImportOptions, Secret};
use bosa_auth_testkit::{TestDatabase, on_every_database};
use serde_json::json;

use super::source::{Source, counts, import, known, rows, text, world};
use crate::hostile::signed;
use crate::support::{World, code};

const SCHEMA_1: &str = include_str!("../../fixtures/original-schemas/schema_1.sql");
const ROWS: &str = include_str!("../../fixtures/original-schemas/rows.sql");
const STEPS: [&str; 5] = [
    include_str!("../../fixtures/original-schemas/to_2.sql"),
    include_str!("../../fixtures/original-schemas/to_3.sql"),
    include_str!("../../fixtures/original-schemas/to_4.sql"),
    include_str!("../../fixtures/original-schemas/to_5.sql"),
    include_str!("../../fixtures/original-schemas/to_6.sql"),
];
const ALICE: &str = "a023f9c3-9ef0-4b77-a4d6-16e00b1cd540";

/// A source that was made by version 1 and brought up to `version`.
pub(super) async fn source(version: usize) -> Source {
    let source = Source::of(SCHEMA_1).await;
    source.run(ROWS).await;
    for step in &STEPS[..version - 1] {
        source.run(step).await;
    }
    source
}

/// A token as versions before 0.9 made them, or without its `exp`.
fn token(world: &World, jti: &str, lasts: Option<i64>) -> String {
    let mut claims =
        json!({ "sub": ALICE, "client_id": ALICE, "identifier": "alice@acme.test", "jti": jti });
    if let Some(lasts) = lasts {
        claims["exp"] = json!(world.clock.now().as_second() + lasts);
    }
    signed(&json!({ "alg": "HS256", "typ": "JWT" }), &claims)
}

on_every_database! {
    async fn every_schema_version_is_read(db: TestDatabase) {
        drop(db.address());
        let known = known();
        let (acme, alice) = (&rows(&known, "clients")[0], &rows(&known, "users")[0]);
        for version in 1..=6 {
            let db = if db.directory().is_some() { TestDatabase::sqlite().await } else { TestDatabase::postgres().await };
            let (world, source) = (world(&db).await, source(version).await);
            let mut options = source.options();
            if version < 4 {
                (options.encryption_password, options.encryption_salt) = (None, None);
            }
            let dry = ImportOptions { dry_run: true, from: Secret::from(options.from.expose()), ..source.options() };
            let dry = import(&world.auth, dry).await.unwrap();
            let report = import(&world.auth, options).await.unwrap();
            assert_eq!((dry.kinds, dry.lines), (report.kinds.clone(), report.lines.clone()));
            assert_eq!(report.source_version, i64::try_from(version).unwrap());
            assert_eq!(report.lines, [], "version {version}");
            for (kind, count) in [("client", 1), ("user", 2), ("token", 2), ("integration", 2)] {
                assert_eq!(counts(&report, kind), [count, count, 0, 0, 0, 0], "version {version}");
            }
            let tenant = world.auth.authenticate_client(text(acme, "api_key")).await.unwrap();
            assert!(!tenant.client().can_get_integrations);
            let secret = text(alice, "user_secret");
            assert_eq!(code(tenant.authenticate_user("alice@acme.test", secret).await), "accepted");
            let service = world.auth.third_party_integration_service();
            let account = service.get_integration(tenant.client().id, ALICE.parse::<bosa_auth::UserId>().unwrap(), "github").await.unwrap().unwrap();
            assert_eq!(account.auth_string.expose(), r#"{"access_token":"gho_alice","token_type":"bearer"}"#);
            assert!(account.selected);
        }
    }

    async fn of_accounts_without_times_the_first_that_was_stored_is_the_default(db: TestDatabase) {
        // The first schema lets one account be stored twice.
        let (world, source, known) = (world(&db).await, source(1).await, known());
        source.run("insert into third_party_integration_auths (id, user_id, client_id, connector, user_identifier, auth_string, auth_scopes) \
            select x.id::uuid, user_id, client_id, 'slack', x.name, x.value, '{}' from third_party_integration_auths, (values \
            ('00000000-0000-4000-8000-0000000000b2', 'same', 'first'), ('00000000-0000-4000-8000-0000000000b3', 'other', 'second'), \
            ('00000000-0000-4000-8000-0000000000b1', 'same', 'third')) as x (id, name, value) where user_identifier = 'bob-gh'").await;
        let report = source.import(&world.auth).await.unwrap();
        assert_eq!(counts(&report, "integration"), [5, 5, 0, 1, 0, 0]);
        let bob: bosa_auth::UserId = text(&rows(&known, "users")[1], "id").parse().unwrap();
        let acme: bosa_auth::ClientId = text(&rows(&known, "clients")[0], "id").parse().unwrap();
        let service = world.auth.third_party_integration_service();
        let default = service.get_integration(acme, bob, "slack").await.unwrap().unwrap();
        assert_eq!((default.user_identifier.as_str(), default.auth_string.expose()), ("same", "first"));
        for (name, value) in [("other", "second"), ("same (imported)", "third")] {
            let found = service.get_integration_for(acme, bob, "slack", name).await.unwrap().unwrap();
            assert_eq!((found.selected, found.auth_string.expose()), (false, value));
        }
    }

    async fn a_token_whose_row_knows_no_end_ends_by_itself_and_only_so(db: TestDatabase) {
        for version in [5, 6] {
            let db = if db.directory().is_some() { TestDatabase::sqlite().await } else { TestDatabase::postgres().await };
            let (world, source, known) = (world(&db).await, source(version).await, known());
            source.import(&world.auth).await.unwrap();
            let key = text(&rows(&known, "clients")[0], "api_key");
            let live = "00000000-0000-4000-8000-0000000000a1";
            let tenant = world.auth.authenticate_client(key).await.unwrap();
            let timed = token(&world, live, Some(3600));
            // Read, and remembered.
            for _ in 0..2 {
                let verified = tenant.verify_token(&timed).await.unwrap();
                assert_eq!(verified.expires_at, world.clock.now().as_second() + 3600);
            }
            assert_eq!(code(tenant.verify_token(&token(&world, live, None)).await), "invalid_token");
            assert_eq!(code(tenant.verify_token(&token(&world, live, Some(-60))).await), "expired_token");
            let revoked = token(&world, "00000000-0000-4000-8000-0000000000a2", Some(3600));
            assert_eq!(code(tenant.verify_token(&revoked).await), "revoked_token");
            world.clock.advance(Duration::from_secs(3610));
            assert_eq!(code(tenant.verify_token(&timed).await), "expired_token");
        }
    }

    async fn a_user_who_may_only_select_from_a_read_only_database_is_enough(db: TestDatabase) {
        let (world, source) = (world(&db).await, Source::fixture().await);
        source.run("do $$ begin if not exists (select 1 from pg_roles where rolname = 'import_reader') \
            then create role import_reader login; end if; exception when unique_violation or duplicate_object then null; end $$").await;
        let address = source.db.address();
        let (scheme, rest) = address.split_once("://").unwrap();
        let host = rest.split_once('@').map_or(rest, |(_, host)| host);
        let reader = || ImportOptions { from: format!("{scheme}://import_reader@{host}").as_str().into(), ..source.options() };
        let refused = import(&world.auth, reader()).await.unwrap_err();
        assert!(refused.to_string().contains("grant select"), "{refused}");
        assert_eq!(refused.code(), "configuration");
        source.run("grant select on all tables in schema public to import_reader; \
            do $$ begin execute format('alter database %I set default_transaction_read_only = on', current_database()); end $$").await;
        let report = import(&world.auth, reader()).await.unwrap();
        assert_eq!(counts(&report, "integration"), [8, 8, 0, 0, 0, 0]);
    }

    async fn what_is_no_database_of_the_original_is_refused(db: TestDatabase) {
        let world = world(&db).await;
        let empty = Source { db: TestDatabase::postgres().await };
        let never_filled = source(1).await;
        never_filled.run("update bosa_auth_database_versions set version = 0").await;
        let newer = source(6).await;
        newer.run("update bosa_auth_database_versions set version = 7").await;
        let (no_tokens, no_names) = (source(6).await, source(6).await);
        no_tokens.run("drop table tokens").await;
        no_names.run("alter table users drop column identifier cascade").await;
        for (source, says) in [
            (&empty, "no table"),
            (&never_filled, "version 0"),
            (&newer, "version 7"),
            (&no_tokens, "\"tokens\" does not exist"),
            (&no_names, "identifier does not exist"),
        ] {
            let refused = source.import(&world.auth).await.unwrap_err();
            assert_eq!(refused.code(), "configuration");
            assert!(refused.to_string().contains(says), "{refused}");
        }
        let other = ImportOptions { from: "sqlite:///somewhere.db".into(), ..empty.options() };
        assert_eq!(code(import(&world.auth, other).await), "configuration");
        let away = ImportOptions { from: "postgresql://nobody@127.0.0.1:1/none".into(), ..empty.options() };
        assert_eq!(code(import(&world.auth, away).await), "database_unavailable");
    }
}
