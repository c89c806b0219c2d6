//! Where browsers are sent afterwards, and where not.

use bosa_auth_testkit::oauth_provider::OAuthProvider;
use bosa_auth_testkit::on_every_database;
use serde_json::json;

use super::{APPLICATION, CONNECTOR, Scene, to_the_application};
use crate::browser::Browser;

/// Not on loopback: nothing of it is allowed by itself.
const PUBLIC: (&str, &str) = ("BOSA_AUTH_PUBLIC_URL", "https://auth.example.com/base");

on_every_database! {
    async fn only_a_listed_address_is_returned_to_and_only_as_a_whole(db: TestDatabase) {
        let scene = Scene::set_up(&db, OAuthProvider::start(), &[PUBLIC]).await;
        let begun = scene.ask(to_the_application()).await.data();
        let url = begun["url"].as_str().unwrap();
        assert!(url.starts_with("https://auth.example.com/base/connect/"), "{url}");
        // Written otherwise, and the same address.
        scene.ask(json!({ "callback_url": "https://APP.example.com:443/connected?tab=1" })).await.data();
        for address in [
            "https://app.example.com/connected",
            "https://app.example.com/connected?tab=2",
            "https://app.example.com/connected?tab=1&tab=1",
            "https://app.example.com/connected/?tab=1",
            "https://app.example.com/connected/more?tab=1",
            "https://app.example.com/other/../connected/./x?tab=1",
            "https://app.example.com/CONNECTED?tab=1",
            "https://app.example.com:8443/connected?tab=1",
            "http://app.example.com/connected?tab=1",
            "https://app.example.com.attacker.example/connected?tab=1",
            "https://attacker.example/?https://app.example.com/connected?tab=1",
            "https://app.example.com@attacker.example/connected?tab=1",
            "https://user@app.example.com/connected?tab=1",
            "https://app.example.com/connected?tab=1#fragment",
            "https://app.example.com\\@attacker.example/connected?tab=1",
            "https:\\\\attacker.example/connected?tab=1",
            "//app.example.com/connected?tab=1",
            "/connected?tab=1",
            "javascript:alert(1)//app.example.com/connected?tab=1",
            "data:text/html,x",
            "https://аpp.example.com/connected?tab=1",
            "https://app。example。com.attacker.example/connected?tab=1",
            "https://app.example.com%2eattacker.example/connected?tab=1",
            "https://app.example.com/connected?tab=1\nLocation: https://attacker.example/x",
            "http://localhost:3000/connected",
            "http://127.0.0.1/connected",
            "http://[::1]/connected",
            &format!("https://app.example.com/{}", "x".repeat(3000)),
            "",
            " ",
        ] {
            let refused = scene.ask(json!({ "callback_url": address })).await;
            assert_eq!(refused.field(), "callback_url", "{address}");
            assert!(!refused.text.contains("attacker"), "{}", refused.text);
        }
        let refused = scene.ask(json!({ "callback_url": "https://attacker.example/" })).await;
        let command = format!("bosa-auth connector set {CONNECTOR} --client {} --return-address URL", scene.client.id);
        assert!(refused.text.contains(&command), "{}", refused.text);
    }

    async fn an_address_of_another_client_is_none_of_this_one(db: TestDatabase) {
        let scene = Scene::set_up(&db, OAuthProvider::start(), &[PUBLIC]).await;
        let other = scene.app.client("other").await;
        let theirs = "https://theirs.example/back".to_owned();
        scene.set(&other, |settings| settings.return_addresses = vec![theirs.clone()]).await;
        let refused = scene.ask(json!({ "callback_url": theirs })).await;
        assert_eq!(refused.field(), "callback_url");
        let user = scene.app.user(&other, "ana@acme.test").await;
        let path = format!("/connectors/{CONNECTOR}/integrations");
        let refused = scene.app.post(&path, to_the_application()).token(&user.token).send().await;
        assert_eq!(refused.field(), "callback_url");
        let call = scene.app.post(&path, json!({ "callback_url": theirs })).token(&user.token);
        call.send().await.data();
    }

    async fn our_own_callback_asks_for_a_page_whatever_its_host(db: TestDatabase) {
        let scene = Scene::new(&db).await;
        let path = format!("/connectors/{CONNECTOR}/success-authorize-callback");
        for host in ["http://10.0.0.7:8000", "https://attacker.example", "http://localhost/base"] {
            let end = scene.connect(&mut Browser::new(), json!({ "callback_url": format!("{host}{path}") })).await;
            end.page(200);
        }
        // That of another connector is an address like any other.
        let other = "https://attacker.example/connectors/github/success-authorize-callback";
        assert_eq!(scene.ask(json!({ "callback_url": other })).await.field(), "callback_url");
    }

    async fn loopback_is_allowed_while_browsers_come_over_loopback(db: TestDatabase) {
        let scene = Scene::new(&db).await;
        for address in ["http://localhost:3000/done", "http://127.0.0.1:3000/", "http://[::1]:3000/"] {
            let end = scene.connect(&mut Browser::new(), json!({ "callback_url": address })).await;
            assert!(end.location().starts_with(&format!("{address}?status=success&")), "{}", end.location());
        }
        for address in ["http://localhost.attacker.example/", "http://127.0.0.1.attacker.example/"] {
            assert_eq!(scene.ask(json!({ "callback_url": address })).await.field(), "callback_url");
        }
        assert!(APPLICATION.starts_with("https"));
    }

    async fn over_tls_cookies_have_names_that_no_other_host_can_set(db: TestDatabase) {
        let others = [PUBLIC, ("BOSA_AUTH_OUTBOUND_PRIVATE_ADDRESSES", "true")];
        let scene = Scene::set_up(&db, OAuthProvider::start(), &others).await;
        let begun = scene.ask(json!({})).await.data();
        let url = begun["url"].as_str().unwrap();
        // As a proxy hands it on.
        let here = url.replace(PUBLIC.1, &format!("http://{}", scene.app.address));
        let mut browser = Browser::new();
        let page = browser.open(&here).await;
        let cookie = page.header("set-cookie");
        assert!(cookie.starts_with("__Host-bosa-auth-page="), "{cookie}");
        assert!(cookie.ends_with("; Path=/; Max-Age=600; HttpOnly; SameSite=Lax; Secure"), "{cookie}");
        let left = browser.press(&here, &page).await;
        let cookie = left.header("set-cookie");
        assert!(cookie.starts_with("__Host-bosa-auth-connect-"), "{cookie}");
        assert!(cookie.ends_with("; Path=/; Max-Age=600; HttpOnly; SameSite=Lax; Secure"), "{cookie}");
        let back = scene.provider.visit(&left.location());
        assert!(back.starts_with(&format!("{}/connectors/{CONNECTOR}/", PUBLIC.1)), "{back}");
        let back = back.replace(PUBLIC.1, &format!("http://{}", scene.app.address));
        let end = browser.open(&back).await;
        assert!(end.page(200).contains("is connected"));
        assert!(end.header("set-cookie").contains("; Max-Age=0;"), "{:?}", end.headers);
    }
}
