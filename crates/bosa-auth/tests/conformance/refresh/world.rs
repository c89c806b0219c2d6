//! An instance beside a provider on loopback, and accounts that are connected to it.

use std::time::Duration;

use bosa_auth::{
    Auth, AuthStatus, Clock as _, Error, IntegrationId, ManualClock, NewConnectorSettings, Secret,
    SecretChange, SystemEntropy, ThirdPartyIntegrationAuth, Timestamp, UserId, UserModel,
};
use bosa_auth_connect::{
    AuthorizationRequest, ClientCredentials, CodeVerifier, Grant, OAuth, Origin, Outbound,
    OutboundOptions, Provider, TokenResponse, Variables, authorization_url, parse_token_response,
    random_text, token_request,
};
use bosa_auth_core::ConnectorName;
use bosa_auth_core::vault::{
    DataKey, KeyPurpose, RootKeyring, ValueContext, ValuePurpose, open_key, seal_value,
};
use bosa_auth_store::{
    ClientTx, GrantRow, IntegrationChange, IntegrationInsert, IntegrationRow, IntegrationWithGrant,
    RefreshToken, Sealed, Store, StoreError,
};
use bosa_auth_testkit::TestDatabase;
use bosa_auth_testkit::oauth_provider::{
    Behaviour, CLIENT_ID, CLIENT_SECRET, Endpoint, Fault, GraceAnswer, OAuthProvider, RefreshTokens,
};
use tokio::task::JoinHandle;
use url::Url;

use crate::support::{Client, ROOT_KEYS, World, code, open_apart};

pub(super) const CONNECTOR: &str = "loopback";
pub(super) const HOUR: Duration = Duration::from_secs(3600);
const REDIRECT_URI: &str = "http://127.0.0.1/back";

/// A client with a user who has one account at a provider.
pub(super) struct Place {
    pub(super) world: World,
    pub(super) provider: OAuthProvider,
    pub(super) client: Client,
    pub(super) user: UserModel,
    settings: Vec<(&'static str, String)>,
    outbound: Outbound,
}

/// Refresh tokens that are used once, with a grace that outlives every test.
pub(super) fn with_grace() -> RefreshTokens {
    RefreshTokens::rotate_with_grace(HOUR, GraceAnswer::SameSuccessor)
}

pub(super) const WITHOUT_GRACE: RefreshTokens = RefreshTokens::Rotate { grace: None };

impl Place {
    /// With the account `ana`, just connected.
    pub(super) async fn new(db: &TestDatabase, refresh_tokens: RefreshTokens) -> Self {
        Self::named(db, "acme", refresh_tokens).await
    }

    /// As [`new`](Self::new), with a client of its own.
    pub(super) async fn named(
        db: &TestDatabase,
        client: &str,
        refresh_tokens: RefreshTokens,
    ) -> Self {
        let behaviour = Behaviour {
            refresh_tokens,
            ..Behaviour::default()
        };
        Self::with(db, client, behaviour).await
    }

    pub(super) async fn with(db: &TestDatabase, client: &str, behaviour: Behaviour) -> Self {
        Self::waiting(db, client, behaviour, 2).await
    }

    /// As [`new`](Self::new), with so much time for an answer that a test can do something meanwhile.
    pub(super) async fn patient(
        db: &TestDatabase,
        client: &str,
        refresh_tokens: RefreshTokens,
    ) -> Self {
        let behaviour = Behaviour {
            refresh_tokens,
            ..Behaviour::default()
        };
        Self::waiting(db, client, behaviour, 60).await
    }

    /// An hour later, a read of `ana` in a process of its own: the provider has carried out the refresh
    /// and holds its answer back.
    pub(super) async fn unanswered(&self, db: &TestDatabase) -> (Process, Reading) {
        self.an_hour();
        let held_back = Fault::hang().after_effect();
        self.provider.fault(Endpoint::Token, 1, held_back);
        let process = self.process(db);
        let reading = process.read("ana");
        let arrives = |provider: &OAuthProvider| provider.hanging() == 1;
        self.provider.until("the request arrives", arrives).await;
        (process, reading)
    }

