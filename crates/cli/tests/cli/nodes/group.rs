//! Servers on one database, with a client and a user.

use std::time::Duration;

use futures_util::future::{join, join_all};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use super::node::{Credentials, Node, VALID};
use crate::server::{Server, master_key};
use crate::support::World;

/// The staleness bound where nothing else is set.
pub(super) const BOUND: Duration = Duration::from_secs(1);

pub(super) struct Group {
    pub(super) nodes: Vec<Node>,
    bound: Duration,
    master_key: String,
    client: String,
    pub(super) key: String,
    pub(super) user: String,
    /// What was ended, and must stay so.
    ended: Vec<Credentials>,
    /// When the last one had ended.
    last_end: Instant,
    delays: Vec<Duration>,
}

impl Group {
    /// Starts a server in each of these worlds, which lead to one database.
    pub(super) async fn start(worlds: &[&World]) -> Self {
        let starting: Vec<_> = worlds.iter().map(|world| Server::spawn(world)).collect();
        let nodes: Vec<Node> = starting
            .into_iter()
            .map(|starting| Node::of(starting.ready()))
            .collect();
        let master_key = master_key(worlds[0], &nodes[0].server);
        let mut group = Self {
            nodes,
            bound: BOUND,
            master_key,
            client: String::new(),
            key: String::new(),
            user: String::new(),
            ended: Vec::new(),
            last_end: Instant::now(),
            delays: Vec::new(),
        };
        // Another one for each group on the same database.
        let name = json!({"name": group.nodes[0].server.url()});
        let client = group.manage(Method::POST, "/clients", name).await;
        group.client = text(&client, "id");
        group.key = text(&client, "api_key");
        let name = json!({"identifier": "ana"});
        let user = group.nodes[0].data(Method::POST, "/users", &group.key, name);
        group.user = text(&user.await, "id");
        group
    }

    /// With another bound than the usual one.
    pub(super) fn bound_by(mut self, bound: Duration) -> Self {
        self.bound = bound;
        self
    }

    /// Asks the first server for something that needs the master key.
    pub(super) async fn manage(&self, method: Method, path: &str, body: Value) -> Value {
        let node = &self.nodes[0];
        node.data(method, path, &self.master_key, body).await
    }

    /// A new token, under the client's first key.
    pub(super) async fn token(&self) -> Credentials {
        self.try_token().await.unwrap()
    }

    /// As [`Self::token`]; nothing while the database is not there.
    pub(super) async fn try_token(&self) -> Option<Credentials> {
        let path = format!("/users/{}/tokens", self.user);
        let node = &self.nodes[0];
        match node.call(Method::POST, &path, &self.key, json!({})).await {
            (200, answer) => Some(Credentials {
                key: self.key.clone(),
                token: text(&answer["data"], "token"),
            }),
            (status, answer) => {
                assert_eq!(status, 503, "{answer}");
                None
            }
        }
    }

    /// Another client, with a token of a user of its own.
    pub(super) async fn another_client(&self, name: &str) -> Another {
        let client = self.manage(Method::POST, "/clients", json!({"name": name}));
        let client = client.await;
        let key = text(&client, "api_key");
        let node = &self.nodes[0];
        let name = json!({"identifier": "ana"});
        let user = node.data(Method::POST, "/users", &key, name).await;
        let path = format!("/users/{}/tokens", text(&user, "id"));
        let token = node.data(Method::POST, &path, &key, json!({})).await;
        Another {
            client: text(&client, "id"),
            credentials: Credentials {
                key,
                token: text(&token, "token"),
            },
        }
    }

    /// Suspends or resumes another client.
    pub(super) async fn set_active(&self, another: &Another, is_active: bool) {
        let path = format!("/clients/{}", another.client);
        let body = json!({"is_active": is_active});
        self.manage(Method::PATCH, &path, body).await;
    }

    /// Revokes a token of the client through one of the servers.
    pub(super) async fn revoke(&self, by: usize, credentials: &Credentials) {
        let body = json!({"token": credentials.token});
        let path = "/auth/tokens/revoke";
        let revoked = self.nodes[by].data(Method::POST, path, &credentials.key, body);
        assert_eq!(revoked.await["revoked"], true);
    }

    /// Has every server verify these until it answers from memory.
    pub(super) async fn remember(&self, credentials: &Credentials) {
        for node in &self.nodes {
            for _ in 0..2 {
                assert_eq!(node.verify(credentials).await, VALID);
            }
            // A client, a key, a user and a token at least.
            node.until_metric("bosa_auth_verify_cache_entries", |entries| entries >= 4.0)
                .await;
        }
    }

    /// A new token, ended through one server and verified through the others all along; each of them
    /// refuses it within the bound.
    pub(super) async fn end_token(&mut self, by: usize) {
        let credentials = self.token().await;
        let body = json!({"token": credentials.token});
        let (key, path) = (self.key.clone(), "/auth/tokens/revoke");
        self.end(by, credentials, Method::POST, path, &key, body)
            .await;
    }

    /// As [`Self::end_token`], with a key of the client.
    pub(super) async fn end_key(&mut self, by: usize) {
        let path = format!("/clients/{}/api-keys", self.client);
        let key = self.manage(Method::POST, &path, json!({})).await;
        let path = format!("{path}/{}", text(&key, "id"));
        let credentials = Credentials {
            key: text(&key, "api_key"),
            ..self.token().await
        };
        let master_key = self.master_key.clone();
        self.end(
            by,
            credentials,
            Method::DELETE,
            &path,
            &master_key,
            json!({}),
        )
        .await;
    }

    async fn end(
        &mut self,
        by: usize,
        credentials: Credentials,
        method: Method,
        path: &str,
        key: &str,
        body: Value,
    ) {
        self.remember(&credentials).await;
        let (credentials, bound) = (&credentials, self.bound);
        let act = async {
            let node = &self.nodes[by];
            assert_eq!(node.data(method, path, key, body).await["revoked"], true);
            let answered = Instant::now();
            assert_ne!(node.verify(credentials).await, VALID, "server {by} itself");
            answered
        };
        let others = self.nodes.iter().enumerate();
        let others = others.filter(|(other, _)| *other != by);
        let watched = others.map(|(_, node)| node.last_acceptance(credentials));
        let (answered, accepted) = join(act, join_all(watched)).await;
        for last in accepted {
            let delay = last.map_or(Duration::ZERO, |last| {
                last.saturating_duration_since(answered)
            });
            assert!(delay <= bound, "accepted {delay:?} after its end");
            self.delays.push(delay);
        }
        self.ended.push(credentials.clone());
        self.last_end = answered;
    }

    /// Later than the bound, every server refuses whatever was ended.
    pub(super) async fn nothing_returns(&self) {
        sleep_until(self.last_end + self.bound).await;
        for node in &self.nodes {
            for credentials in &self.ended {
                assert_ne!(node.verify(credentials).await, VALID);
            }
        }
    }

    /// Prints how long the others went on accepting.
    pub(super) fn print_delays(&mut self, what: &str) {
        self.delays.sort_unstable();
        println!("{what}: {:?}", self.delays);
    }
}

/// A client beside that of the group.
pub(super) struct Another {
    pub(super) client: String,
    pub(super) credentials: Credentials,
}

pub(super) fn text(value: &Value, member: &str) -> String {
    value[member].as_str().unwrap().to_owned()
}
