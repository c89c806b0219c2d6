//! From the beginning to the account.

use bosa_auth_testkit::on_every_database;
use serde_json::json;
use url::Url;

use super::{CONNECTOR, Scene, to_the_application};
use crate::browser::Browser;

on_every_database! {
    async fn an_account_is_connected_and_read(db: TestDatabase) {
        let scene = Scene::new(&db).await;
        let ana = scene.provider.log_in("ana");
        let mut browser = Browser::new();
        // As the public clients send it: the address of our own callback, under whatever host.
        let callback = format!("http://10.0.0.7:8000/connectors/{CONNECTOR}/success-authorize-callback");
        let url = scene.begin(json!({ "callback_url": callback })).await;
        assert!(url.starts_with(&format!("http://{}/connect/", scene.app.address)), "{url}");
        let page = browser.open(&url).await;
        for shown in ["acme", "ana@acme.test", "Loopback provider", "profile"] {
            assert!(page.page(200).contains(shown), "{shown}: {}", page.html);
        }
        let back = scene.go_to_the_provider(&mut browser, &url).await;
        let end = browser.open(&back).await;
        assert!(end.page(200).contains(&ana.email()), "{}", end.html);
        assert!(browser.cookies.keys().all(|name| !name.contains("connect")), "{:?}", browser.cookies);

        let account = scene.account().await;
        assert_eq!(account["user_identifier"], ana.email());
        assert_eq!(account["auth_scopes"], json!(["profile"]));
        assert_eq!(account["selected"], true);
        let token = account["auth_string"].as_str().unwrap();
        assert_eq!(scene.provider.whose(token), Some(ana));
        // What public clients do with it afterwards.
        let callback = format!("http://{}/connectors/{CONNECTOR}/success-authorize-callback", scene.app.address);
        assert!(browser.open(&callback).await.page(200).contains("nothing to do"));
    }

    async fn the_browser_returns_to_the_application_with_the_outcome_alone(db: TestDatabase) {
        let scene = Scene::new(&db).await;
        let mut browser = Browser::new();
        let end = scene.connect(&mut browser, to_the_application()).await;
        let address = Url::parse(&end.location()).unwrap();
        assert_eq!(address.path(), "/connected");
        let query: Vec<(String, String)> = address.query_pairs().into_owned().collect();
        let expected = [
            ("tab", "1"),
            ("status", "success"),
            ("connector", CONNECTOR),
            ("user_identifier", "ana@provider.example"),
        ];
        assert_eq!(query, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));

        scene.provider.refuse_next("access_denied", "The owner said no");
        let end = scene.connect(&mut browser, to_the_application()).await;
        let address = end.location();
        assert!(address.ends_with("&status=error&connector=loopback&error=access_denied"), "{address}");
        assert_eq!(scene.accounts().await.len(), 1);
    }
}
