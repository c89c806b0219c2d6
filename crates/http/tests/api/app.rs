//! A server of a test's own, and a client for it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bosa_auth::{
    Auth, AuthenticationDbSettings, ManualClock, OpenMode, Secret, SystemEntropy, Timestamp,
};
use bosa_auth_http::{HttpConfig, Listeners, Metrics, serve};
use bosa_auth_testkit::TestDatabase;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub(crate) const MASTER_KEY: &str = "a-master-key-for-tests-of-32-characters-or-more";
pub(crate) const SIGNING_KEY: &str = "a signing key for tests, 32 bytes or more";
pub(crate) const ROOT_KEYS: &str = "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
pub(crate) const NOWHERE: &str = "0190a0b1-0000-7000-8000-000000000000";

/// A running server on a test's database.
pub(crate) struct TestApp {
    pub(crate) auth: Auth,
    pub(crate) clock: ManualClock,
    pub(crate) address: SocketAddr,
    http: reqwest::Client,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<()>,
}

/// A client with its key.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) key: String,
}

/// A user with its secret and a token.
#[derive(Clone)]
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) identifier: String,
    pub(crate) secret: String,
    pub(crate) token: String,
}

/// A request that is being put together.
pub(crate) struct Call(RequestBuilder);

/// What the server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
    pub(crate) body: Value,
}

impl TestApp {
    pub(crate) async fn new(db: &TestDatabase) -> Self {
        Self::with(db, &[], HttpConfig::default()).await
    }

    pub(crate) async fn with(
        db: &TestDatabase,
        others: &[(&'static str, &str)],
        config: HttpConfig,
    ) -> Self {
        Self::with_metrics(db, others, config, None).await
    }

    pub(crate) async fn with_metrics(
        db: &TestDatabase,
        others: &[(&'static str, &str)],
        config: HttpConfig,
        metrics: Option<(TcpListener, Metrics)>,
    ) -> Self {
        let clock = ManualClock::new("2026-01-02T03:04:05.678901Z".parse::<Timestamp>().unwrap());
        let mut settings = vec![
            ("BOSA_AUTH_ROOT_KEYS", Secret::from(ROOT_KEYS)),
            ("BOSA_WHITELISTED_KEYS", Secret::from(MASTER_KEY)),
            ("BOSA_AUTH_ARGON2_MEMORY_MIB", Secret::from("64")),
        ];
        settings.extend(
            others
                .iter()
                .map(|(name, value)| (*name, Secret::from(*value))),
        );
        let configuration = AuthenticationDbSettings {
            database_authentication_url: Some(db.address().into()),
            auth_secret_key: Some(SIGNING_KEY.into()),
            others: settings,
            ..Default::default()
        }
        .gather_from(Vec::new())
        .unwrap();
        let (time, entropy) = (Arc::new(clock.clone()), Arc::new(SystemEntropy));
        let auth = Auth::open_with(&configuration, OpenMode::Create, time, entropy);
        let auth = auth.await.unwrap();
        let api = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = api.local_addr().unwrap();
        auth.listens_on(address);
        let (stop, stopped) = oneshot::channel();
        let served = auth.clone();
        let server = tokio::spawn(async move {
            let listeners = Listeners { api, metrics };
            let shutdown = async { stopped.await.unwrap_or_default() };
            serve(served, config, listeners, shutdown).await.unwrap();
        });
        Self {
            auth,
            clock,
            address,
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            stop: Some(stop),
            server,
        }
    }

    pub(crate) fn call(&self, method: &str, path: &str) -> Call {
        let url = format!("http://{}{path}", self.address);
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        Call(
            self.http
                .request(method, url)
                .timeout(Duration::from_secs(60)),
        )
    }

    pub(crate) fn get(&self, path: &str) -> Call {
        self.call("GET", path)
    }

    pub(crate) fn post(&self, path: &str, body: Value) -> Call {
        self.call("POST", path).json(body)
    }

    pub(crate) fn delete(&self, path: &str) -> Call {
        self.call("DELETE", path)
    }

    pub(crate) async fn client(&self, name: &str) -> Client {
        let created = self
            .post("/clients", json!({ "name": name }))
            .key(MASTER_KEY)
            .send()
            .await;
        let data = created.data();
        Client {
            id: text(&data["id"]),
            key: text(&data["api_key"]),
        }
    }

    pub(crate) async fn user(&self, client: &Client, identifier: &str) -> User {
        let body = json!({ "identifier": identifier });
        let created = self.post("/users", body).key(&client.key).send().await;
        let data = created.data();
        let (id, secret) = (text(&data["id"]), text(&data["secret"]));
        let body = json!({ "identifier": identifier, "secret": secret });
        let login = self
            .post("/auth/tokens", body)
            .key(&client.key)
            .send()
            .await;
        let token = text(&login.data()["token"]);
        User {
            id,
            identifier: identifier.to_owned(),
            secret,
            token,
        }
    }

    pub(crate) async fn github(&self, user: &User, account: &str, credential: &str) {
        let configuration = json!({ "user_identifier": account, "auth_string": credential });
        let body = json!({ "auth_type": "custom", "configuration": configuration });
        let stored = self
            .post("/connectors/github/integrations", body)
            .token(&user.token);
        stored.send().await.data();
    }

    /// Sends bytes as they are and returns what comes back until the server closes.
    pub(crate) async fn raw(&self, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Tells the server to stop, without waiting.
    pub(crate) fn tell_to_stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            stop.send(()).ok();
        }
    }

    /// Waits until the server has stopped.
    pub(crate) async fn stopped(self) {
        self.server.await.unwrap();
    }
}

impl Call {
    pub(crate) fn key(self, key: &str) -> Self {
        self.header("x-api-key", key)
    }

    pub(crate) fn token(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn header(self, name: &str, value: &str) -> Self {
        Self(self.0.header(name, value))
    }

    pub(crate) fn json(self, body: Value) -> Self {
        Self(self.0.json(&body))
    }

    pub(crate) fn text(self, body: impl Into<reqwest::Body>) -> Self {
        Self(self.0.header("content-type", "application/json").body(body))
    }

    pub(crate) fn body(self, content_type: &str, body: impl Into<reqwest::Body>) -> Self {
        Self(self.0.header("content-type", content_type).body(body))
    }

    pub(crate) async fn send(self) -> Answer {
        let response = self.0.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Answer {
            status,
            headers,
            text,
            body,
        }
    }
}

impl Answer {
    /// The data of a success.
    #[track_caller]
    pub(crate) fn data(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        assert!(
            self.body.get("meta").is_some(),
            "no envelope: {}",
            self.text
        );
        self.body["data"].clone()
    }

    /// The code of a refusal, whose body is checked.
    #[track_caller]
    pub(crate) fn refusal(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", self.text);
        let error = &self.body["error"];
        assert!(error["message"].is_string(), "{}", self.text);
        assert!(error["type"].is_string(), "{}", self.text);
        assert_eq!(error["request_id"], self.header("x-request-id"));
        assert_eq!(self.body["message"], error["message"]);
        assert_eq!(self.body["status"], status);
        text(&error["code"])
    }

    /// The field that a 400 names.
    #[track_caller]
    pub(crate) fn field(&self) -> String {
        assert_eq!(self.refusal(400), "invalid_input");
        text(&self.body["error"]["details"]["field"])
    }

    pub(crate) fn header(&self, name: &str) -> String {
        let value = self.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    }
}

#[track_caller]
pub(crate) fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("no text: {value}"))
        .to_owned()
}
