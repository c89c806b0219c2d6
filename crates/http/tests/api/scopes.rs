//! The table of scopes: each route with a key that lacks its scope, and with a key that has only it.

use bosa_auth::Scope;
use bosa_auth_http::{Caller, routes};
use bosa_auth_testkit::on_every_database;
use serde_json::json;

use crate::app::{Client, MASTER_KEY, TestApp, text};
use crate::walk::Scene;

on_every_database! {
    async fn every_route_refuses_a_key_that_lacks_its_scope(db: TestDatabase) {
        let app = TestApp::new(&db).await;
        let scene = Scene::new(&app, "scopes").await;
        let mut walked = 0;
        for route in routes() {
            let Some(scope) = route.scope else { continue };
            let others: Vec<_> = Scope::ALL.iter().copied().filter(|other| *other != scope).collect();
            let key = key_with(&app, &scene.client, &others).await;
            let refused = scene.with_key(&app, route, &key).send().await;
            let what = format!("{} {}", route.method, route.path);
            assert_eq!(refused.status, 403, "{what}: {}", refused.text);
            assert_eq!(refused.refusal(403), "permission_denied", "{what}");
            assert_eq!(refused.body["error"]["details"]["scope"], scope.as_str(), "{what}");
            walked += 1;
        }
        assert!(walked >= 28, "only {walked} routes have a scope");
        // Nothing was done by any of them.
        let me = app.get("/users/me").token(&scene.user.token).send().await.data();
        assert_eq!(me["integrations"].as_array().map(Vec::len), Some(2));
    }

    async fn every_route_accepts_a_key_with_only_its_scope(db: TestDatabase) {
        let app = TestApp::new(&db).await;
        for (number, route) in routes().enumerate() {
            let Some(scope) = route.scope else { continue };
            let scene = Scene::new(&app, &format!("scopes-{number}")).await;
            let key = key_with(&app, &scene.client, &[scope]).await;
            let accepted = scene.with_key(&app, route, &key).send().await;
            let what = format!("{} {}", route.method, route.path);
            assert_eq!(accepted.status, 200, "{what}: {}", accepted.text);
        }
    }
}

#[test]
fn every_route_with_a_client_key_has_a_scope_but_the_one_that_shows_the_client() {
    for route in routes() {
        let takes_key = !matches!(
            route.caller,
            Caller::Anyone | Caller::Browser | Caller::MasterKey
        );
        let exempt = route.path == "/clients/me";
        assert_eq!(
            route.scope.is_some(),
            takes_key && !exempt,
            "{}",
            route.path
        );
    }
}

async fn key_with(app: &TestApp, client: &Client, scopes: &[Scope]) -> String {
    let scopes: Vec<_> = scopes.iter().map(|scope| scope.as_str()).collect();
    let path = format!("/clients/{}/api-keys", client.id);
    let created = app
        .post(&path, json!({ "scopes": scopes }))
        .key(MASTER_KEY)
        .send()
        .await;
    text(&created.data()["api_key"])
}
