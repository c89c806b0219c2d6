//! No verification that starts after a narrowing call has returned succeeds, in the same process.
//!
//! The protocol behind it is proven under seeded schedules in `cache/model.rs`; here the whole of it
//! runs, on threads. Who yields how often comes from a seed, which a failure names;
//! `STRESS_SEED=<seed>` takes the same again.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bosa_auth::Auth;
use bosa_auth_testkit::{TestDatabase, on_every_database};
use tokio::task::JoinSet;

use crate::acts::Act;
use crate::support::{Client, World};

/// How often each act is raced.
const ROUNDS: usize = 4;

/// Numbers that a seed determines (xorshift).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }
}

fn seed() -> u64 {
    let given = std::env::var("STRESS_SEED").map(|seed| seed.parse().unwrap());
    given.unwrap_or_else(|_| RandomState::new().build_hasher().finish()) | 1
}

/// How a verifier asks.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// The seed's call, with client key and token.
    Both,
    /// From memory only; silent where memory does not suffice.
    Memory,
    /// The user's token alone.
    Token,
}

impl Way {
    async fn accepts(self, auth: &Auth, key: &str, token: &str) -> bool {
        match self {
            Self::Both => auth
                .verify_token_service()
                .verify_token(key, token)
                .await
                .is_ok(),
            Self::Memory => auth
                .verify_token_service()
                .try_verify_token(key, token)
                .is_ok_and(|verified| verified.is_some()),
            Self::Token => auth.current_user(Some(key), token).await.is_ok(),
        }
    }
}

/// Verifies until it is refused.
async fn verify_until_refused(
    way: Way,
    auth: Auth,
    credentials: Arc<(String, String)>,
    returned: Arc<AtomicBool>,
    mut numbers: Numbers,
    what: String,
) {
    let (key, token) = (&credentials.0, &credentials.1);
    loop {
        let begins_after = returned.load(Ordering::SeqCst);
        let accepted = way.accepts(&auth, key, token).await;
        assert!(!(begins_after && accepted), "{way:?} accepted after {what}");
        // What memory does not answer is no refusal.
        if begins_after || (!accepted && !matches!(way, Way::Memory)) {
            return;
        }
        for _ in 0..numbers.next(4) {
            tokio::task::yield_now().await;
        }
    }
}

async fn race(db: &TestDatabase, world: &World, client: &Client, act: Act, numbers: &mut Numbers) {
    let user = world.user(client, "ana").await;
    let token = world.token(client, &user).await;
    let credentials = Arc::new((client.key.clone(), token.clone()));
    let second = world.another(db, &[]).await;
    let returned = Arc::new(AtomicBool::new(false));
    let mut tasks = JoinSet::new();
    for auth in [&world.auth, &second] {
        for way in [Way::Both, Way::Memory, Way::Token] {
            let what = format!("{act:?}");
            let own = Numbers(numbers.next(u64::MAX) | 1);
            let (credentials, returned) = (credentials.clone(), returned.clone());
            tasks.spawn(verify_until_refused(
                way,
                auth.clone(),
                credentials,
                returned,
                own,
                what,
            ));
        }
    }
    for _ in 0..numbers.next(200) {
        tokio::task::yield_now().await;
    }
    // Either handle may be the one that acts.
    let actor = if numbers.next(2) == 0 {
        &world.auth
    } else {
        &second
    };
    act.run(actor, client.model.id, user.id, &token).await;
    returned.store(true, Ordering::SeqCst);
    for way in [Way::Both, Way::Memory, Way::Token] {
        assert!(
            !way.accepts(&second, &client.key, &token).await,
            "{way:?} accepted after {act:?}"
        );
    }
    while let Some(verified) = tasks.join_next().await {
        verified.unwrap();
    }
}

on_every_database! {
    async fn no_verification_that_starts_after_an_act_has_returned_succeeds(db: TestDatabase) {
        let seed = seed();
        eprintln!("STRESS_SEED={seed}");
        let mut numbers = Numbers(seed);
        let world = World::new(&db).await;
        for act in Act::ALL {
            for round in 0..ROUNDS {
                let client = world.client(&format!("{act:?} {round}")).await;
                race(&db, &world, &client, act, &mut numbers).await;
            }
        }
    }
}
