//! Hostile input on every route: a typed refusal, and the next good call works.

use bosa_auth_http::{Caller, routes};
use bosa_auth_testkit::on_every_database;
use serde_json::{Value, json};

use crate::app::{MASTER_KEY, NOWHERE, TestApp};
use crate::walk::Scene;

/// Texts that nothing may take for anything but text.
fn hostile_texts() -> Vec<String> {
    let long = ["x".repeat(321), "x".repeat(5000), "\u{1F980}".repeat(400)];
    let mut texts: Vec<_> = [
        "",
        " ",
        "\0",
        "a\0b",
        "a\nb",
        "\u{1b}[31m",
        "\u{7f}",
        "' or '1'='1",
        "'; drop table bosa_users; --",
        "%00",
        "%",
        "_",
        "../../etc/passwd",
        "\u{202e}evil",
        "аna@acme.test", // a Cyrillic first letter
        "ANA@ACME.TEST",
        "\u{ffff}",
    ]
    .map(str::to_owned)
    .to_vec();
    texts.extend(long);
    texts
}

/// Bodies that are no request at all.
fn hostile_bodies() -> Vec<Vec<u8>> {
    let mut bodies: Vec<Vec<u8>> = [
        &b""[..],
        b"null",
        b"[]",
        b"\"text\"",
        b"1e999",
        b"{",
        b"{\"identifier\":\"\\ud800\"}",
        b"{\"name\":\"\\udfff\"}",
        b"{\"token\":\"\xff\"}",
        b"{\"name\":\"a\",\"name\":\"b\"}",
        b"{\"identifier\":\"a\",\"identifier\":\"b\"}",
        b"{\"__proto__\":{}}",
        b"{\"surprise\":1}",
        b"\xef\xbb\xbf{}",
        b"\x00",
    ]
    .map(<[u8]>::to_vec)
    .to_vec();
    bodies.push(
        [
            b"{\"a\":".repeat(50_000),
            b"1".to_vec(),
            b"}".repeat(50_000),
        ]
        .concat(),
    );
    bodies.push([b"[".repeat(50_000), b"]".repeat(50_000)].concat());
    bodies
}

