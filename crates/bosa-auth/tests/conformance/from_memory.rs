//! Answers without I/O: what they say is what the asynchronous method would say.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bosa_auth::{Auth, Error, NewApiKey, Scope};
use bosa_auth_core::PresentedClientKey;
use bosa_auth_testkit::on_every_database;
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};

use crate::support::{Client, World, code, open_apart};

const MALFORMED: &str = "nonsense";

/// Client keys and tokens of every kind, by what they are.
struct Table {
    keys: Vec<(&'static str, String)>,
    tokens: Vec<(&'static str, String)>,
}

/// What an answer from memory says: an outcome, or that something has to be read.
#[track_caller]
fn outcome<T>(answer: Result<Option<T>, Error>) -> &'static str {
    match answer {
        Ok(None) => "unknown",
        Ok(Some(_)) => "accepted",
        Err(error) => error.code(),
    }
}

/// With one of the last characters changed: a token's signature is wrong, and a key's checksum.
fn mistyped(text: &str) -> String {
    let place = text.len() - 10;
    let other = if text.as_bytes()[place] == b'A' {
        "B"
    } else {
        "A"
    };
    let mut text = text.to_owned();
    text.replace_range(place..=place, other);
    text
}

/// A key with the id of a client's own and another secret.
fn forged_key(world: &World, client: &Client) -> String {
    let presented = PresentedClientKey::parse(&client.key).unwrap();
    let entropy = world.auth.entropy();
    let forged = bosa_auth_core::issue_client_key(presented.id().into(), "first", entropy.as_ref());
    forged.unwrap().text.expose().to_owned()
}

impl Table {
    async fn new(world: &World) -> Self {
        let (first, second) = (world.client("first").await, world.client("second").await);
        let tokens_of = async |client: &Client, identifier| {
            let user = world.user(client, identifier).await;
            (
                world.token(client, &user).await,
                world.token(client, &user).await,
            )
        };
        let (good, revoked) = tokens_of(&first, "ana").await;
        let (foreign, _) = tokens_of(&second, "eve").await;
        let revoking = world.auth.revoke_token_service();
        assert!(revoking.revoke_token(&first.key, &revoked).await.unwrap());
        let key_of = async |scopes| {
            let new = NewApiKey {
                scopes,
                ..NewApiKey::default()
            };
            let clients = world.auth.create_client_service();
            let made = clients.create_api_key(first.model.id, new).await.unwrap();
            (made.id, made.api_key.expose().to_owned())
        };
        let (ended, revoked_key) = key_of(None).await;
        let clients = world.auth.create_client_service();
        clients.revoke_api_key(first.model.id, ended).await.unwrap();
        let (_, narrow) = key_of(Some([Scope::UsersRead].into_iter().collect())).await;
        Self {
            keys: vec![
                ("good", first.key.clone()),
                ("malformed", MALFORMED.to_owned()),
                ("mistyped", mistyped(&first.key)),
                ("forged", forged_key(world, &first)),
                ("revoked", revoked_key),
                ("narrow", narrow),
                ("foreign", second.key),
            ],
            tokens: vec![
                ("good", good.clone()),
                ("malformed", MALFORMED.to_owned()),
                ("forged", mistyped(&good)),
                ("revoked", revoked),
                ("foreign", foreign),
            ],
        }
    }

    fn key(&self, name: &str) -> &str {
        find(&self.keys, name)
    }

