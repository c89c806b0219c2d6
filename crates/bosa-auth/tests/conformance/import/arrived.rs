//! What was imported works as it did.

use bosa_auth::{ClientId, Error, UserId};
use bosa_auth_testkit::on_every_database;
use serde_json::Value;

use super::source::{Source, counts, import, known, rows, text, world};
use crate::support::{World, code};

/// The key of the client that a row belongs to.
fn key_of<'k>(known: &'k Value, row: &Value) -> &'k str {
    let client = rows(known, "clients")
        .iter()
        .find(|client| client["id"] == row["client_id"]);
    text(client.unwrap(), "api_key")
}

fn other_key_than<'k>(known: &'k Value, row: &Value) -> &'k str {
    let client = rows(known, "clients")
        .iter()
        .find(|client| client["id"] != row["client_id"]);
    text(client.unwrap(), "api_key")
}

fn client_id(row: &Value) -> ClientId {
    text(row, "client_id").parse().unwrap()
}

fn user_id(row: &Value) -> UserId {
    text(row, "user_id").parse().unwrap()
}

async fn login(world: &World, key: &str, identifier: &str, secret: &str) -> Result<(), Error> {
    let service = world.auth.authenticate_user_service();
    service
        .authenticate_user(key, identifier, secret)
        .await
        .map(drop)
}

