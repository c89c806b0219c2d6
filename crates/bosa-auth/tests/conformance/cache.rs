//! Verification from memory: what it saves, and that it never outlives what it rests on.

use std::sync::Arc;
use std::time::Duration;

use bosa_auth::{Auth, ClientUpdate, Clock as _, UserId, UserModel};
use bosa_auth_testkit::{TestDatabase, on_every_database};

use crate::acts::Act;
use crate::support::{Client, World, code, open_apart};

const BOUND: Duration = Duration::from_secs(1);

/// Two processes on one database, the second of which has seen a client key and a token.
struct Two {
    world: World,
    other: Auth,
    client: Client,
    user: UserModel,
    token: String,
}

impl Two {
    async fn new(db: &TestDatabase) -> Self {
        let world = World::new(db).await;
        let other = open_apart(db, &[], &world.clock).await.unwrap();
        let client = world.client("acme").await;
        let user = world.user(&client, "ana").await;
        let token = world.token(&client, &user).await;
        let two = Self {
            world,
            other,
            client,
            user,
            token,
        };
        two.other.poll_changes().await.unwrap();
        for auth in [&two.world.auth, &two.other] {
            assert_eq!(two.verify(auth).await, "accepted");
        }
        two
    }

    async fn verify(&self, auth: &Auth) -> &'static str {
        let service = auth.verify_token_service();
        code(service.verify_token(&self.client.key, &self.token).await)
    }

    async fn run(&self, act: Act) {
        let (client, user) = (self.client.model.id, self.user.id);
        act.run(&self.world.auth, client, user, &self.token).await;
    }

    /// Whether the other process answers from its memory alone.
    fn remembers(&self) -> bool {
        let service = self.other.verify_token_service();
        let verified = service.try_verify_token(&self.client.key, &self.token);
        verified.unwrap().is_some()
    }
}