on_every_database! {
    async fn a_hostile_body_is_refused_on_every_route_that_takes_one(db: TestDatabase) {
        let app = TestApp::new(&db).await;
        let scene = Scene::new(&app, "bodies").await;
        for route in routes() {
            if scene.body(route).is_none() {
                continue;
            }
            for body in hostile_bodies() {
                let call = app.call(route.method.as_str(), &scene.path(route)).text(body.clone());
                let call = match route.caller {
                    Caller::MasterKey => call.key(MASTER_KEY),
                    _ => call.key(&scene.client.key).token(&scene.user.token),
                };
                let answer = call.send().await;
                let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
                let what = format!("{} {} {shown}", route.method, route.path);
                // Where every member is optional, an empty body is a request like any other.
                let optional = body.is_empty();
                assert!(answer.status == 400 || optional, "{what}: {}", answer.text);
                assert_ne!(answer.status, 500, "{what}: {}", answer.text);
            }
        }
        let me = app.get("/users/me").token(&scene.user.token).send().await.data();
        assert_eq!(me["integrations"].as_array().map(Vec::len), Some(2));
        assert_eq!(app.get("/users").key(&scene.client.key).send().await.data().as_array().map(Vec::len), Some(1));
    }

    async fn a_hostile_text_in_any_field_is_text_or_refused(db: TestDatabase) {
        let app = TestApp::new(&db).await;
        for (number, route) in routes().enumerate() {
            let scene = Scene::new(&app, &format!("texts-{number}")).await;
            let Some(Value::Object(good)) = scene.body(route) else { continue };
            for field in good.keys() {
                for text in hostile_texts() {
                    let mut body = good.clone();
                    body.insert(field.clone(), json!(text));
                    let call = app.call(route.method.as_str(), &scene.path(route)).json(body.into());
                    let call = match route.caller {
                        Caller::MasterKey => call.key(MASTER_KEY),
                        Caller::User => call.token(&scene.user.token),
                        _ => call.key(&scene.client.key),
                    };
                    let answer = call.send().await;
                    let what = format!("{} {} {field}={text:?}", route.method, route.path);
                    assert!(answer.status.as_u16() < 500, "{what}: {}", answer.text);
                }
            }
            app.user(&scene.client, "after").await;
        }
    }

    async fn a_hostile_path_finds_nothing(db: TestDatabase) {
        let app = TestApp::new(&db).await;
        let scene = Scene::new(&app, "paths").await;
        let ids = [
            "x", "%00", "%ff", "%C3%28", "..%2f..", "'%20or%201=1", "0", "%F0%9F%A6%80", "null",
            &NOWHERE.replace('-', ""), &NOWHERE.to_uppercase(), NOWHERE, &"a".repeat(4000), "a+b@c.test",
        ];
        for route in routes().filter(|route| route.path.contains('{')) {
            for id in ids {
                let mut path = route.path.to_owned();
                while let (Some(from), Some(to)) = (path.find('{'), path.find('}')) {
                    path.replace_range(from..=to, id);
                }
                if route.path.ends_with("/integrations/{connector}") {
                    path.push_str("?user_identifier=first");
                }
                let mut call = app.call(route.method.as_str(), &path);
                if let Some(body) = scene.body(route) {
                    call = call.json(body);
                }
                let call = match route.caller {
                    Caller::MasterKey => call.key(MASTER_KEY),
                    _ => call.key(&scene.client.key).token(&scene.user.token),
                };
                let answer = call.send().await;
                let what = format!("{} {path:.90}", route.method);
                // An account may be stored under any connector of a well-formed name.
                let named = route.path.starts_with("/connectors") && route.path.matches('{').count() == 1;
                let fine = [400, 401, 404].contains(&answer.status.as_u16()) || (named && answer.status == 200);
                assert!(fine, "{what}: {} {}", answer.status, answer.text);
            }
        }
        app.get("/users/me").token(&scene.user.token).send().await.data();
    }

    async fn a_hostile_query_is_refused(db: TestDatabase) {
        let app = TestApp::new(&db).await;
        let scene = Scene::new(&app, "queries").await;
        for route in routes().filter(|route| route.method == "GET" && route.path != "/openapi.json") {
            let takes_query = route.path == "/users" || route.path == "/clients"
                || route.path.ends_with("/api-keys") || route.path.ends_with("/tokens")
                || route.path == "/users/{id}/integrations";
            if !takes_query {
                continue;
            }
            let call = |query: &str| {
                let call = app.get(&format!("{}?{query}", scene.path(route)));
                let master = route.caller == Caller::MasterKey;
                call.key(if master { MASTER_KEY } else { &scene.client.key }).send()
            };
            for limit in ["0", "101", "-1", "1.5", "x", "", "99999999999999999999", "1%00"] {
                let refused = call(&format!("limit={limit}")).await;
                assert_eq!(refused.field(), "limit", "{} {limit}", route.path);
            }
            for cursor in ["", "x", "%00", "AAAA", "../..", &"A".repeat(3000)] {
                let refused = call(&format!("cursor={cursor}")).await;
                assert_eq!(refused.field(), "cursor", "{} {cursor:.20}", route.path);
            }
            assert_eq!(call("cursr=x").await.field(), "cursr");
            assert_eq!(call("limit=1&limit=2").await.field(), "limit");
            assert_eq!(call("cursor=%ff").await.field(), "query");
            call("limit=100").await.data();
        }
        for text in ["%00", "%27%20or%201=1", "%F0%9F%A6%80"] {
            let found = app.get(&format!("/users?identifier={text}")).key(&scene.client.key).send().await;
            assert_eq!(found.data(), json!([]), "{text}");
            let found = app.get(&format!("/clients?name={text}")).key(MASTER_KEY).send().await;
            assert_eq!(found.data(), json!([]), "{text}");
        }
    }

    async fn a_key_that_is_not_quite_right_is_refused_with_one_answer(db: TestDatabase) {
        let app = TestApp::new(&db).await;
        let scene = Scene::new(&app, "keys").await;
        let key = &scene.client.key;
        let mut wrong = vec![
            String::new(),
            "sk-client-".to_owned(),
            key[..key.len() - 1].to_owned(),
            format!("{key}x"),
            format!(" {}", key.replace("sk-", "sk_")),
            key.to_uppercase(),
            key.replace('.', ".."),
            scene.user.secret.clone(),
            scene.user.token.clone(),
            MASTER_KEY.to_owned(),
            "x".repeat(30_000),
        ];
        let last = if key.ends_with('a') { 'b' } else { 'a' };
        wrong.push(format!("{}{last}", &key[..key.len() - 1]));
        for wrong in wrong {
            for route in routes().filter(|route| route.caller == Caller::Client) {
                let refused = scene.bare(&app, route).key(&wrong).send().await;
                assert_eq!(refused.refusal(401), "invalid_client", "{wrong:.20}");
            }
        }
        let twice = app.get("/users").key(key).key(key).send().await;
        assert_eq!(twice.refusal(401), "invalid_client");
        app.get("/users").key(key).send().await.data();
    }

    async fn a_token_that_is_not_quite_right_is_refused(db: TestDatabase) {
        let app = TestApp::new(&db).await;
        let scene = Scene::new(&app, "tokens").await;
        let token = &scene.user.token;
        let parts: Vec<_> = token.split('.').collect();
        let header = |text: &str| format!("{}.{}.{}", base64(text), parts[1], parts[2]);
        let wrong = [
            String::new(),
            "x.y.z".to_owned(),
            parts[..2].join("."),
            format!("{token}.x"),
            format!("{}.{}.", parts[0], parts[1]),
            format!("{}A.{}.{}", parts[0], parts[1], parts[2]),
            header(r#"{"alg":"none","typ":"JWT"}"#),
            header(r#"{"alg":"HS512","typ":"JWT","kid":"x"}"#),
            header(r#"{"alg":"HS256","typ":"JWT","kid":"../../dev/null"}"#),
            header(r#"{"alg":"HS256","typ":"JWT","kid":"' or 1=1 --"}"#),
            scene.user.secret.clone(),
            scene.client.key.clone(),
            "x".repeat(20_000),
        ];
        for wrong in &wrong {
            for route in routes() {
                if !matches!(route.caller, Caller::User | Caller::MaybeUser) {
                    continue;
                }
                let refused = scene.bare(&app, route).token(wrong).send().await;
                assert_eq!(refused.refusal(401), "invalid_token", "{wrong:.20} {}", route.path);
            }
            let verify = app.post("/auth/tokens/verify", json!({ "token": wrong })).key(&scene.client.key);
            assert_eq!(verify.send().await.data(), json!({ "valid": false, "code": "invalid_token" }));
            let revoke = app.post("/auth/tokens/revoke", json!({ "token": wrong })).key(&scene.client.key);
            assert_eq!(revoke.send().await.data(), json!({ "revoked": false }));
        }
        app.get("/users/me").header("authorization", &format!("bEARER {token}")).send().await.data();
        app.clock.advance(std::time::Duration::from_secs(43_200 * 60 + 10));
        assert_eq!(app.get("/users/me").token(token).send().await.refusal(401), "expired_token");
    }

    async fn a_head_that_is_no_http_is_refused(db: TestDatabase) {
        let app = TestApp::new(&db).await;
        let client = app.client("heads").await;
        for head in [
            &b"NONSENSE\r\n\r\n"[..],
            b"GET / HTTP/9.9\r\n\r\n",
            b"GET /users\0 HTTP/1.1\r\nhost: x\r\n\r\n",
            b"GET /healthz HTTP/1.1\r\nhost: x\r\nx-a: \x00\r\n\r\n",
        ] {
            let answer = app.raw(head).await;
            assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
        }
        let large = format!("GET / HTTP/1.1\r\nhost: x\r\nx-a: {}\r\n\r\n", "a".repeat(100_000));
        let answer = app.raw(large.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
        let raw_key = [b"GET /users HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-api-key: ", &b"\xff\xfe"[..], b"\r\n\r\n"];
        let answer = app.raw(&raw_key.concat()).await;
        assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
        app.get("/users").key(&client.key).send().await.data();
    }
}

fn base64(text: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut encoded = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let mut bits = 0_u32;
        for place in 0..3 {
            bits = bits << 8 | u32::from(chunk.get(place).copied().unwrap_or_default());
        }
        for place in 0..=chunk.len() {
            let six = bits >> (18 - 6 * place) & 63;
            encoded.push(char::from(ALPHABET[six as usize]));
        }
    }
    encoded
}
