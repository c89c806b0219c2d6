//! A filled database, and handles on it.

use std::sync::Arc;

use bosa_auth::{
    Auth, AuthenticationDbSettings, Clock, Configuration, ManualClock, OpenMode, Secret,
    SystemClock, SystemEntropy, ThirdPartyIntegrationAuth, UserId,
};
use bosa_auth_core::token::{Algorithm, SigningKey};
use bosa_auth_store::{DatabaseUrl, Db, DbOptions};
use tokio::task::JoinSet;

use crate::measure::{Report, now};
use crate::rows::{Client, Plan, RealUser, timestamp};
use crate::{Order, Outcome, fill};

pub(crate) const SIGNING_KEY: &str = "a signing key for benchmarks, 32 bytes or more";
pub(crate) const ROOT_KEYS: &str = "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
pub(crate) const CONNECTOR: &str = "github";
const ISSUER: &str = "bosa-auth";
const ACCOUNT: &str = "octocat";
/// As long as tokens of third parties are.
const CREDENTIAL: &str = "gho_0123456789abcdefghijklmnopqrstuvwxyz";
/// So many calls of the library run at once while it is filled.
const AT_ONCE: usize = 20;

/// A filled database.
pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) clients: Vec<Client>,
    pub(crate) real: Vec<RealUser>,
    /// Answers from memory what it knows.
    pub(crate) auth: Auth,
    /// Reads the database for every decision.
    pub(crate) reading: Auth,
    /// For bare statements.
    pub(crate) db: Db,
    pub(crate) url: String,
    signing_key: SigningKey,
}

impl World {
    pub(crate) async fn fill(order: &Order, report: &mut Report) -> Outcome<Self> {
        let start = now();
        let plan = Plan::new(order.users, SystemClock.now())?;
        fill::prepare(order)?;
        let mut world = Self::begin(order, plan).await?;
        fill::fill(order, &world).await?;
        world.reopen(order).await?;
        report.figure("fill", "s", start.elapsed().as_secs_f64());
        report.figure("size of the database", "MiB", fill::size(order)?);
        Ok(world)
    }

    /// What is made through the library.
    async fn begin(order: &Order, plan: Plan) -> Outcome<Self> {
        let clock = ManualClock::new(timestamp(plan.user_made(0))?);
        let auth = open_at(&order.url, 0, Arc::new(clock.clone())).await?;
        let mut world = Self {
            plan,
            clients: Vec::new(),
            real: Vec::new(),
            reading: auth.clone(),
            auth,
            db: Db::open(&DatabaseUrl::parse(&order.url)?, DbOptions::default()).await?,
            url: order.url.clone(),
            signing_key: SigningKey::from_configured(Algorithm::HS256, &Secret::from(SIGNING_KEY))?,
        };
        world.make_clients().await?;
        world.make_users(&clock).await?;
        world.log_in(&clock).await?;
        world.make_integrations().await?;
        world.auth.close().await?;
        Ok(world)
    }

    async fn reopen(&mut self, order: &Order) -> Outcome<()> {
        self.auth = open(&order.url, 1000).await?;
        self.reading = open(&order.url, 0).await?;
        self.db = Db::open(&DatabaseUrl::parse(&order.url)?, DbOptions::default()).await?;
        Ok(())
    }

    pub(crate) async fn close(&self) -> Outcome<()> {
        self.auth.close().await?;
        self.reading.close().await?;
        self.db.close().await;
        Ok(())
    }

    async fn make_clients(&mut self) -> Outcome<()> {
        for number in 0..self.plan.clients {
            let name = format!("client{number:04}");
            let client = self
                .auth
                .create_client_service()
                .create_client(&name)
                .await?;
            self.clients.push(Client {
                id: client.id.as_uuid(),
                key: client.api_key,
            });
        }
        Ok(())
    }

    async fn make_users(&mut self, clock: &ManualClock) -> Outcome<()> {
        let numbers: Vec<u64> = (0..self.plan.real_users()).collect();
        for some in numbers.chunks(AT_ONCE) {
            let mut calls = JoinSet::new();
            for real in some.iter().copied() {
                let user = self.plan.user_of_real(real);
                if some.first() == Some(&real) {
                    clock.set(timestamp(self.plan.user_made(user))?);
                }
                let (auth, key) = (self.auth.clone(), self.key_of(user)?);
                calls.spawn(async move {
                    let identifier = Plan::identifier(user);
                    let made = auth
                        .create_user_service()
                        .create_user(&key, &identifier)
                        .await;
                    made.map(|made| (real, made))
                });
            }
            let mut made = Vec::new();
            while let Some(result) = calls.join_next().await {
                made.push(result??);
            }
            made.sort_by_key(|(real, _)| *real);
            self.real.extend(made.into_iter().map(|(_, made)| RealUser {
                id: made.id.as_uuid(),
                secret: made.secret,
                token: Secret::default(),
                token_id: uuid::Uuid::nil(),
            }));
        }
        Ok(())
    }

