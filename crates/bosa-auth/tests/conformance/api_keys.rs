//! API keys of a client: expiry, overlap and last use, which follow the clock.

use std::time::Duration;

use bosa_auth::{
    ApiKeyId, Clock, IdempotencyKey, NewApiKey, PageRequest, Scope, ScopeSet, Timestamp,
};
use bosa_auth_testkit::on_every_database;

use crate::support::{Client, World, code, counts};

async fn only_key(world: &World, client: &Client) -> ApiKeyId {
    let keys = world.auth.create_client_service();
    let page = keys
        .list_api_keys(client.model.id, PageRequest::default())
        .await
        .unwrap();
    page.items.first().unwrap().id
}

async fn is_valid(world: &World, key: &str) -> bool {
    world
        .auth
        .verify_client_service()
        .is_api_key_valid(key)
        .await
        .unwrap()
}

fn later(world: &World, seconds: u64) -> Timestamp {
    world.clock.now() + Duration::from_secs(seconds)
}

on_every_database! {
    async fn a_key_ends_at_its_expiry_and_not_before(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let keys = world.auth.create_client_service();
        let new = NewApiKey { expires_at: Some(later(&world, 60)), scopes: None };
        let key = keys.create_api_key(client.model.id, new).await.unwrap();
        world.clock.advance(Duration::from_micros(59_999_999));
        assert!(is_valid(&world, key.api_key.expose()).await);
        world.clock.advance(Duration::from_micros(1));
        assert!(!is_valid(&world, key.api_key.expose()).await);
        assert!(is_valid(&world, &client.key).await);
        for passed in [world.clock.now(), Timestamp::UNIX_EPOCH, Timestamp::MIN] {
            let new = NewApiKey { expires_at: Some(passed), scopes: None };
            assert_eq!(code(keys.create_api_key(client.model.id, new).await), "invalid_input");
        }
    }

    async fn rotation_keeps_the_old_key_for_the_overlap(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let old = only_key(&world, &client).await;
        let keys = world.auth.create_client_service();
        let new = keys.rotate_api_key(client.model.id, old, 3600).await.unwrap();
        assert!(is_valid(&world, &client.key).await && is_valid(&world, new.api_key.expose()).await);
        world.clock.advance(Duration::from_secs(3599));
        assert!(is_valid(&world, &client.key).await);
        world.clock.advance(Duration::from_secs(1));
        assert!(!is_valid(&world, &client.key).await);
        assert!(is_valid(&world, new.api_key.expose()).await);
        assert_eq!(code(keys.rotate_api_key(client.model.id, old, 0).await), "not_found");
    }

    async fn rotation_without_overlap_ends_the_old_key_whatever_the_clocks_say(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let old = only_key(&world, &client).await;
        let slow = bosa_auth::ManualClock::new(world.clock.now() - Duration::from_secs(30));
        let slow = crate::support::open(&db, &[], &slow).await.unwrap();
        world.auth.create_client_service().rotate_api_key(client.model.id, old, 0).await.unwrap();
        assert_eq!(code(slow.authenticate_client(&client.key).await), "invalid_client");
    }

    async fn rotation_keeps_scopes_and_an_earlier_expiry(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let keys = world.auth.create_client_service();
        let scopes: ScopeSet = [Scope::TokensVerify].into_iter().collect();
        let new = NewApiKey { scopes: Some(scopes), expires_at: Some(later(&world, 60)) };
        let old = keys.create_api_key(client.model.id, new).await.unwrap();
        let successor = keys.rotate_api_key(client.model.id, old.id, 3600).await.unwrap();
        assert_eq!(successor.scopes, scopes);
        world.clock.advance(Duration::from_secs(60));
        assert!(!is_valid(&world, old.api_key.expose()).await);
        assert!(is_valid(&world, successor.api_key.expose()).await);
    }

    async fn a_repeated_rotation_with_one_idempotency_key_answers_as_the_first(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let old = only_key(&world, &client).await;
        let rotate = || async {
            let key = IdempotencyKey::new("once", "rotate", "{}").unwrap();
            world.auth.operator().with_idempotency(key).rotate_api_key(client.model.id, old, 0).await
        };
        let first = rotate().await.unwrap();
        assert!(!first.replayed && !first.resource.api_key.is_empty());
        let again = rotate().await.unwrap();
        assert!(again.replayed && again.resource.api_key.is_empty());
        assert_eq!(again.resource.id, first.resource.id);
        assert_eq!(counts(&db).await.api_keys, 2);
    }

    async fn the_last_use_is_written_in_the_background_once_a_minute(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let keys = world.auth.create_client_service();
        let last_used = async || {
            let page = keys.list_api_keys(client.model.id, PageRequest::default()).await.unwrap();
            page.items.first().unwrap().last_used_at
        };
        let first = world.clock.now();
        assert!(is_valid(&world, &client.key).await);
        assert_eq!(last_used().await, None);
        world.auth.run_maintenance().await.unwrap();
        assert_eq!(last_used().await, Some(first));
        world.clock.advance(Duration::from_secs(59));
        assert!(is_valid(&world, &client.key).await);
        world.auth.run_maintenance().await.unwrap();
        assert_eq!(last_used().await, Some(first));
        world.clock.advance(Duration::from_secs(1));
        assert!(is_valid(&world, &client.key).await);
        world.auth.run_maintenance().await.unwrap();
        assert_eq!(last_used().await, Some(world.clock.now()));
        // A wrong key leaves no trace.
        let used = last_used().await;
        world.clock.advance(Duration::from_secs(600));
        let mut wrong = client.key.clone();
        wrong.replace_range(wrong.len() - 20..wrong.len() - 19, if wrong.as_bytes()[wrong.len() - 20] == b'A' { "B" } else { "A" });
        assert!(!is_valid(&world, &wrong).await);
        world.auth.run_maintenance().await.unwrap();
        assert_eq!(last_used().await, used);
    }

    async fn closing_writes_the_last_uses_that_wait(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        assert!(is_valid(&world, &client.key).await);
        world.auth.close().await.unwrap();
        let another = world.another(&db, &[]).await;
        let page = another.create_client_service().list_api_keys(client.model.id, PageRequest::default()).await.unwrap();
        assert_eq!(page.items.first().unwrap().last_used_at, Some(world.clock.now()));
    }
}