    fn token(&self, name: &str) -> &str {
        find(&self.tokens, name)
    }
}

fn find<'t>(rows: &'t [(&'static str, String)], name: &str) -> &'t str {
    &rows.iter().find(|row| row.0 == name).unwrap().1
}

/// Asserts that an answer from memory, if there is one, is the one of the asynchronous method.
#[track_caller]
fn agree<T: Debug>(what: &str, memory: &Result<Option<T>, Error>, full: &Result<T, Error>) {
    match (memory, full) {
        (Ok(None), _) => {}
        (Ok(Some(memory)), Ok(full)) => {
            assert_eq!(format!("{memory:?}"), format!("{full:?}"), "{what}");
        }
        (Err(memory), Err(full)) => assert_eq!(memory.to_string(), full.to_string(), "{what}"),
        _ => panic!("{what}: {memory:?} from memory, {full:?} otherwise"),
    }
}

/// Compares every synchronous answer with the asynchronous one that follows it.
async fn compare(auth: &Auth, table: &Table) {
    let (client, aware, verify) = (
        auth.verify_client_service(),
        auth.client_aware_service(),
        auth.verify_token_service(),
    );
    for (name, key) in &table.keys {
        let memory = client.try_verify_client_api_key(key);
        agree(name, &memory, &client.verify_client_api_key(key).await);
        let memory = client.try_is_api_key_valid(key);
        agree(name, &memory, &client.is_api_key_valid(key).await);
        let memory = aware.try_get_client_by_api_key(key);
        agree(name, &memory, &aware.get_client_by_api_key(key).await);
        for (kind, token) in &table.tokens {
            let what = format!("{name} key, {kind} token");
            let memory = verify.try_verify_token(key, token);
            agree(&what, &memory, &verify.verify_token(key, token).await);
            let memory = verify.try_verify_token_and_get_user_id(key, token);
            let full = verify.verify_token_and_get_user_id(key, token).await;
            agree(&what, &memory, &full);
            let memory = auth.try_current_user(Some(key), token);
            let full = auth.current_user(Some(key), token).await;
            let id = |user: bosa_auth::CurrentUser| (user.token_id(), user.client_id());
            agree(&what, &memory.map(|user| user.map(id)), &full.map(id));
        }
    }
    for (kind, token) in &table.tokens {
        let memory = auth.try_current_user(None, token);
        let full = auth.current_user(None, token).await;
        let id = |user: bosa_auth::CurrentUser| (user.token_id(), user.user_id());
        agree(kind, &memory.map(|user| user.map(id)), &full.map(id));
    }
}

on_every_database! {
    async fn an_answer_from_memory_is_the_one_of_the_method_that_reads(db: TestDatabase) {
        let world = World::new(&db).await;
        let table = Table::new(&world).await;
        let cold = open_apart(&db, &[], &world.clock).await.unwrap();
        for auth in [&world.auth, &cold] {
            for _ in 0..2 {
                auth.poll_changes().await.unwrap();
                compare(auth, &table).await;
            }
        }
        world.clock.advance(std::time::Duration::from_secs(40 * 24 * 3600));
        cold.poll_changes().await.unwrap();
        compare(&cold, &table).await;
        let strict = [("BOSA_AUTH_REQUIRE_CLIENT_KEY", "true")];
        let strict = open_apart(&db, &strict, &world.clock).await.unwrap();
        compare(&strict, &table).await;
        assert_eq!(outcome(strict.try_current_user(None, table.token("good"))), "invalid_client");
    }

    async fn memory_refuses_only_what_no_reading_would_change(db: TestDatabase) {
        let world = World::new(&db).await;
        let table = Table::new(&world).await;
        let auth = open_apart(&db, &[], &world.clock).await.unwrap();
        auth.poll_changes().await.unwrap();
        let verify = auth.verify_token_service();
        let answer = |key, token| {
            let (key, token) = (table.key(key), table.token(token));
            let answer = outcome(verify.try_verify_token(key, token));
            assert_eq!(outcome(verify.try_verify_token_and_get_user_id(key, token)), answer);
            answer
        };
        // Nothing was verified yet: whatever has the form of a key has to be read first.
        for (key, _) in &table.keys {
            for (token, _) in &table.tokens {
                let expected = if ["malformed", "mistyped"].contains(key) { "invalid_client" } else { "unknown" };
                assert_eq!(answer(key, token), expected, "{key} key, {token} token");
            }
        }
        compare(&auth, &table).await;
        let expected = [
            ("good", "good", "accepted"),
            ("good", "malformed", "invalid_token"),
            ("good", "forged", "invalid_token"),
            ("good", "revoked", "unknown"),
            ("good", "foreign", "unknown"),
            ("malformed", "malformed", "invalid_client"),
            ("mistyped", "good", "invalid_client"),
            ("forged", "good", "unknown"),
            ("forged", "malformed", "unknown"),
            ("revoked", "malformed", "unknown"),
            ("narrow", "good", "permission_denied"),
            ("narrow", "malformed", "permission_denied"),
            // A second client learns nothing of a token that this process knows well.
            ("foreign", "good", "unknown"),
            ("foreign", "foreign", "accepted"),
        ];
        for (key, token, expected) in expected {
            assert_eq!(answer(key, token), expected, "{key} key, {token} token");
        }
        let client = auth.verify_client_service();
        for (name, expected) in [("good", "true"), ("malformed", "false"), ("forged", "unknown"), ("revoked", "unknown")] {
            let valid = client.try_is_api_key_valid(table.key(name)).unwrap();
            assert_eq!(valid.map_or("unknown".to_owned(), |valid| valid.to_string()), expected, "{name}");
        }
        let current = |key, token| outcome(auth.try_current_user(key, token));
        assert_eq!(current(None, table.token("good")), "accepted");
        assert_eq!(current(None, MALFORMED), "invalid_token");
        assert_eq!(current(Some(MALFORMED), MALFORMED), "invalid_client");
        assert_eq!(current(Some(table.key("foreign")), table.token("good")), "unknown");
        // A current user's rights are looked at when it acts.
        assert_eq!(current(Some(table.key("narrow")), table.token("good")), "accepted");
    }

    async fn what_is_revoked_is_not_accepted_from_memory_a_moment_later(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let user = world.user(&client, "ana").await;
        let token = world.token(&client, &user).await;
        world.auth.poll_changes().await.unwrap();
        assert!(world.verify(&client, &token).await.is_ok());
        let (auth, key) = (&world.auth, client.key.as_str());
        let answers = || {
            [
                outcome(auth.verify_token_service().try_verify_token(key, &token)),
                outcome(auth.try_current_user(None, &token)),
                outcome(auth.verify_client_service().try_verify_client_api_key(key)),
            ]
        };
        assert_eq!(answers(), ["accepted"; 3]);
        assert!(auth.revoke_token_service().revoke_token(key, &token).await.unwrap());
        assert_eq!(answers(), ["unknown", "unknown", "accepted"]);
        let clients = auth.create_client_service();
        let keys = clients.list_api_keys(client.model.id, bosa_auth::PageRequest::default()).await.unwrap();
        clients.revoke_api_key(client.model.id, keys.items[0].id).await.unwrap();
        assert_eq!(answers(), ["unknown"; 3]);
        assert_eq!(code(world.verify(&client, &token).await), "invalid_client");
    }

    async fn a_verification_is_counted_once_whichever_way_it_was_answered(db: TestDatabase) {
        let world = World::new(&db).await;
        let table = Table::new(&world).await;
        world.auth.poll_changes().await.unwrap();
        let counts = Arc::new(Counts::default());
        let verify = world.auth.verify_token_service();
        let (key, good) = (table.key("good"), table.token("good"));
        world.auth.authenticate_client(key).await.unwrap();
        let counting = metrics::set_default_local_recorder(&*counts);
        assert_eq!(outcome(verify.try_verify_token(key, good)), "unknown");
        assert_eq!(counts.take(), [0, 0]);
        assert_eq!(code(verify.verify_token(key, good).await), "accepted");
        assert_eq!(counts.take(), [1, 0]);
        assert_eq!(outcome(verify.try_verify_token(key, good)), "accepted");
        assert_eq!(outcome(verify.try_verify_token_and_get_user_id(key, good)), "accepted");
        assert_eq!(outcome(world.auth.try_current_user(Some(key), good)), "accepted");
        assert_eq!(counts.take(), [3, 0]);
        assert_eq!(outcome(verify.try_verify_token(key, table.token("forged"))), "invalid_token");
        assert_eq!(outcome(verify.try_verify_token(key, MALFORMED)), "invalid_token");
        assert_eq!(counts.take(), [0, 2]);
        drop(counting);
    }
}

/// Counts verifications of tokens: those that were accepted, and those that were not valid.
#[derive(Default)]
struct Counts {
    accepted: Arc<AtomicU64>,
    invalid: Arc<AtomicU64>,
}

impl Counts {
    fn take(&self) -> [u64; 2] {
        [&self.accepted, &self.invalid].map(|count| count.swap(0, Ordering::Relaxed))
    }
}

impl Recorder for Counts {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let outcome = key.labels().find(|label| label.key() == "outcome");
        match (key.name(), outcome.map(metrics::Label::value)) {
            ("bosa_auth_token_verifications_total", Some("accepted")) => {
                Counter::from_arc(self.accepted.clone())
            }
            ("bosa_auth_token_verifications_total", Some("invalid_token")) => {
                Counter::from_arc(self.invalid.clone())
            }
            _ => Counter::noop(),
        }
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}