    async fn waiting(
        db: &TestDatabase,
        client: &str,
        behaviour: Behaviour,
        timeout_seconds: u32,
    ) -> Self {
        let start = "2026-01-02T03:04:05.678901Z".parse::<Timestamp>().unwrap();
        let clock = ManualClock::new(start);
        let provider = OAuthProvider::start_at(clock.clone(), behaviour);
        let directory = provider.connector_file(CONNECTOR);
        let settings = vec![
            ("BOSA_AUTH_CONNECTORS_DIR", directory.display().to_string()),
            ("BOSA_AUTH_OUTBOUND_PRIVATE_ADDRESSES", "true".to_owned()),
            (
                "BOSA_AUTH_OUTBOUND_TIMEOUT_SECONDS",
                timeout_seconds.to_string(),
            ),
        ];
        let auth = crate::support::open(db, &borrowed(&settings), &clock).await;
        let world = World {
            auth: auth.unwrap(),
            clock,
        };
        let client = world.client(client).await;
        let user = world.user(&client, "ana").await;
        set_oauth_client(&world, &client, CLIENT_SECRET).await;
        let outbound = Outbound::new(OutboundOptions {
            private_addresses: true,
            ..OutboundOptions::default()
        });
        let place = Self {
            world,
            provider,
            client,
            user,
            settings,
            outbound: outbound.unwrap(),
        };
        place.connect(db, "ana").await;
        place
    }

    /// The same instance as another process has it.
    pub(super) async fn apart(&self, db: &TestDatabase) -> Auth {
        let settings = borrowed(&self.settings);
        open_apart(db, &settings, &self.world.clock).await.unwrap()
    }

    /// The same instance in a process that can be killed.
    pub(super) fn process(&self, db: &TestDatabase) -> Process {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let auth = tokio::task::block_in_place(|| runtime.block_on(self.apart(db)));
        Process {
            runtime,
            auth,
            key: self.client.key.clone(),
            user: self.user.id,
        }
    }

    /// Reads the default account with the credentials of the client.
    pub(super) async fn read(&self) -> Result<ThirdPartyIntegrationAuth, Error> {
        self.read_in(&self.world.auth, None).await
    }

    /// Reads an account, in any process.
    pub(super) async fn read_in(
        &self,
        auth: &Auth,
        label: Option<&str>,
    ) -> Result<ThirdPartyIntegrationAuth, Error> {
        let tenant = auth.authenticate_client(&self.client.key).await?;
        let found = tenant.get_specific_or_default_integration(self.user.id, CONNECTOR, label);
        Ok(found.await?.unwrap())
    }

    /// What the database has of an account.
    pub(super) async fn stored(&self, db: &TestDatabase, label: &str) -> IntegrationWithGrant {
        let store = Store::new(db.db().clone());
        let mut client = store.client(self.client.model.id);
        let found = client.named_granted_integration(self.user.id, CONNECTOR, label);
        found.await.unwrap().unwrap()
    }

    /// Why an account must be connected again.
    pub(super) async fn reason(&self, db: &TestDatabase, label: &str) -> Option<String> {
        let stored = self.stored(db, label).await;
        let is_marked = stored.integration.auth_status == AuthStatus::NeedsReauth;
        let need = stored.grant.and_then(|grant| grant.row.needs_reauth);
        assert_eq!(is_marked, need.is_some());
        need.map(|need| need.reason)
    }

    /// Lets time pass until the access token that was issued now is about to end.
    pub(super) fn almost_an_hour(&self) {
        self.world.clock.advance(HOUR - Duration::from_secs(30));
    }

    /// Lets time pass until the access token that was issued now has ended.
    pub(super) fn an_hour(&self) {
        self.world.clock.advance(HOUR);
    }

    /// Whether the provider lets a credential in as its account.
    pub(super) fn works(&self, account: &ThirdPartyIntegrationAuth) -> bool {
        let whose = self.provider.whose(account.auth_string.expose());
        whose.is_some_and(|whose| whose.label == account.user_identifier)
    }

    /// Asserts that an account is usable for good: what is stored of it works at the provider, and
    /// after its access token has ended, it gets another.
    pub(super) async fn assert_alive(&self, db: &TestDatabase, label: &str) {
        self.provider.heal();
        // Whoever is left alone after a failure has a fresh start in another process.
        let process = self.apart(db).await;
        for _ in 0..2 {
            self.an_hour();
            let read = self.read_in(&process, Some(label)).await.unwrap();
            assert!(self.works(&read), "{label}");
            assert_eq!(read.auth_status, AuthStatus::Active);
        }
        let lost = self.provider.counts().lost;
        assert!(!lost.contains(&label.to_owned()), "{label}");
    }

