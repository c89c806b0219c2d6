//! Connecting an account through its provider, with a browser and a provider that checks what it is
//! sent.

mod addresses;
mod attacks;
mod completion;
mod ends;
mod failures;
mod flow;
mod import;
mod reconnect;

use bosa_auth::{NewConnectorSettings, SecretChange};
use bosa_auth_http::HttpConfig;
use bosa_auth_testkit::TestDatabase;
use bosa_auth_testkit::oauth_provider::{CLIENT_ID, CLIENT_SECRET, OAuthProvider};
use serde_json::{Value, json};
use url::Url;

use crate::app::{Answer, Client, TestApp, User, text};
use crate::browser::{Browser, Shown};

pub(super) const CONNECTOR: &str = "loopback";
pub(super) const APPLICATION: &str = "https://app.example.com/connected?tab=1";

/// A server, a provider, and a user that has an application.
pub(super) struct Scene {
    pub(super) app: TestApp,
    pub(super) provider: OAuthProvider,
    pub(super) client: Client,
    pub(super) user: User,
}

impl Scene {
    pub(super) async fn new(db: &TestDatabase) -> Self {
        Self::with(db, OAuthProvider::start()).await
    }

    pub(super) async fn with(db: &TestDatabase, provider: OAuthProvider) -> Self {
        let others = [("BOSA_AUTH_OUTBOUND_PRIVATE_ADDRESSES", "true")];
        Self::set_up(db, provider, &others).await
    }

    pub(super) async fn set_up(
        db: &TestDatabase,
        provider: OAuthProvider,
        others: &[(&'static str, &str)],
    ) -> Self {
        let directory = provider.connector_file(CONNECTOR);
        let mut settings = vec![("BOSA_AUTH_CONNECTORS_DIR", directory.to_str().unwrap())];
        settings.extend_from_slice(others);
        let app = TestApp::with(db, &settings, HttpConfig::default()).await;
        let client = app.client("acme").await;
        let user = app.user(&client, "ana@acme.test").await;
        let scene = Self {
            app,
            provider,
            client,
            user,
        };
        scene.set(&scene.client, |_| {}).await;
        scene
    }

    /// Gives a client the OAuth client at the provider.
    pub(super) async fn set(
        &self,
        client: &Client,
        change: impl FnOnce(&mut NewConnectorSettings),
    ) {
        let mut settings = NewConnectorSettings {
            client_id: Some(CLIENT_ID.to_owned()),
            client_secret: SecretChange::Replace(CLIENT_SECRET.into()),
            return_addresses: vec![APPLICATION.to_owned()],
            ..NewConnectorSettings::default()
        };
        change(&mut settings);
        let id = client.id.parse::<uuid::Uuid>().unwrap();
        let tenant = self.app.auth.operator().tenant(id.into()).await.unwrap();
        tenant
            .set_connector_settings(CONNECTOR, &settings)
            .await
            .unwrap();
    }

    /// Begins a connection and returns the address of its page.
    pub(super) async fn begin(&self, body: Value) -> String {
        let path = format!("/connectors/{CONNECTOR}/integrations");
        let begun = self
            .app
            .post(&path, body)
            .key(&self.client.key)
            .token(&self.user.token);
        text(&begun.send().await.data()["url"])
    }

    /// Asks for a connection.
    pub(super) async fn ask(&self, body: Value) -> Answer {
        let path = format!("/connectors/{CONNECTOR}/integrations");
        self.app
            .post(&path, body)
            .token(&self.user.token)
            .send()
            .await
    }

    /// From the page to the provider and back, up to the address that the provider sends the browser
    /// to.
    pub(super) async fn go_to_the_provider(&self, browser: &mut Browser, url: &str) -> String {
        let page = browser.open(url).await;
        let left = browser.press(url, &page).await;
        self.provider.visit(&left.location())
    }

    /// A whole connection.
    pub(super) async fn connect(&self, browser: &mut Browser, body: Value) -> Shown {
        let url = self.begin(body).await;
        let back = self.go_to_the_provider(browser, &url).await;
        browser.open(&back).await
    }

    /// The default account of the user at the connector.
    pub(super) async fn account(&self) -> Value {
        let path = format!("/connectors/{CONNECTOR}/integrations");
        self.app
            .get(&path)
            .token(&self.user.token)
            .send()
            .await
            .data()
    }

    /// The user's accounts, without their credentials.
    pub(super) async fn accounts(&self) -> Vec<Value> {
        let me = self
            .app
            .get("/users/me")
            .token(&self.user.token)
            .send()
            .await;
        me.data()["integrations"].as_array().unwrap().clone()
    }
}

/// Asserts that a browser got the page that repeats nothing, whatever it brought.
#[track_caller]
pub(super) fn assert_fixed(shown: &Shown, brought: &str) {
    let page = shown.page(400);
    assert!(page.contains("This answer cannot be used"), "{page}");
    let url = Url::parse(brought).unwrap();
    for (_, value) in url.query_pairs() {
        let is_shown = value.len() > 3 && page.contains(value.as_ref());
        assert!(!is_shown, "{value}: {page}");
    }
    assert_eq!(shown.header("set-cookie"), "");
}

/// An address with another value of a parameter.
pub(super) fn with(address: &str, name: &str, value: &str) -> String {
    let mut url = Url::parse(address).unwrap();
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let mut query = url.query_pairs_mut();
    query.clear();
    for (known, old) in pairs {
        let value = if known == name { value } else { &old };
        query.append_pair(&known, value);
    }
    drop(query);
    url.into()
}

/// To the application of the client.
pub(super) fn to_the_application() -> Value {
    json!({ "callback_url": APPLICATION })
}
