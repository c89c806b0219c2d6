//! Rows that the original's interface does not make, or should not.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bosa_auth::{ClientId, UserId};
use bosa_auth_core::UserState;
use bosa_auth_testkit::{TestDatabase, on_every_database};

use serde_json::json;

use super::source::{Source, counts, import, known, rows, text, world};
use crate::hostile::signed;
use crate::support::{World, code};

const ODD: &str = include_str!("../../fixtures/original-schemas/odd.sql");
const ACME: &str = "077621c2-9523-4583-8a0c-f367035f71ce";
const ALICE: &str = "a023f9c3-9ef0-4b77-a4d6-16e00b1cd540";
const BOB: &str = "c830fb10-e265-4701-bd06-68c1927f234d";

fn id(last: u32) -> String {
    format!("00000000-0000-4000-8000-{last:012x}")
}

/// The secret that an odd user got: bob's, under another name.
fn secret(user: &str, identifier: &str) -> String {
    let known = known();
    let (user, label) = (
        URL_SAFE_NO_PAD.encode(user),
        URL_SAFE_NO_PAD.encode(identifier),
    );
    format!(
        "sk-user-{user}.{label}.{}",
        text(&rows(&known, "users")[1], "secret_tail")
    )
}

async fn odd(db: &TestDatabase) -> (World, Source) {
    let (world, source) = (world(db).await, super::older::source(6).await);
    source.run(ODD).await;
    (world, source)
}

