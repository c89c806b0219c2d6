//! Accounts that are there already.

use std::time::Duration;

use bosa_auth_testkit::oauth_provider::{Behaviour, Endpoint, Fault, OAuthProvider, RefreshTokens};
use bosa_auth_testkit::on_every_database;
use serde_json::{Value, json};

use super::{CONNECTOR, Scene, to_the_application};
use crate::browser::Browser;

async fn by_hand(scene: &Scene, name: &str) {
    let body = json!({
        "auth_type": "custom",
        "configuration": { "user_identifier": name, "auth_string": "by hand" },
    });
    scene.ask(body).await.data();
}

async fn error_of(scene: &Scene, replace: bool) -> String {
    let mut body = to_the_application();
    body["replace_duplicate"] = json!(replace);
    let end = scene.connect(&mut Browser::new(), body).await;
    let location = end.location();
    location
        .rsplit_once("error=")
        .map_or(String::new(), |(_, code)| code.to_owned())
}

on_every_database! {
    async fn connecting_an_account_again_replaces_its_tokens_and_nothing_else(db: TestDatabase) {
        let scene = Scene::new(&db).await;
        let mut browser = Browser::new();
        scene.connect(&mut browser, json!({})).await.page(200);
        let before = scene.account().await;
        scene.provider.log_in("bob");
        scene.connect(&mut browser, json!({})).await.page(200);
        scene.provider.log_in("ana");
        scene.connect(&mut browser, json!({})).await.page(200);
        let after = scene.account().await;
        assert_eq!(scene.accounts().await.len(), 2);
        assert_ne!(before["auth_string"], after["auth_string"]);
        for same in ["id", "user_identifier", "selected", "created_at"] {
            assert_eq!(before[same], after[same], "{same}");
        }
    }

    async fn a_refresh_token_that_stays_is_kept_when_a_new_consent_brings_none(db: TestDatabase) {
        let stays = Behaviour { refresh_tokens: RefreshTokens::Stay, ..Behaviour::default() };
        let scene = Scene::with(&db, OAuthProvider::start_with(stays)).await;
        let mut browser = Browser::new();
        scene.connect(&mut browser, json!({})).await.page(200);
        scene.provider.behave(|behaviour| behaviour.refresh_tokens = RefreshTokens::None);
        scene.connect(&mut browser, json!({})).await.page(200);
        scene.provider.behave(|behaviour| behaviour.refresh_tokens = RefreshTokens::Stay);
        let before = scene.account().await;
        scene.app.clock.advance(Duration::from_secs(2 * 60 * 60));
        let after = scene.account().await;
        assert_ne!(before["auth_string"], after["auth_string"]);
        assert_eq!(scene.provider.counts().refreshes, 1);
    }

    async fn an_account_that_has_another_name_now_is_the_same_account(db: TestDatabase) {
        let scene = Scene::new(&db).await;
        let ana = scene.provider.account("ana");
        let mut browser = Browser::new();
        scene.connect(&mut browser, json!({})).await.page(200);
        let renamed = json!({ "id": ana.subject, "email": "ana.new@provider.example" });
        scene.provider.fault(Endpoint::Identity, 1, Fault::answer(200, &renamed.to_string()));
        let end = scene.connect(&mut browser, json!({})).await;
        assert!(end.page(200).contains("ana@provider.example"), "it keeps its name: {}", end.html);
        assert_eq!(scene.accounts().await.len(), 1);
    }

    async fn a_name_never_leads_to_another_account(db: TestDatabase) {
        let scene = Scene::new(&db).await;
        scene.connect(&mut Browser::new(), json!({})).await.page(200);
        let before = scene.account().await;
        scene.provider.replace_account("ana");
        for replace in [false, true] {
            assert_eq!(error_of(&scene, replace).await, "other_account", "{replace}");
        }
        let end = scene.connect(&mut Browser::new(), json!({})).await;
        assert!(end.page(400).contains("ana@provider.example"), "{}", end.html);
        assert_eq!(scene.account().await, before);
    }

    async fn what_a_caller_has_stored_is_replaced_only_when_asked_for(db: TestDatabase) {
        let scene = Scene::new(&db).await;
        by_hand(&scene, "ana@provider.example").await;
        assert_eq!(error_of(&scene, false).await, "integration_already_exists");
        assert_eq!(scene.account().await["auth_string"], "by hand");
        assert_eq!(error_of(&scene, true).await, "");
        let account = scene.account().await;
        assert!(account["auth_string"].as_str().unwrap().starts_with("access"), "{account}");
        assert_eq!(scene.accounts().await.len(), 1);
    }

    async fn a_name_that_cannot_be_one_gives_way_to_the_subject(db: TestDatabase) {
        let scene = Scene::new(&db).await;
        let subject = scene.provider.account("ana").subject;
        for label in [json!("a\u{0}b"), json!("x".repeat(400)), Value::Null] {
            let identity = json!({ "id": subject, "email": label });
            scene.provider.fault(Endpoint::Identity, 1, Fault::answer(200, &identity.to_string()));
            let end = scene.connect(&mut Browser::new(), json!({})).await;
            assert!(end.page(200).contains(&subject), "{}", end.html);
        }
        assert_eq!(scene.accounts().await.len(), 1);
    }

    async fn another_client_and_another_user_have_accounts_of_their_own(db: TestDatabase) {
        let scene = Scene::new(&db).await;
        scene.connect(&mut Browser::new(), json!({})).await.page(200);
        let other = scene.app.client("other").await;
        scene.set(&other, |_| {}).await;
        let path = format!("/connectors/{CONNECTOR}/integrations");
        for user in [
            scene.app.user(&scene.client, "bob@acme.test").await,
            scene.app.user(&other, "ana@acme.test").await,
        ] {
            let begun = scene.app.post(&path, json!({})).token(&user.token).send().await.data();
            let url = begun["url"].as_str().unwrap();
            let mut browser = Browser::new();
            let page = browser.open(url).await;
            assert!(page.page(200).contains(&user.identifier), "{}", page.html);
            let back = scene.provider.visit(&browser.press(url, &page).await.location());
            browser.open(&back).await.page(200);
            let theirs = scene.app.get(&path).token(&user.token).send().await.data();
            assert_ne!(theirs["id"], scene.account().await["id"]);
            assert_ne!(theirs["auth_string"], scene.account().await["auth_string"]);
        }
    }
}