    async fn log_in(&mut self, clock: &ManualClock) -> Outcome<()> {
        let all = 0..self.plan.tokens();
        let tokens: Vec<(u64, usize)> = all
            .filter_map(|token| Some((token, self.plan.real_token(token)?)))
            .collect();
        for some in tokens.chunks(AT_ONCE) {
            let mut calls = JoinSet::new();
            for (token, real) in some.iter().copied() {
                if some.first() == Some(&(token, real)) {
                    clock.set(timestamp(self.plan.token_issued(token))?);
                }
                let user = self.plan.user_of_token(token);
                let (auth, key) = (self.auth.clone(), self.key_of(user)?);
                let secret = self
                    .real
                    .get(real)
                    .ok_or("no such user")?
                    .secret
                    .expose()
                    .to_owned();
                calls.spawn(async move {
                    let identifier = Plan::identifier(user);
                    let service = auth.authenticate_user_service();
                    let token = service.authenticate_user(&key, &identifier, &secret).await;
                    token.map(|token| (real, token))
                });
            }
            while let Some(result) = calls.join_next().await {
                let (real, issued) = result??;
                let user = self.real.get_mut(real).ok_or("no such user")?;
                user.token = issued.token;
                user.token_id = issued.id.as_uuid();
            }
        }
        Ok(())
    }

    async fn make_integrations(&self) -> Outcome<()> {
        let mut calls = JoinSet::new();
        for (real, made) in (0..).zip(&self.real) {
            let user = self.plan.user_of_real(real);
            let client = self.client_of(user)?.id;
            let (auth, user_id) = (self.auth.clone(), made.id);
            calls.spawn(async move {
                let account = ThirdPartyIntegrationAuth::new(
                    client,
                    UserId::from(user_id),
                    CONNECTOR,
                    ACCOUNT,
                    Secret::from(CREDENTIAL),
                    vec!["repo".to_owned()],
                );
                auth.third_party_integration_service()
                    .create_integration(account)
                    .await
            });
            if calls.len() >= AT_ONCE
                && let Some(result) = calls.join_next().await
            {
                result??;
            }
        }
        while let Some(result) = calls.join_next().await {
            result??;
        }
        Ok(())
    }

    pub(crate) fn client_of(&self, user: u64) -> Outcome<&Client> {
        Ok(self
            .clients
            .get(self.plan.client_of(user))
            .ok_or("no such client")?)
    }

    pub(crate) fn key_of(&self, user: u64) -> Outcome<String> {
        Ok(self.client_of(user)?.key.expose().to_owned())
    }

    pub(crate) fn user_id(&self, user: u64) -> Outcome<uuid::Uuid> {
        match self.plan.real(user) {
            Some(real) => Ok(self.real.get(real).ok_or("no such user")?.id),
            None => Ok(self.plan.user_id(user)),
        }
    }

    /// The text of a token.
    pub(crate) fn token(&self, token: u64) -> Outcome<String> {
        if let Some(real) = self.plan.real_token(token) {
            let user = self.real.get(real).ok_or("no such user")?;
            return Ok(user.token.expose().to_owned());
        }
        let user = self.plan.user_of_token(token);
        let owner = (self.user_id(user)?, self.client_of(user)?.id);
        let text = self.plan.sign(token, owner, &self.signing_key, ISSUER)?;
        Ok(text.expose().to_owned())
    }
}

/// Opens the instance as a program does.
pub(crate) async fn open(url: &str, staleness_ms: u32) -> Outcome<Auth> {
    open_at(url, staleness_ms, Arc::new(SystemClock)).await
}

async fn open_at(url: &str, staleness_ms: u32, clock: Arc<dyn Clock>) -> Outcome<Auth> {
    let configuration = configuration(url, staleness_ms)?;
    let entropy = Arc::new(SystemEntropy);
    Ok(Auth::open_with(&configuration, OpenMode::Create, clock, entropy).await?)
}

pub(crate) fn configuration(url: &str, staleness_ms: u32) -> Outcome<Configuration> {
    let settings = AuthenticationDbSettings {
        database_authentication_url: Some(url.into()),
        auth_secret_key: Some(SIGNING_KEY.into()),
        others: vec![
            ("BOSA_AUTH_ROOT_KEYS", Secret::from(ROOT_KEYS)),
            (
                "BOSA_AUTH_STALENESS_MS",
                Secret::new(staleness_ms.to_string()),
            ),
        ],
        ..Default::default()
    };
    Ok(settings.gather_from(Vec::new())?)
}
