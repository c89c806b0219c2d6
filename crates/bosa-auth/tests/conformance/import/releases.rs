//! Databases that releases of the original made, of each schema version, with all that they gave away.

use bosa_auth::{
    Auth, ClientId, ClientUpdate, ImportOptions, ImportReport, Secret, UserId, UserUpdate,
};
use bosa_auth_testkit::{TestDatabase, on_every_database};
use serde_json::Value;

use super::redis::Redis;
use super::source::{Source, counts, rows, text};
use crate::dump::dump;
use crate::support::{World, code, open};

/// A database, and what is known of it.
struct Made {
    version: i64,
    dump: &'static str,
    known: &'static str,
    /// What was in Redis, where that has tokens that the database lacks.
    redis: Option<&'static str>,
}

macro_rules! made {
    ($version:literal, $name:literal with its Redis) => {
        Made {
            redis: Some(include_str!(concat!(
                "../../fixtures/original-releases/",
                $name,
                "/redis.txt"
            ))),
            ..made!($version, $name)
        }
    };
    ($version:literal, $name:literal) => {
        Made {
            version: $version,
            dump: include_str!(concat!(
                "../../fixtures/original-releases/",
                $name,
                "/dump.sql"
            )),
            known: include_str!(concat!(
                "../../fixtures/original-releases/",
                $name,
                "/known.json"
            )),
            redis: None,
        }
    };
}

