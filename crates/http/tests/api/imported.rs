//! Clients, users and accounts of the original's, by names that are not taken here any more.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bosa_auth::{ImportOptions, ImportSource, Secret};
use bosa_auth_http::HttpConfig;
use bosa_auth_testkit::{TestDatabase, on_every_database};
use serde_json::{Value, json};
use url::form_urlencoded::byte_serialize;

use crate::app::{MASTER_KEY, TestApp, text};

const DUMP: &str =
    include_str!("../../../bosa-auth/tests/fixtures/original-0.9.7/dump_inserts.sql");
const KNOWN: &str = include_str!("../../../bosa-auth/tests/fixtures/original-0.9.7/known.json");
const BOB: &str = "c830fb10-e265-4701-bd06-68c1927f234d";
/// What Bob's account in the fixture, and so each of the odd ones, reads back.
const VALUE: &str = "ghp_plainpat0123456789";
/// Texts that stand in a path, a query, a header or a body in need of care, or are no names here.
const ODD: &[&str] = &[
    " ",
    " lead",
    "trail ",
    "a.b",
    "..a",
    "a/b",
    "a?b=c&d",
    "100%",
    "%2F",
    "a#b+c",
    "names",
    "integration-exists",
    "Upper Case",
    "é",
    "e\u{301}",
    "漢字 مرحبا",
    "👩‍👩‍👧",
    "tab\there",
    "nl\nhere",
    "o'brien \"x\" \\",
];

fn known() -> Value {
    serde_json::from_str(KNOWN).unwrap()
}

fn encoded(text: &str) -> String {
    let encoded: String = byte_serialize(text.as_bytes()).collect();
    // What a form writes as a plus is a blank in a path only if it is written out.
    encoded.replace('+', "%20")
}

fn id(kind: u8, number: usize) -> String {
    format!("00000000-0000-4000-80{kind:02x}-{number:012x}")
}

