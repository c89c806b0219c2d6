//! What holds for every route: ids, headers, bodies of refusals, methods, limits.

use std::time::Duration;

use bosa_auth_http::{Caller, HttpConfig, routes};
use bosa_auth_testkit::on_every_database;
use serde_json::{Value, json};

use crate::app::{MASTER_KEY, TestApp};
use crate::walk::Scene;

on_every_database! {
    async fn every_answer_has_an_id_and_may_not_be_stored(db: TestDatabase) {
        let app = TestApp::new(&db).await;
        let scene = Scene::new(&app, "headers").await;
        for route in routes() {
            for call in [scene.good(&app, route), scene.bare(&app, route)] {
                let answer = call.header("x-request-id", "from-the-caller.1").send().await;
                assert_eq!(answer.header("x-request-id"), "from-the-caller.1", "{}", route.path);
                assert_eq!(answer.header("cache-control"), "no-store", "{}", route.path);
                assert_eq!(answer.header("x-content-type-options"), "nosniff", "{}", route.path);
                let media_type = match route.caller {
                    Caller::Browser => "text/html; charset=utf-8",
                    _ => "application/json",
                };
                assert_eq!(answer.header("content-type"), media_type, "{}", route.path);
            }
        }
        let generated = app.get("/healthz").header("x-request-id", "not a name").send().await;
        let id: uuid::Uuid = generated.header("x-request-id").parse().unwrap();
        assert_eq!(id.get_version_num(), 7);
    }

    async fn a_refusal_is_problem_details_for_those_who_accept_them(db: TestDatabase) {
        let app = TestApp::new(&db).await;
        let accept = "text/html, application/problem+json;q=0.9";
        let refused = app.get("/users").header("accept", accept).header("x-request-id", "r-1").send().await;
        assert_eq!(refused.header("content-type"), "application/problem+json");
        assert_eq!(refused.body, json!({
            "error": {
                "message": "this route needs a client key in x-api-key",
                "code": "invalid_client",
                "type": "InvalidClient",
                "request_id": "r-1",
            },
            "message": "this route needs a client key in x-api-key",
            "type": "about:blank",
            "title": "Unauthorized",
            "status": 401,
        }));
        assert!(refused.header("www-authenticate").starts_with("ApiKey "));
        let refused = app.get("/users/me").token("x.y.z").send().await;
        assert_eq!(refused.header("www-authenticate"), r#"Bearer realm="bosa-auth", error="invalid_token""#);
        let refused = app.get("/users/me").send().await;
        assert_eq!(refused.refusal(401), "unauthorized");
        assert_eq!(refused.header("www-authenticate"), r#"Bearer realm="bosa-auth""#);
    }

    async fn a_refusal_says_which_credential_is_missing(db: TestDatabase) {
        let app = TestApp::new(&db).await;
        let scene = Scene::new(&app, "missing").await;
        for route in routes() {
            let needed = match route.caller {
                Caller::MasterKey => "a master key in x-api-key",
                Caller::Client => "a client key in x-api-key",
                Caller::ClientOrMasterKey => "a client key or a master key in x-api-key",
                Caller::User => "a user's token in Authorization: Bearer",
                Caller::Anyone
                | Caller::Browser
                | Caller::MaybeClient
                | Caller::MaybeUser => continue,
            };
            let refused = scene.bare(&app, route).send().await;
            refused.refusal(401);
            assert_eq!(refused.body["message"], format!("this route needs {needed}"), "{}", route.path);
        }
        let refused = app.get("/clients").key(&scene.client.key).send().await;
        assert_eq!(refused.body["message"], "this route needs a master key in x-api-key");
        // A wrong client key gets one message, whatever is wrong with it.
        let refused = app.get("/users").key("wrong").send().await;
        assert_eq!(refused.body["message"], "the client is unknown or its key is not valid");
    }

    async fn unknown_routes_and_methods_are_refused_in_our_words(db: TestDatabase) {
        let app = TestApp::new(&db).await;
        for path in ["/", "/nothing", "/users/", "/connectors/github", "/audit", "/metrics"] {
            assert_eq!(app.get(path).send().await.refusal(404), "not_found", "{path}");
        }
        let refused = app.delete("/users").send().await;
        assert_eq!(refused.refusal(405), "method_not_allowed");
        let allowed = refused.header("allow");
        assert!(allowed.contains("GET") && allowed.contains("POST"), "{allowed}");
        for method in ["OPTIONS", "PUT", "TRACE", "BREW"] {
            let refused = app.call(method, "/clients").header("origin", "https://evil.test").send().await;
            assert_eq!(refused.status, 405, "{method}");
            assert_eq!(refused.header("access-control-allow-origin"), "", "{method}");
        }
        let head = app.call("HEAD", "/healthz").send().await;
        assert_eq!((head.status.as_u16(), head.text.as_str()), (200, ""));
    }

    async fn an_address_that_ends_with_a_slash_can_stand_before_every_path(db: TestDatabase) {
        let app = TestApp::new(&db).await;
        let client = app.client("slashes").await;
        let user = app.user(&client, "ana").await;
        let found = app.get("//users?identifier=ana").key(&client.key).send().await.data();
        assert_eq!(found[0]["id"], user.id);
        let made = app.post("///users", json!({ "identifier": "bo//" })).key(&client.key).send().await;
        assert_eq!(made.data()["identifier"], "bo//");
        let me = app.get("//users/me").token(&user.token).send().await.data();
        assert_eq!(me["id"], user.id);
        let failed = app.delete("//connectors/github/integrations/nobody").token(&user.token).send().await;
        assert_eq!(failed.refusal(404), "not_found");
        assert_eq!(failed.body["data"]["success"], false);
        // It is the same route, with the same doors.
        assert_eq!(app.get("//users").send().await.refusal(401), "invalid_client");
        assert_eq!(app.delete("//users").send().await.refusal(405), "method_not_allowed");
        for path in ["//", "///", "//nothing", "/users//me", "//users//me"] {
            assert_eq!(app.get(path).token(&user.token).send().await.refusal(404), "not_found", "{path}");
        }
    }

    async fn a_body_that_is_too_long_is_refused(db: TestDatabase) {
        let app = TestApp::new(&db).await;
        let client = app.client("long").await;
        let long = format!(r#"{{"identifier":"{}"}}"#, "x".repeat(1024 * 1024));
        let refused = app.call("POST", "/users").key(&client.key).text(long.clone()).send().await;
        assert_eq!(refused.refusal(413), "payload_too_large");
        // Without a length in front.
        let half = 700 * 1024;
        let mut request = format!(
            "POST /users HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-api-key: {}\r\n\
             content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n",
            client.key
        );
        for part in [&long[..half], &long[half..]] {
            request.push_str(&format!("{:x}\r\n{part}\r\n", part.len()));
        }
        request.push_str("0\r\n\r\n");
        let answer = app.raw(request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
        app.user(&client, "fits").await;
    }

    async fn a_body_of_another_type_is_refused(db: TestDatabase) {
        let app = TestApp::new(&db).await;
        let client = app.client("types").await;
        let body = r#"{"identifier":"typed"}"#;
        for kind in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", "json"] {
            let refused = app.call("POST", "/users").key(&client.key).body(kind, body).send().await;
            assert_eq!(refused.refusal(415), "unsupported_media_type", "{kind}");
        }
        let kind = "Application/JSON; charset=utf-8";
        app.call("POST", "/users").key(&client.key).body(kind, body).send().await.data();
    }

    async fn a_request_that_takes_too_long_is_refused(db: TestDatabase) {
        let config = HttpConfig { time_limit: Duration::from_millis(50), ..HttpConfig::default() };
        let app = TestApp::with(&db, &[], config).await;
        let head = format!(
            "POST /clients HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-api-key: {MASTER_KEY}\r\n\
             content-type: application/json\r\ncontent-length: 10\r\n\r\n{{"
        );
        let answer = app.raw(head.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
        assert!(answer.contains("retry-after: 1") && answer.contains("overloaded"), "{answer}");
    }

    async fn the_error_contract_of_the_public_clients_is_echoed(db: TestDatabase) {
        let app = TestApp::new(&db).await;
        let call = || app.get("/connectors/?modules=github");
        let answer = call().header("x-gl-error-contract", "2").send().await;
        assert_eq!(answer.header("x-gl-error-contract"), "2");
        assert_eq!(answer.body, json!({ "github": {} }));
        assert_eq!(call().header("x-gl-error-contract", "3").send().await.header("x-gl-error-contract"), "");
    }

    async fn connectors_are_bare_and_no_credential_is_looked_at(db: TestDatabase) {
        let app = TestApp::new(&db).await;
        let names = app.get("/connectors/names").send().await.body;
        let names: Vec<_> = names.as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert!(names.contains(&"github") && names.is_sorted());
        for path in ["/connectors", "/connectors/"] {
            let all = app.get(path).token("sk-client-nonsense").key("nonsense").send().await;
            assert_eq!(all.status, 200);
            let members: Vec<_> = all.body.as_object().unwrap().keys().cloned().collect();
            assert_eq!(members, names);
        }
        let unknown = app.get("/connectors/?modules=unknown").send().await;
        assert_eq!((unknown.status.as_u16(), unknown.body), (200, json!({})));
    }

    async fn probes_and_the_version_answer_without_a_credential(db: TestDatabase) {
        let app = TestApp::new(&db).await;
        assert_eq!(app.get("/healthz").send().await.data(), json!({ "status": "ok" }));
        let ready = json!({ "database": true, "migrations": true, "keys": true, "missing_root_key": null, "stale": false });
        assert_eq!(app.get("/readyz").send().await.data(), ready);
        assert_eq!(app.get("/version").send().await.data()["name"], "bosa-auth");
        app.auth.close().await.unwrap();
        let refused = app.get("/readyz").send().await;
        assert_eq!(refused.status, 503, "{}", refused.text);
        assert_eq!(refused.body["error"]["details"]["database"], false);
        assert_eq!(refused.header("retry-after"), "1");
        assert_eq!(app.get("/healthz").send().await.status, 200);
    }

    async fn a_database_that_is_gone_is_a_503_on_every_route_that_needs_it(db: TestDatabase) {
        // Else a verification goes on from memory until the bound is over.
        let others = [("BOSA_AUTH_STALENESS_MS", "0")];
        let app = TestApp::with(&db, &others, HttpConfig::default()).await;
        let scene = Scene::new(&app, "gone").await;
        app.auth.close().await.unwrap();
        for route in routes() {
            let anyone = route.caller == Caller::Anyone;
            let answer = scene.good(&app, route).send().await;
            if anyone && route.path != "/readyz" {
                assert_eq!(answer.status, 200, "{}", route.path);
            } else if route.caller == Caller::Browser {
                assert_eq!(answer.status, 503, "{}", route.path);
            } else {
                assert_eq!(answer.refusal(503), "database_unavailable", "{}", route.path);
                assert_ne!(answer.header("retry-after"), "", "{}", route.path);
            }
        }
    }

    async fn a_client_key_can_be_demanded_everywhere(db: TestDatabase) {
        let others = [("BOSA_AUTH_REQUIRE_CLIENT_KEY", "true")];
        let app = TestApp::with(&db, &others, HttpConfig::default()).await;
        let client = app.client("demanding").await;
        let user = app.user(&client, "ana").await;
        assert_eq!(app.get("/users/me").token(&user.token).send().await.refusal(401), "invalid_client");
        app.get("/users/me").token(&user.token).key(&client.key).send().await.data();
        let body = json!({ "identifier": "ana", "secret": user.secret });
        assert_eq!(app.post("/auth/tokens", body).send().await.refusal(401), "invalid_client");
    }

    async fn a_public_client_that_was_built_without_a_key_has_none(db: TestDatabase) {
        let app = TestApp::new(&db).await;
        let client = app.client("keyless").await;
        let user = app.user(&client, "ana").await;
        for sent in ["bosa", "connector"] {
            let login = json!({ "identifier": "ana", "secret": user.secret });
            let token = app.post("/auth/tokens", login).key(sent).send().await.data();
            assert_eq!(token["user_id"], user.id, "{sent}");
            let me = app.get("/users/me").key(sent).token(&user.token).send().await.data();
            assert_eq!(me["id"], user.id, "{sent}");
            let refused = app.post("/users", json!({ "identifier": "bo" })).key(sent).send().await;
            assert_eq!(refused.refusal(401), "invalid_client", "{sent}");
            assert_eq!(refused.body["message"], "this route needs a client key in x-api-key", "{sent}");
        }
        for wrong in ["bosa2", "Bosa", " bosa,connector", ""] {
            let refused = app.get("/users/me").key(wrong).token(&user.token).send().await;
            assert_eq!(refused.refusal(401), "invalid_client", "{wrong}");
        }
        let others = [("BOSA_AUTH_REQUIRE_CLIENT_KEY", "true")];
        let app = TestApp::with(&db, &others, HttpConfig::default()).await;
        let refused = app.get("/users/me").key("bosa").token(&user.token).send().await;
        assert_eq!(refused.refusal(401), "invalid_client");
    }

    async fn addresses_are_limited_one_by_one_and_only_a_trusted_proxy_names_them(db: TestDatabase) {
        let trusted_proxies = "127.0.0.1".parse().unwrap();
        let trusting = HttpConfig { trusted_proxies, ..HttpConfig::default() };
        let app = TestApp::with(&db, &[], trusting).await;
        let guess = |address: &str| {
            let body = json!({ "identifier": "x", "secret": "a chosen secret, guessed" });
            app.post("/auth/tokens", body).header("x-forwarded-for", address).send()
        };
        let mut refused = guess("203.0.113.1").await;
        for _ in 0..200 {
            if refused.status == 429 {
                break;
            }
            assert_eq!(refused.refusal(401), "unauthorized");
            refused = guess("203.0.113.1").await;
        }
        assert_eq!(refused.refusal(429), "rate_limited");
        assert_ne!(refused.header("retry-after"), "");
        assert_eq!(guess("198.51.100.1").await.refusal(401), "unauthorized");
    }
}
