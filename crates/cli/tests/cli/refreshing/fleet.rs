//! Servers on one database, and readers that ask all of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bosa_auth_testkit::TestDatabase;
use bosa_auth_testkit::oauth_provider::{CLIENT_ID, CLIENT_SECRET, OAuthProvider};
use serde_json::{Value, json};
use tokio::sync::RwLock;
use tokio::task::JoinHandle;

use super::connecting::connect;
use crate::server::{Server, create_client, master_key, post};
use crate::support::World;

const USERS: [&str; 4] = ["ana", "ben", "eva", "tom"];
/// Between two reads of one reader.
const PAUSE: Duration = Duration::from_millis(20);
/// How often it is asked until every account has been decided: longer than a lease lasts.
const PATIENCE: u32 = 6000;

/// What a reader gets.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// An access token.
    Token(String),
    /// The account must be connected again.
    GivenUp,
    /// Nothing for now.
    Nothing,
}

/// Servers on one database, with readers.
pub(super) struct Fleet {
    world: World,
    provider: Arc<OAuthProvider>,
    servers: Vec<Option<Server>>,
    key: String,
    /// Their ids.
    users: BTreeMap<&'static str, String>,
    urls: Arc<RwLock<Vec<String>>>,
    is_over: Arc<AtomicBool>,
    readers: Vec<JoinHandle<()>>,
}

