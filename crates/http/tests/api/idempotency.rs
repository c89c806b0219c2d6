//! The `Idempotency-Key` header on every route that creates.

use bosa_auth_testkit::on_every_database;
use serde_json::{Value, json};

use crate::app::{Answer, Call, MASTER_KEY, TestApp, text};
use crate::walk::Scene;

const KEY: &str = "idempotency-key";

/// One route that creates: how to call it twice, and another request under the same key.
type Creation<'a> = (
    &'static str,
    Box<dyn Fn() -> Call + 'a>,
    Box<dyn Fn() -> Call + 'a>,
);

fn creations<'a>(app: &'a TestApp, scene: &'a Scene) -> Vec<Creation<'a>> {
    let key = &scene.client.key;
    let clients = format!("/clients/{}/api-keys", scene.client.id);
    let rotate = format!("{clients}/{}/rotate", scene.spare_key_id);
    let user = format!("/users/{}", scene.user.id);
    let custom = |name: &str| {
        let configuration = json!({ "user_identifier": name, "auth_string": "planted" });
        json!({ "auth_type": "custom", "configuration": configuration })
    };
    let account = |name: &str| json!({ "connector": "slack", "user_identifier": name, "auth_string": "planted" });
    let (user_tokens, user_accounts) = (format!("{user}/tokens"), format!("{user}/integrations"));
    let keys = clients.clone();
    vec![
        (
            "POST /clients",
            Box::new(|| {
                app.post("/clients", json!({ "name": "once" }))
                    .key(MASTER_KEY)
            }),
            Box::new(|| {
                app.post("/clients", json!({ "name": "twice" }))
                    .key(MASTER_KEY)
            }),
        ),
        (
            "POST /clients/{id}/api-keys",
            Box::new(move || {
                app.post(&keys, json!({ "scopes": ["users:read"] }))
                    .key(MASTER_KEY)
            }),
            Box::new(move || {
                app.post(&clients, json!({ "scopes": ["users:write"] }))
                    .key(MASTER_KEY)
            }),
        ),
        (
            "POST /clients/{id}/api-keys/{key_id}/rotate",
            Box::new({
                let rotate = rotate.clone();
                move || app.post(&rotate, json!({})).key(MASTER_KEY)
            }),
            Box::new(move || {
                app.post(&rotate, json!({ "overlap_seconds": 5 }))
                    .key(MASTER_KEY)
            }),
        ),
        (
            "POST /users",
            Box::new(move || app.post("/users", json!({ "identifier": "once" })).key(key)),
            Box::new(move || {
                app.post("/users", json!({ "identifier": "twice" }))
                    .key(key)
            }),
        ),
        (
            "POST /users/{id}/integrations",
            Box::new({
                let path = user_accounts.clone();
                move || app.post(&path, account("once")).key(key)
            }),
            Box::new(move || app.post(&user_accounts, account("twice")).key(key)),
        ),
        (
            "POST /users/{id}/tokens",
            Box::new(move || app.call("POST", &user_tokens).key(key)),
            Box::new(move || app.call("POST", &format!("{user}/tokens/")).key(key)),
        ),
        (
            "POST /connectors/{c}/integrations",
            Box::new(move || {
                let call = app.post("/connectors/github/integrations", custom("once"));
                call.token(&scene.user.token)
            }),
            Box::new(move || {
                let call = app.post("/connectors/github/integrations", custom("twice"));
                call.token(&scene.user.token)
            }),
        ),
    ]
}

/// The parts of an answer that may not be repeated.
fn credential(data: &Value) -> Option<&Value> {
    ["api_key", "secret", "token", "auth_string"]
        .iter()
        .find_map(|name| data.get(*name))
}

