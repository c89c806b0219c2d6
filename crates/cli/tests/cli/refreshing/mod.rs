//! Real servers that refresh the same accounts under load while one after the other is killed.

mod connecting;
mod fleet;
mod rekeyed;

use std::time::Duration;

use bosa_auth::{Entropy as _, SystemEntropy};
use bosa_auth_testkit::oauth_provider::{
    Behaviour, Endpoint, Fault, GraceAnswer, OAuthProvider, RefreshTokens,
};
use bosa_auth_testkit::{TestDatabase, on_every_database};
use serde_json::json;

use fleet::{Fleet, Read};

/// Kills of one run; `scripts/kill-refresh.sh` asks for more.
const ROUNDS: &str = "BOSA_AUTH_TEST_KILL_ROUNDS";
const FEW: u32 = 3;
/// Access tokens end all the time.
const LIFETIME: Duration = Duration::from_secs(2);

fn rounds() -> u32 {
    let asked = std::env::var(ROUNDS).ok();
    asked.map_or(FEW, |rounds| rounds.parse().unwrap())
}

/// A number below `end`.
fn chance(end: usize) -> usize {
    let mut bytes = [0; 4];
    SystemEntropy.fill(&mut bytes).unwrap();
    u32::from_le_bytes(bytes) as usize % end
}

/// What a campaign found.
struct Found {
    refreshes: usize,
    /// How often an account had to be connected again, and said why.
    given_up: usize,
}

/// Kills a server in each round, while readers want access tokens that end all the time.
async fn campaign(db: &TestDatabase, refresh_tokens: RefreshTokens) -> Found {
    let provider = OAuthProvider::start_with(Behaviour {
        refresh_tokens,
        access_token_lifetime: LIFETIME,
        ..Behaviour::default()
    });
    let servers = if db.directory().is_some() { 2 } else { 3 };
    let mut fleet = Fleet::start(db, provider, servers).await;
    let mut given_up = 0;
    for _ in 0..rounds() {
        let before = fleet.provider().counts().refreshes;
        // Slow enough that a kill meets one on its way.
        let slow = Fault::slow_answer(Duration::from_millis(2));
        fleet.provider().fault(Endpoint::Token, 8, slow);
        let some = 1 + chance(6);
        let enough = before + some;
        given_up += fleet.until_refreshed(db, enough).await;
        fleet.replace(chance(servers)).await;
        fleet.provider().heal();
    }
    let reads = fleet.settled().await;
    for (user, read) in &reads {
        match read {
            // Whatever is handed out is good at the provider.
            Read::Token(token) => {
                assert_eq!(&fleet.provider().whose(token).unwrap().label, user);
            }
            _ => given_up += 1,
        }
    }
    let of_the_last_kill = reads.values().filter(|read| **read == Read::GivenUp);
    assert_eq!(fleet.reasons(db).await.len(), of_the_last_kill.count());
    let refreshes = fleet.provider().counts().refreshes;
    fleet.stop();
    Found {
        refreshes,
        given_up,
    }
}

/// Prints what a campaign found, for whoever asked for one.
fn report(db: &TestDatabase, subject: &str, found: &Found) {
    let group = match db.directory() {
        Some(_) => "SQLite, 2 servers, 4 accounts",
        None => "PostgreSQL, 3 servers, 4 accounts",
    };
    for (metric, value) in [
        ("servers killed", rounds() as usize),
        ("refreshes", found.refreshes),
        ("accounts that said outcome unknown", found.given_up),
    ] {
        let row = json!({
            "group": group, "subject": subject, "metric": metric, "unit": "", "value": value,
        });
        println!("kill-refresh: {row}");
    }
}

on_every_database! {
    async fn with_a_grace_no_account_is_lost_whoever_is_killed(db: TestDatabase) {
        let grace = RefreshTokens::rotate_with_grace(Duration::from_secs(3600), GraceAnswer::SameSuccessor);
        let found = campaign(&db, grace).await;
        assert_eq!(found.given_up, 0);
        report(&db, "used once, with a grace", &found);
    }

    async fn without_grace_an_account_is_lost_by_a_kill_alone_and_says_so(db: TestDatabase) {
        let found = campaign(&db, RefreshTokens::Rotate { grace: None }).await;
        report(&db, "used once", &found);
    }
}
