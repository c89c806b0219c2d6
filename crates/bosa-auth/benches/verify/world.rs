//! An instance on a database of its own, with one client, one user and one token.

use std::sync::Arc;

use bosa_auth::{
    Auth, AuthenticationDbSettings, ClientModel, OpenMode, Secret, SystemClock, SystemEntropy,
};
use bosa_auth_core::token::{Algorithm, SigningKey};
use bosa_auth_testkit::TestDatabase;

use crate::Outcome;

const ROOT_KEYS: &str = "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// Everything that is measured against, each credential verified once already.
pub(crate) struct World {
    pub(crate) algorithm: Algorithm,
    pub(crate) auth: Auth,
    pub(crate) client: ClientModel,
    pub(crate) token: Secret,
    /// Signs as the instance does.
    pub(crate) signing_key: SigningKey,
    /// Removed at the end.
    _database: TestDatabase,
}

impl World {
    pub(crate) async fn new(algorithm: Algorithm) -> Outcome<Self> {
        let database = TestDatabase::sqlite().await;
        let signing_key = SigningKey::generate(algorithm, &SystemEntropy)?;
        let auth = open(&database, &signing_key).await?;
        let client = auth.create_client_service().create_client("acme").await?;
        let key = client.api_key.expose();
        let user = auth
            .create_user_service()
            .create_user(key, "ana@example.com")
            .await?;
        let tenant = auth.authenticate_client(key).await?;
        let token = tenant.create_token(user.id).await?.resource.token;
        tenant.verify_token(token.expose()).await?;
        Ok(Self {
            algorithm,
            auth,
            client,
            token,
            signing_key,
            _database: database,
        })
    }

    pub(crate) fn key(&self) -> &str {
        self.client.api_key.expose()
    }
}

async fn open(database: &TestDatabase, signing_key: &SigningKey) -> Outcome<Auth> {
    let configuration = AuthenticationDbSettings {
        database_authentication_url: Some(database.address().into()),
        auth_secret_key: Some(signing_key.to_configured()?),
        auth_algorithm: Some(signing_key.algorithm().to_string()),
        others: vec![("BOSA_AUTH_ROOT_KEYS", Secret::from(ROOT_KEYS))],
        ..Default::default()
    }
    .gather_from(Vec::new())?;
    let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
    Ok(Auth::open_with(&configuration, OpenMode::Create, clock, entropy).await?)
}