on_every_database! {
    async fn a_repeat_answers_with_the_same_resource_and_no_credential(db: TestDatabase) {
        let app = TestApp::new(&db).await;
        let scene = Scene::new(&app, "idempotent").await;
        for (what, good, other) in creations(&app, &scene) {
            let first = good().header(KEY, "key-1").send().await;
            assert_eq!(first.status, 200, "{what}: {}", first.text);
            assert_eq!(first.body["meta"], Value::Null, "{what}");
            let again = good().header(KEY, "key-1").send().await;
            assert_eq!(again.status, 200, "{what}: {}", again.text);
            assert_eq!(again.data()["id"], first.data()["id"], "{what}");
            assert_eq!(again.body["meta"]["replayed"], true, "{what}");
            assert!(again.body["meta"]["hint"].is_string(), "{what}");
            let repeated = again.data();
            let shown = credential(&repeated);
            assert!(shown.is_none_or(Value::is_null), "{what}: {}", again.text);
            let mismatch = other().header(KEY, "key-1").send().await;
            if mismatch.status != 404 {
                assert_eq!(mismatch.refusal(422), "idempotency_mismatch", "{what}");
            }
        }
    }

    async fn repeats_at_the_same_moment_create_one_resource(db: TestDatabase) {
        let app = TestApp::new(&db).await;
        let scene = Scene::new(&app, "parallel").await;
        let call = || {
            let call = app.post("/users", json!({ "identifier": "only-one" }));
            call.key(&scene.client.key).header(KEY, "the-key").send()
        };
        let answers: [Answer; 8] =
            tokio::join!(call(), call(), call(), call(), call(), call(), call(), call()).into();
        let ids: Vec<_> = answers.iter().map(|answer| text(&answer.data()["id"])).collect();
        assert!(ids.windows(2).all(|pair| pair[0] == pair[1]), "{ids:?}");
        let fresh = answers.iter().filter(|answer| answer.body["meta"].is_null()).count();
        assert_eq!(fresh, 1);
        let shown = answers.iter().filter(|answer| answer.data()["secret"].is_string()).count();
        assert_eq!(shown, 1);
    }

    async fn a_key_belongs_to_its_caller_and_its_route(db: TestDatabase) {
        let app = TestApp::new(&db).await;
        let (ours, theirs) = (app.client("ours").await, app.client("theirs").await);
        let create = |key: &str| {
            let call = app.post("/users", json!({ "identifier": "same" }));
            call.key(key).header(KEY, "same")
        };
        let first = create(&ours.key).send().await.data();
        let second = create(&theirs.key).send().await;
        assert_eq!(second.body["meta"], Value::Null);
        assert_ne!(first["id"], second.data()["id"]);
        let path = format!("/users/{}/tokens", text(&first["id"]));
        let token = app.call("POST", &path).key(&ours.key).header(KEY, "same").send().await;
        assert!(token.data()["token"].is_string());
    }

    async fn a_repeat_may_come_over_the_former_name_of_the_route(db: TestDatabase) {
        let app = TestApp::new(&db).await;
        let client = app.client("renamed").await;
        let create = |path: &str| {
            let call = app.post(path, json!({ "identifier": "once" }));
            call.key(&client.key).header(KEY, "either").send()
        };
        let first = create("/clients/register-user").await.data();
        let again = create("/users").await;
        assert_eq!(again.body["meta"]["replayed"], true, "{}", again.text);
        assert_eq!(again.data()["id"], first["id"]);
    }

    async fn a_key_is_bound_to_the_ids_in_the_path(db: TestDatabase) {
        let app = TestApp::new(&db).await;
        let client = app.client("bound").await;
        let issue = |id: String| {
            let call = app.call("POST", &format!("/users/{id}/tokens"));
            call.key(&client.key).header(KEY, "same").send()
        };
        issue(app.user(&client, "ana").await.id).await.data();
        let other = issue(app.user(&client, "ben").await.id).await;
        assert_eq!(other.refusal(422), "idempotency_mismatch");
    }

    async fn a_failed_request_leaves_its_key_free(db: TestDatabase) {
        let app = TestApp::new(&db).await;
        let client = app.client("free").await;
        let taken = app.user(&client, "taken").await;
        let create = |identifier: &str| {
            let call = app.post("/users", json!({ "identifier": identifier }));
            call.key(&client.key).header(KEY, "retry")
        };
        assert_eq!(create(&taken.identifier).send().await.refusal(409), "user_already_exists");
        assert_eq!(create("").send().await.field(), "identifier");
        create("free").send().await.data();
    }

    async fn a_malformed_key_is_refused(db: TestDatabase) {
        let app = TestApp::new(&db).await;
        let client = app.client("strict").await;
        for key in ["", "a b", "caf\u{e9}", &"x".repeat(256)] {
            let call = app.post("/users", json!({ "identifier": "x" })).key(&client.key);
            assert_eq!(call.header(KEY, key).send().await.field(), "Idempotency-Key", "{key:?}");
        }
        let call = app.post("/users", json!({ "identifier": "x" })).key(&client.key);
        let twice = call.header(KEY, "a").header(KEY, "b").send().await;
        assert_eq!(twice.field(), "Idempotency-Key");
        let longest = "x".repeat(255);
        let call = app.post("/users", json!({ "identifier": "x" })).key(&client.key);
        call.header(KEY, &longest).send().await.data();
    }
}
