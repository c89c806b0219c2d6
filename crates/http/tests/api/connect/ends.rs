//! What ends a connection that is under way.

use std::time::Duration;

use bosa_auth_testkit::{TestDatabase, on_every_database};
use serde_json::json;

use super::{CONNECTOR, Scene, assert_fixed, to_the_application};
use crate::app::{MASTER_KEY, text};
use crate::browser::Browser;

/// Things that happen between the beginning and the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meanwhile {
    ClientSuspended,
    UserSuspended,
    UserDeleted,
    KeyRevoked,
    SettingsRemoved,
}

impl Meanwhile {
    async fn happens(self, scene: &Scene) {
        let app = &scene.app;
        let client = format!("/clients/{}", scene.client.id);
        let user = format!("/users/{}", scene.user.id);
        let key = &scene.client.key;
        let suspended = json!({ "is_active": false });
        let done = match self {
            Self::ClientSuspended => app.call("PATCH", &client).json(suspended).key(MASTER_KEY),
            Self::UserSuspended => app.call("PATCH", &user).json(suspended).key(key),
            Self::UserDeleted => app.delete(&user).key(key),
            Self::KeyRevoked => {
                let keys = app
                    .get(&format!("{client}/api-keys"))
                    .key(MASTER_KEY)
                    .send()
                    .await;
                let id = text(&keys.data()[0]["id"]);
                app.delete(&format!("{client}/api-keys/{id}"))
                    .key(MASTER_KEY)
            }
            Self::SettingsRemoved => app
                .delete(&format!("/connectors/{CONNECTOR}/settings"))
                .key(key),
        };
        let done = done.send().await;
        assert_eq!(done.status, 200, "{self:?}: {}", done.text);
    }
}

/// The user comes back after something else happened, and nothing is exchanged.
async fn comes_back_after(db: &TestDatabase, meanwhile: Meanwhile) {
    let scene = Scene::new(db).await;
    let mut browser = Browser::new();
    let (first, second) = (
        scene.begin(json!({})).await,
        scene.begin(to_the_application()).await,
    );
    let page = browser.open(&first).await;
    let back = scene.go_to_the_provider(&mut browser, &second).await;
    meanwhile.happens(&scene).await;
    let refused = browser.press(&first, &page).await;
    assert!(
        refused.status.is_client_error(),
        "{meanwhile:?}: {}",
        refused.html
    );
    assert_eq!(refused.header("location"), "");
    let again = browser.open(&first).await;
    assert!(
        again.status.is_client_error(),
        "{meanwhile:?}: {}",
        again.html
    );
    let end = browser.open(&back).await;
    match meanwhile {
        // Its connections have gone with it.
        Meanwhile::UserDeleted => assert_fixed(&end, &back),
        _ => {
            let location = end.location();
            assert!(
                location.ends_with("error=connection_not_allowed"),
                "{meanwhile:?}: {location}"
            );
        }
    }
    assert_eq!(scene.provider.counts().exchanges, 0, "{meanwhile:?}");
}

on_every_database! {
    async fn a_suspended_client_connects_nothing(db: TestDatabase) {
        comes_back_after(&db, Meanwhile::ClientSuspended).await;
    }

    async fn a_suspended_user_connects_nothing(db: TestDatabase) {
        comes_back_after(&db, Meanwhile::UserSuspended).await;
    }

    async fn a_deleted_user_connects_nothing(db: TestDatabase) {
        comes_back_after(&db, Meanwhile::UserDeleted).await;
    }

    async fn what_a_revoked_key_has_begun_connects_nothing(db: TestDatabase) {
        comes_back_after(&db, Meanwhile::KeyRevoked).await;
    }

    async fn without_settings_nothing_is_connected(db: TestDatabase) {
        comes_back_after(&db, Meanwhile::SettingsRemoved).await;
    }

    async fn a_connection_lasts_ten_minutes(db: TestDatabase) {
        let scene = Scene::new(&db).await;
        let mut browser = Browser::new();
        let (first, second) = (scene.begin(json!({})).await, scene.begin(to_the_application()).await);
        let page = browser.open(&first).await;
        let back = scene.go_to_the_provider(&mut browser, &second).await;
        scene.app.clock.advance(Duration::from_secs(599));
        browser.open(&first).await.page(200);
        scene.app.clock.advance(Duration::from_secs(1));
        browser.press(&first, &page).await.page(404);
        browser.open(&first).await.page(404);
        let end = browser.open(&back).await;
        assert!(end.location().ends_with("error=connection_expired"), "{}", end.location());
        assert_eq!(scene.provider.counts().exchanges, 0);
    }

    async fn the_oldest_of_many_connections_ends(db: TestDatabase) {
        let scene = Scene::new(&db).await;
        let mut urls = Vec::new();
        for _ in 0..21 {
            urls.push(scene.begin(json!({})).await);
            scene.app.clock.advance(Duration::from_millis(1));
        }
        let mut browser = Browser::new();
        browser.open(&urls[0]).await.page(404);
        for url in [&urls[1], &urls[20]] {
            browser.open(url).await.page(200);
        }
        // Those of another user are not counted.
        let other = scene.app.user(&scene.client, "bob@acme.test").await;
        let path = format!("/connectors/{CONNECTOR}/integrations");
        scene.app.post(&path, json!({})).token(&other.token).send().await.data();
        browser.open(&urls[1]).await.page(200);
    }

    async fn looking_at_a_page_uses_nothing_up(db: TestDatabase) {
        let scene = Scene::new(&db).await;
        let url = scene.begin(json!({})).await;
        let path = url.split_once(&scene.app.address.to_string()).unwrap().1.to_owned();
        for _ in 0..3 {
            assert_eq!(scene.app.call("HEAD", &path).send().await.status, 200);
            let shown = Browser::new().open(&url).await;
            shown.page(200);
            for (name, value) in [
                ("cache-control", "no-store"),
                ("referrer-policy", "no-referrer"),
                ("x-frame-options", "DENY"),
                ("x-content-type-options", "nosniff"),
            ] {
                assert_eq!(shown.header(name), value);
            }
            let policy = shown.header("content-security-policy");
            for part in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"] {
                assert!(policy.contains(part), "{policy}");
            }
            assert!(!shown.html.contains("<script") && !shown.html.contains("http"), "{}", shown.html);
        }
        for unknown in ["/connect/", "/connect/x", "/connect/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
            let shown = scene.app.get(unknown).send().await;
            assert_eq!(shown.status, 404, "{unknown}");
        }
        let mut browser = Browser::new();
        let back = scene.go_to_the_provider(&mut browser, &url).await;
        browser.open(&back).await.page(200);
    }
}
