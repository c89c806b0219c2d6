//! API keys of a client: several, with scopes, expiry, rotation and revocation.

use std::time::Duration;

use bosa_auth::{
    ApiKeyId, ApiKeyModel, Clock, Error, IdempotencyKey, NewApiKey, PageRequest, Scope, ScopeSet,
    Timestamp,
};
use bosa_auth_testkit::on_every_database;

use crate::support::{Client, World, check_page_requests, code, counts, walk};

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
    async fn several_keys_open_the_same_client(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let keys = world.auth.create_client_service();
        let second = keys.create_api_key(client.model.id, NewApiKey::default()).await.unwrap();
        assert_ne!(second.api_key.expose(), client.key);
        assert_eq!(second.scopes, ScopeSet::all());
        assert_eq!((second.expires_at, second.revoked_at, second.last_used_at), (None, None, None));
        let text = second.api_key.expose();
        assert_eq!(second.preview, format!("sk-client-...{}", &text[text.len() - 8..]));
        for key in [&client.key, text] {
            let verified = world.auth.verify_client_service().verify_client_api_key(key).await.unwrap();
            assert_eq!(verified.id, client.model.id);
        }
        let listed = keys.list_api_keys(client.model.id, PageRequest::default()).await.unwrap().items;
        assert_eq!(listed.len(), 2);
        assert!(listed.iter().all(|key| key.api_key.is_empty() && key.client_id == client.model.id));
        assert!(listed.iter().any(|key| key.preview == second.preview));
    }

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

    async fn a_revoked_key_is_refused_at_once_and_only_the_first_revocation_is_true(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let keys = world.auth.create_client_service();
        let second = keys.create_api_key(client.model.id, NewApiKey::default()).await.unwrap();
        assert!(keys.revoke_api_key(client.model.id, second.id).await.unwrap());
        assert!(!is_valid(&world, second.api_key.expose()).await);
        assert!(!keys.revoke_api_key(client.model.id, second.id).await.unwrap());
        assert!(is_valid(&world, &client.key).await);
        let listed = keys.list_api_keys(client.model.id, PageRequest::default()).await.unwrap().items;
        let revoked = listed.iter().find(|key| key.id == second.id).unwrap();
        assert_eq!(revoked.revoked_at, Some(world.clock.now()));
        let unknown = ApiKeyId::from(uuid::Uuid::nil());
        assert_eq!(code(keys.revoke_api_key(client.model.id, unknown).await), "not_found");
    }

    async fn the_keys_of_another_client_are_not_found(db: TestDatabase) {
        let world = World::new(&db).await;
        let (client, other) = (world.client("acme").await, world.client("other").await);
        let id = only_key(&world, &client).await;
        let keys = world.auth.create_client_service();
        assert_eq!(code(keys.revoke_api_key(other.model.id, id).await), "not_found");
        assert_eq!(code(keys.rotate_api_key(other.model.id, id, 0).await), "not_found");
        assert!(is_valid(&world, &client.key).await);
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

    async fn rotation_without_overlap_ends_the_old_key_at_once(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let old = only_key(&world, &client).await;
        let keys = world.auth.create_client_service();
        let new = keys.rotate_api_key(client.model.id, old, 0).await.unwrap();
        assert!(!is_valid(&world, &client.key).await);
        assert!(is_valid(&world, new.api_key.expose()).await);
        assert_eq!(code(keys.rotate_api_key(client.model.id, old, 0).await), "not_found");
        let too_long = keys.rotate_api_key(client.model.id, new.id, 90 * 86_400 + 1).await;
        assert!(matches!(too_long, Err(Error::InvalidInput { field: "overlap_seconds", .. })));
        assert_eq!(code(keys.rotate_api_key(client.model.id, new.id, 90 * 86_400).await), "accepted");
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

    async fn a_revoked_key_cannot_be_rotated(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let old = only_key(&world, &client).await;
        let keys = world.auth.create_client_service();
        keys.revoke_api_key(client.model.id, old).await.unwrap();
        let before = counts(&db).await;
        assert_eq!(code(keys.rotate_api_key(client.model.id, old, 3600).await), "not_found");
        assert_eq!(counts(&db).await, before);
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

    async fn a_key_needs_at_least_one_scope(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let new = NewApiKey { scopes: Some(ScopeSet::empty()), expires_at: None };
        let refused = world.auth.create_client_service().create_api_key(client.model.id, new).await;
        assert!(matches!(refused, Err(Error::InvalidInput { field: "scopes", .. })));
        assert_eq!(counts(&db).await.api_keys, 1);
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

    async fn a_list_of_keys_is_walked_page_by_page(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let other = world.client("other").await;
        let keys = world.auth.create_client_service();
        let mut made = vec![only_key(&world, &client).await];
        for _ in 0..4 {
            made.push(keys.create_api_key(client.model.id, NewApiKey::default()).await.unwrap().id);
        }
        made.sort();
        for size in [1, 2, 5, 100] {
            let walked = walk(size, |key: &ApiKeyModel| key.id, |request| keys.list_api_keys(client.model.id, request)).await;
            assert_eq!(walked, made, "{size}");
        }
        assert_eq!(walk(100, |key: &ApiKeyModel| key.id, |request| keys.list_api_keys(other.model.id, request)).await.len(), 1);
        check_page_requests(|request| keys.list_api_keys(client.model.id, request)).await;
        let unknown = uuid::Uuid::nil();
        assert_eq!(code(keys.list_api_keys(unknown, PageRequest::default()).await), "not_found");
        assert_eq!(code(keys.create_api_key(unknown, NewApiKey::default()).await), "not_found");
    }
}