on_every_database! {
    async fn what_was_verified_once_is_verified_again_without_the_database(db: TestDatabase) {
        let two = Two::new(&db).await;
        assert!(two.remembers());
        two.other.close().await.unwrap();
        assert!(two.remembers());
        assert_eq!(two.verify(&two.other).await, "accepted");
        assert_eq!(code(two.other.current_user(None, &two.token).await), "accepted");
        // What is not accepted is never answered from memory.
        let mut wrong = two.client.key.clone();
        let place = wrong.len() - 20;
        wrong.replace_range(place..=place, if wrong.as_bytes()[place] == b'A' { "B" } else { "A" });
        assert_ne!(code(two.other.authenticate_client(&wrong).await), "accepted");
    }

    async fn every_narrowing_is_seen_at_once_here_and_with_the_next_poll_elsewhere(db: TestDatabase) {
        for act in Act::ALL {
            let db = match db.directory() {
                Some(_) => TestDatabase::sqlite().await,
                None => TestDatabase::postgres().await,
            };
            let two = Two::new(&db).await;
            two.run(act).await;
            assert_ne!(two.verify(&two.world.auth).await, "accepted", "{act:?} here");
            assert!(two.remembers(), "{act:?}: within the bound");
            two.other.poll_changes().await.unwrap();
            assert!(!two.remembers(), "{act:?}: after the poll");
            assert_ne!(two.verify(&two.other).await, "accepted", "{act:?} elsewhere");
        }
    }

    async fn a_client_named_by_its_id_is_known_from_memory_until_it_is_suspended(db: TestDatabase) {
        let two = Two::new(&db).await;
        let (client, user) = (two.client.model.id, two.user.id);
        let has = async |auth: &Auth| {
            let service = auth.third_party_integration_service();
            code(service.has_integration(client, user, "github").await)
        };
        let suspended = |is_suspended: bool| ClientUpdate { is_active: Some(!is_suspended), ..Default::default() };
        for auth in [&two.world.auth, &two.other] {
            assert_eq!(has(auth).await, "accepted");
        }
        let service = two.world.auth.create_client_service();
        service.update_client(client, suspended(true)).await.unwrap();
        assert_eq!(has(&two.world.auth).await, "invalid_client");
        two.other.poll_changes().await.unwrap();
        assert_eq!(has(&two.other).await, "invalid_client");
        service.update_client(client, suspended(false)).await.unwrap();
        for auth in [&two.world.auth, &two.other] {
            assert_eq!(has(auth).await, "accepted");
        }
        service.delete_client(client).await.unwrap();
        two.other.poll_changes().await.unwrap();
        for auth in [&two.world.auth, &two.other] {
            let service = auth.third_party_integration_service();
            assert!(!service.has_integration(client, user, "github").await.unwrap());
        }
    }

    async fn a_process_that_has_not_polled_within_the_bound_reads(db: TestDatabase) {
        let two = Two::new(&db).await;
        two.run(Act::RevokeToken).await;
        two.world.clock.advance(BOUND);
        assert!(two.remembers() && !two.other.readiness().await.stale);
        two.world.clock.advance(Duration::from_micros(1));
        assert!(!two.remembers() && two.other.readiness().await.stale);
        assert_eq!(two.verify(&two.other).await, "revoked_token");
        two.other.poll_changes().await.unwrap();
        assert!(!two.other.readiness().await.stale);
    }

    async fn a_wall_clock_that_runs_ahead_makes_a_process_read(db: TestDatabase) {
        let two = Two::new(&db).await;
        two.run(Act::SignOut).await;
        let now = two.world.clock.now();
        two.world.clock.set(now + Duration::from_secs(5));
        assert!(!two.remembers());
        assert_eq!(two.verify(&two.other).await, "revoked_token");
        // Set back, it says nothing about what was missed: the other clock decides.
        two.world.clock.set(now);
        assert!(two.remembers());
        two.world.clock.advance(BOUND * 2);
        assert_eq!(two.verify(&two.other).await, "revoked_token");
    }

    async fn a_process_that_wakes_after_the_feed_was_pruned_forgets_everything(db: TestDatabase) {
        let two = Two::new(&db).await;
        two.run(Act::RevokeToken).await;
        let another = two.world.user(&two.client, "bob").await;
        two.world.tenant(&two.client).await.revoke_all_tokens(another.id).await.unwrap();
        two.world.clock.advance(Duration::from_secs(8 * 24 * 60 * 60));
        two.world.auth.run_maintenance().await.unwrap();
        assert!(!two.remembers());
        assert_eq!(two.verify(&two.other).await, "revoked_token");
        two.other.poll_changes().await.unwrap();
        assert!(!two.remembers());
        assert_eq!(two.verify(&two.other).await, "revoked_token");
    }

    async fn a_feed_that_changed_its_past_empties_the_memory(db: TestDatabase) {
        let two = Two::new(&db).await;
        for sql in [
            "update bosa_feed_head set mark = $1",
            "update bosa_feed_head set seq = seq + 2",
            "update bosa_feed_head set seq = seq - 1",
        ] {
            two.other.poll_changes().await.unwrap();
            assert_eq!(two.verify(&two.other).await, "accepted");
            assert!(two.remembers());
            execute(&db, sql, if sql.contains("$1") { vec![uuid::Uuid::max().into()] } else { vec![] }).await;
            assert!(two.remembers());
            two.other.poll_changes().await.unwrap();
            assert!(!two.remembers(), "{sql}");
        }
    }

    async fn a_strict_process_reads_every_time(db: TestDatabase) {
        let two = Two::new(&db).await;
        let strict = open_apart(&db, &[("BOSA_AUTH_STALENESS_MS", "0")], &two.world.clock).await.unwrap();
        strict.poll_changes().await.unwrap();
        for _ in 0..2 {
            assert_eq!(two.verify(&strict).await, "accepted");
            assert!(strict.try_authenticate_client(&two.client.key).unwrap().is_none());
        }
        two.run(Act::SignOut).await;
        assert_eq!(two.verify(&strict).await, "revoked_token");
        assert!(!strict.readiness().await.stale);
        strict.close().await.unwrap();
        assert_eq!(two.verify(&strict).await, "database_unavailable");
    }

    async fn two_handles_of_one_process_see_each_others_acts_at_once(db: TestDatabase) {
        let two = Two::new(&db).await;
        let second = two.world.another(&db, &[]).await;
        assert_eq!(two.verify(&second).await, "accepted");
        assert_eq!(two.verify(&two.world.auth).await, "accepted");
        second.close().await.unwrap();
        let third = two.world.another(&db, &[]).await;
        third.operator().tenant(two.client.model.id).await.unwrap().revoke_all_tokens(two.user.id).await.unwrap();
        assert_eq!(two.verify(&two.world.auth).await, "revoked_token");
    }

    async fn deadlines_are_compared_at_every_hit(db: TestDatabase) {
        let world = World::with(&db, &[("AUTH_ACCESS_TOKEN_EXPIRE_MINUTES", "1"), ("BOSA_AUTH_STALENESS_MS", "60000")]).await;
        let client = world.client("acme").await;
        let user = world.user(&client, "ana").await;
        let token = world.token(&client, &user).await;
        let key = api_key_that_ends(&world, &client, 30).await;
        let verify = async |key: &str| code(world.auth.verify_token_service().verify_token(key, &token).await);
        for _ in 0..2 {
            assert_eq!(verify(&key).await, "accepted");
            assert_eq!(verify(&client.key).await, "accepted");
        }
        world.clock.advance(Duration::from_secs(30));
        assert_eq!(verify(&key).await, "invalid_client");
        assert_eq!(verify(&client.key).await, "accepted");
        world.clock.advance(Duration::from_secs(35));
        assert_eq!(verify(&client.key).await, "expired_token");
    }

    async fn a_caller_that_goes_away_leaves_nothing_remembered(db: TestDatabase) {
        let two = Two::new(&db).await;
        let tenant = Arc::new(two.world.tenant(&two.client).await);
        assert_eq!(two.verify(&two.world.auth).await, "accepted");
        let (caller, user): (_, UserId) = (tenant.clone(), two.user.id);
        let call = tokio::spawn(async move { caller.revoke_all_tokens(user).await });
        tokio::task::yield_now().await;
        call.abort();
        // Refused or not yet begun; never remembered beyond the commit.
        if call.await.is_ok_and(|done| done.is_ok()) {
            assert_eq!(two.verify(&two.world.auth).await, "revoked_token");
        }
        tenant.revoke_all_tokens(user).await.unwrap();
        assert_eq!(two.verify(&two.world.auth).await, "revoked_token");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_in_memory_is_remembered_without_a_feed() {
    let db = TestDatabase::sqlite_memory().await;
    let world = World::new(&db).await;
    let client = world.client("acme").await;
    let user = world.user(&client, "ana").await;
    let token = world.token(&client, &user).await;
    assert!(world.verify(&client, &token).await.is_ok());
    world.clock.advance(Duration::from_secs(3600));
    let tenant = world.auth.try_authenticate_client(&client.key).unwrap();
    let tenant = tenant.unwrap();
    assert!(tenant.try_verify_token(&token).unwrap().is_some());
    assert!(tenant.revoke_token(&token).await.unwrap());
    assert!(tenant.try_verify_token(&token).unwrap().is_none());
    assert_eq!(code(world.verify(&client, &token).await), "revoked_token");
}

async fn api_key_that_ends(world: &World, client: &Client, seconds: u64) -> String {
    let new = bosa_auth::NewApiKey {
        expires_at: Some(world.clock.now() + Duration::from_secs(seconds)),
        ..bosa_auth::NewApiKey::default()
    };
    let made = world
        .auth
        .operator()
        .create_api_key(client.model.id, new)
        .await;
    made.unwrap().resource.api_key.expose().to_owned()
}

async fn execute(db: &TestDatabase, sql: &'static str, params: Vec<bosa_auth_store::Param>) {
    db.db()
        .write(move |tx| {
            let params = params.clone();
            Box::pin(async move { tx.execute(sql, params).await.map(drop) })
        })
        .await
        .unwrap_or_else(|error: bosa_auth_store::StoreError| panic!("{error}"));
}
