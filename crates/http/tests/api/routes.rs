//! What each route answers when all is well, and its own refusals.

use bosa_auth_testkit::on_every_database;
use serde_json::{Value, json};

use crate::app::{MASTER_KEY, NOWHERE, TestApp, text};

on_every_database! {
    async fn clients_are_created_listed_found_changed_and_deleted(db: TestDatabase) {
        let app = TestApp::new(&db).await;
        let client = app.client("Acme").await;
        let expected = json!({
            "id": client.id,
            "name": "Acme",
            "api_key": null,
            "is_active": true,
            "can_get_integrations": true,
            "created_at": "2026-01-02T03:04:05.678901Z",
        });
        let path = format!("/clients/{}", client.id);
        assert_eq!(app.get(&path).key(MASTER_KEY).send().await.data(), expected);
        assert_eq!(app.get("/clients/me").key(&client.key).send().await.data(), expected);
        let found = app.get("/clients?name=Acme").key(MASTER_KEY).send().await;
        assert_eq!(found.body, json!({ "data": [expected], "meta": { "next_cursor": null } }));
        assert_eq!(app.get("/clients?name=acme").key(MASTER_KEY).send().await.data(), json!([]));

        let taken = app.post("/clients", json!({ "name": " Acme " })).key(MASTER_KEY).send().await;
        assert_eq!(taken.refusal(409), "client_already_exists");
        let other = app.client("Other").await;
        let rename = app.call("PATCH", &path).key(MASTER_KEY).json(json!({ "name": "Other" }));
        assert_eq!(rename.send().await.refusal(409), "client_already_exists");
        let rename = app.call("PATCH", &path).key(MASTER_KEY).json(json!({ "name": "Acme Ltd" }));
        assert_eq!(rename.send().await.data()["name"], "Acme Ltd");
        app.get("/clients/me").key(&client.key).send().await.data();

        let first = app.get("/clients?limit=1").key(MASTER_KEY).send().await;
        let cursor = text(&first.body["meta"]["next_cursor"]);
        let second = app.get(&format!("/clients?limit=1&cursor={cursor}")).key(MASTER_KEY).send().await;
        let ids = [text(&first.data()[0]["id"]), text(&second.data()[0]["id"])];
        assert!(ids.contains(&client.id) && ids.contains(&other.id));
        assert_eq!(second.body["meta"]["next_cursor"], Value::Null);

        let suspend = app.call("PATCH", &path).key(MASTER_KEY).json(json!({ "is_active": false }));
        assert_eq!(suspend.send().await.data()["is_active"], false);
        assert_eq!(app.get("/clients/me").key(&client.key).send().await.refusal(401), "invalid_client");
        assert_eq!(app.delete(&path).key(MASTER_KEY).send().await.data(), json!({ "deleted": true }));
        assert_eq!(app.delete(&path).key(MASTER_KEY).send().await.refusal(404), "not_found");
        assert_eq!(app.get(&path).key(MASTER_KEY).send().await.refusal(404), "not_found");
    }

    async fn settings_of_connectors_are_a_clients_own_or_the_deployments(db: TestDatabase) {
        let app = TestApp::new(&db).await;
        let (acme, other) = (app.client("acme").await, app.client("other").await);
        let path = "/connectors/github/settings";
        let put = |path: &str, body: Value| app.call("PUT", path).json(body);
        let settings = |id: &str| json!({ "client_id": id, "client_secret": "hidden-secret" });
        let stored = put(path, settings("own")).key(&acme.key).send().await;
        let expected = json!({
            "connector": "github",
            "client_id": "own",
            "has_client_secret": true,
            "scopes": [],
            "return_addresses": [],
            "variables": {},
            "require_completion": false,
            "created_at": "2026-01-02T03:04:05.678901Z",
            "updated_at": "2026-01-02T03:04:05.678901Z",
        });
        assert_eq!(stored.data(), expected);
        assert_eq!(app.get(path).key(&acme.key).send().await.data(), expected);
        for named in [&acme.id, "acme"] {
            let of_client = app.get(&format!("{path}?client={named}")).key(MASTER_KEY);
            assert_eq!(of_client.send().await.data(), expected);
        }
        assert_eq!(app.get(path).key(&other.key).send().await.refusal(404), "not_found");
        assert_eq!(app.get(path).key(MASTER_KEY).send().await.refusal(404), "not_found");
        put(path, settings("all")).key(MASTER_KEY).send().await.data();
        assert_eq!(app.get(path).key(MASTER_KEY).send().await.data()["client_id"], "all");
        assert_eq!(app.get(path).key(&other.key).send().await.refusal(404), "not_found");
        // A client key names no client, not even its own.
        let named = format!("{path}?client={}", acme.id);
        assert_eq!(app.get(&named).key(&acme.key).send().await.field(), "client");
        assert_eq!(app.get(&format!("{path}?client=nobody")).key(MASTER_KEY).send().await.refusal(404), "not_found");
        // Without a secret the stored one stays; null takes it away.
        let kept = put(path, json!({ "client_id": "own", "scopes": ["repo"] })).key(&acme.key);
        assert_eq!(kept.send().await.data()["has_client_secret"], true);
        let removed = put(path, json!({ "client_id": "own", "client_secret": null })).key(&acme.key);
        assert_eq!(removed.send().await.field(), "client_secret");
        let deleted = app.delete(&format!("{path}?client=acme")).key(MASTER_KEY).send().await;
        assert_eq!(deleted.data(), json!({ "deleted": true }));
        assert_eq!(app.delete(path).key(&acme.key).send().await.refusal(404), "not_found");
        assert_eq!(app.get(path).key(MASTER_KEY).send().await.data()["client_id"], "all");
    }

    async fn api_keys_are_created_listed_rotated_and_revoked(db: TestDatabase) {
        let app = TestApp::new(&db).await;
        let client = app.client("Keys").await;
        let keys = format!("/clients/{}/api-keys", client.id);
        let body = json!({ "scopes": ["users:read"], "expires_at": 1_767_330_000 });
        let created = app.post(&keys, body).key(MASTER_KEY).send().await.data();
        assert_eq!(created["scopes"], json!(["users:read"]));
        assert_eq!(created["expires_at"], 1_767_330_000);
        let (id, key) = (text(&created["id"]), text(&created["api_key"]));
        assert!(text(&created["preview"]).ends_with(&key[key.len() - 8..]));
        app.get("/users").key(&key).send().await.data();
        let listed = app.get(&keys).key(MASTER_KEY).send().await;
        assert_eq!(listed.data().as_array().map(Vec::len), Some(2));
        assert!(!listed.text.contains(&key));

        let rotated = app.post(&format!("{keys}/{id}/rotate"), json!({ "overlap_seconds": 60 }));
        let rotated = rotated.key(MASTER_KEY).send().await.data();
        let successor = text(&rotated["api_key"]);
        for key in [&key, &successor] {
            app.get("/users").key(key).send().await.data();
        }
        app.clock.advance(std::time::Duration::from_secs(61));
        assert_eq!(app.get("/users").key(&key).send().await.refusal(401), "invalid_client");
        app.get("/users").key(&successor).send().await.data();

        let path = format!("{keys}/{}", text(&rotated["id"]));
        assert_eq!(app.delete(&path).key(MASTER_KEY).send().await.data(), json!({ "revoked": true }));
        assert_eq!(app.delete(&path).key(MASTER_KEY).send().await.data(), json!({ "revoked": false }));
        assert_eq!(app.get("/users").key(&successor).send().await.refusal(401), "invalid_client");

        for (body, field) in [
            (json!({ "scopes": [] }), "scopes"),
            (json!({ "scopes": ["users:everything"] }), "scopes"),
            (json!({ "expires_at": 1 }), "expires_at"),
            (json!({ "expires_at": i64::MAX }), "expires_at"),
        ] {
            let refused = app.post(&keys, body).key(MASTER_KEY).send().await;
            assert_eq!(refused.field(), field);
        }
        let long = app.post(&format!("{keys}/{id}/rotate"), json!({ "overlap_seconds": 7_776_001 }));
        assert_eq!(long.key(MASTER_KEY).send().await.field(), "overlap_seconds");
        let unknown = app.delete(&format!("{keys}/{NOWHERE}")).key(MASTER_KEY).send().await;
        assert_eq!(unknown.refusal(404), "not_found");
        // A key is found under its own client only.
        let other = app.client("Others").await;
        let foreign = app.delete(&format!("/clients/{}/api-keys/{id}", other.id)).key(MASTER_KEY);
        assert_eq!(foreign.send().await.refusal(404), "not_found");
    }

    async fn users_are_created_listed_found_changed_and_deleted(db: TestDatabase) {
        let app = TestApp::new(&db).await;
        let client = app.client("Users").await;
        let user = app.user(&client, "ana@users.test").await;
        let path = format!("/users/{}", user.id);
        let preview = format!("sk-user-...{}", &user.secret[user.secret.len() - 8..]);
        let expected = json!({
            "id": user.id,
            "client_id": client.id,
            "identifier": "ana@users.test",
            "secret": null,
            "secret_preview": preview,
            "is_active": true,
            "created_at": "2026-01-02T03:04:05.678901Z",
        });
        let found = app.get("/users?identifier=ana%40users.test").key(&client.key).send().await;
        assert_eq!(found.data(), json!([expected]));
        let mut complete = expected.clone();
        complete["integrations"] = json!([]);
        assert_eq!(app.get(&path).key(&client.key).send().await.data(), complete);

        let twin = app.post("/clients/register-user", json!({ "identifier": "ana@users.test" }));
        assert_eq!(twin.key(&client.key).send().await.refusal(409), "user_already_exists");
        let twin = app.post("/clients/register-user", json!({ "identifier": "bob" }));
        assert_eq!(twin.key(&client.key).send().await.data()["identifier"], "bob");

        let change = |body: Value| app.call("PATCH", &path).key(&client.key).json(body);
        assert_eq!(change(json!({ "identifier": "bob" })).send().await.refusal(409), "user_already_exists");
        assert_eq!(change(json!({ "identifier": "eva" })).send().await.data()["identifier"], "eva");
        assert_eq!(app.get("/users/me").token(&user.token).send().await.refusal(401), "revoked_token");
        let login = json!({ "identifier": "eva", "secret": user.secret });
        app.post("/auth/tokens", login.clone()).key(&client.key).send().await.data();
        assert_eq!(change(json!({ "is_active": false })).send().await.data()["is_active"], false);
        let refused = app.post("/auth/tokens", login.clone()).key(&client.key).send().await;
        assert_eq!(refused.refusal(401), "unauthorized");
        change(json!({ "is_active": true })).send().await.data();
        app.post("/auth/tokens", login.clone()).key(&client.key).send().await.data();

        let reset = app.call("POST", &format!("{path}/secret")).key(&client.key).send().await.data();
        let secret = text(&reset["secret"]);
        assert_eq!(app.post("/auth/tokens", login).send().await.refusal(401), "unauthorized");
        let login = json!({ "identifier": "eva", "secret": secret });
        app.post("/auth/tokens", login).send().await.data();

        assert_eq!(app.delete(&path).key(&client.key).send().await.data(), json!({ "deleted": true }));
        assert_eq!(app.delete(&path).key(&client.key).send().await.refusal(404), "not_found");
        assert_eq!(app.get(&path).key(&client.key).send().await.refusal(404), "not_found");
    }

    async fn a_chosen_secret_works_with_the_key_and_can_be_changed_by_the_user(db: TestDatabase) {
        let app = TestApp::new(&db).await;
        let client = app.client("Chosen").await;
        let chosen = json!({ "identifier": "ana", "secret": "correct horse battery" });
        let created = app.post("/users", chosen.clone()).key(&client.key).send().await.data();
        assert_eq!((&created["secret"], &created["secret_preview"]), (&json!(null), &json!("chosen")));
        let token = app.post("/auth/tokens", chosen.clone()).key(&client.key).send().await.data();
        let token = text(&token["token"]);
        assert_eq!(app.post("/auth/tokens", chosen.clone()).send().await.refusal(401), "unauthorized");
        let change = |current: &str, new: &str| {
            let body = json!({ "current_secret": current, "new_secret": new });
            app.call("PUT", "/users/me/secret").token(&token).json(body).send()
        };
        assert_eq!(change("wrong horse battery!", "another horse battery").await.refusal(401), "unauthorized");
        assert_eq!(change("correct horse battery", "short").await.field(), "new_secret");
        let changed = change("correct horse battery", "another horse battery").await.data();
        assert_eq!(changed["secret"], Value::Null);
        assert_eq!(app.get("/users/me").token(&token).send().await.refusal(401), "revoked_token");
        let login = json!({ "identifier": "ana", "secret": "another horse battery" });
        app.post("/auth/tokens", login).key(&client.key).send().await.data();
        for secret in ["short", "sk-user-looks-like-one", &"x".repeat(257)] {
            let body = json!({ "identifier": "eva", "secret": secret });
            assert_eq!(app.post("/users", body).key(&client.key).send().await.field(), "secret");
        }
    }

    async fn tokens_are_issued_listed_and_ended(db: TestDatabase) {
        let app = TestApp::new(&db).await;
        let client = app.client("Tokens").await;
        let user = app.user(&client, "ana").await;
        let path = format!("/users/{}/tokens", user.id);
        app.clock.advance(std::time::Duration::from_secs(1));
        let issued = app.call("POST", &path).key(&client.key).send().await.data();
        assert_eq!(issued["expires_at"], 1_769_915_046);
        assert_eq!(issued["user_id"], user.id.as_str());
        let token = text(&issued["token"]);
        app.get("/users/me").token(&token).key(&client.key).send().await.data();
        let listed = app.get(&path).key(&client.key).send().await;
        assert_eq!(listed.data()[0], json!({
            "id": issued["id"],
            "user_id": user.id,
            "issued_at": "2026-01-02T03:04:06.678901Z",
            "expires_at": 1_769_915_046,
            "revoked_at": null,
            "is_active": true,
        }));
        assert_eq!(listed.data().as_array().map(Vec::len), Some(2));
        assert!(!listed.text.contains(&token));
        let ended = app.delete(&path).key(&client.key).send().await.data();
        assert_eq!(ended, json!({ "revoked": true }));
        for token in [&token, &user.token] {
            assert_eq!(app.get("/users/me").token(token).send().await.refusal(401), "revoked_token");
        }
        let again = app.post("/auth/tokens/revoke", json!({ "token": token })).key(&client.key);
        assert_eq!(again.send().await.data(), json!({ "revoked": false }));
    }

    async fn a_client_stores_reads_changes_and_deletes_its_users_accounts(db: TestDatabase) {
        let app = TestApp::new(&db).await;
        let client = app.client("Accounts").await;
        let user = app.user(&client, "ana").await;
        let path = format!("/users/{}/integrations", user.id);
        let body = json!({
            "connector": "github", "user_identifier": "one", "auth_string": "first", "auth_scopes": ["repo"],
        });
        let stored = app.post(&path, body.clone()).key(&client.key).send().await.data();
        assert_eq!(stored, json!({
            "id": stored["id"],
            "client_id": client.id,
            "user_id": user.id,
            "connector": "github",
            "user_identifier": "one",
            "auth_scopes": ["repo"],
            "selected": true,
            "auth_status": "active",
            "created_at": "2026-01-02T03:04:05.678901Z",
        }));
        let again = app.post(&path, body).key(&client.key).send().await;
        assert_eq!(again.refusal(409), "integration_already_exists");
        let body = json!({ "connector": "github", "user_identifier": "two", "auth_string": "second" });
        assert_eq!(app.post(&path, body).key(&client.key).send().await.data()["selected"], false);
        let body = json!({ "connector": "slack", "user_identifier": "x", "auth_string": "third" });
        app.post(&path, body).key(&client.key).send().await.data();

        let count = |path: String| {
            let call = app.get(&path).key(&client.key).send();
            async move { call.await.data().as_array().map(Vec::len) }
        };
        assert_eq!(count(path.clone()).await, Some(3));
        assert_eq!(count(format!("{path}?connector=github")).await, Some(2));
        assert_eq!(app.get(&format!("{path}?connector=")).key(&client.key).send().await.field(), "connector");

        let github = format!("{path}/github");
        let show = |query: &str| app.get(&format!("{github}{query}")).key(&client.key).send();
        assert_eq!(show("").await.data()["auth_string"], "first");
        assert_eq!(show("?user_identifier=two").await.data()["auth_string"], "second");
        assert_eq!(show("?user_identifier=three").await.refusal(404), "not_found");

        let change = |query: &str, body: Value| {
            app.call("PATCH", &format!("{github}{query}")).key(&client.key).json(body).send()
        };
        let unnamed = change("", json!({ "selected": true })).await;
        assert_eq!(unnamed.refusal(409), "ambiguous_account");
        let accounts = json!({ "connector": "github", "accounts": ["one", "two"] });
        assert_eq!(unnamed.body["error"]["details"], accounts);
        assert_eq!(change("?user_identifier=two", json!({ "selected": false })).await.field(), "selected");
        let changed = change("?user_identifier=two", json!({ "selected": true, "auth_string": "renewed" })).await;
        assert_eq!(changed.data()["selected"], true);
        assert_eq!(show("").await.data()["auth_string"], "renewed");

        let remove = |query: &str| app.delete(&format!("{github}{query}")).key(&client.key).send();
        let refused = remove("").await;
        assert_eq!(refused.refusal(409), "ambiguous_account");
        assert_eq!(refused.body["error"]["details"], accounts);
        assert_eq!(remove("?user_identifier=two").await.data(), json!({ "deleted": true }));
        assert_eq!(remove("?user_identifier=two").await.refusal(404), "not_found");
        assert_eq!(show("").await.data()["auth_string"], "first");
        assert_eq!(change("", json!({ "auth_string": "only" })).await.data()["user_identifier"], "one");
        assert_eq!(show("").await.data()["auth_string"], "only");
        assert_eq!(remove("").await.data(), json!({ "deleted": true }));
        assert_eq!(remove("").await.refusal(404), "not_found");
        assert_eq!(change("", json!({ "auth_string": "none" })).await.refusal(404), "not_found");
    }

    async fn a_user_stores_selects_shows_and_removes_its_own_accounts(db: TestDatabase) {
        let app = TestApp::new(&db).await;
        let client = app.client("Own").await;
        let user = app.user(&client, "ana").await;
        let base = "/connectors/github/integrations";
        let call = |method: &str, path: &str| app.call(method, path).token(&user.token).key(&client.key);
        let exists = || app.get("/connectors/github/integration-exists");
        assert_eq!(exists().send().await.data(), json!({ "has_integration": false }));
        app.github(&user, "a b+c@x.com", "first").await;
        app.github(&user, "two", "second").await;
        assert_eq!(exists().token(&user.token).send().await.data(), json!({ "has_integration": true }));
        assert_eq!(exists().key(&client.key).send().await.data(), json!({ "has_integration": false }));
        assert_eq!(exists().key("wrong").send().await.refusal(401), "invalid_client");

        // Without a body and without a type; with `+` and `@` as they are.
        let shown = call("GET", &format!("{base}/a%20b+c@x.com")).send().await.data();
        assert_eq!((&shown["auth_string"], &shown["selected"]), (&json!("first"), &json!(true)));
        let selected = call("POST", &format!("{base}/two")).send().await.data();
        assert_eq!(selected["success"], true);
        call("POST", &format!("{base}/two")).json(json!({ "selected": true })).send().await.data();
        assert_eq!(call("GET", base).send().await.data()["auth_string"], "second");
        for header in ["x-integration", "x-bosa-integration"] {
            let named = call("GET", base).header(header, "a b+c@x.com").send().await;
            assert_eq!(named.data()["auth_string"], "first", "{header}");
        }
        let two = call("GET", base).header("x-integration", "two").header("x-bosa-integration", "one");
        assert_eq!(two.send().await.field(), "X-Integration");

        // A slash is a part of the name, escaped or not: public clients do not escape it.
        for (name, path) in [("a/b", "a%2Fb"), ("T1/U2", "T1/U2"), ("/x//y/", "/x//y/")] {
            app.github(&user, name, "third").await;
            let slashed = format!("{base}/{path}");
            assert_eq!(call("GET", &slashed).send().await.data()["auth_string"], "third", "{name}");
            let selected = call("POST", &slashed).send().await.data();
            assert_eq!(selected["success"], true, "{name}");
            assert_eq!(call("GET", base).send().await.data()["user_identifier"], name);
            call("DELETE", &slashed).send().await.data();
            assert_eq!(call("GET", &slashed).send().await.refusal(404), "not_found");
        }
        let two = format!("{base}/two");
        call("POST", &two).send().await.data();
        assert_eq!(call("GET", &format!("{base}/")).send().await.refusal(404), "not_found");

        // Select and remove say `success: false` where the public clients look; show does not.
        for method in ["POST", "DELETE"] {
            let refused = call(method, &format!("{base}/unknown")).send().await;
            assert_eq!(refused.refusal(404), "not_found");
            let message = &refused.body["error"]["message"];
            let outcome = json!({ "success": false, "error": message, "message": message });
            assert_eq!(refused.body["data"], outcome);
            let refused = app.call(method, &format!("{base}/two")).send().await;
            assert_eq!(refused.refusal(401), "unauthorized");
            assert_eq!(refused.body["data"]["success"], false);
        }
        let refused = call("GET", &format!("{base}/unknown")).send().await;
        assert_eq!(refused.refusal(404), "not_found");
        assert!(refused.body.get("data").is_none());

        let refused = call("DELETE", base).send().await;
        assert_eq!(refused.refusal(409), "ambiguous_account");
        assert_eq!(refused.body["data"]["success"], false);
        let query = call("DELETE", &format!("{base}/two?q")).send().await;
        assert_eq!(query.field(), "q");
        assert_eq!(call("DELETE", base).header("x-integration", "two").send().await.data()["success"], true);
        assert_eq!(call("DELETE", &format!("{base}/a%20b+c@x.com")).send().await.data()["success"], true);
        assert_eq!(call("DELETE", base).send().await.refusal(404), "not_found");
    }

    async fn a_wrong_field_is_named_without_its_value(db: TestDatabase) {
        let app = TestApp::new(&db).await;
        let client = app.client("Fields").await;
        let create = |body: Value| app.post("/users", body).key(&client.key).send();
        for (body, field) in [
            (json!({}), "identifier"),
            (json!({ "identifier": 5 }), "identifier"),
            (json!({ "identifier": "a", "secret": ["a-marked-value"] }), "secret"),
            (json!({ "identifier": "a", "secret": { "a-marked-value": 1 } }), "secret"),
            (json!({ "identifier": "a", "extra": "a-marked-value" }), "extra"),
            (json!([]), "body"),
            (json!("a-marked-value"), "body"),
        ] {
            let refused = create(body.clone()).await;
            assert_eq!(refused.field(), field, "{body}");
            assert!(!refused.text.contains("a-marked-value"), "{}", refused.text);
        }
        let path = format!("/clients/{}", client.id);
        let patch = app.call("PATCH", &path).key(MASTER_KEY).json(json!({ "is_active": "a-marked-value" }));
        let refused = patch.send().await;
        assert_eq!(refused.body["message"], "is_active must be a boolean");
        let keys = format!("/clients/{}/api-keys", client.id);
        for expires_at in [json!("2030-01-01T00:00:00Z"), json!(1.5), json!(1e30)] {
            let refused = app.post(&keys, json!({ "expires_at": expires_at })).key(MASTER_KEY).send().await;
            assert_eq!(refused.body["message"], "expires_at must be a whole number");
        }
    }
}
