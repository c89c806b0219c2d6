//! An instance on a test's own database, with a clock that the test moves.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use bosa_auth::{
    Auth, AuthenticationDbSettings, ClientModel, Clock as _, Configuration, Entropy, Error,
    ManualClock, NewUser, OpenMode, Page, PageRequest, Secret, SystemClock, SystemEntropy, Tenant,
    Timestamp, UserModel,
};
use bosa_auth_testkit::TestDatabase;

pub(crate) const SIGNING_KEY: &str = "a signing key for tests, 32 bytes or more";
pub(crate) const ROOT_KEYS: &str = "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
pub(crate) const MASTER_KEY: &str = "a-master-key-for-tests-of-32-characters-or-more";

/// Everything that a test works with.
pub(crate) struct World {
    pub(crate) auth: Auth,
    pub(crate) clock: ManualClock,
}

/// A client with its key.
pub(crate) struct Client {
    pub(crate) model: ClientModel,
    pub(crate) key: String,
}

impl World {
    pub(crate) async fn new(db: &TestDatabase) -> Self {
        Self::with(db, &[]).await
    }

    pub(crate) async fn with(db: &TestDatabase, others: &[(&'static str, &str)]) -> Self {
        let clock = ManualClock::new("2026-01-02T03:04:05.678901Z".parse::<Timestamp>().unwrap());
        let auth = open(db, others, &clock).await.unwrap();
        Self { auth, clock }
    }

    /// With the time of today, for what also other processes look at.
    pub(crate) async fn with_system_clock(db: &TestDatabase) -> Self {
        let clock = ManualClock::new(SystemClock.now());
        let auth = open(db, &[], &clock).await.unwrap();
        Self { auth, clock }
    }

    /// Another handle on the same database, as another process would have it.
    pub(crate) async fn another(&self, db: &TestDatabase, others: &[(&'static str, &str)]) -> Auth {
        open(db, others, &self.clock).await.unwrap()
    }

    pub(crate) async fn client(&self, name: &str) -> Client {
        let model = self
            .auth
            .create_client_service()
            .create_client(name)
            .await
            .unwrap();
        let key = model.api_key.expose().to_owned();
        Client { model, key }
    }

    pub(crate) async fn tenant(&self, client: &Client) -> Tenant {
        self.auth.authenticate_client(&client.key).await.unwrap()
    }

    pub(crate) async fn user(&self, client: &Client, identifier: &str) -> UserModel {
        self.auth
            .create_user_service()
            .create_user(&client.key, identifier)
            .await
            .unwrap()
    }

    pub(crate) async fn user_with_secret(
        &self,
        client: &Client,
        identifier: &str,
        secret: &str,
    ) -> UserModel {
        let user = NewUser {
            identifier: identifier.to_owned(),
            secret: Some(Secret::from(secret)),
        };
        self.tenant(client)
            .await
            .create_user(user)
            .await
            .unwrap()
            .resource
    }

    pub(crate) async fn token(&self, client: &Client, user: &UserModel) -> String {
        let token = self
            .auth
            .create_token_service()
            .create_token(user.id, client.model.id)
            .await
            .unwrap();
        token.token.expose().to_owned()
    }

    pub(crate) async fn verify(&self, client: &Client, token: &str) -> Result<uuid::Uuid, Error> {
        self.auth
            .verify_token_service()
            .verify_token_and_get_user_id(&client.key, token)
            .await
    }
}

pub(crate) async fn open(
    db: &TestDatabase,
    others: &[(&'static str, &str)],
    clock: &ManualClock,
) -> Result<Auth, Error> {
    open_with(db, others, clock, Arc::new(SystemEntropy)).await
}

pub(crate) async fn open_with(
    db: &TestDatabase,
    others: &[(&'static str, &str)],
    clock: &ManualClock,
    entropy: Arc<dyn Entropy>,
) -> Result<Auth, Error> {
    let configuration = configuration(db, others)?;
    let clock = Arc::new(clock.clone());
    Auth::open_with(&configuration, OpenMode::Create, clock, entropy).await
}

/// A handle as another process would have it: it shares no memory and polls when it is told to.
pub(crate) async fn open_apart(
    db: &TestDatabase,
    others: &[(&'static str, &str)],
    clock: &ManualClock,
) -> Result<Auth, Error> {
    let clock = Arc::new(clock.clone());
    let configuration = configuration(db, others)?;
    Auth::open_apart(
        &configuration,
        OpenMode::Create,
        clock,
        Arc::new(SystemEntropy),
    )
    .await
}

/// As [`open_apart`], by another address.
pub(crate) async fn open_apart_at(address: &str, clock: &ManualClock) -> Result<Auth, Error> {
    let configuration = configuration_at(address, &[])?;
    let (clock, entropy) = (Arc::new(clock.clone()), Arc::new(SystemEntropy));
    Auth::open_apart(&configuration, OpenMode::Create, clock, entropy).await
}

pub(crate) fn configuration(
    db: &TestDatabase,
    others: &[(&'static str, &str)],
) -> Result<Configuration, Error> {
    configuration_at(&db.address(), others)
}

fn configuration_at(
    address: &str,
    others: &[(&'static str, &str)],
) -> Result<Configuration, Error> {
    let mut settings = vec![
        ("BOSA_AUTH_ROOT_KEYS", Secret::from(ROOT_KEYS)),
        // The harder case: what was verified once is answered from memory.
        ("BOSA_AUTH_STALENESS_MS", Secret::from("1000")),
        ("BOSA_WHITELISTED_KEYS", Secret::from(MASTER_KEY)),
        ("BOSA_AUTH_ARGON2_MEMORY_MIB", Secret::from("64")),
    ];
    settings.extend(
        others
            .iter()
            .map(|(name, value)| (*name, Secret::from(*value))),
    );
    AuthenticationDbSettings {
        database_authentication_url: Some(address.into()),
        auth_secret_key: Some(SIGNING_KEY.into()),
        others: settings,
        ..Default::default()
    }
    .gather_from(Vec::new())
}

/// The stable code of a refusal.
#[track_caller]
pub(crate) fn code<T>(result: Result<T, Error>) -> &'static str {
    match result {
        Ok(_) => "accepted",
        Err(error) => error.code(),
    }
}

/// The first page of at most so many items.
pub(crate) fn limit(limit: u32) -> PageRequest {
    PageRequest {
        limit: Some(limit),
        cursor: None,
    }
}

/// Walks all pages of a list, so many items at a time, and returns what `pick` takes of each item.
pub(crate) async fn walk<T, K, F>(
    size: u32,
    pick: impl Fn(&T) -> K,
    list: impl Fn(PageRequest) -> F,
) -> Vec<K>
where
    F: Future<Output = Result<Page<T>, Error>>,
{
    let mut request = limit(size);
    let mut picked = Vec::new();
    loop {
        let page = list(request.clone()).await.unwrap();
        assert!(page.items.len() <= size as usize);
        picked.extend(page.items.iter().map(&pick));
        match page.next_cursor {
            Some(cursor) => request.cursor = Some(cursor),
            None => return picked,
        }
    }
}

/// Asserts what holds for the request of every list.
pub(crate) async fn check_page_requests<T, F>(list: impl Fn(PageRequest) -> F)
where
    F: Future<Output = Result<Page<T>, Error>>,
{
    for wrong in [0, 101, u32::MAX] {
        assert_eq!(
            code(list(limit(wrong)).await),
            "invalid_input",
            "limit {wrong}"
        );
    }
    for right in [1, 100] {
        assert_eq!(code(list(limit(right)).await), "accepted", "limit {right}");
    }
    assert_eq!(code(list(PageRequest::default()).await), "accepted");
    for foreign in [
        "",
        "0",
        "\0",
        "' or 1=1 --",
        "AQ",
        "ééé",
        &"A".repeat(23),
        &"A".repeat(5000),
    ] {
        let request = PageRequest {
            limit: None,
            cursor: Some(foreign.to_owned()),
        };
        let refused = list(request).await;
        assert_eq!(code(refused), "invalid_input", "cursor {foreign:?}");
    }
}

/// How many rows there are of everything.
pub(crate) async fn counts(db: &TestDatabase) -> bosa_auth_store::Counts {
    bosa_auth_store::counts(&bosa_auth_store::Store::new(db.db().clone()))
        .await
        .unwrap()
}

/// A segment of a token as JSON: 0 is the header, 1 are the claims.
pub(crate) fn payload(token: &str, segment: usize) -> serde_json::Value {
    let text = token.split('.').nth(segment).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
}
