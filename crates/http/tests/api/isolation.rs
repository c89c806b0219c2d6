//! Another client's key, ids and tokens: refused on every route, and nothing is learnt.

use bosa_auth_http::{Caller, routes};
use bosa_auth_testkit::on_every_database;
use serde_json::{Value, json};

use crate::app::{Answer, MASTER_KEY, NOWHERE, TestApp};
use crate::walk::Scene;

on_every_database! {
    async fn a_client_cannot_reach_another_clients_user_on_any_route(db: TestDatabase) {
        let app = TestApp::new(&db).await;
        let ours = Scene::new(&app, "ours").await;
        let theirs = Scene::new(&app, "theirs").await;
        let before = whole_state(&app, &theirs).await;
        let mut walked = 0;
        for route in routes().filter(|route| route.caller == Caller::Client) {
            if !route.path.contains("{id}") {
                continue;
            }
            let foreign = theirs.with_key(&app, route, &ours.client.key).send().await;
            let path = theirs.path(route).replace(&theirs.user.id, NOWHERE);
            let mut unknown = app.call(route.method.as_str(), &path).key(&ours.client.key);
            if let Some(body) = theirs.body(route) {
                unknown = unknown.json(body);
            }
            let unknown = unknown.send().await;
            let what = format!("{} {}", route.method, route.path);
            assert_eq!(foreign.refusal(404), "not_found", "{what}");
            assert_eq!(without_id(&foreign), without_id(&unknown), "{what}");
            walked += 1;
        }
        assert_eq!(walked, 12);
        assert_eq!(whole_state(&app, &theirs).await, before);
    }

    async fn a_token_with_another_clients_key_is_refused_on_every_route(db: TestDatabase) {
        let app = TestApp::new(&db).await;
        let ours = Scene::new(&app, "ours").await;
        let theirs = Scene::new(&app, "theirs").await;
        let before = whole_state(&app, &theirs).await;
        let mut walked = 0;
        for route in routes() {
            if !matches!(route.caller, Caller::User | Caller::MaybeUser) {
                continue;
            }
            let refused = theirs.with_key(&app, route, &ours.client.key).send().await;
            assert_eq!(refused.refusal(401), "invalid_token", "{}", route.path);
            walked += 1;
        }
        assert_eq!(walked, 10);
        assert_eq!(whole_state(&app, &theirs).await, before);
    }

    async fn another_clients_token_is_invalid_whatever_its_state(db: TestDatabase) {
        let app = TestApp::new(&db).await;
        let ours = Scene::new(&app, "ours").await;
        let theirs = Scene::new(&app, "theirs").await;
        let body = json!({ "token": theirs.user.token });
        let invalid = json!({ "valid": false, "code": "invalid_token" });
        let verify = || app.post("/auth/tokens/verify", body.clone()).key(&ours.client.key);
        assert_eq!(verify().send().await.data(), invalid);
        let revoke = app.post("/auth/tokens/revoke", body.clone()).key(&ours.client.key);
        assert_eq!(revoke.send().await.data(), json!({ "revoked": false }));
        assert_eq!(app.get("/users/me").token(&theirs.user.token).send().await.status, 200);

        let path = format!("/clients/{}", theirs.client.id);
        let suspend = app.call("PATCH", &path).json(json!({ "is_active": false }));
        suspend.key(MASTER_KEY).send().await.data();
        assert_eq!(verify().send().await.data(), invalid, "suspended client");
        let resume = app.call("PATCH", &path).json(json!({ "is_active": true }));
        resume.key(MASTER_KEY).send().await.data();

        let revoke = app.post("/auth/tokens/revoke", body.clone()).key(&theirs.client.key);
        assert_eq!(revoke.send().await.data(), json!({ "revoked": true }));
        assert_eq!(verify().send().await.data(), invalid, "revoked token");
    }

    async fn lists_and_searches_show_the_callers_own_only(db: TestDatabase) {
        let app = TestApp::new(&db).await;
        let ours = Scene::new(&app, "ours").await;
        let theirs = Scene::new(&app, "theirs").await;
        let list = app.get("/users").key(&ours.client.key).send().await;
        assert_eq!(list.data().as_array().map(Vec::len), Some(1));
        assert!(!list.text.contains(&theirs.user.id));
        let path = format!("/users?identifier={}", theirs.user.identifier);
        assert_eq!(app.get(&path).key(&ours.client.key).send().await.data(), json!([]));
        let same = app.user(&ours.client, &theirs.user.identifier).await;
        assert_ne!(same.id, theirs.user.id);
    }

    async fn a_users_token_does_not_open_another_users_accounts(db: TestDatabase) {
        let app = TestApp::new(&db).await;
        let scene = Scene::new(&app, "one").await;
        let other = app.user(&scene.client, "other@one.test").await;
        let path = "/connectors/github/integrations/first";
        for method in ["GET", "POST", "DELETE"] {
            let refused = app.call(method, path).token(&other.token).send().await;
            assert_eq!(refused.refusal(404), "not_found", "{method}");
        }
        let exists = app.get("/connectors/github/integration-exists").token(&other.token);
        assert_eq!(exists.send().await.data(), json!({ "has_integration": false }));
    }

    async fn a_client_key_or_a_token_does_not_open_the_routes_of_the_master_key(db: TestDatabase) {
        let app = TestApp::new(&db).await;
        let scene = Scene::new(&app, "plain").await;
        for route in routes().filter(|route| route.caller == Caller::MasterKey) {
            for credential in [&scene.client.key, &scene.user.token, &scene.user.secret] {
                let refused = scene.bare(&app, route).key(credential).send().await;
                assert_eq!(refused.refusal(401), "invalid_client", "{}", route.path);
                let refused = scene.bare(&app, route).token(credential).send().await;
                assert_eq!(refused.refusal(401), "invalid_client", "{}", route.path);
            }
        }
        // And the master key opens none of the others.
        for route in routes() {
            match route.caller {
                Caller::Anyone
                | Caller::Browser
                | Caller::MasterKey
                | Caller::ClientOrMasterKey => {}
                Caller::MaybeUser => {
                    let call = scene.bare(&app, route).key(MASTER_KEY).token(&scene.user.token);
                    assert_eq!(call.send().await.refusal(401), "invalid_client", "{}", route.path);
                }
                Caller::User => {
                    let call = scene.bare(&app, route).token(MASTER_KEY);
                    assert_eq!(call.send().await.refusal(401), "invalid_token", "{}", route.path);
                }
                Caller::Client | Caller::MaybeClient => {
                    let call = scene.bare(&app, route).key(MASTER_KEY);
                    assert_eq!(call.send().await.refusal(401), "invalid_client", "{}", route.path);
                }
            }
        }
    }
}

/// A refusal without what differs between two requests.
fn without_id(answer: &Answer) -> (u16, Value) {
    let mut body = answer.body.clone();
    body["error"]["request_id"] = Value::Null;
    (answer.status.as_u16(), body)
}

/// Everything that the scene's own client can see of its user.
async fn whole_state(app: &TestApp, scene: &Scene) -> Vec<Value> {
    let mut state = Vec::new();
    let user = format!("/users/{}", scene.user.id);
    for path in [
        user.clone(),
        format!("{user}/tokens"),
        format!("{user}/integrations"),
        format!("{user}/integrations/github"),
    ] {
        state.push(app.get(&path).key(&scene.client.key).send().await.data());
    }
    state.push(
        app.get("/users/me")
            .token(&scene.user.token)
            .send()
            .await
            .data(),
    );
    state
}