on_every_database! {
    async fn nothing_is_dropped_without_a_line(db: TestDatabase) {
        let (world, source) = odd(&db).await;
        let dry = bosa_auth::ImportOptions { dry_run: true, ..source.options() };
        let dry = import(&world.auth, dry).await.unwrap();
        let report = source.import(&world.auth).await.unwrap();
        assert_eq!((&dry.kinds, &dry.lines), (&report.kinds, &report.lines));
        assert_eq!(counts(&report, "client"), [8, 8, 0, 7, 0, 0]);
        assert_eq!(counts(&report, "user"), [10, 9, 0, 3, 1, 0]);
        assert_eq!(counts(&report, "token"), [8, 4, 0, 1, 4, 0]);
        assert_eq!(counts(&report, "integration"), [12, 9, 0, 4, 3, 0]);
        for of in &report.kinds {
            let skipped: u64 = of.reasons.iter().filter(|why| why.outcome == bosa_auth::ImportOutcome::Skipped).map(|why| why.count).sum();
            assert_eq!(skipped, of.skipped, "{}", of.kind);
        }
        let before = crate::dump::dump(&db).await;
        let again = source.import(&world.auth).await.unwrap();
        assert_eq!(crate::dump::dump(&db).await, before);
        assert_eq!(counts(&again, "integration"), [12, 0, 9, 0, 3, 0]);
    }

    async fn names_are_kept_byte_for_byte_and_their_keys_work(db: TestDatabase) {
        let (world, source) = odd(&db).await;
        source.import(&world.auth).await.unwrap();
        let operator = world.auth.operator();
        for (number, name) in [(0xc1, id(0xc1)), (0xc2, "漢".repeat(800)), (0xc3, " two  blanks ".to_owned()), (0xc4, String::new()), (0xc6, "line\nbreak'".to_owned())] {
            let found = operator.find_client_named(&name).await.unwrap();
            assert_eq!((found.id.to_string(), found.name), (id(number), name));
        }
        let key = |number: u32, name: &str, secret: &str| {
            let (id, name) = (URL_SAFE_NO_PAD.encode(id(number)), URL_SAFE_NO_PAD.encode(name));
            format!("sk-client-{id}.{name}.{secret}")
        };
        let stored = |number: u32| {
            let row = ODD.lines().find(|line| line.contains(&id(number)) && line.contains("null, null)")).unwrap();
            row.rsplit('\'').nth(1).unwrap().to_owned()
        };
        for (number, name, expected) in [(0xc2, "漢".repeat(800), "accepted"), (0xc3, " two  blanks ".to_owned(), "accepted"), (0xc5, "null flag".to_owned(), "invalid_client")] {
            let key = key(number, &name, &stored(number));
            assert_eq!(code(world.auth.authenticate_client(&key).await), expected);
        }

        let acme: ClientId = ACME.parse().unwrap();
        let tenant = operator.tenant(acme).await.unwrap();
        for (number, identifier) in [(0xd1, "café".to_owned()), (0xd2, "cafe\u{301}".to_owned()), (0xd3, "x".repeat(2000)), (0xd4, id(0xd4))] {
            let found = tenant.find_user_by_identifier(&identifier).await.unwrap();
            assert_eq!((found.id.to_string(), found.identifier.as_str()), (id(number), identifier.as_str()));
            let secret = secret(&id(number), &identifier);
            assert_eq!(code(tenant.authenticate_user(&identifier, &secret).await), "accepted");
            let taken = bosa_auth::NewUser { identifier: identifier.clone(), secret: None };
            assert_ne!(code(tenant.create_user(taken).await), "accepted");
        }
        for number in [0xd5, 0xd6] {
            let user: UserId = id(number).parse().unwrap();
            let found = tenant.find_user(user).await.unwrap();
            assert_eq!(code(tenant.authenticate_user(&found.identifier, &secret(&id(number), &found.identifier)).await), "unauthorized");
            assert!(!tenant.reset_user_secret(user).await.unwrap().secret.is_empty());
        }
    }

    async fn names_as_long_as_the_original_takes_them_go_on(db: TestDatabase) {
        let (world, source) = (world(&db).await, Source::fixture().await);
        source.run("update public.clients set name = repeat('漢', 10000) where id = '077621c2-9523-4583-8a0c-f367035f71ce'; \
            update public.users set identifier = repeat('漢', 10000) where identifier = 'bob'; \
            insert into public.tokens values ('00000000-0000-4000-8000-0000000000e1', \
            'c830fb10-e265-4701-bd06-68c1927f234d', '077621c2-9523-4583-8a0c-f367035f71ce', false, 2145916811)").await;
        source.import(&world.auth).await.unwrap();
        let (known, name) = (known(), "漢".repeat(10_000));
        let label = URL_SAFE_NO_PAD.encode(&name);
        let stored = text(&rows(&known, "clients")[0], "secret");
        let key = format!("sk-client-{}.{label}.{stored}", URL_SAFE_NO_PAD.encode(ACME));
        let tenant = world.auth.authenticate_client(&key).await.unwrap();
        // Argon2 first, the digest then; what is issued here holds the name cut.
        for _ in 0..2 {
            let token = tenant.authenticate_user(&name, &secret(BOB, &name)).await.unwrap().token;
            assert!(token.expose().len() < 4096);
            assert_eq!(tenant.verify_token(token.expose()).await.unwrap().identifier, name);
        }
        let claims = json!({ "sub": BOB, "client_id": BOB, "identifier": name, "jti": id(0xe1) });
        let token = signed(&json!({ "typ": "JWT", "alg": "HS256" }), &claims);
        for _ in 0..2 {
            assert_eq!(tenant.verify_token(&token).await.unwrap().user_id.to_string(), BOB);
        }
    }

    async fn accounts_have_one_default_and_are_found_by_their_exact_names(db: TestDatabase) {
        let (world, source) = odd(&db).await;
        source.import(&world.auth).await.unwrap();
        let (acme, bob): (ClientId, UserId) = (ACME.parse().unwrap(), BOB.parse().unwrap());
        let service = world.auth.third_party_integration_service();
        for (connector, name, value) in [("slack", "newest of two", "s2"), ("google", "new", "g2"), ("Weird Connector/Ä", "twice", "w1")] {
            let found = service.get_integration(acme, bob, connector).await.unwrap().unwrap();
            assert_eq!((found.user_identifier.as_str(), found.auth_string.expose()), (name, value));
            assert!(service.has_integration(acme, bob, connector).await.unwrap());
        }
        let all = service.get_integrations(acme, bob).await.unwrap();
        assert_eq!(all.iter().filter(|found| found.selected).count(), 5);
        let weird = all.iter().find(|found| found.connector.starts_with("Weird")).unwrap();
        assert_eq!(weird.auth_scopes, ["a", "b"]);
        let tenant = world.auth.operator().tenant(acme).await.unwrap();
        tenant.set_selected_integration(bob, "Weird Connector/Ä", "twice").await.unwrap();
        assert!(tenant.delete_integration(bob, "Weird Connector/Ä", None).await.unwrap());
        // An empty one names nothing, and what was never there is malformed.
        for connector in ["", "Weird Connector/Ä", "weird connector/Ä"] {
            assert_eq!(code(tenant.has_integration(bob, connector).await), "invalid_input");
        }
    }

    async fn a_name_that_is_taken_here_gets_another_and_goes_on_by_the_old_one(db: TestDatabase) {
        let (world, source, known) = (world(&db).await, Source::fixture().await, known());
        let acme = world.client("acme").await;
        let report = source.import(&world.auth).await.unwrap();
        assert_eq!(counts(&report, "client"), [2, 2, 0, 1, 0, 0]);
        let key = text(&rows(&known, "clients")[0], "api_key");
        let imported = world.auth.authenticate_client(key).await.unwrap();
        assert_eq!(imported.client().name, "acme (imported)");
        assert_eq!(world.auth.authenticate_client(&acme.key).await.unwrap().client().name, "acme");

        // The imported client got a user of its own before the original made one of that name.
        imported.create_user(bosa_auth::NewUser { identifier: "eve".to_owned(), secret: None }).await.unwrap();
        source.run("insert into public.users select '00000000-0000-4000-8000-0000000000ee', 'eve', secret, null, true, client_id \
            from public.users where identifier = 'bob'").await;
        let report = source.import(&world.auth).await.unwrap();
        assert_eq!(counts(&report, "user"), [6, 1, 5, 1, 0, 0]);
        let eve = "00000000-0000-4000-8000-0000000000ee";
        let secret = secret(eve, "eve");
        for (identifier, expected) in [("eve", "accepted"), ("eve (imported)", "accepted"), ("bob", "unauthorized")] {
            assert_eq!(code(imported.authenticate_user(identifier, &secret).await), expected);
            assert_eq!(code(world.auth.authenticate_user_without_client(identifier, &secret, None).await), expected);
        }
        let other = world.auth.authenticate_client(&acme.key).await.unwrap();
        assert_eq!(code(other.authenticate_user("eve", &secret).await), "unauthorized");
        // A secret of an unknown user is refused by the same words.
        let unknown = secret.replace(&URL_SAFE_NO_PAD.encode(eve), &URL_SAFE_NO_PAD.encode(id(1)));
        assert_eq!(code(imported.authenticate_user("eve", &unknown).await), "unauthorized");
        let rows = db.db().read("select state from bosa_users where identifier = 'eve (imported)'", vec![]).await.unwrap();
        assert_eq!(rows[0].get::<String>(0).unwrap(), UserState::Active.as_str());
    }

    async fn an_account_that_stands_in_for_a_skipped_default_has_a_line(db: TestDatabase) {
        let (world, source) = (world(&db).await, Source::fixture().await);
        // Alice's default account at GitHub does not decrypt; the other one is the only one left.
        source.run("update public.third_party_integration_auths set auth_string = 'corrupt' \
            where connector = 'github' and selected and user_id = 'a023f9c3-9ef0-4b77-a4d6-16e00b1cd540'").await;
        let dry = bosa_auth::ImportOptions { dry_run: true, ..source.options() };
        let dry = import(&world.auth, dry).await.unwrap();
        let report = source.import(&world.auth).await.unwrap();
        assert_eq!((&dry.kinds, &dry.lines), (&report.kinds, &report.lines));
        let mut reasons: Vec<_> = report.lines.iter().map(|line| line.reason.as_str()).collect();
        reasons.sort_unstable();
        assert_eq!(reasons, ["its value does not decrypt", "the default account of its connector was skipped: it is the default"]);
        // Nobody is moved back once the value is repaired in the source; it just arrives, and is followed.
        for (value_of, expected) in [("bob-gh", "ghp_plainpat0123456789"), ("carol@gmail.test", "x")] {
            source.run(match value_of {
                "bob-gh" => "update public.third_party_integration_auths set auth_string = (select auth_string \
                    from public.third_party_integration_auths where user_identifier = 'bob-gh') where auth_string = 'corrupt'",
                _ => "update public.third_party_integration_auths set auth_string = (select auth_string \
                    from public.third_party_integration_auths where user_identifier = 'carol@gmail.test') where user_identifier like 'alice%gh'",
            }).await;
            world.clock.advance(std::time::Duration::from_secs(60));
            source.import(&world.auth).await.unwrap();
            let service = world.auth.third_party_integration_service();
            let (acme, alice): (ClientId, UserId) = (ACME.parse().unwrap(), ALICE.parse().unwrap());
            let all = service.get_integrations(acme, alice).await.unwrap();
            let mut of_github: Vec<_> = all.iter().filter(|found| found.connector == "github").collect();
            of_github.sort_by_key(|found| found.selected);
            assert_eq!(of_github.iter().map(|found| found.selected).collect::<Vec<_>>(), [false, true]);
            assert_eq!(of_github[0].auth_string.expose(), expected);
        }
    }

    async fn a_long_name_that_is_taken_gets_a_shorter_one(db: TestDatabase) {
        let (world, source) = (world(&db).await, Source::fixture().await);
        // As long as an index of PostgreSQL takes it, and incompressible.
        source.run("insert into public.users select '00000000-0000-4000-8000-0000000000ee', \
            (select string_agg(md5(n::text), '') from generate_series(1, 80) as n), secret, null, true, client_id \
            from public.users where identifier = 'bob'").await;
        source.import(&world.auth).await.unwrap();
        let tenant = world.auth.operator().tenant(ACME.parse().unwrap()).await.unwrap();
        let id: UserId = "00000000-0000-4000-8000-0000000000ee".parse().unwrap();
        let long = tenant.find_user(id).await.unwrap().identifier;
        assert_eq!(long.len(), 2560);
        // Another of that name, which only another source can have.
        let other = Source::fixture().await;
        other.run("insert into public.users select '00000000-0000-4000-8000-0000000000ef', \
            (select string_agg(md5(n::text), '') from generate_series(1, 80) as n), secret, null, true, client_id \
            from public.users where identifier = 'bob'").await;
        let report = other.import(&world.auth).await.unwrap();
        assert_eq!(counts(&report, "user"), [6, 1, 5, 1, 0, 0]);
        let found = tenant.find_user("00000000-0000-4000-8000-0000000000ef".parse().unwrap()).await.unwrap();
        assert_eq!(found.identifier, format!("{} (imported)", &long[..1024]));
        let secret = secret("00000000-0000-4000-8000-0000000000ef", &long);
        assert_eq!(code(tenant.authenticate_user(&long, &secret).await), "accepted");
    }

    async fn what_cannot_be_encrypted_says_nothing_about_the_password(db: TestDatabase) {
        let (world, source) = (world(&db).await, Source::fixture().await);
        source.run("update public.third_party_integration_auths set auth_string = 'ghp_plain_text'").await;
        let report = source.import(&world.auth).await.unwrap();
        assert_eq!(counts(&report, "integration"), [8, 0, 0, 0, 8, 0]);
    }

    async fn rows_of_one_source_that_would_get_the_same_name_get_two(db: TestDatabase) {
        // The first schema lets an account be there twice; and a client without a name gets its id, which is
        // another's name.
        let (world, source) = (world(&db).await, crate::import::older::source(1).await);
        source.run("insert into third_party_integration_auths (id, user_id, client_id, connector, user_identifier, auth_string, auth_scopes) \
            select md5(n::text)::uuid, user_id, client_id, connector, user_identifier, 'twin ' || n, auth_scopes \
            from third_party_integration_auths, generate_series(1, 2) as n where user_identifier = 'bob-gh'; \
            insert into clients (id, name, secret, is_active) values \
            ('00000000-0000-4000-8000-0000000000c1', null, 'a', true), \
            ('00000000-0000-4000-8000-0000000000c2', '00000000-0000-4000-8000-0000000000c1', 'b', true)").await;
        let dry = bosa_auth::ImportOptions { dry_run: true, ..source.options() };
        let dry = import(&world.auth, dry).await.unwrap();
        let report = source.import(&world.auth).await.unwrap();
        assert_eq!((&dry.kinds, &dry.lines), (&report.kinds, &report.lines));
        assert_eq!(counts(&report, "integration"), [4, 4, 0, 2, 0, 0]);
        let (acme, bob): (ClientId, UserId) = (ACME.parse().unwrap(), BOB.parse().unwrap());
        let all = world.auth.third_party_integration_service().get_integrations(acme, bob).await.unwrap();
        let mut found: Vec<_> = all.iter().map(|found| found.user_identifier.as_str()).collect();
        found.sort_unstable();
        assert_eq!(found, ["bob-gh", "bob-gh (imported 2)", "bob-gh (imported)"]);
        let second = world.auth.operator().find_client(id(0xc2).parse().unwrap()).await.unwrap();
        assert_eq!(second.name, format!("{} (imported)", id(0xc1)));
    }
}
