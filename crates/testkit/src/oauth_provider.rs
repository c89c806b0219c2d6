//! An OAuth 2.0 provider on loopback that checks what it is sent, and fails as it is told to.
//!
//! It speaks real HTTP from a thread of its own, so that it also answers while a test's runtime is
//! busy, and a test talks to it by plain methods:
//!
//! ```
//! use bosa_auth_testkit::oauth_provider::{Endpoint, Fault, OAuthProvider};
//!
//! let provider = OAuthProvider::start();
//! provider.log_in("ana");
//! let connectors_dir = provider.connector_file("loopback");
//! // … connect an account, and then:
//! provider.fault(Endpoint::Token, 1, Fault::lose_answer());
//! assert_eq!(provider.counts().refreshes, 0);
//! # drop(connectors_dir);
//! ```

mod behaviour;
mod connector;
mod endpoints;
mod fault;
mod grants;
mod server;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bosa_auth_core::{Clock as _, ManualClock};
use jiff::Timestamp;
use tempfile::TempDir;
use tokio::sync::watch;

pub use behaviour::{AuthorizationAnswer, Behaviour, Grace, GraceAnswer, RefreshTokens};
pub use fault::Fault;
pub use grants::{Counts, ProviderAccount};

use crate::give_up;
use grants::Grants;
use server::Stop;

/// The client that every provider knows from the start.
pub const CLIENT_ID: &str = "bosa-client";
/// Its secret.
pub const CLIENT_SECRET: &str = "bosa-client-secret-that-nobody-else-knows";

/// How often, and at what distance, a condition is looked at.
const ATTEMPTS: u32 = 12_000;
const PAUSE: Duration = Duration::from_millis(5);

/// What can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Endpoint {
    /// Sends the browser back at once, with a code of the account that logs in next.
    Authorization,
    /// Exchanges codes and refresh tokens.
    Token,
    /// Ends tokens.
    Revocation,
    /// Says whose an access token is.
    Identity,
    /// Describes the provider.
    Discovery,
}

impl Endpoint {
    const ALL: [Self; 5] = [
        Self::Authorization,
        Self::Token,
        Self::Revocation,
        Self::Identity,
        Self::Discovery,
    ];

    const fn path(self) -> &'static str {
        match self {
            Self::Authorization => "/authorize",
            Self::Token => "/token",
            Self::Revocation => "/revoke",
            Self::Identity => "/me",
            Self::Discovery => "/.well-known/oauth-authorization-server",
        }
    }
}

/// A request, as it came.
#[derive(Debug, Clone)]
pub struct RecordedRequest {
    /// The endpoint; `None` when the path is none of the provider's.
    pub endpoint: Option<Endpoint>,
    /// The method.
    pub method: String,
    /// The path without the query.
    pub path: String,
    /// The parameters of the query.
    pub query: BTreeMap<String, String>,
    /// The parameters of the body.
    pub form: BTreeMap<String, String>,
    /// The headers by their names in lower case.
    pub headers: BTreeMap<String, String>,
}

/// A provider; it stops when it is dropped.
#[derive(Debug)]
pub struct OAuthProvider {
    shared: Arc<Shared>,
    directory: TempDir,
    _stop: Stop,
}

#[derive(Debug)]
struct Shared {
    clock: ManualClock,
    state: Mutex<State>,
    /// How often everything that hangs was released.
    released: watch::Sender<u64>,
}

#[derive(Debug)]
struct State {
    base: String,
    behaviour: Behaviour,
    grants: Grants,
    clients: BTreeMap<String, String>,
    logged_in: String,
    answers: VecDeque<AuthorizationAnswer>,
    faults: BTreeMap<Endpoint, VecDeque<Fault>>,
    requests: Vec<RecordedRequest>,
    hanging: usize,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OAuthProvider {
    /// Starts a provider whose refresh tokens are used once and have no grace.
    ///
    /// # Panics
    /// When there is no port, thread or directory to be had.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(Behaviour::default())
    }

    /// Starts a provider.
    ///
    /// # Panics
    /// As [`OAuthProvider::start`].
    #[must_use]
    pub fn start_with(behaviour: Behaviour) -> Self {
        let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
        Self::start_at(clock, behaviour)
    }

    /// Starts a provider whose time is somebody else's, too.
    ///
    /// # Panics
    /// As [`OAuthProvider::start`].
    #[must_use]
    pub fn start_at(clock: ManualClock, behaviour: Behaviour) -> Self {
        let directory = match tempfile::tempdir() {
            Ok(directory) => directory,
            Err(error) => give_up("no temporary directory", &error),
        };
        let (listener, base) = server::listen();
        let state = State {
            base,
            behaviour,
            grants: Grants::default(),
            clients: endpoints::clients(),
            logged_in: "ana".to_owned(),
            answers: VecDeque::new(),
            faults: BTreeMap::new(),
            requests: Vec::new(),
            hanging: 0,
        };
        let shared = Arc::new(Shared {
            clock,
            state: Mutex::new(state),
            released: watch::Sender::new(0),
        });
        Self {
            _stop: server::run(listener, Arc::clone(&shared)),
            shared,
            directory,
        }
    }

    /// The address of an endpoint.
    #[must_use]
    pub fn url(&self, endpoint: Endpoint) -> String {
        format!("{}{}", self.issuer(), endpoint.path())
    }

    /// What the provider calls itself.
    #[must_use]
    pub fn issuer(&self) -> String {
        self.shared.state().base.clone()
    }

    /// Lets one more client in.
    pub fn register_client(&self, client_id: &str, client_secret: &str) {
        let mut state = self.shared.state();
        state.clients.insert(client_id.into(), client_secret.into());
    }

