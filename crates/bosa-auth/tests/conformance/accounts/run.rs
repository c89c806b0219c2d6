//! Random rounds, each compared with the model.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::Duration;

use bosa_auth::{Auth, ClientId, Clock as _, NewUser, UserId};
use bosa_auth_store::Store;
use bosa_auth_testkit::{TestDatabase, on_every_database};
use tokio::task::JoinSet;

use super::model::{Set, explains};
use super::operation::{Act, Operation, Outcome, View};
use crate::dump::dump;
use crate::support::World;

const SEEDS: usize = 3;
const ROUNDS: usize = 80;
const CONNECTORS: [&str; 2] = ["github", "slack"];
const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// Numbers that look random and follow from a seed (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % end as u64) as usize
    }

    fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn name(&mut self) -> String {
        NAMES[self.below(NAMES.len())].to_owned()
    }

    fn scopes(&mut self) -> Vec<String> {
        (0..self.below(3))
            .map(|number| format!("scope {number}"))
            .collect()
    }

    fn act(&mut self) -> Act {
        let credential = format!("credential {}", self.below(1_000_000));
        match self.below(12) {
            0..3 => Act::Create {
                name: self.name(),
                credential,
                scopes: self.scopes(),
                replace: self.one_in(2),
            },
            3..5 => Act::Select { name: self.name() },
            5..7 => Act::Update {
                name: self.name(),
                credential: self.one_in(2).then_some(credential),
                scopes: self.one_in(2).then(|| self.scopes()),
            },
            7..9 => Act::Delete {
                name: (!self.one_in(3)).then(|| self.name()),
            },
            9..11 => Act::Read {
                name: self.one_in(2).then(|| self.name()),
            },
            _ => Act::Expire { name: self.name() },
        }
    }

    fn operation(&mut self) -> Operation {
        Operation {
            // Most of them meet at one set.
            user: usize::from(self.one_in(4)),
            connector: CONNECTORS[usize::from(self.one_in(4))],
            act: self.act(),
            is_foreign: self.one_in(8),
            handle: self.below(2),
        }
    }
}

/// Two users of a client, with another client beside it, seen through two handles.
struct Accounts {
    world: World,
    handles: [Auth; 2],
    store: Store,
    client: ClientId,
    other: ClientId,
    users: [UserId; 2],
}

