//! An instance on a database of its own, with one client, two users and one integration.

use std::sync::Arc;

use bosa_auth::{
    Auth, AuthenticationDbSettings, ClientModel, Clock as _, Error, ManualClock, NewUser, OpenMode,
    Secret, SystemClock, SystemEntropy, ThirdPartyIntegrationAuth, UserModel,
};
use bosa_auth_store::{Db, StoreError};
use bosa_auth_testkit::TestDatabase;

use crate::measure::must;

pub(crate) const SQLITE: &str = "sqlite";
pub(crate) const POSTGRES: &str = "postgres";

pub(crate) const SIGNING_KEY: &str = "a signing key for benchmarks, 32 bytes or more";
pub(crate) const CHOSEN_SECRET: &str = "a secret that a person has chosen";
pub(crate) const CONNECTOR: &str = "github";
pub(crate) const ACCOUNT: &str = "octocat";
const ROOT_KEYS: &str = "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
/// As long as tokens of third parties are.
const CREDENTIAL: &str = "gho_0123456789abcdefghijklmnopqrstuvwxyz";

/// Everything that is measured against.
pub(crate) struct World {
    /// The name in the results.
    pub(crate) database: &'static str,
    pub(crate) auth: Auth,
    /// Moved on by who makes more attempts than are allowed at once.
    pub(crate) clock: ManualClock,
    pub(crate) client: ClientModel,
    /// Has a generated secret, a token and an integration.
    pub(crate) machine: UserModel,
    /// Has a chosen secret.
    pub(crate) person: UserModel,
    pub(crate) token: Secret,
    test_database: TestDatabase,
}

impl World {
    pub(crate) async fn new(database: &'static str) -> Self {
        let test_database = match database {
            SQLITE => TestDatabase::sqlite().await,
            _ => TestDatabase::postgres().await,
        };
        must(Self::fill(database, test_database).await)
    }

    async fn fill(database: &'static str, test_database: TestDatabase) -> Result<Self, Error> {
        let clock = ManualClock::new(SystemClock.now());
        let auth = open(&test_database, &clock).await?;
        let client = auth.create_client_service().create_client("acme").await?;
        let key = client.api_key.expose();
        let machine = auth
            .create_user_service()
            .create_user(key, "machine@example.com")
            .await?;
        let person = NewUser {
            identifier: "person@example.com".to_owned(),
            secret: Some(Secret::from(CHOSEN_SECRET)),
        };
        let tenant = auth.authenticate_client(key).await?;
        let person = tenant.create_user(person).await?.resource;
        let token = tenant.create_token(machine.id).await?.resource.token;
        tenant
            .create_integration(ThirdPartyIntegrationAuth::new(
                client.id,
                machine.id,
                CONNECTOR,
                ACCOUNT,
                credential(),
                vec!["repo".to_owned()],
            ))
            .await?;
        create_table(test_database.db()).await?;
        Ok(Self {
            database,
            auth,
            clock,
            client,
            machine,
            person,
            token,
            test_database,
        })
    }

    pub(crate) fn key(&self) -> &str {
        self.client.api_key.expose()
    }

    /// A handle on the same database, for bare statements.
    pub(crate) fn db(&self) -> &Db {
        self.test_database.db()
    }
}

pub(crate) fn credential() -> Secret {
    Secret::from(CREDENTIAL)
}

async fn open(database: &TestDatabase, clock: &ManualClock) -> Result<Auth, Error> {
    let configuration = AuthenticationDbSettings {
        database_authentication_url: Some(database.address().into()),
        auth_secret_key: Some(SIGNING_KEY.into()),
        others: vec![("BOSA_AUTH_ROOT_KEYS", Secret::from(ROOT_KEYS))],
        ..Default::default()
    }
    .gather_from(Vec::new())?;
    Auth::open_with(
        &configuration,
        OpenMode::Create,
        Arc::new(clock.clone()),
        Arc::new(SystemEntropy),
    )
    .await
}

/// Makes the table of the bare inserts.
async fn create_table(db: &Db) -> Result<(), StoreError> {
    db.write(|tx| Box::pin(async move { tx.batch(CREATE_TABLE).await }))
        .await
}

const CREATE_TABLE: &str = "create table bench_rows (id uuid primary key, value text not null)";
