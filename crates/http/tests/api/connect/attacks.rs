//! What others try with the links of a connection (RFC 9700 §4).

use bosa_auth_testkit::oauth_provider::{AuthorizationAnswer, OAuthProvider};
use bosa_auth_testkit::on_every_database;
use serde_json::json;
use url::Url;

use super::{CONNECTOR, Scene, assert_fixed, to_the_application, with};
use crate::browser::Browser;

const OTHER_STATE: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

on_every_database! {
    async fn a_victims_browser_that_follows_the_providers_link_gives_nothing_away(db: TestDatabase) {
        let scene = Scene::new(&db).await;
        let mut attacker = Browser::new();
        let url = scene.begin(to_the_application()).await;
        let page = attacker.open(&url).await;
        let to_the_provider = attacker.press(&url, &page).await.location();
        // The victim is logged in at the provider, consents, and comes back.
        scene.provider.log_in("victim");
        let back = scene.provider.visit(&to_the_provider);
        let mut victim = Browser::new();
        let shown = victim.open(&back).await;
        assert_fixed(&shown, &back);
        assert_eq!(scene.provider.counts().exchanges, 0);
        // Nor can the attacker go on with what the victim brought, should he learn it.
        assert_fixed(&attacker.open(&back).await, &back);
        assert_eq!(scene.provider.counts().exchanges, 0);
        assert!(scene.accounts().await.is_empty());
    }

    async fn an_attackers_answer_in_a_victims_browser_connects_nothing(db: TestDatabase) {
        let scene = Scene::new(&db).await;
        // The victim is about to connect an account of its own.
        let mut victim = Browser::new();
        let url = scene.begin(to_the_application()).await;
        let victims = scene.go_to_the_provider(&mut victim, &url).await;
        let other = scene.app.user(&scene.client, "attacker@acme.test").await;
        let path = format!("/connectors/{CONNECTOR}/integrations");
        let begun = scene.app.post(&path, json!({})).token(&other.token).send().await.data();
        let url = begun["url"].as_str().unwrap();
        scene.provider.log_in("attacker");
        let attackers = scene.go_to_the_provider(&mut Browser::new(), url).await;
        assert_fixed(&victim.open(&attackers).await, &attackers);
        // With the state of the victim, the attacker's code is worth nothing: its challenge differs.
        let code = Url::parse(&attackers).unwrap();
        let code = code.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
        let end = victim.open(&with(&victims, "code", &code)).await;
        assert!(end.location().ends_with("error=provider_refused"), "{}", end.location());
        assert_eq!(scene.provider.counts().exchanges, 0);
        assert!(scene.accounts().await.is_empty());
    }

    async fn an_answer_is_good_once(db: TestDatabase) {
        let scene = Scene::new(&db).await;
        let mut browser = Browser::new();
        let url = scene.begin(json!({})).await;
        let back = scene.go_to_the_provider(&mut browser, &url).await;
        let cookies = browser.cookies.clone();
        browser.open(&back).await.page(200);
        browser.cookies = cookies;
        assert_fixed(&browser.open(&back).await, &back);
        assert_eq!(scene.provider.counts().exchanges, 1);
        assert_eq!(scene.accounts().await.len(), 1);
        // The page is used up, too.
        assert!(browser.open(&url).await.page(404).contains("This link cannot be used"));
    }

    async fn two_answers_at_once_are_exchanged_once(db: TestDatabase) {
        let scene = Scene::new(&db).await;
        let mut browser = Browser::new();
        let url = scene.begin(json!({})).await;
        let back = scene.go_to_the_provider(&mut browser, &url).await;
        let tasks: Vec<_> = (0..6)
            .map(|_| {
                let (mut copy, back) = (Browser::new(), back.clone());
                copy.cookies = browser.cookies.clone();
                tokio::spawn(async move { copy.open(&back).await.status })
            })
            .collect();
        let mut connected = 0;
        for task in tasks {
            connected += usize::from(task.await.unwrap() == 200);
        }
        assert_eq!(connected, 1);
        assert_eq!(scene.provider.counts().exchanges, 1);
        assert_eq!(scene.accounts().await.len(), 1);
    }

    async fn an_unknown_or_malformed_answer_is_not_even_repeated(db: TestDatabase) {
        let scene = Scene::new(&db).await;
        let base = format!("http://{}/connectors/{CONNECTOR}/success-authorize-callback", scene.app.address);
        let mut browser = Browser::new();
        let long = "s".repeat(5000);
        for query in [
            "code=the-code",
            "error=the-error&error_description=%3Cscript%3Ealert(1)%3C/script%3E",
            &format!("state={OTHER_STATE}&code=the-code"),
            &format!("state={OTHER_STATE}&error=the-error&error_description=words-of-it"),
            &format!("state={long}&code=the-code"),
            "state=%3Cscript%3E&code=the-code",
            "state=&code=the-code",
            &format!("state={OTHER_STATE}&state={OTHER_STATE}"),
            "state=%ff",
        ] {
            let address = format!("{base}?{query}");
            let shown = browser.open(&address).await;
            let page = shown.page(400).to_owned();
            for text in ["the-code", "the-error", "words-of-it", "<script", "&lt;script", "sssss"] {
                assert!(!page.contains(text), "{text}: {page}");
            }
            assert!(page.contains("This answer cannot be used"), "{page}");
        }
        let elsewhere = base.replace(CONNECTOR, "NO_SUCH");
        browser.open(&format!("{elsewhere}?state={OTHER_STATE}&code=c")).await.page(400);
        browser.open(&elsewhere).await.page(200);
    }

    async fn an_answer_belongs_to_the_connector_that_it_was_begun_for(db: TestDatabase) {
        let provider = OAuthProvider::start();
        let second = provider.connector_file("second");
        assert!(second.join("second.toml").is_file());
        let scene = Scene::with(&db, provider).await;
        let mut browser = Browser::new();
        let url = scene.begin(to_the_application()).await;
        let back = scene.go_to_the_provider(&mut browser, &url).await;
        let swapped = back.replace("/loopback/", "/second/");
        assert_fixed(&browser.open(&swapped).await, &swapped);
        // Neither here nor there it is good for anything now.
        assert_fixed(&browser.open(&back).await, &back);
        assert_eq!(scene.provider.counts().exchanges, 0);
    }

    async fn two_connections_in_one_browser_do_not_mix(db: TestDatabase) {
        let scene = Scene::new(&db).await;
        let mut browser = Browser::new();
        let (first, second) = (scene.begin(json!({})).await, scene.begin(json!({})).await);
        let pages = (browser.open(&first).await, browser.open(&second).await);
        assert_ne!(pages.0.token(), pages.1.token());
        let refused = browser.submit(&second, &pages.0.token()).await;
        assert!(refused.page(400).contains("open the link again"));
        let to_first = browser.press(&first, &pages.0).await.location();
        let to_second = browser.press(&second, &pages.1).await.location();
        scene.provider.log_in("bob");
        browser.open(&scene.provider.visit(&to_second)).await.page(200);
        scene.provider.log_in("ana");
        browser.open(&scene.provider.visit(&to_first)).await.page(200);
        assert_eq!(scene.accounts().await.len(), 2);
    }

    async fn a_swapped_state_is_refused_in_both_browsers(db: TestDatabase) {
        let scene = Scene::new(&db).await;
        let (mut one, mut other) = (Browser::new(), Browser::new());
        let (first, second) = (scene.begin(json!({})).await, scene.begin(json!({})).await);
        let ones = scene.go_to_the_provider(&mut one, &first).await;
        let others = scene.go_to_the_provider(&mut other, &second).await;
        assert_fixed(&one.open(&others).await, &others);
        assert_fixed(&other.open(&ones).await, &ones);
        assert_eq!(scene.provider.counts().exchanges, 0);
    }

    async fn no_other_site_makes_a_browser_click(db: TestDatabase) {
        let scene = Scene::new(&db).await;
        let url = scene.begin(json!({})).await;
        // The attacker has seen the page, and the victim's browser has another cookie of it, or none.
        let mut attacker = Browser::new();
        let token = attacker.open(&url).await.token();
        let mut victim = Browser::new();
        victim.submit(&url, &token).await.page(400);
        victim.open(&url).await;
        for token in [&token, "", "x", OTHER_STATE] {
            let refused = victim.submit(&url, token).await;
            assert!(refused.page(400).contains("open the link again"), "{}", refused.html);
        }
        // All of that has used nothing up.
        let page = victim.open(&url).await;
        assert_eq!(victim.press(&url, &page).await.status, 303);
    }

    async fn an_answer_of_another_issuer_is_refused(db: TestDatabase) {
        let scene = Scene::new(&db).await;
        let mut browser = Browser::new();
        let foreign = "https://attacker.example".to_owned();
        let nearly = format!("{}/", scene.provider.issuer());
        for issuer in [foreign, nearly] {
            let answer = AuthorizationAnswer { issuer: Some(issuer), ..Default::default() };
            scene.provider.answer_next(answer);
            let end = scene.connect(&mut browser, to_the_application()).await;
            assert!(end.location().ends_with("error=foreign_issuer"), "{}", end.location());
        }
        assert_eq!(scene.provider.counts().exchanges, 0);
        scene.connect(&mut browser, json!({})).await.page(200);
    }

    async fn a_provider_without_a_declared_issuer_is_known_by_its_hosts(db: TestDatabase) {
        let provider = OAuthProvider::start();
        provider.behave(|behaviour| behaviour.declares_issuer = false);
        let scene = Scene::with(&db, provider).await;
        let mut browser = Browser::new();
        let issuer = Some("https://attacker.example".to_owned());
        scene.provider.answer_next(AuthorizationAnswer { issuer, ..Default::default() });
        let end = scene.connect(&mut browser, to_the_application()).await;
        assert!(end.location().ends_with("error=foreign_issuer"), "{}", end.location());
        scene.connect(&mut browser, json!({})).await.page(200);
        let issuer = Some(String::new());
        scene.provider.answer_next(AuthorizationAnswer { issuer, ..Default::default() });
        scene.connect(&mut browser, json!({})).await.page(200);
    }

    async fn links_are_made_of_the_public_url_alone(db: TestDatabase) {
        let scene = Scene::new(&db).await;
        let path = format!("/connectors/{CONNECTOR}/integrations");
        let call = scene.app.post(&path, json!({})).token(&scene.user.token);
        let call = call.header("host", "attacker.example").header("x-forwarded-host", "attacker.example");
        let data = call.send().await.data();
        let url = data["url"].as_str().unwrap();
        assert!(url.starts_with(&format!("http://{}/", scene.app.address)), "{url}");
        let mut browser = Browser::new();
        let page = browser.open(url).await;
        let location = Url::parse(&browser.press(url, &page).await.location()).unwrap();
        let redirect_uri = location.query_pairs().find(|(name, _)| name == "redirect_uri").unwrap();
        let expected = format!("http://{}/connectors/{CONNECTOR}/success-authorize-callback", scene.app.address);
        assert_eq!(redirect_uri.1, expected);
    }
}