on_every_database! {
    async fn of_0_4_5_everything_arrives(db: TestDatabase) {
        everything_arrives(&db, &made!(1, "0.4.5")).await;
    }

    async fn of_0_6_2_everything_arrives(db: TestDatabase) {
        everything_arrives(&db, &made!(2, "0.6.2")).await;
    }

    async fn of_0_7_5_everything_arrives(db: TestDatabase) {
        everything_arrives(&db, &made!(3, "0.7.5")).await;
    }

    async fn of_0_8_0_everything_arrives(db: TestDatabase) {
        everything_arrives(&db, &made!(4, "0.8.0")).await;
    }

    async fn of_0_8_6_everything_arrives(db: TestDatabase) {
        everything_arrives(&db, &made!(5, "0.8.6")).await;
    }

    async fn of_0_9_0_everything_arrives(db: TestDatabase) {
        everything_arrives(&db, &made!(5, "0.9.0" with its Redis)).await;
    }

    async fn of_0_9_2_everything_arrives(db: TestDatabase) {
        everything_arrives(&db, &made!(5, "0.9.2" with its Redis)).await;
    }

    async fn of_0_9_7_everything_arrives(db: TestDatabase) {
        everything_arrives(&db, &made!(6, "0.9.7")).await;
    }

    async fn a_token_that_is_in_redis_alone_follows_its_key(db: TestDatabase) {
        let made = made!(5, "0.9.2" with its Redis);
        let known: Value = serde_json::from_str(made.known).unwrap();
        let (world, source) = (world(&db, &known).await, Source::of(made.dump).await);
        let redis = Redis::of(made.redis.unwrap()).await;
        let first = import(&world.auth, &source, &known, Some(&redis), false).await;
        let tokens = rows(&known, "tokens").iter();
        let live: Vec<_> = tokens.filter(|token| is_live(token) && !is_off(&known, token)).collect();
        let (revoked, extended) = (live[0], live[1]);
        redis.remove(text(revoked, "id"));
        redis.set(text(extended, "id"), r#"{"is_revoked": false, "expires_at": 2090000000}"#);
        // A run that does not ask Redis knows nothing of them.
        let before = dump(&db).await;
        let report = import(&world.auth, &source, &known, None, false).await;
        assert_eq!(counts(&report, "token"), [0; 6]);
        assert_eq!(report.notes.len(), first.notes.len() + 1);
        assert_eq!(dump(&db).await, before);
        let dry = import(&world.auth, &source, &known, Some(&redis), true).await;
        assert_eq!(dump(&db).await, before);
        let report = import(&world.auth, &source, &known, Some(&redis), false).await;
        assert_eq!((dry.kinds, dry.lines), (report.kinds.clone(), report.lines.clone()));
        assert_eq!(counts(&report, "token")[5], 1);
        assert_eq!(report.lines.len(), 1);
        let verify = async |token: &Value| {
            let tenant = world.auth.authenticate_client(key_of(&known, token)).await.unwrap();
            tenant.verify_token(text(token, "token")).await
        };
        assert_eq!(code(verify(revoked).await), "revoked_token");
        assert_eq!(verify(extended).await.unwrap().expires_at, 2_090_000_000);
        for token in &live[2..] {
            assert_eq!(code(verify(token).await), "accepted");
        }
        let before = dump(&db).await;
        import(&world.auth, &source, &known, Some(&redis), false).await;
        assert_eq!(dump(&db).await, before);
    }

    async fn of_a_database_that_was_brought_up_to_date_everything_arrives(db: TestDatabase) {
        everything_arrives(&db, &made!(6, "upgraded")).await;
    }
}

async fn everything_arrives(db: &TestDatabase, made: &Made) {
    let known: Value = serde_json::from_str(made.known).unwrap();
    let (world, source) = (world(db, &known).await, Source::of(made.dump).await);
    let redis = match made.redis {
        Some(keys) => Some(Redis::of(keys).await),
        None => None,
    };
    let redis = redis.as_ref();
    let before = dump(db).await;
    let dry = import(&world.auth, &source, &known, redis, true).await;
    assert_eq!(dump(db).await, before);
    let report = import(&world.auth, &source, &known, redis, false).await;
    assert_eq!((&dry.kinds, &dry.lines), (&report.kinds, &report.lines));
    assert_eq!(report.source_version, made.version);
    check_report(&report, &known, redis);
    let imported = dump(db).await;
    let again = import(&world.auth, &source, &known, redis, false).await;
    assert_eq!(dump(db).await, imported);
    assert!(again.kinds.iter().all(|of| of.imported == 0));

    check_suspended(&world, &known).await;
    let operator = world.auth.operator();
    for client in rows(&known, "clients") {
        let resumed = ClientUpdate {
            is_active: Some(true),
            ..Default::default()
        };
        operator.update_client(id(client), resumed).await.unwrap();
        let key = text(client, "api_key");
        let tenant = world.auth.authenticate_client(key).await.unwrap();
        let model = tenant.client();
        assert_eq!(
            (model.id, model.name.as_str()),
            (id(client), text(client, "name"))
        );
        assert_eq!(model.can_get_integrations, client["can_get_integrations"]);
    }
    for user in rows(&known, "users") {
        check_user(&world, &known, user).await;
    }
    for token in rows(&known, "tokens") {
        check_token(&world, &known, token).await;
    }
    for integration in rows(&known, "integrations") {
        check_integration(&world, integration).await;
    }
    let verified = operator.vault_verify(|_| ()).await.unwrap();
    assert!(verified.unreadable.is_empty());
}

async fn world(db: &TestDatabase, known: &Value) -> World {
    let mut world = World::with_system_clock(db).await;
    // As it was there: with a comma in it.
    let previous = text(&known["settings"], "auth_secret_key");
    let others = [("AUTH_SECRET_KEY_PREVIOUS", previous)];
    world.auth = open(db, &others, &world.clock).await.unwrap();
    world
}

async fn import(
    auth: &Auth,
    source: &Source,
    known: &Value,
    redis: Option<&Redis>,
    dry_run: bool,
) -> ImportReport {
    let secret = |name| Some(Secret::from(text(&known["env"], name)));
    let options = ImportOptions {
        from: Secret::from(source.db.address()),
        encryption_password: secret("BOSA_AUTH_ENCRYPTION_PASSWORD"),
        encryption_salt: secret("BOSA_AUTH_ENCRYPTION_SALT"),
        redis: redis.map(|redis| Secret::from(redis.url.as_str())),
        dry_run,
    };
    super::source::import(auth, options).await.unwrap()
}

/// Everything is imported, but for tokens whose row says that they are over.
fn check_report(report: &ImportReport, known: &Value, redis: Option<&Redis>) {
    let count = |kind, of: fn(&Value) -> bool| {
        let rows = rows(known, kind).iter();
        rows.filter(|row| of(row)).count() as u64
    };
    for (kind, of) in [("client", "clients"), ("user", "users")] {
        let all = count(of, |_| true);
        assert_eq!(counts(report, kind), [all, all, 0, 0, 0, 0]);
    }
    let over = |token: &Value| token["is_over"] == true && claims(token)["exp"].is_null();
    let over = count("tokens", over);
    // What was revoked is no key any more.
    let all = match redis {
        Some(redis) => redis.len() as u64,
        None => count("tokens", |_| true),
    };
    assert_eq!(counts(report, "token"), [all, all - over, 0, 0, over, 0]);
    let again = |account: &Value| account["is_encrypted_again"] == true;
    let (all, again) = (
        count("integrations", |_| true),
        count("integrations", again),
    );
    assert_eq!(counts(report, "integration"), [all, all, 0, again, 0, 0]);
    assert_eq!(report.lines.len() as u64, again);
}

/// Whoever was switched off there is refused here.
async fn check_suspended(world: &World, known: &Value) {
    for client in rows(known, "clients") {
        let expected = match client["is_active"] == true {
            true => "accepted",
            false => "invalid_client",
        };
        let key = text(client, "api_key");
        assert_eq!(code(world.auth.authenticate_client(key).await), expected);
    }
    let off = |user: &&Value| user["is_active"] == false;
    for user in rows(known, "users").iter().filter(off) {
        let tenant = world.auth.authenticate_client(key_of(known, user)).await;
        let (identifier, secret) = (text(user, "identifier"), text(user, "user_secret"));
        let login = tenant.unwrap().authenticate_user(identifier, secret).await;
        assert_eq!(code(login), "unauthorized");
    }
}

async fn check_user(world: &World, known: &Value, user: &Value) {
    let auth = &world.auth;
    let tenant = auth.authenticate_client(key_of(known, user)).await.unwrap();
    let resumed = UserUpdate {
        is_active: Some(true),
        ..Default::default()
    };
    tenant.update_user(id(user), resumed).await.unwrap();
    let (identifier, secret) = (text(user, "identifier"), text(user, "user_secret"));
    let found = tenant.find_user_by_identifier(identifier).await.unwrap();
    assert_eq!(
        (found.id, found.identifier.as_str()),
        (id(user), identifier)
    );
    assert_eq!(found.secret_preview, text(user, "secret_preview"));
    let other = other_client(known, user);
    let stranger = auth
        .authenticate_client(text(other, "api_key"))
        .await
        .unwrap();
    let refused = stranger.authenticate_user(identifier, secret).await;
    assert_eq!(code(refused), "unauthorized");
    // By its hash, then by the digest that has replaced it.
    for _ in 0..2 {
        let login = tenant.authenticate_user(identifier, secret).await;
        assert_eq!(code(login), "accepted", "{identifier:?}");
    }
    let tail = secret.rsplit('.').next().unwrap();
    let others = secret.replace(tail, &tail.chars().rev().collect::<String>());
    let refused = tenant.authenticate_user(identifier, &others).await;
    assert_eq!(code(refused), "unauthorized");
}

async fn check_token(world: &World, known: &Value, token: &Value) {
    let service = world.auth.verify_token_service();
    let jwt = text(token, "token");
    let verified = service
        .verify_token_and_get_user_id(key_of(known, token), jwt)
        .await;
    let other = text(other_client(known, token), "api_key");
    let refused = service.verify_token_and_get_user_id(other, jwt).await;
    assert_eq!(code(refused), "invalid_token");
    if is_live(token) {
        assert_eq!(verified.unwrap().to_string(), text(token, "user_id"));
        let tenant = world.auth.authenticate_client(key_of(known, token)).await;
        let verified = tenant.unwrap().verify_token(jwt).await.unwrap();
        let end = format!("{}Z", text(token, "expires_at"));
        let end: bosa_auth::Timestamp = end.parse().unwrap();
        assert!((verified.expires_at - end.as_second()).abs() <= 2);
    } else {
        let had_row = !["0.9.0", "0.9.2"].contains(&text(token, "made_by"));
        let expected = match token["is_revoked"] == true {
            true if had_row => "revoked_token",
            true => "invalid_token",
            // One that was over before is as good as unknown.
            false if claims(token)["exp"].is_null() => "invalid_token",
            false => "expired_token",
        };
        assert_eq!(code(verified), expected);
    }
}

async fn check_integration(world: &World, row: &Value) {
    let service = world.auth.third_party_integration_service();
    let client: ClientId = text(row, "client_id").parse().unwrap();
    let user: UserId = text(row, "user_id").parse().unwrap();
    let connector = text(row, "connector");
    let all = service.get_integrations(client, user).await.unwrap();
    let found = all.iter().find(|found| {
        found.connector == connector && found.user_identifier == text(row, "user_identifier")
    });
    let found = found.unwrap();
    assert_eq!(found.id.unwrap().to_string(), text(row, "id"));
    assert_eq!(found.selected, row["selected"]);
    assert_eq!(serde_json::json!(found.auth_scopes), row["auth_scopes"]);
    let name = text(row, "user_identifier");
    let found = service
        .get_integration_for(client, user, connector, name)
        .await;
    let found = found.unwrap().unwrap();
    assert_eq!(found.auth_string.expose(), text(row, "auth_string_plain"));
    assert_eq!(found.id.unwrap().to_string(), text(row, "id"));
    if row["selected"] == true {
        let default = service.get_integration(client, user, connector).await;
        assert_eq!(default.unwrap().unwrap().user_identifier, name);
    }
}

fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(row: &Value) -> T {
    text(row, "id").parse().unwrap()
}

fn key_of<'k>(known: &'k Value, row: &Value) -> &'k str {
    let mut clients = rows(known, "clients").iter();
    let client = clients.find(|client| client["id"] == row["client_id"]);
    text(client.unwrap(), "api_key")
}

fn other_client<'k>(known: &'k Value, row: &Value) -> &'k Value {
    let mut clients = rows(known, "clients").iter();
    clients
        .find(|client| client["id"] != row["client_id"])
        .unwrap()
}

fn is_live(token: &Value) -> bool {
    token["is_revoked"] == false && token["is_over"] == false
}

/// Whether the token's user or client was switched off.
fn is_off(known: &Value, token: &Value) -> bool {
    let off = |of, id: &Value| {
        let mut rows = rows(known, of).iter();
        rows.any(|row| row["id"] == *id && row["is_active"] == false)
    };
    off("users", &token["user_id"]) || off("clients", &token["client_id"])
}

fn claims(token: &Value) -> Value {
    crate::support::payload(text(token, "token"), 1)
}
