//! Providers that say no, answer nonsense, or do not answer.

use std::time::Duration;

use bosa_auth_testkit::oauth_provider::{Endpoint, Fault, OAuthProvider};
use bosa_auth_testkit::on_every_database;
use serde_json::json;

use super::{Scene, to_the_application};
use crate::browser::Browser;

/// What a whole connection ends with.
async fn error_of(scene: &Scene) -> String {
    let end = scene
        .connect(&mut Browser::new(), to_the_application())
        .await;
    let location = end.location();
    let error = location.split_once("&status=error&connector=loopback&error=");
    error.unwrap_or_else(|| panic!("{location}")).1.to_owned()
}

on_every_database! {
    async fn the_providers_words_are_shown_as_text_and_cut(db: TestDatabase) {
        let scene = Scene::new(&db).await;
        let words = format!("<script>alert('x')</script>\u{202e}\u{7}{}", "y".repeat(5000));
        for code in ["access_denied", "invalid_scope"] {
            scene.provider.refuse_next(code, &words);
            let end = scene.connect(&mut Browser::new(), json!({})).await;
            let page = end.page(400);
            assert!(page.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;yyy"), "{page}");
            assert!(!page.contains("<script") && !page.contains('\u{202e}'), "{page}");
            assert!(page.len() < 3000, "{}", page.len());
            assert_eq!(page.contains("access was denied"), code == "access_denied");
        }
        scene.provider.refuse_next("<b>&", "");
        let end = scene.connect(&mut Browser::new(), json!({})).await;
        assert!(end.page(400).contains("says: &lt;b&gt;&amp;"), "{}", end.html);
        assert_eq!(scene.provider.counts().exchanges, 0);
    }

    async fn every_failure_of_the_exchange_has_a_name_and_stores_nothing(db: TestDatabase) {
        let scene = Scene::new(&db).await;
        let elsewhere = OAuthProvider::start();
        for (fault, expected) in [
            (Fault::error("invalid_grant"), "provider_refused"),
            (Fault::error("invalid_client"), "settings_refused"),
            (Fault::not_ok("invalid_code"), "provider_refused"),
            (Fault::redirect(&elsewhere.url(Endpoint::Token)), "settings_refused"),
            (Fault::server_error(500), "provider_unavailable"),
            (Fault::too_many_requests(5), "provider_unavailable"),
            (Fault::malformed(), "answer_lost"),
            (Fault::lose_answer(), "answer_lost"),
            (Fault::cut_answer(), "answer_lost"),
            (Fault::drop_connection(), "answer_lost"),
            (Fault::answer(200, r#"{"token_type": "bearer"}"#), "answer_lost"),
        ] {
            let what = format!("{fault:?}");
            scene.provider.fault(Endpoint::Token, 1, fault);
            assert_eq!(error_of(&scene).await, expected, "{what}");
        }
        assert!(elsewhere.requests().is_empty(), "a redirection was followed");
        assert!(scene.accounts().await.is_empty());
        // And on our page it is said in words.
        scene.provider.fault(Endpoint::Token, 1, Fault::error("invalid_client"));
        let end = scene.connect(&mut Browser::new(), json!({})).await;
        assert!(end.page(400).contains("does not accept the settings"), "{}", end.html);
        scene.connect(&mut Browser::new(), json!({})).await.page(200);
    }

    async fn the_provider_is_asked_again_who_the_account_is(db: TestDatabase) {
        let scene = Scene::new(&db).await;
        scene.provider.fault(Endpoint::Identity, 1, Fault::server_error(502));
        scene.provider.fault(Endpoint::Identity, 1, Fault::drop_connection());
        scene.connect(&mut Browser::new(), json!({})).await.page(200);
        assert_eq!(scene.provider.asked(Endpoint::Identity), 3);
        scene.provider.fault(Endpoint::Identity, 3, Fault::server_error(502));
        assert_eq!(error_of(&scene).await, "provider_unavailable");
        scene.provider.heal();
        for body in ["{}", "[]", "no JSON", r#"{"id": ""}"#] {
            scene.provider.fault(Endpoint::Identity, 1, Fault::answer(200, body));
            assert_eq!(error_of(&scene).await, "identity_unknown", "{body}");
        }
        assert_eq!(scene.accounts().await.len(), 1);
    }

    async fn a_provider_in_a_private_network_is_not_asked_unless_that_is_allowed(db: TestDatabase) {
        let scene = Scene::set_up(&db, OAuthProvider::start(), &[]).await;
        assert_eq!(error_of(&scene).await, "provider_unavailable");
        assert_eq!(scene.provider.asked(Endpoint::Token), 0);
    }

    async fn a_browser_that_goes_away_loses_nothing(db: TestDatabase) {
        let scene = Scene::new(&db).await;
        let mut browser = Browser::new();
        let url = scene.begin(json!({})).await;
        let back = scene.go_to_the_provider(&mut browser, &url).await;
        scene.provider.fault(Endpoint::Token, 1, Fault::hang());
        let request = tokio::spawn(async move { browser.open(&back).await.status });
        scene.provider.until("the exchange hangs", |provider| provider.hanging() == 1).await;
        request.abort();
        assert!(request.await.unwrap_err().is_cancelled());
        scene.provider.release();
        for _ in 0..3000 {
            if !scene.accounts().await.is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(scene.account().await["user_identifier"], "ana@provider.example");
    }

    async fn closing_waits_for_an_account_that_is_on_its_way(db: TestDatabase) {
        let scene = Scene::new(&db).await;
        let mut browser = Browser::new();
        let url = scene.begin(json!({})).await;
        let back = scene.go_to_the_provider(&mut browser, &url).await;
        scene.provider.fault(Endpoint::Token, 1, Fault::hang());
        let request = tokio::spawn(async move { browser.open(&back).await });
        scene.provider.until("the exchange hangs", |provider| provider.hanging() == 1).await;
        let auth = scene.app.auth.clone();
        let closing = tokio::spawn(async move { auth.close().await });
        scene.provider.release();
        closing.await.unwrap().unwrap();
        assert!(request.await.unwrap().page(200).contains("is connected"));
    }
}
