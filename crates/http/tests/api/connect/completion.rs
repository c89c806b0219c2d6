//! Connections that the client completes.

use bosa_auth_testkit::on_every_database;
use serde_json::{Value, json};
use url::Url;

use super::{CONNECTOR, Scene, to_the_application};
use crate::app::{Answer, Client, User};
use crate::browser::Browser;

async fn waiting(scene: &Scene) -> String {
    scene
        .set(&scene.client, |settings| settings.require_completion = true)
        .await;
    let mut browser = Browser::new();
    let end = scene.connect(&mut browser, to_the_application()).await;
    let address = Url::parse(&end.location()).unwrap();
    let mut query = address.query_pairs();
    let code = query.find(|(name, _)| name == "completion_code");
    code.unwrap().1.into_owned()
}

async fn complete(scene: &Scene, client: &Client, user: &User, code: &str) -> Answer {
    let path = format!("/connectors/{CONNECTOR}/integrations");
    let call = scene.app.post(&path, json!({ "completion_code": code }));
    call.key(&client.key).token(&user.token).send().await
}

fn status(accounts: &[Value]) -> &Value {
    &accounts[0]["auth_status"]
}

on_every_database! {
    async fn an_account_cannot_be_read_before_the_client_has_posted_the_code(db: TestDatabase) {
        let scene = Scene::new(&db).await;
        let code = waiting(&scene).await;
        assert_eq!(status(&scene.accounts().await), "pending");
        let path = format!("/connectors/{CONNECTOR}/integrations");
        let named = format!("{path}/ana@provider.example");
        for path in [&path, &named] {
            let read = scene.app.get(path).token(&scene.user.token).send().await;
            assert_eq!(read.refusal(404), "not_found");
        }
        let done = complete(&scene, &scene.client, &scene.user, &code).await.data();
        assert_eq!(done["user_identifier"], "ana@provider.example");
        assert_eq!(done["auth_status"], "active");
        assert!(scene.account().await["auth_string"].as_str().unwrap().starts_with("access"));
    }

    async fn a_code_is_good_once_for_its_own_user_and_client_and_for_ten_minutes(db: TestDatabase) {
        let scene = Scene::new(&db).await;
        let code = waiting(&scene).await;
        let other_user = scene.app.user(&scene.client, "bob@acme.test").await;
        let other_client = scene.app.client("other").await;
        let foreign = scene.app.user(&other_client, "ana@acme.test").await;
        let half = code.split_once('.').unwrap().0;
        let refused = complete(&scene, &scene.client, &other_user, &code).await;
        assert_eq!(refused.field(), "completion_code");
        let message = refused.body["message"].clone();
        for (client, user, code) in [
            (&other_client, &foreign, code.as_str()),
            (&scene.client, &scene.user, half),
            (&scene.client, &scene.user, ""),
            (&scene.client, &scene.user, &format!("{half}.{}", "A".repeat(43))),
            (&scene.client, &scene.user, &code.to_uppercase()),
        ] {
            let refused = complete(&scene, client, user, code).await;
            assert_eq!((refused.field(), &refused.body["message"]), ("completion_code".to_owned(), &message));
        }
        let path = format!("/connectors/{CONNECTOR}/integrations");
        let without_key = scene.app.post(&path, json!({ "completion_code": code }));
        let without_key = without_key.token(&scene.user.token).send().await;
        assert_eq!(without_key.refusal(401), "invalid_client");
        let elsewhere = scene.app.post("/connectors/github/integrations", json!({ "completion_code": code }));
        let elsewhere = elsewhere.key(&scene.client.key).token(&scene.user.token).send().await;
        assert_eq!(elsewhere.field(), "completion_code");
        assert_eq!(status(&scene.accounts().await), "pending");

        complete(&scene, &scene.client, &scene.user, &code).await.data();
        let again = complete(&scene, &scene.client, &scene.user, &code).await;
        assert_eq!(again.body["message"], message);

        let late = waiting(&scene).await;
        assert_eq!(status(&scene.accounts().await), "pending", "connected once more");
        scene.app.clock.advance(std::time::Duration::from_secs(600));
        let refused = complete(&scene, &scene.client, &scene.user, &late).await;
        assert_eq!(refused.body["message"], message);
    }

    async fn what_was_not_completed_in_time_is_removed_or_must_be_connected_again(db: TestDatabase) {
        let scene = Scene::new(&db).await;
        let count = async |table: &str| {
            let sql = match table {
                "states" => "select count(*) from bosa_connect_states",
                _ => "select count(*) from bosa_integrations",
            };
            db.db().read(sql, vec![]).await.unwrap()[0].get::<i64>(0).unwrap()
        };
        waiting(&scene).await;
        let begun = scene.app.post(&format!("/connectors/{CONNECTOR}/integrations"), to_the_application());
        begun.token(&scene.user.token).send().await.data();
        assert_eq!((count("states").await, count("accounts").await), (1, 1));
        // For other processes, whose clocks may be slower, everything is kept a little longer.
        scene.app.clock.advance(std::time::Duration::from_secs(19 * 60));
        scene.app.auth.run_maintenance().await.unwrap();
        assert_eq!((count("states").await, count("accounts").await), (1, 1));
        scene.app.clock.advance(std::time::Duration::from_secs(61));
        scene.app.auth.run_maintenance().await.unwrap();
        assert_eq!((count("states").await, count("accounts").await), (0, 0));

        let code = waiting(&scene).await;
        complete(&scene, &scene.client, &scene.user, &code).await.data();
        scene.app.clock.advance(std::time::Duration::from_secs(60));
        waiting(&scene).await;
        scene.app.clock.advance(std::time::Duration::from_secs(20 * 60 + 1));
        scene.app.auth.run_maintenance().await.unwrap();
        let accounts = scene.accounts().await;
        assert_eq!(status(&accounts), "needs_reauth");
        assert_eq!(accounts[0]["auth_status_reason"], "the connection was not completed in time");
    }

    async fn a_repeat_of_a_completion_answers_as_the_first(db: TestDatabase) {
        let scene = Scene::new(&db).await;
        let code = waiting(&scene).await;
        let path = format!("/connectors/{CONNECTOR}/integrations");
        for replayed in [Value::Null, json!(true)] {
            let call = scene.app.post(&path, json!({ "completion_code": code }));
            let call = call.key(&scene.client.key).token(&scene.user.token);
            let done = call.header("idempotency-key", "once").send().await;
            assert_eq!(done.data()["auth_status"], "active");
            assert_eq!(done.body["meta"]["replayed"], replayed);
        }
    }

    async fn only_an_address_of_the_application_can_carry_the_code(db: TestDatabase) {
        let scene = Scene::new(&db).await;
        scene.set(&scene.client, |settings| settings.require_completion = true).await;
        let path = format!("/connectors/{CONNECTOR}/integrations");
        let plain = format!("https://auth.example.com/connectors/{CONNECTOR}/success-authorize-callback");
        for body in [json!({}), json!({ "callback_url": plain })] {
            let refused = scene.app.post(&path, body).token(&scene.user.token).send().await;
            assert_eq!(refused.field(), "callback_url");
        }
    }
}