    /// Asserts that an account says that nobody knows what became of it, and that it was not tried
    /// whether its refresh token was used.
    pub(super) async fn assert_unknown(&self, db: &TestDatabase, label: &str) {
        let reason = self.reason(db, label).await.unwrap();
        assert!(reason.starts_with("outcome unknown: "), "{label}: {reason}");
        let refused = self.read_in(&self.world.auth, Some(label)).await;
        assert_eq!(code(refused), "needs_reauthorization", "{label}");
        assert!(
            !self.provider.counts().lost.contains(&label.to_owned()),
            "{label}"
        );
    }

    /// Stores the account of a label with tokens of the provider, sealed as they must be.
    pub(super) async fn connect(&self, db: &TestDatabase, label: &str) {
        let now = self.world.clock.now();
        let id = IntegrationId::generate(now, &SystemEntropy).unwrap();
        self.connect_as(db, label, id, None).await;
    }

    /// Stores new tokens of the provider in an account that is there.
    pub(super) async fn connect_again(&self, db: &TestDatabase, label: &str) {
        let stored = self.stored(db, label).await.integration;
        self.connect_as(db, label, stored.id, Some(stored.version))
            .await;
    }

    async fn connect_as(
        &self,
        db: &TestDatabase,
        label: &str,
        id: IntegrationId,
        replaced: Option<i64>,
    ) {
        let now = self.world.clock.now();
        let tokens = self.granted(label).await;
        let store = Store::new(db.db().clone());
        let client_id = self.client.model.id;
        let key = store
            .client(client_id)
            .active_data_key()
            .await
            .unwrap()
            .unwrap();
        let root = RootKeyring::parse(&ROOT_KEYS.into()).unwrap();
        let name = format!("{client_id}/{}", key.id);
        let root = root.first().unwrap().1;
        let opened = open_key(root, KeyPurpose::DataKey, &name, &key.sealed).unwrap();
        let opened = DataKey::from_bytes(key.id, &opened).unwrap();
        let place = ValueContext {
            client_id,
            user_id: self.user.id,
            row_id: id,
            connector: CONNECTOR,
            account: label,
        };
        let seal = |purpose, text: &Secret| Sealed {
            bytes: seal_value(
                &opened,
                purpose,
                &place,
                text.expose().as_bytes(),
                &SystemEntropy,
            )
            .unwrap()
            .into(),
            key_id: key.id,
        };
        let access_token = seal(ValuePurpose::IntegrationAuth, &tokens.access_token);
        let declared = self.declared();
        let oauth = declared.oauth.as_ref().unwrap();
        let rotates = oauth.lifetime.refresh_token == bosa_auth_connect::RefreshToken::Rotates;
        let refresh_token = tokens.refresh_token.as_ref().map(|token| RefreshToken {
            sealed: seal(ValuePurpose::RefreshToken, token),
            rotates,
        });
        let lifetime = tokens.lifetime(oauth);
        let row = IntegrationRow {
            client_id,
            id,
            user_id: self.user.id,
            connector: CONNECTOR.to_owned(),
            user_identifier: label.to_owned(),
            auth_scopes: r#"["profile"]"#.to_owned(),
            sealed: access_token.bytes,
            data_key_id: key.id,
            version: 1,
            auth_status: AuthStatus::Active,
            subject: None,
            selected: false,
            created_at: now,
            updated_at: now,
        };
        let grant = GrantRow {
            integration_id: id,
            oauth_client_id: CLIENT_ID.to_owned(),
            expires_at: now.checked_add(lifetime).unwrap(),
            next_refresh_at: refresh_token
                .as_ref()
                .map(|_| now.checked_add(lifetime / 2).unwrap()),
            refresh_token,
            refreshed_at: None,
            needs_reauth: None,
            completion: None,
        };
        let written = store.write(move |tx| {
            let (row, grant) = (row.clone(), grant.clone());
            Box::pin(async move {
                let mut scope = ClientTx::new(tx, client_id);
                if let Some(version) = replaced {
                    let change = IntegrationChange {
                        version,
                        auth_scopes: row.auth_scopes.clone(),
                        sealed: row.sealed.clone(),
                        data_key_id: row.data_key_id,
                        auth_status: AuthStatus::Active,
                        subject: None,
                        at: row.updated_at,
                    };
                    assert!(scope.update_integration(row.id, &change).await?.is_some());
                } else {
                    let inserted = scope.insert_integration(&row).await?;
                    assert!(matches!(inserted, IntegrationInsert::Done { .. }));
                }
                scope.put_grant(&grant).await?;
                Ok::<_, StoreError>(())
            })
        });
        written.await.unwrap();
    }

