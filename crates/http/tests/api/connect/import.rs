//! Accounts that were connected elsewhere arrive with their tokens.

use std::time::Duration;

use bosa_auth_testkit::oauth_provider::{Endpoint, Fault};
use bosa_auth_testkit::on_every_database;
use serde_json::{Value, json};

use super::{CONNECTOR, Scene};
use crate::app::{Answer, User};
use crate::browser::Browser;

/// Tokens of ana that nobody here has any more.
async fn tokens(scene: &Scene) -> Value {
    scene
        .connect(&mut Browser::new(), json!({}))
        .await
        .page(200);
    let access_token = scene.account().await["auth_string"].clone();
    let refresh_token = scene.provider.current_refresh_token("ana").unwrap();
    let path = format!("/connectors/{CONNECTOR}/integrations");
    scene
        .app
        .delete(&path)
        .token(&scene.user.token)
        .send()
        .await
        .data();
    json!({ "access_token": access_token, "refresh_token": refresh_token })
}

async fn import(scene: &Scene, user: &User, key: &str, configuration: Value) -> Answer {
    let body =
        json!({ "connector": CONNECTOR, "auth_type": "oauth", "configuration": configuration });
    let path = format!("/users/{}/integrations", user.id);
    scene.app.post(&path, body).key(key).send().await
}

on_every_database! {
    async fn an_imported_account_is_named_by_the_provider_and_refreshed_from_then_on(db: TestDatabase) {
        let scene = Scene::new(&db).await;
        let ana = scene.provider.account("ana");
        let configuration = tokens(&scene).await;
        let eve = scene.app.user(&scene.client, "eve@acme.test").await;
        let stored = import(&scene, &eve, &scene.client.key, configuration.clone()).await.data();
        assert_eq!(stored["user_identifier"], ana.email());
        let path = format!("/connectors/{CONNECTOR}/integrations");
        let read = || scene.app.get(&path).token(&eve.token).send();
        assert_eq!(read().await.data()["auth_string"], configuration["access_token"]);
        scene.app.clock.advance(Duration::from_secs(2 * 60 * 60));
        let next = read().await.data();
        assert_ne!(next["auth_string"], configuration["access_token"]);
        assert_eq!(scene.provider.whose(next["auth_string"].as_str().unwrap()), Some(ana));
        assert_eq!(scene.provider.counts().refreshes, 1);
        // The user itself can do the same, and another client's key finds nobody.
        let other = scene.app.client("other").await;
        let foreign = import(&scene, &eve, &other.key, configuration.clone()).await;
        assert_eq!(foreign.refusal(404), "not_found");
    }

    async fn an_ended_access_token_is_replaced_at_the_first_reading(db: TestDatabase) {
        let scene = Scene::new(&db).await;
        let mut configuration = tokens(&scene).await;
        configuration["expires_at"] = json!(1);
        configuration["user_identifier"] = json!("work");
        let eve = scene.app.user(&scene.client, "eve@acme.test").await;
        import(&scene, &eve, &scene.client.key, configuration.clone()).await.data();
        let path = format!("/connectors/{CONNECTOR}/integrations/work");
        let read = scene.app.get(&path).token(&eve.token).send().await.data();
        assert_ne!(read["auth_string"], configuration["access_token"]);
    }

    async fn whose_the_tokens_are_is_for_the_provider_to_say(db: TestDatabase) {
        let scene = Scene::new(&db).await;
        let ana = scene.provider.account("ana");
        let good = tokens(&scene).await;
        let eve = scene.app.user(&scene.client, "eve@acme.test").await;
        let with = |name: &str, value: Value| {
            let mut configuration = good.clone();
            configuration[name] = value;
            configuration
        };
        let key = &scene.client.key;
        let foreign = import(&scene, &eve, key, with("subject", json!("somebody else"))).await;
        assert_eq!(foreign.field(), "configuration.subject");
        scene.provider.fault(Endpoint::Identity, 3, Fault::answer(503, ""));
        let unknown = import(&scene, &eve, key, good.clone()).await;
        assert_eq!(unknown.refusal(503), "provider_unavailable");
        scene.provider.fault(Endpoint::Identity, 3, Fault::answer(503, ""));
        let said = import(&scene, &eve, key, with("subject", json!(ana.subject))).await;
        assert_eq!(said.data()["user_identifier"], ana.subject);
        for (name, value) in [
            ("expires_at", json!("tomorrow")),
            ("refresh_token", json!("")),
            ("access_token", json!("two\nlines")),
            ("subject", json!("")),
        ] {
            let refused = import(&scene, &eve, key, with(name, value)).await;
            assert_eq!(refused.field(), format!("configuration.{name}"));
        }
        let more = import(&scene, &eve, key, with("surprise", json!(1))).await;
        assert_eq!(more.field(), "configuration");
    }
}
