//! Credentials that are made of fields, over both routes that store an account.

use bosa_auth_testkit::on_every_database;
use serde_json::{Value, json};

use crate::app::TestApp;

/// In every value that may not come back in a refusal.
const MARK: &str = "a-marked-value";

on_every_database! {
    async fn a_custom_configuration_becomes_a_credential(db: TestDatabase) {
        let app = TestApp::new(&db).await;
        let client = app.client("Custom").await;
        let user = app.user(&client, "ana").await;
        let base = "/connectors/jira/integrations";
        let connect = |body: Value| app.post(base, body).token(&user.token).send();
        let custom = |configuration: Value| json!({ "auth_type": "custom", "configuration": configuration });
        let stored = connect(custom(json!({ "url": "https://j", "key": { "b": 1, "a": [true] } }))).await.data();
        assert_eq!((&stored["user_identifier"], &stored["auth_scopes"]), (&json!("default"), &json!([])));
        let show = |account: &str| app.get(&format!("{base}/{account}")).token(&user.token).send();
        let shown = show("default").await.data();
        assert_eq!(shown["auth_string"], r#"{"key":{"a":[true],"b":1},"url":"https://j"}"#);

        let again = custom(json!({ "user_identifier": "default", "auth_string": "new" }));
        assert_eq!(connect(again.clone()).await.refusal(409), "integration_already_exists");
        let mut replacing = again;
        replacing["replace_duplicate"] = json!(true);
        assert_eq!(connect(replacing).await.data()["id"], stored["id"]);
        assert_eq!(show("default").await.data()["auth_string"], "new");

        let url = json!({ "callback_url": "https://x/connectors/jira/success-authorize-callback", "replace_duplicate": true });
        assert_eq!(connect(url).await.refusal(404), "not_found", "jira is not declared");
        for (body, field) in [
            (json!({ "configuration": {} }), "auth_type"),
            (json!({ "auth_type": "custom", "configuration": {}, "callback_url": "https://x" }), "callback_url"),
            (json!({ "auth_type": "custom", "configuration": {}, "completion_code": "x" }), "completion_code"),
            (json!({ "callback_url": "https://x", "completion_code": "x" }), "completion_code"),
            (json!({ "auth_type": "oauth", "configuration": {} }), "configuration.access_token"),
            (json!({ "auth_type": "custom" }), "configuration"),
            (json!({ "auth_type": "custom", "configuration": [] }), "configuration"),
            (custom(json!({ "user_identifier": 5 })), "configuration.user_identifier"),
            (custom(json!({ "auth_string": {} })), "configuration.auth_string"),
            (custom(json!({ "auth_scopes": "repo" })), "configuration.auth_scopes"),
            (custom(json!({ "auth_string": "" })), "auth_string"),
            (json!({ "auth_type": "custom", "configuration": {}, "replace_duplicate": "yes" }), "replace_duplicate"),
            (json!({ "auth_type": "custom", "surprise": 1 }), "surprise"),
        ] {
            assert_eq!(connect(body.clone()).await.field(), field, "{body}");
        }
        let upper = app.post("/connectors/Jira/integrations", custom(json!({}))).token(&user.token);
        assert_eq!(upper.send().await.field(), "connector");
    }

    async fn each_kind_becomes_a_credential_on_both_routes(db: TestDatabase) {
        let app = TestApp::new(&db).await;
        let client = app.client("Kinds").await;
        let user = app.user(&client, "ana").await;
        // Not declared: it takes every kind.
        let by_user = "/connectors/acme/integrations";
        let by_client = format!("/users/{}/integrations", user.id);
        let kinds = [
            ("api_key", json!({ "api_key": " exact\ttext " }), " exact\ttext ", "default"),
            ("bearer", json!({ "token": "abc" }), "abc", "default"),
            ("basic", json!({ "username": "ana", "password": "p:w" }), r#"{"password":"p:w","username":"ana"}"#, "ana"),
            ("custom", json!({ "b": [1], "a": { "d": 1, "c": null } }), r#"{"a":{"c":null,"d":1},"b":[1]}"#, "default"),
        ];
        for (kind, configuration, auth_string, account) in &kinds {
            for route in [by_user, by_client.as_str()] {
                let mut body = json!({ "auth_type": kind, "configuration": configuration });
                if route == by_client {
                    body["connector"] = json!("acme");
                }
                let call = || app.post(route, body.clone()).key(&client.key).token(&user.token).send();
                let stored = call().await.data();
                assert_eq!((&stored["user_identifier"], &stored["auth_scopes"]), (&json!(account), &json!([])));
                assert_eq!(call().await.refusal(409), "integration_already_exists");
                body["replace_duplicate"] = json!(true);
                let replaced = app.post(route, body.clone()).key(&client.key).token(&user.token).send();
                assert_eq!(replaced.await.data()["id"], stored["id"]);
                let shown = app.get(by_user).token(&user.token).send().await.data();
                assert_eq!(shown["auth_string"], *auth_string, "{kind}");
                let removed = app.call("DELETE", by_user).token(&user.token).send().await;
                assert_eq!(removed.data()["success"], true);
            }
        }
        let named = json!({ "auth_type": "basic", "configuration": {
            "username": "ana", "password": "x", "user_identifier": "work", "auth_scopes": ["read"],
        } });
        let stored = app.post(by_user, named).token(&user.token).send().await.data();
        assert_eq!((&stored["user_identifier"], &stored["auth_scopes"]), (&json!("work"), &json!(["read"])));
    }

    async fn a_declared_connector_says_what_it_takes(db: TestDatabase) {
        let app = TestApp::new(&db).await;
        let client = app.client("Declared").await;
        let user = app.user(&client, "ana").await;
        let give = |connector: &str, kind: &str, configuration: Value| {
            let body = json!({ "auth_type": kind, "configuration": configuration });
            app.post(&format!("/connectors/{connector}/integrations"), body).token(&user.token).send()
        };
        let refused = give("openai", "basic", json!({ "username": MARK, "password": MARK })).await;
        assert_eq!(refused.field(), "auth_type");
        assert_eq!(refused.body["message"], "auth_type basic is not among what openai takes: api_key, custom");
        let refused = give("github", "api_key", json!({ "api_key": MARK })).await;
        assert_eq!(refused.body["message"], "auth_type api_key is not among what github takes: oauth, bearer, custom");
        give("openai", "api_key", json!({ "api_key": "sk-x" })).await.data();

        let refused = give("datadog", "custom", json!({ "site": MARK, "api_key": "", "other/~": MARK })).await;
        assert_eq!(refused.field(), "configuration");
        assert!(!refused.text.contains(MARK), "{}", refused.text);
        let sites = "datadoghq.com, us3.datadoghq.com, us5.datadoghq.com, datadoghq.eu, ap1.datadoghq.com, \
            ap2.datadoghq.com, ddog-gov.com";
        assert_eq!(refused.body["error"]["details"]["violations"], json!([
            { "pointer": "/application_key", "reason": "is missing" },
            { "pointer": "/api_key", "reason": "must have at least 1 characters" },
            { "pointer": "/other~1~0", "reason": "is not a field of this credential" },
            { "pointer": "/site", "reason": format!("must be one of {sites}") },
        ]));
        for pointer in ["/application_key is missing", "/api_key must", "/other~1~0 is not", "/site must"] {
            assert!(refused.body["message"].as_str().unwrap().contains(pointer), "{}", refused.text);
        }
        let whole = json!({ "site": "datadoghq.eu", "api_key": "a", "application_key": "b", "user_identifier": "eu" });
        assert_eq!(give("datadog", "custom", whole).await.data()["user_identifier"], "eu");
        // As the public clients send it, to any connector.
        for connector in ["datadog", "openai", "github", "acme"] {
            let given = json!({ "user_identifier": "octocat", "auth_string": "x" });
            assert_eq!(give(connector, "custom", given).await.data()["user_identifier"], "octocat");
        }
    }

    async fn fields_that_are_wrong_are_named_without_their_values(db: TestDatabase) {
        let app = TestApp::new(&db).await;
        let client = app.client("Fields").await;
        let user = app.user(&client, "ana").await;
        let call = |body: Value| app.post("/connectors/acme/integrations", body).token(&user.token).send();
        let line = format!("{MARK}\n");
        for (kind, configuration, field) in [
            ("oauth", json!({}), "configuration.access_token"),
            ("", json!({}), "auth_type"),
            ("API_KEY", json!({ "api_key": MARK }), "auth_type"),
            ("api_key", json!({}), "configuration.api_key"),
            ("api_key", json!({ "api_key": "" }), "configuration.api_key"),
            ("api_key", json!({ "api_key": [MARK] }), "configuration.api_key"),
            ("api_key", json!({ "api_key": MARK, "token": MARK }), "configuration"),
            ("api_key", json!({ "api_key": MARK, "user_identifier": null }), "configuration.user_identifier"),
            ("api_key", json!({ "api_key": MARK, "auth_scopes": { MARK: 1 } }), "configuration.auth_scopes"),
            ("api_key", json!({ "api_key": "x".repeat(65_537) }), "auth_string"),
            ("bearer", json!({ "api_key": MARK }), "configuration.token"),
            ("bearer", json!({ "token": "" }), "configuration.token"),
            ("bearer", json!({ "token": line }), "configuration.token"),
            ("basic", json!({ "username": MARK }), "configuration.password"),
            ("basic", json!({ "password": MARK }), "configuration.username"),
            ("basic", json!({ "username": "", "password": "" }), "configuration.username"),
            ("basic", json!({ "username": "a:b", "password": MARK }), "configuration.username"),
            ("basic", json!({ "username": line, "password": MARK }), "configuration.username"),
            ("basic", json!({ "username": "a", "password": line }), "configuration.password"),
            ("basic", json!({ "username": "a".repeat(321), "password": MARK }), "user_identifier"),
        ] {
            let refused = call(json!({ "auth_type": kind, "configuration": configuration })).await;
            assert_eq!(refused.field(), field, "{kind} {configuration}");
            assert!(!refused.text.contains(MARK), "{}", refused.text);
        }
        let me = app.get("/users/me").token(&user.token).send().await.data();
        assert_eq!(me["integrations"], json!([]));

        // The name of an account is never a key that stands in for a user name.
        for (username, password) in [("a-key", ""), ("", "a-key")] {
            let pair = json!({ "username": username, "password": password });
            let body = json!({ "auth_type": "basic", "configuration": pair, "replace_duplicate": true });
            assert_eq!(call(body).await.data()["user_identifier"], "default");
        }

        let path = format!("/users/{}/integrations", user.id);
        for (body, field) in [
            (json!({}), "connector"),
            (json!({ "connector": "acme" }), "user_identifier"),
            (json!({ "connector": "acme", "user_identifier": "a" }), "auth_string"),
            (json!({ "connector": "acme", "auth_type": "bearer" }), "configuration"),
            (json!({ "connector": "acme", "configuration": {} }), "auth_type"),
            (json!({ "connector": "acme", "auth_type": "bearer", "configuration": {}, "user_identifier": "a" }), "user_identifier"),
            (json!({ "connector": "acme", "auth_type": "bearer", "configuration": {}, "auth_string": MARK }), "auth_string"),
            (json!({ "connector": "acme", "auth_type": "bearer", "configuration": {}, "auth_scopes": [] }), "auth_scopes"),
            (json!({ "connector": "acme", "auth_type": "bearer", "configuration": "x" }), "configuration"),
            (json!({ "connector": "Acme", "auth_type": "bearer", "configuration": { "token": "x" } }), "connector"),
        ] {
            let refused = app.post(&path, body.clone()).key(&client.key).send().await;
            assert_eq!(refused.field(), field, "{body}");
        }
        let direct = json!({ "connector": "acme", "user_identifier": "one", "auth_string": "x" });
        let direct = |replace: bool| {
            let mut body = direct.clone();
            body["replace_duplicate"] = json!(replace);
            app.post(&path, body).key(&client.key).send()
        };
        let stored = direct(false).await.data();
        assert_eq!(direct(false).await.refusal(409), "integration_already_exists");
        assert_eq!(direct(true).await.data()["id"], stored["id"]);
    }
}