impl Fleet {
    /// Starts so many servers, connects an account of each user, and lets readers ask for them.
    pub(super) async fn start(db: &TestDatabase, provider: OAuthProvider, servers: usize) -> Self {
        let mut world = World::on(db);
        let directory = provider.connector_file("loopback");
        for (variable, value) in [
            ("BOSA_AUTH_CONNECTORS_DIR", directory.to_str().unwrap()),
            ("BOSA_AUTH_OUTBOUND_PRIVATE_ADDRESSES", "true"),
            ("BOSA_AUTH_OUTBOUND_TIMEOUT_SECONDS", "5"),
        ] {
            world.set(variable, value);
        }
        world.run(&["init"]).expect(0);
        let servers: Vec<_> = (0..servers).map(|_| Some(Server::start(&world))).collect();
        let urls = servers
            .iter()
            .flatten()
            .map(|server| server.url().to_owned());
        let urls: Vec<String> = urls.collect();
        let master_key = master_key(&world, servers[0].as_ref().unwrap());
        let key = create_client(&urls[0], &master_key, "acme").await.unwrap();
        let settings = json!({"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET});
        put(&urls[0], "/connectors/loopback/settings", &key, &settings).await;
        let mut fleet = Self {
            world,
            provider: Arc::new(provider),
            servers,
            key,
            users: BTreeMap::new(),
            urls: Arc::new(RwLock::new(urls)),
            is_over: Arc::default(),
            readers: Vec::new(),
        };
        for user in USERS {
            let new = json!({"identifier": user});
            let url = fleet.url().await;
            let (_, made) = post(&url, "/users", &fleet.key, new).await.unwrap();
            let id = made["data"]["id"].as_str().unwrap().to_owned();
            fleet.users.insert(user, id);
            fleet.connect(user).await;
        }
        for (number, id) in fleet.users.values().enumerate() {
            for reader in 0..2 {
                fleet
                    .readers
                    .push(fleet.read_all_along(number + reader, id));
            }
        }
        fleet
    }

    pub(super) fn provider(&self) -> &OAuthProvider {
        &self.provider
    }

    /// Where commands are run beside the servers.
    pub(super) fn world(&self) -> &World {
        &self.world
    }

    /// Kills a server and starts another one in its place.
    pub(super) async fn replace(&mut self, number: usize) {
        self.servers[number].take().unwrap().kill();
        let server = Server::start(&self.world);
        self.urls.write().await[number] = server.url().to_owned();
        self.servers[number] = Some(server);
    }

    /// Waits until there were so many refreshes. Accounts that have to be connected again meanwhile are,
    /// since nothing else refreshes them; returns how many.
    pub(super) async fn until_refreshed(&self, db: &TestDatabase, refreshes: usize) -> usize {
        let mut connected = 0;
        for _ in 0..PATIENCE {
            if self.provider.counts().refreshes >= refreshes {
                return connected;
            }
            for user in self.reasons(db).await {
                self.connect(&user).await;
                connected += 1;
            }
            tokio::time::sleep(PAUSE).await;
        }
        panic!("no account is refreshed");
    }

    /// The users whose accounts must be connected again. Each says that a process had died.
    pub(super) async fn reasons(&self, db: &TestDatabase) -> Vec<String> {
        let sql = "select u.identifier, g.needs_reauth_reason from bosa_integration_grants g \
            join bosa_integrations a on a.client_id = g.client_id and a.id = g.integration_id \
            join bosa_users u on u.client_id = a.client_id and u.id = a.user_id \
            where a.auth_status = 'needs_reauth' order by u.identifier";
        let rows = db.db().read(sql, vec![]).await.unwrap();
        let given_up = rows.iter().map(|row| {
            let reason: String = row.get(1).unwrap();
            assert!(
                reason.starts_with("outcome unknown: a process ended"),
                "{reason}"
            );
            row.get(0).unwrap()
        });
        given_up.collect()
    }

    /// Ends the readers and returns what each user gets in the end, once nothing is under way.
    pub(super) async fn settled(&mut self) -> BTreeMap<&'static str, Read> {
        self.is_over.store(true, Ordering::Relaxed);
        for reader in self.readers.drain(..) {
            reader.await.unwrap();
        }
        let mut reads = BTreeMap::new();
        let url = self.url().await;
        for (user, id) in &self.users {
            let mut read = Read::Nothing;
            for _ in 0..PATIENCE {
                read = ask(&reqwest::Client::new(), &url, &self.key, id).await;
                if read != Read::Nothing {
                    break;
                }
                tokio::time::sleep(PAUSE).await;
            }
            assert_ne!(read, Read::Nothing, "{user}");
            reads.insert(*user, read);
        }
        // No refresh token was used once more without a grace.
        let counts = self.provider.counts();
        assert_eq!(counts.lost, Vec::<String>::new());
        reads
    }

    /// Stops every server; none complains.
    pub(super) fn stop(self) {
        for server in self.servers.into_iter().flatten() {
            assert_eq!(server.stop("TERM"), Some(0));
        }
    }

    async fn url(&self) -> String {
        self.urls.read().await[0].clone()
    }

    async fn connect(&self, user: &str) {
        let issued = self
            .world
            .json(&["token", "issue", user, "--client", "acme"]);
        let token = issued["token"].as_str().unwrap();
        self.provider.log_in(user);
        connect(&self.url().await, &self.key, token, &self.provider).await;
    }

    /// Reads an account again and again, at one server after the other.
    fn read_all_along(&self, first: usize, id: &str) -> JoinHandle<()> {
        let (urls, is_over) = (self.urls.clone(), self.is_over.clone());
        let (key, id) = (self.key.clone(), id.to_owned());
        tokio::spawn(async move {
            let http = reqwest::Client::new();
            for number in first.. {
                if is_over.load(Ordering::Relaxed) {
                    return;
                }
                let url = {
                    let urls = urls.read().await;
                    urls[number % urls.len()].clone()
                };
                let _whatever = ask(&http, &url, &key, &id).await;
                tokio::time::sleep(PAUSE).await;
            }
        })
    }
}

/// Reads the account of a user.
async fn ask(http: &reqwest::Client, url: &str, key: &str, id: &str) -> Read {
    let request = http.get(format!("{url}/users/{id}/integrations/loopback"));
    let answer = match request.header("x-api-key", key).send().await {
        Ok(answer) => answer,
        // The server was killed.
        Err(_) => return Read::Nothing,
    };
    let status = answer.status().as_u16();
    let Ok(body) = answer.json::<Value>().await else {
        return Read::Nothing;
    };
    match (status, body["error"]["code"].as_str()) {
        (200, _) => Read::Token(body["data"]["auth_string"].as_str().unwrap().to_owned()),
        (409, Some("needs_reauthorization")) => Read::GivenUp,
        (503, Some("provider_unavailable" | "database_unavailable")) => Read::Nothing,
        _ => panic!("{status}: {body}"),
    }
}

async fn put(url: &str, path: &str, key: &str, body: &Value) {
    let request = reqwest::Client::new().put(format!("{url}{path}"));
    let answer = request.header("x-api-key", key).json(body).send().await;
    let answer = answer.unwrap();
    assert!(
        answer.status().is_success(),
        "{}",
        answer.text().await.unwrap()
    );
}