type State = BTreeMap<(usize, &'static str), Set>;

impl Accounts {
    async fn new(db: &TestDatabase) -> Self {
        let world = World::new(db).await;
        let (client, other) = (world.client("acme").await, world.client("other").await);
        Self {
            handles: [world.auth.clone(), world.another(db, &[]).await],
            store: Store::new(db.db().clone()),
            users: [
                world.user(&client, "ana").await.id,
                world.user(&client, "bob").await.id,
            ],
            client: client.model.id,
            other: other.model.id,
            world,
        }
    }

    /// Two users without accounts.
    async fn begin_anew(&mut self, round: usize) {
        let tenant = self.handles[0].operator().tenant(self.client).await;
        let tenant = tenant.unwrap();
        for (number, user) in self.users.iter_mut().enumerate() {
            let new = NewUser {
                identifier: format!("user {number} of {round}"),
                secret: None,
            };
            *user = tenant.create_user(new).await.unwrap().resource.id;
        }
    }

    async fn run(&self, operations: &[Operation]) -> Vec<Outcome> {
        let mut tasks = JoinSet::new();
        for (number, operation) in operations.iter().cloned().enumerate() {
            let (auth, store) = (self.handles[operation.handle].clone(), self.store.clone());
            let client = if operation.is_foreign {
                self.other
            } else {
                self.client
            };
            let user = self.users[operation.user];
            tasks.spawn(async move { (number, operation.run(&auth, &store, client, user).await) });
        }
        let mut outcomes = tasks.join_all().await;
        outcomes.sort_by_key(|(number, _)| *number);
        outcomes.into_iter().map(|(_, outcome)| outcome).collect()
    }

    /// Everything that is stored, with what a user relies on.
    async fn state(&self) -> State {
        let tenant = self.handles[0]
            .operator()
            .tenant(self.client)
            .await
            .unwrap();
        let mut state = State::new();
        for (number, user) in self.users.iter().enumerate() {
            for connector in CONNECTORS {
                let accounts = tenant
                    .get_integrations(*user, Some(connector))
                    .await
                    .unwrap();
                let set = Set(accounts.into_iter().map(View::of).collect()).sorted();
                let defaults = set.0.iter().filter(|account| account.selected).count();
                assert_eq!(
                    defaults,
                    usize::from(!set.0.is_empty()),
                    "defaults of {set:?}"
                );
                for pair in set.0.windows(2) {
                    assert_ne!(pair[0].name, pair[1].name);
                }
                state.insert((number, connector), set);
            }
        }
        state
    }

    /// One round of operations at once, which must have happened in some order.
    async fn round(&self, db: &TestDatabase, before: &State, operations: Vec<Operation>) -> State {
        let now = self.world.clock.now();
        let alone = operations.len() == 1;
        let untouched = match alone {
            true => Some(rows(db).await),
            false => None,
        };
        let outcomes = self.run(&operations).await;
        let after = self.state().await;
        let is_refused = |outcome: &Outcome| {
            !matches!(
                outcome,
                Outcome::Done(_) | Outcome::Deleted(true) | Outcome::Expired(_)
            )
        };
        if let Some(untouched) = untouched.filter(|_| outcomes.iter().all(is_refused)) {
            assert_eq!(rows(db).await, untouched, "{operations:?} {outcomes:?}");
        }
        let done: Vec<_> = operations.into_iter().zip(outcomes).collect();
        for (key, found) in &after {
            let here: Vec<_> = done
                .iter()
                .filter(|(operation, _)| (operation.user, operation.connector) == *key)
                .cloned()
                .collect();
            let set = &before[key];
            assert!(
                explains(set, &here, found, now),
                "no order explains {here:#?}\nbefore: {set:#?}\nafter: {found:#?}"
            );
        }
        after
    }
}

/// What a refusal must leave as it is.
async fn rows(db: &TestDatabase) -> BTreeMap<String, Vec<String>> {
    let mut all = dump(db).await;
    all.retain(|table, _| table.starts_with("bosa_integration") || table == "bosa_audit_events");
    assert_eq!(all.len(), 4, "{:?}", all.keys());
    all
}

async fn play(db: &TestDatabase, accounts: &Accounts, seed: u64) {
    let mut numbers = Numbers(seed);
    let mut state = accounts.state().await;
    for _ in 0..rounds() {
        // Accounts of one moment differ by their ids alone.
        accounts
            .world
            .clock
            .advance(Duration::from_micros([0, 1, 1_000_000][numbers.below(3)]));
        let many = numbers.below(5) + 1;
        let operations = (0..many).map(|_| numbers.operation()).collect();
        state = accounts.round(db, &state, operations).await;
    }
}

/// `MODEL_ROUNDS` has it go on for longer.
fn rounds() -> usize {
    std::env::var("MODEL_ROUNDS").map_or(ROUNDS, |rounds| rounds.parse().unwrap())
}

/// Tells which seed failed, when the test ends by a panic.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("MODEL_SEED={} runs these operations again", self.0);
        }
    }
}

on_every_database! {
    async fn operations_at_once_are_as_if_in_some_order(db: TestDatabase) {
        let mut accounts = Accounts::new(&db).await;
        let given = std::env::var("MODEL_SEED").ok().map(|seed| seed.parse().unwrap());
        for round in 0..SEEDS {
            accounts.begin_anew(round).await;
            let seed = Seed(given.unwrap_or_else(|| RandomState::new().build_hasher().finish()));
            play(&db, &accounts, seed.0).await;
        }
    }
}
