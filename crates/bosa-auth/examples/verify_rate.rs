//! How many verifications a second one caller gets from the library, for `bench/rivals.sh`: of a token
//! with its client key, and of a client key alone. Prints both rates as JSON.
//!
//! The settings come from the environment, as those of a program that embeds the library.

use std::future::Future;
use std::hint::black_box;
use std::time::Duration;

use bosa_auth::{Auth, AuthenticationDbSettings, Error};
use serde_json::json;

const USAGE: &str = "verify_rate SECONDS";
/// Calls between two looks at the clock.
const TURN: u32 = 256;
const IDENTIFIER: &str = "ana@example.com";

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let seconds: f64 = std::env::args().nth(1).ok_or(USAGE)?.parse()?;
    let length = Duration::try_from_secs_f64(seconds)?;
    let auth = Auth::open(AuthenticationDbSettings::default()).await?;
    let world = World::new(auth).await?;
    world.check().await?;
    // On a task of the runtime, as the requests of a server.
    let measured = tokio::spawn(async move {
        let by_token = rate(&world.auth, length, || world.verify_token()).await?;
        let by_key = rate(&world.auth, length, || world.verify_key()).await?;
        Ok::<_, Error>(json!({"verify token": by_token, "verify key": by_key}))
    });
    println!("{}", measured.await??);
    Ok(())
}

/// Calls per second, one after the other.
async fn rate<F, C>(auth: &Auth, length: Duration, call: F) -> Result<f64, Error>
where
    F: Fn() -> C,
    C: Future<Output = Result<(), Error>>,
{
    for _ in 0..TURN {
        call().await?;
    }
    let begin = auth.clock().monotonic();
    let mut calls = 0.0;
    loop {
        for _ in 0..TURN {
            call().await?;
        }
        calls += f64::from(TURN);
        let passed = auth.clock().monotonic().saturating_sub(begin);
        if passed >= length {
            return Ok(calls / passed.as_secs_f64());
        }
    }
}

/// One client, one user, a token that is good and one that was revoked.
struct World {
    auth: Auth,
    key: String,
    token: String,
    revoked: String,
}

impl World {
    async fn new(auth: Auth) -> Result<Self, Error> {
        // The database may hold the clients of earlier rounds.
        let name = format!("bench {}", std::process::id());
        let client = auth.create_client_service().create_client(&name).await?;
        let key = client.api_key.expose().to_owned();
        let users = auth.create_user_service();
        let user = users.create_user(&key, IDENTIFIER).await?;
        let login = auth.authenticate_user_service();
        let mut tokens = Vec::new();
        for _ in 0..2 {
            let token = login.authenticate_user(&key, IDENTIFIER, user.secret.expose());
            tokens.push(token.await?.token.expose().to_owned());
        }
        let [token, revoked] = tokens.try_into().unwrap_or_default();
        auth.revoke_token_service()
            .revoke_token(&key, &revoked)
            .await?;
        Ok(Self {
            auth,
            key,
            token,
            revoked,
        })
    }

    async fn verify_token(&self) -> Result<(), Error> {
        let service = self.auth.verify_token_service();
        let user = service.verify_token_and_get_user_id(&self.key, &self.token);
        black_box(user.await?);
        Ok(())
    }

    async fn verify_key(&self) -> Result<(), Error> {
        let service = self.auth.verify_client_service();
        black_box(service.verify_client_api_key(&self.key).await?);
        Ok(())
    }

    /// Whether what is measured tells right from wrong.
    async fn check(&self) -> Result<(), Failure> {
        self.verify_token().await?;
        self.verify_key().await?;
        let tokens = self.auth.verify_token_service();
        let wrong_key = format!("{}x", self.key);
        let wrong_token = format!("{}x", self.token);
        let accepted = [
            tokens
                .verify_token_and_get_user_id(&self.key, &self.revoked)
                .await
                .is_ok(),
            tokens
                .verify_token_and_get_user_id(&self.key, &wrong_token)
                .await
                .is_ok(),
            tokens
                .verify_token_and_get_user_id(&wrong_key, &self.token)
                .await
                .is_ok(),
            self.auth
                .verify_client_service()
                .is_api_key_valid(&wrong_key)
                .await?,
        ];
        if accepted.contains(&true) {
            return Err("a wrong credential was accepted".into());
        }
        Ok(())
    }
}