    /// What the provider grants to whoever is logged in as a label.
    async fn granted(&self, label: &str) -> TokenResponse {
        self.provider.log_in(label);
        let declared = self.declared();
        let oauth: &OAuth = declared.oauth.as_ref().unwrap();
        let verifier = CodeVerifier::generate(&SystemEntropy).unwrap();
        let request = AuthorizationRequest {
            client_id: CLIENT_ID,
            redirect_uri: REDIRECT_URI,
            state: &random_text(&SystemEntropy).unwrap(),
            verifier: &verifier,
            scopes: &[],
            variables: &Variables::new(),
        };
        let url = authorization_url(oauth, &request).unwrap();
        let back = Url::parse(&self.provider.visit(url.as_str())).unwrap();
        let code = back.query_pairs().find(|(name, _)| name == "code").unwrap();
        let credentials = ClientCredentials {
            client_id: CLIENT_ID.to_owned(),
            client_secret: Some(CLIENT_SECRET.into()),
        };
        let grant = Grant::Code {
            code: &code.1.as_ref().into(),
            redirect_uri: REDIRECT_URI,
            verifier: &verifier,
        };
        let request = token_request(oauth, &credentials, &Variables::new(), &grant).unwrap();
        let response = self.outbound.send(&oauth.hosts, request).await.unwrap();
        parse_token_response(oauth, &response).unwrap()
    }

    fn declared(&self) -> Provider {
        let name = ConnectorName::parse(CONNECTOR).unwrap();
        let origin = Origin::File("loopback.toml".into());
        Provider::parse(&name, origin, &self.provider.connector_text()).unwrap()
    }
}

/// A read that goes on in a process.
pub(super) type Reading = JoinHandle<Result<Option<ThirdPartyIntegrationAuth>, Error>>;

/// A process that can be killed.
pub(super) struct Process {
    runtime: tokio::runtime::Runtime,
    pub(super) auth: Auth,
    key: String,
    user: UserId,
}

impl Process {
    /// Reads an account.
    pub(super) fn read(&self, label: &str) -> Reading {
        let (auth, key) = (self.auth.clone(), self.key.clone());
        let (user, label) = (self.user, label.to_owned());
        self.runtime.spawn(async move {
            let tenant = auth.authenticate_client(&key).await?;
            tenant
                .get_specific_or_default_integration(user, CONNECTOR, Some(&label))
                .await
        })
    }

    /// Ends it at once, whatever it does.
    pub(super) fn kill(self) {
        self.runtime.shutdown_background();
    }
}

/// Runs statements that nobody else would.
pub(super) async fn run(db: &TestDatabase, sql: &'static str) {
    let ran = db
        .db()
        .write(move |tx| Box::pin(async move { tx.batch(sql).await }));
    ran.await.unwrap();
}

/// Ends every lease, as time does.
pub(super) async fn end_leases(db: &TestDatabase) {
    run(db, "update bosa_refresh_leases set held_until = 0").await;
}

/// Waits until a condition holds of an account.
pub(super) async fn until(
    place: &Place,
    db: &TestDatabase,
    label: &str,
    holds: impl Fn(&IntegrationWithGrant) -> bool,
) {
    for _ in 0..12_000 {
        if holds(&place.stored(db, label).await) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{label} waited in vain");
}

/// Stores the OAuth client with which the provider knows us.
pub(super) async fn set_oauth_client(world: &World, client: &Client, secret: &str) {
    let settings = NewConnectorSettings {
        client_id: Some(CLIENT_ID.to_owned()),
        client_secret: SecretChange::Replace(secret.into()),
        ..NewConnectorSettings::default()
    };
    let tenant = world.tenant(client).await;
    tenant
        .set_connector_settings(CONNECTOR, &settings)
        .await
        .unwrap();
}

fn borrowed<'a>(settings: &'a [(&'static str, String)]) -> Vec<(&'static str, &'a str)> {
    let settings = settings.iter();
    settings
        .map(|(name, value)| (*name, value.as_str()))
        .collect()
}