on_every_database! {
    async fn every_client_key_works_and_tells_what_is_kept(db: TestDatabase) {
        let (world, source, known) = (world(&db).await, Source::fixture().await, known());
        let report = source.import(&world.auth).await.unwrap();
        assert_eq!((report.source_version, report.dry_run), (6, false));
        assert_eq!(counts(&report, "client"), [2, 2, 0, 0, 0, 0]);
        assert_eq!(counts(&report, "user"), [5, 5, 0, 0, 0, 0]);
        assert_eq!(counts(&report, "token"), [6, 6, 0, 0, 0, 0]);
        assert_eq!(counts(&report, "integration"), [8, 8, 0, 0, 0, 0]);
        assert_eq!(report.lines, []);
        for client in rows(&known, "clients") {
            let tenant = world.auth.authenticate_client(text(client, "api_key")).await.unwrap();
            let model = tenant.client();
            assert_eq!(model.id.to_string(), text(client, "id"));
            assert_eq!(model.name, text(client, "name"));
            assert_eq!(model.can_get_integrations, client["can_get_integrations"].as_bool().unwrap());
            let changed = format!("{}A", text(client, "api_key").trim_end_matches(char::is_alphanumeric));
            assert_eq!(code(world.auth.authenticate_client(&changed).await), "invalid_client");
        }
    }

    async fn every_user_secret_works_and_is_a_digest_after_the_first_login(db: TestDatabase) {
        let (world, source, known) = (world(&db).await, Source::fixture().await, known());
        source.import(&world.auth).await.unwrap();
        for user in rows(&known, "users") {
            let (key, identifier, secret) = (key_of(&known, user), text(user, "identifier"), text(user, "user_secret"));
            let id = text(user, "id").parse::<UserId>().unwrap();
            let stored = async || {
                let sql = "select password_hash from bosa_users where id = $1";
                db.db().read(sql, vec![id.into()]).await.unwrap()[0].get::<Option<String>>(0).unwrap()
            };
            assert_eq!(stored().await.as_deref(), Some(text(user, "secret_hash")));
            // Another client's key does not find the user.
            assert_eq!(code(login(&world, other_key_than(&known, user), identifier, secret).await), "unauthorized");
            if user["is_active"] == false {
                assert_eq!(code(login(&world, key, identifier, secret).await), "unauthorized");
                continue;
            }
            assert_eq!(code(login(&world, key, identifier, secret).await), "accepted");
            assert_eq!(stored().await, None);
            assert_eq!(code(login(&world, key, identifier, secret).await), "accepted");
            let model = world.auth.get_user_service().get_user(key, id).await.unwrap();
            assert_eq!((model.identifier.as_str(), model.secret_preview.as_str()), (identifier, text(user, "secret_preview")));
        }
    }

    async fn every_live_token_works_until_its_end_and_the_revoked_one_does_not(db: TestDatabase) {
        let (world, source, known) = (world(&db).await, Source::fixture().await, known());
        source.import(&world.auth).await.unwrap();
        let dave: UserId = "c0a1ede8-862b-4881-989b-aef058972727".parse().unwrap();
        let verify = async |key: &str, token: &Value| {
            let service = world.auth.verify_token_service();
            code(service.verify_token_and_get_user_id(key, text(token, "token")).await)
        };
        let live = |token: &&Value| token["is_revoked"] == false && user_id(token) != dave;
        for token in rows(&known, "tokens") {
            let expected = if live(&token) { "accepted" } else { "revoked_token" };
            assert_eq!(verify(key_of(&known, token), token).await, expected);
            assert_eq!(verify(other_key_than(&known, token), token).await, "invalid_token");
        }
        // Whoever was switched off there is let in again here, and so are the tokens.
        let globex = world.auth.operator().tenant("df5f31e1-1c99-4b8b-8ab5-2a7f096663a5".parse().unwrap()).await.unwrap();
        let resumed = bosa_auth::UserUpdate { is_active: Some(true), ..Default::default() };
        globex.update_user(dave, resumed).await.unwrap();
        let of_dave = rows(&known, "tokens").iter().find(|token| user_id(token) == dave).unwrap();
        assert_eq!(verify(key_of(&known, of_dave), of_dave).await, "accepted");
        // The end is that of the row.
        let now = bosa_auth::Clock::now(&world.clock).as_second();
        for token in rows(&known, "tokens").iter().filter(live) {
            let left = token["expires_at_epoch"].as_i64().unwrap() - now;
            let (key, token) = (key_of(&known, token), text(token, "token"));
            let verified = world.auth.authenticate_client(key).await.unwrap().verify_token(token).await.unwrap();
            assert_eq!(verified.expires_at, now + left);
        }
        world.clock.advance(std::time::Duration::from_secs(u64::try_from(2_145_916_900 - now).unwrap()));
        for token in rows(&known, "tokens").iter().filter(live) {
            assert_eq!(verify(key_of(&known, token), token).await, "expired_token");
        }
    }

    async fn every_integration_reads_back_its_plain_text(db: TestDatabase) {
        let (world, source, known) = (world(&db).await, Source::fixture().await, known());
        source.import(&world.auth).await.unwrap();
        let resumed = bosa_auth::UserUpdate { is_active: Some(true), ..Default::default() };
        let globex = world.auth.operator().tenant("df5f31e1-1c99-4b8b-8ab5-2a7f096663a5".parse().unwrap()).await.unwrap();
        globex.update_user("c0a1ede8-862b-4881-989b-aef058972727".parse().unwrap(), resumed).await.unwrap();
        let service = world.auth.third_party_integration_service();
        for row in rows(&known, "integrations") {
            let (connector, account) = (text(row, "connector"), text(row, "user_identifier"));
            let found = service
                .get_integration_for(client_id(row), user_id(row), connector, account)
                .await
                .unwrap()
                .unwrap();
            assert_eq!(found.auth_string.expose(), text(row, "auth_string_plain"));
            assert_eq!(found.id.unwrap().to_string(), text(row, "id"));
            assert_eq!(serde_json::json!(found.auth_scopes), row["auth_scopes"]);
            assert_eq!(found.selected, row["selected"].as_bool().unwrap());
            // Another client learns nothing.
            let other = rows(&known, "clients").iter().find(|client| client["id"] != row["client_id"]).unwrap();
            let other: ClientId = text(other, "id").parse().unwrap();
            assert!(service.get_integration_for(other, user_id(row), connector, account).await.unwrap().is_none());
            assert_eq!(service.get_integrations(other, user_id(row)).await.unwrap().len(), 0);
        }
        assert!(world.auth.operator().vault_verify(|_| ()).await.unwrap().unreadable.is_empty());
    }

    async fn a_dry_run_reports_the_same_and_writes_nothing(db: TestDatabase) {
        let (world, source) = (world(&db).await, Source::fixture().await);
        let before = crate::dump::dump(&db).await;
        let dry = bosa_auth::ImportOptions { dry_run: true, ..source.options() };
        let dry = import(&world.auth, dry).await.unwrap();
        assert!(dry.dry_run);
        assert_eq!(crate::dump::dump(&db).await, before);
        let wet = source.import(&world.auth).await.unwrap();
        assert_eq!((dry.kinds, dry.lines, dry.notes), (wet.kinds, wet.lines, wet.notes));
    }

    async fn a_wrong_password_is_noticed_before_the_first_row_is_written(db: TestDatabase) {
        let (world, source) = (world(&db).await, Source::fixture().await);
        let before = crate::dump::dump(&db).await;
        for (password, salt) in [
            (Some("MJXXGYJNN5ZGSZZNMZUXQ5DVOJSS24DBONZXO33SMQWTGMTCPF2Q===="), Some("MJXXGYJNN5ZGSZZNONQWY5BRGY======")),
            (Some("not base32"), Some("MJXXGYJNN5ZGSZZNONQWY5BRGY======")),
            (Some("MJXXGYJNN5ZGSZZNMZUXQ5DVOJSS24DBONZXO33SMQWTGMTCPF2A===="), None),
            (None, None),
        ] {
            let wrong = bosa_auth::ImportOptions {
                encryption_password: password.map(Into::into),
                encryption_salt: salt.map(Into::into),
                ..source.options()
            };
            let refused = import(&world.auth, wrong).await.unwrap_err();
            assert!(refused.to_string().contains("BOSA_AUTH_ENCRYPTION_PASSWORD"), "{refused}");
            assert_eq!(refused.code(), "configuration");
            assert_eq!(crate::dump::dump(&db).await, before);
        }
    }

    async fn tokens_of_the_original_can_be_switched_off_from_a_day_on(db: TestDatabase) {
        let (world, source, known) = (world(&db).await, Source::fixture().await, known());
        source.import(&world.auth).await.unwrap();
        let token = &rows(&known, "tokens")[0];
        let previous = format!("HS256:{}", text(&known["settings"], "auth_secret_key"));
        let day = bosa_auth::Clock::now(&world.clock) + std::time::Duration::from_secs(3600);
        let day = day.to_string();
        let others = [("AUTH_SECRET_KEY_PREVIOUS", previous.as_str()), ("BOSA_AUTH_IMPORTED_TOKENS_UNTIL", day.as_str())];
        let auth = world.another(&db, &others).await;
        let service = auth.verify_token_service();
        let verify = async || code(service.verify_token_and_get_user_id(key_of(&known, token), text(token, "token")).await);
        assert_eq!(verify().await, "accepted");
        assert_eq!(verify().await, "accepted");
        world.clock.advance(std::time::Duration::from_secs(3600));
        assert_eq!(verify().await, "invalid_token");
    }
}
