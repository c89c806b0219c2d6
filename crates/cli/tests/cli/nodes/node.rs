//! One server of a group, over connections that stay open.

use std::time::Duration;

use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::server::Server;

/// For a machine that is busy with other things.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// Between two questions in a row.
const PAUSE: Duration = Duration::from_millis(2);

/// How a server accepts a token.
pub(super) const VALID: &str = "valid";
/// How a server answers that cannot ask its database.
pub(super) const UNAVAILABLE: &str = "database_unavailable";

/// A client key and a token of one of the client's users.
#[derive(Debug, Clone)]
pub(super) struct Credentials {
    pub(super) key: String,
    pub(super) token: String,
}

/// A running server.
pub(super) struct Node {
    pub(super) server: Server,
    http: Client,
}

impl Node {
    pub(super) fn of(server: Server) -> Self {
        let http = Client::new();
        Self { server, http }
    }

    /// Sends a request and returns status and body.
    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        key: &str,
        body: Value,
    ) -> (u16, Value) {
        let url = format!("{}{path}", self.server.url());
        let request = self.http.request(method, url).header("x-api-key", key);
        let answer = request.json(&body).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// Sends a request that has to succeed and returns the data of its answer.
    pub(super) async fn data(&self, method: Method, path: &str, key: &str, body: Value) -> Value {
        let (status, mut answer) = self.call(method, path, key, body).await;
        assert_eq!(status, 200, "{path}: {answer}");
        answer["data"].take()
    }

    /// Says [`VALID`], or the code of the refusal.
    pub(super) async fn verify(&self, credentials: &Credentials) -> String {
        let body = json!({"token": credentials.token});
        let path = "/auth/tokens/verify";
        let (status, answer) = self.call(Method::POST, path, &credentials.key, body).await;
        let (expected, said) = match answer["data"]["valid"].as_bool() {
            Some(true) => (200, VALID),
            Some(false) => (200, answer["data"]["code"].as_str().unwrap()),
            None => match answer["error"]["code"].as_str().unwrap() {
                UNAVAILABLE => (503, UNAVAILABLE),
                code => (401, code),
            },
        };
        assert_eq!(status, expected, "{answer}");
        said.to_owned()
    }

    /// Verifies again and again until it is refused; returns when the last accepted request was sent.
    pub(super) async fn last_acceptance(&self, credentials: &Credentials) -> Option<Instant> {
        let (begun, mut last) = (Instant::now(), None);
        loop {
            let sent = Instant::now();
            let said = self.verify(credentials).await;
            if said != VALID {
                assert_ne!(said, UNAVAILABLE);
                return last;
            }
            last = Some(sent);
            assert!(begun.elapsed() < PATIENCE, "accepted for ever");
            sleep(PAUSE).await;
        }
    }

    /// One of the numbers that the server tells of itself.
    pub(super) async fn metric(&self, name: &str) -> Option<f64> {
        let url = self.server.welcome["metrics_url"].as_str().unwrap();
        let text = self.http.get(url).send().await.unwrap();
        let text = text.text().await.unwrap();
        let value = |line: &str| line.strip_prefix(name)?.trim().parse().ok();
        text.lines().find_map(value)
    }

    /// Waits until one of its numbers is as it should be.
    pub(super) async fn until_metric(&self, name: &str, is_right: impl Fn(f64) -> bool) {
        until(name, async || {
            self.metric(name).await.is_some_and(&is_right)
        })
        .await;
    }
}

/// Asks until the answer is yes.
pub(super) async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let begun = Instant::now();
    while !is_so().await {
        assert!(begun.elapsed() < PATIENCE, "{what}: waited in vain");
        sleep(Duration::from_millis(10)).await;
    }
}