    /// Changes the behaviour from now on.
    pub fn behave(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.shared.state().behaviour);
    }

    /// The account of a label, which is made when it is first named.
    #[must_use]
    pub fn account(&self, label: &str) -> ProviderAccount {
        self.shared.state().grants.account(label)
    }

    /// Makes another account of the same label, as if the first had been deleted.
    pub fn replace_account(&self, label: &str) -> ProviderAccount {
        self.shared.state().grants.replace_account(label)
    }

    /// From now on this account is logged in in every browser; in the beginning it is `ana`.
    pub fn log_in(&self, label: &str) -> ProviderAccount {
        let mut state = self.shared.state();
        label.clone_into(&mut state.logged_in);
        state.grants.account(label)
    }

    /// How the next browser is sent back; called again, it is the one after that.
    pub fn answer_next(&self, answer: AuthorizationAnswer) {
        self.shared.state().answers.push_back(answer);
    }

    /// Sends the next browser back with an error.
    pub fn refuse_next(&self, code: &str, description: &str) {
        self.answer_next(AuthorizationAnswer {
            error: Some((code.to_owned(), description.to_owned())),
            ..AuthorizationAnswer::default()
        });
    }

    /// Does what a browser does with an authorization URL: asks for it, and returns the address that
    /// it is sent back to.
    ///
    /// # Panics
    /// When the provider shows a page instead.
    #[must_use]
    pub fn visit(&self, url: &str) -> String {
        let request = match url::Url::parse(url) {
            Ok(url) => server::visit(&url),
            Err(error) => give_up("the authorization URL", &error),
        };
        let now = self.shared.clock.monotonic();
        let mut state = self.shared.state();
        state.requests.push(request.clone());
        let reply = endpoints::serve(&mut state, now, &request);
        match reply.location() {
            Some(location) => location.to_owned(),
            None => give_up("the provider shows a page", &reply.body),
        }
    }

    /// The next requests to an endpoint go wrong; called again, it is those after that.
    pub fn fault(&self, endpoint: Endpoint, times: usize, fault: Fault) {
        let mut state = self.shared.state();
        let faults = state.faults.entry(endpoint).or_default();
        faults.extend(std::iter::repeat_n(fault, times));
    }

    /// From now on nothing more goes wrong.
    pub fn heal(&self) {
        self.shared.state().faults.clear();
    }

    /// How many requests hang now.
    #[must_use]
    pub fn hanging(&self) -> usize {
        self.shared.state().hanging
    }

    /// Waits until a condition holds.
    ///
    /// # Panics
    /// When it does not hold within a minute.
    pub async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        for _ in 0..ATTEMPTS {
            if holds(self) {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
        give_up("the provider waited in vain", &what);
    }

    /// Lets everything that hangs now go on.
    pub fn release(&self) {
        self.shared.released.send_modify(|times| *times += 1);
    }

    /// Moves the provider's clock, by which codes, access tokens and the grace end.
    pub fn advance(&self, by: Duration) {
        self.shared.clock.advance(by);
    }

    /// All requests that arrived, in the order in which they were read.
    #[must_use]
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.shared.state().requests.clone()
    }

    /// How many requests an endpoint had.
    #[must_use]
    pub fn asked(&self, endpoint: Endpoint) -> usize {
        let state = self.shared.state();
        let those = state.requests.iter();
        those.filter(|one| one.endpoint == Some(endpoint)).count()
    }

    /// How often what happened.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.shared.state().grants.counts.clone()
    }

    /// Whether a refresh token would be answered with tokens now.
    #[must_use]
    pub fn is_alive(&self, refresh_token: &str) -> bool {
        let state = self.shared.state();
        let now = self.shared.clock.monotonic();
        state.grants.is_alive(now, &state.behaviour, refresh_token)
    }

    /// Whose an access token is, if it is good now.
    #[must_use]
    pub fn whose(&self, access_token: &str) -> Option<ProviderAccount> {
        let now = self.shared.clock.monotonic();
        self.shared.state().grants.whose(now, access_token)
    }

    /// The refresh token of an account that was issued last, if it is good and was not used.
    #[must_use]
    pub fn current_refresh_token(&self, label: &str) -> Option<String> {
        self.shared.state().grants.current(label).pop()
    }

    /// Ends all tokens of an account, as its owner can do at the provider.
    pub fn end_tokens(&self, label: &str) {
        self.shared.state().grants.end_account(label);
    }

    /// Every code and token that was ever issued, to look for them where they must not be.
    #[must_use]
    pub fn secrets(&self) -> BTreeSet<String> {
        self.shared.state().grants.secrets()
    }

    /// The text of the connector file of this provider.
    #[must_use]
    pub fn connector_text(&self) -> String {
        let state = self.shared.state();
        connector::text(&state.base, &state.behaviour)
    }

    /// Writes the connector file under a name, and returns its directory for
    /// `BOSA_AUTH_CONNECTORS_DIR`. Written again, it says how the provider behaves now.
    ///
    /// # Panics
    /// When the file cannot be written.
    #[must_use]
    pub fn connector_file(&self, name: &str) -> PathBuf {
        self.connector_file_in(self.directory.path(), name);
        self.directory.path().to_owned()
    }

    /// As [`OAuthProvider::connector_file`], in a directory of the test's own.
    ///
    /// # Panics
    /// When the file cannot be written.
    pub fn connector_file_in(&self, directory: &Path, name: &str) {
        let path = directory.join(format!("{name}.toml"));
        if let Err(error) = std::fs::write(path, self.connector_text()) {
            give_up("the connector file cannot be written", &error);
        }
    }
}