fn client_secret(number: usize) -> String {
    format!("{number:042}A")
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The fixture with an odd client, user, connector and account for each text.
fn source() -> String {
    let mut sql = DUMP.to_owned();
    for (number, odd) in names().iter().enumerate() {
        let odd = quoted(odd);
        sql.push_str(&format!(
            "insert into public.clients select '{client}', {odd}, '{secret}', true, now(), true; \
             insert into public.users select '{user}', {odd}, secret, secret_preview, true, client_id \
             from public.users where id = '{BOB}'; ",
            client = id(1, number),
            secret = client_secret(number),
            user = id(2, number),
        ));
        for (kind, connector, account) in [(3, odd.as_str(), "'acc'"), (4, "'github'", &odd)] {
            sql.push_str(&format!(
                "insert into public.third_party_integration_auths (id, user_id, client_id, connector, user_identifier, \
                 auth_string, auth_scopes, selected, created_at) select '{}', user_id, client_id, {connector}, {account}, \
                 auth_string, '{{a}}', {}, now() from public.third_party_integration_auths where user_identifier = 'bob-gh'; ",
                id(kind, number),
                kind == 3,
            ));
        }
    }
    sql
}

fn names() -> Vec<String> {
    let long = "x".repeat(700);
    ODD.iter()
        .map(|odd| (*odd).to_owned())
        .chain([long])
        .collect()
}

/// A server whose database was filled from such a source.
async fn imported(db: &TestDatabase) -> TestApp {
    let known = known();
    let previous = format!("HS256:{}", text(&known["settings"]["auth_secret_key"]));
    let others = [("AUTH_SECRET_KEY_PREVIOUS", previous.as_str())];
    let app = TestApp::with(db, &others, HttpConfig::default()).await;
    let original = TestDatabase::postgres().await;
    original.run(&source()).await;
    let secret = |name: &str| Some(Secret::new(text(&known["env"][name])));
    let source = ImportSource::open(ImportOptions {
        from: Secret::from(original.address()),
        encryption_password: secret("BOSA_AUTH_ENCRYPTION_PASSWORD"),
        encryption_salt: secret("BOSA_AUTH_ENCRYPTION_SALT"),
        ..ImportOptions::default()
    });
    let source = source.await.unwrap();
    let operator = app.auth.operator();
    let report = operator.import_bosa(source, Arc::new(|_, _| ()));
    report.await.unwrap();
    app
}

/// The key of the client that has Bob.
fn key() -> String {
    text(&known()["clients"][0]["api_key"])
}

/// The secret of a user who got Bob's, under another id and name.
fn secret(user: &str, identifier: &str) -> String {
    let label = |text| URL_SAFE_NO_PAD.encode(text);
    let tail = text(&known()["users"][1]["secret_tail"]);
    format!("sk-user-{}.{}.{tail}", label(user), label(identifier))
}

/// A token that the original gave to Bob.
fn token() -> String {
    let known = known();
    let mut tokens = known["tokens"].as_array().unwrap().iter();
    let of_bob = tokens.find(|of| of["user_id"] == BOB && of["is_revoked"] == false);
    text(&of_bob.unwrap()["token"])
}

on_every_database! {
    async fn clients_and_users_are_found_and_let_in_by_their_exact_names(db: TestDatabase) {
        let app = imported(&db).await;
        for (number, name) in names().iter().enumerate() {
            let client = id(1, number);
            let (of_id, of_name) = (URL_SAFE_NO_PAD.encode(&client), URL_SAFE_NO_PAD.encode(name));
            let own = format!("sk-client-{of_id}.{of_name}.{}", client_secret(number));
            assert_eq!(app.get("/clients/me").key(&own).send().await.data()["name"], json!(name));
            let found = app.get(&format!("/clients?name={}", encoded(name))).key(MASTER_KEY).send().await;
            let of_client = found.data()[0].clone();
            assert_eq!((&of_client["id"], &of_client["name"]), (&json!(client), &json!(name)));
            assert_eq!(of_client["can_get_integrations"], true);

            let user = id(2, number);
            let login = json!({ "identifier": name, "secret": secret(&user, name) });
            let with_key = app.post("/auth/tokens", login.clone()).key(&key()).send().await;
            let token = text(&with_key.data()["token"]);
            app.post("/clients/oauth-token", login).send().await.data();
            let me = app.get("/users/me").token(&token).send().await.data();
            assert_eq!((&me["id"], &me["identifier"]), (&json!(user), &json!(name)));
            let found = app.get(&format!("/users?identifier={}", encoded(name))).key(&key()).send().await;
            assert_eq!(found.data()[0]["id"], json!(user));
        }
    }

    async fn accounts_are_reached_by_their_exact_names_on_every_route(db: TestDatabase) {
        let app = imported(&db).await;
        let (key, token) = (key(), token());
        for name in names() {
            for (connector, account) in [(name.as_str(), "acc"), ("github", name.as_str())] {
                let (of_connector, of_account) = (encoded(connector), encoded(account));
                let exists = app.get(&format!("/connectors/{of_connector}/integration-exists"));
                assert_eq!(exists.token(&token).send().await.data(), json!({ "has_integration": true }));
                let accounts = format!("/connectors/{of_connector}/integrations");
                let path = format!("{accounts}/{of_account}");
                let shown = app.get(&path).token(&token).send().await.data();
                assert_eq!((&shown["user_identifier"], &shown["auth_string"]), (&json!(account), &json!(VALUE)));
                let of_user = format!("/users/{BOB}/integrations/{of_connector}?user_identifier={of_account}");
                let shown = app.get(&of_user).key(&key).send().await.data();
                assert_eq!((&shown["connector"], &shown["auth_string"]), (&json!(connector), &json!(VALUE)));
                let changed = app.call("PATCH", &of_user).json(json!({ "auth_string": "changed" }));
                changed.key(&key).send().await.data();
                assert_eq!(app.post(&path, json!({})).token(&token).send().await.data()["success"], true);
                let default = app.get(&accounts).token(&token).send().await.data();
                assert_eq!((&default["user_identifier"], &default["auth_string"]), (&json!(account), &json!("changed")));
                // A header carries no control characters, and loses blanks at its ends.
                if account.trim() == account && !account.contains(char::is_control) {
                    for header in ["x-integration", "x-bosa-integration"] {
                        let named = app.get(&accounts).token(&token).header(header, account);
                        assert_eq!(named.send().await.data()["user_identifier"], json!(account));
                    }
                }
                let listed = app.get(&format!("/users/{BOB}/integrations?connector={of_connector}"));
                assert_ne!(listed.key(&key).send().await.data(), json!([]));
            }
        }
        for name in names() {
            for (connector, account) in [(name.as_str(), "acc"), ("github", name.as_str())] {
                let path = format!("/connectors/{}/integrations/{}", encoded(connector), encoded(account));
                assert_eq!(app.delete(&path).token(&token).send().await.data()["success"], true);
                assert!(app.get(&path).token(&token).send().await.status.is_client_error());
            }
        }
    }

    async fn another_client_learns_nothing_of_what_was_imported(db: TestDatabase) {
        let app = imported(&db).await;
        let other = app.client("other").await;
        let name = "Upper Case";
        let user = id(2, ODD.iter().position(|odd| *odd == name).unwrap());
        let login = json!({ "identifier": name, "secret": secret(&user, name) });
        let login = app.post("/auth/tokens", login).key(&other.key).send().await;
        assert_eq!(login.refusal(401), "unauthorized");
        let body = json!({ "token": token() });
        let verified = app.post("/auth/tokens/verify", body.clone()).key(&other.key).send().await;
        assert_eq!(verified.data(), json!({ "valid": false, "code": "invalid_token" }));
        let revoked = app.post("/auth/tokens/revoke", body).key(&other.key).send().await;
        assert_eq!(revoked.data(), json!({ "revoked": false }));
        let me = app.get("/users/me").token(&token()).key(&other.key).send().await;
        assert_eq!(me.status, 401);
        for path in [format!("/users/{user}"), format!("/users/{BOB}/tokens")] {
            assert_eq!(app.get(&path).key(&other.key).send().await.refusal(404), "not_found");
        }
        // One that is there reads like one that never was.
        for connector in ["github", "Upper Case", "Never There"] {
            let path = |user: &str| format!("/users/{user}/integrations/{}", encoded(connector));
            let (there, nowhere) = (path(BOB), path(crate::app::NOWHERE));
            let there = app.get(&there).key(&other.key).send().await;
            let nowhere = app.get(&nowhere).key(&other.key).send().await;
            assert_eq!((there.status, &there.body["message"]), (nowhere.status, &nowhere.body["message"]));
        }
        let found = app.get(&format!("/users?identifier={}", encoded(name))).key(&other.key).send().await;
        assert_eq!(found.data(), json!([]));
        app.get("/users/me").token(&token()).send().await.data();
    }
}
