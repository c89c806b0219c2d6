//! Digest keys: one takes another's place while servers run, credentials follow at their next use, and
//! the former one goes with those that nobody has used, if that is accepted.

use std::collections::HashSet;

use bosa_auth::{
    Auth, DigestKeyInfo, Error, IdempotencyKey, NewApiKey, NewUser, RetireDigestKey, UserModel,
};
use bosa_auth_core::{DigestKeyId, IntegrationId};
use bosa_auth_store::{
    ClientTx, ConnectStateRow, KeyedDigest, Store, StoreError, connect_states, digest_keys,
};
use bosa_auth_testkit::on_every_database;
use tokio::task::JoinSet;

use crate::support::{World, code, open_apart};

const UNUSED: RetireDigestKey = RetireDigestKey::Unused;

/// The key that new digests are made with, and the others.
async fn keys(auth: &Auth) -> (DigestKeyInfo, Vec<DigestKeyInfo>) {
    let keys = auth.operator().digest_keys().await.unwrap();
    let (mut active, former): (Vec<_>, Vec<_>) = keys.into_iter().partition(|key| key.is_active);
    assert_eq!(active.len(), 1);
    (active.remove(0), former)
}

/// Rotates and returns the id of the former key.
async fn rotate(auth: &Auth) -> String {
    let (former, _) = keys(auth).await;
    let new = auth.operator().rotate_digest_key().await.unwrap();
    assert!(new.is_active && new.id != former.id);
    former.id
}

async fn retire(auth: &Auth, id: &str, accepted: RetireDigestKey) -> Result<(u64, u64), Error> {
    let ended = auth.operator().retire_digest_key(id, accepted).await?;
    Ok((ended.api_keys, ended.users))
}

async fn log_in(auth: &Auth, key: &str, user: &UserModel) -> &'static str {
    let service = auth.authenticate_user_service();
    let (name, secret) = (&user.identifier, user.secret.expose());
    code(service.authenticate_user(key, name, secret).await)
}

/// Waits until what is done in the background has left so many API keys under a former key.
async fn left(auth: &Auth, former: &str, count: u64) {
    for _ in 0..10_000 {
        let (_, others) = keys(auth).await;
        if others
            .iter()
            .all(|key| key.id != former || key.api_keys == count)
        {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("the digest of a key that was used has not moved");
}

#[track_caller]
fn text<T>(result: Result<T, Error>) -> String {
    match result {
        Err(error) => error.to_string(),
        Ok(_) => panic!("it was accepted"),
    }
}

on_every_database! {
    async fn credentials_move_to_the_new_key_when_they_are_used(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let (ana, ben) = (world.user(&client, "ana").await, world.user(&client, "ben").await);
        let chosen = world.user_with_secret(&client, "cid", "correct horse battery staple").await;
        let another = open_apart(&db, &[], &world.clock).await.unwrap();
        another.poll_changes().await.unwrap();
        assert_eq!(code(another.authenticate_client(&client.key).await), "accepted");

        let former = rotate(&world.auth).await;
        let (active, others) = keys(&world.auth).await;
        assert_eq!((active.used_by, others[0].api_keys, others[0].users), (0, 1, 2));
        another.poll_changes().await.unwrap();
        // A wrong secret moves nothing, and is refused as before.
        let wrong = ben.secret.expose().to_owned();
        let service = another.authenticate_user_service();
        assert_eq!(code(service.authenticate_user(&client.key, "ana", &wrong).await), "unauthorized");
        assert_eq!(keys(&world.auth).await.1[0].users, 2);

        for auth in [&another, &world.auth, &another] {
            assert_eq!(log_in(auth, &client.key, &ana).await, "accepted");
        }
        left(&world.auth, &former, 0).await;
        let (active, others) = keys(&world.auth).await;
        assert_eq!((active.api_keys, active.users, others[0].users), (1, 1, 1));
        let tenant = world.tenant(&client).await;
        let secret = "correct horse battery staple";
        assert_eq!(code(tenant.authenticate_user("cid", secret).await), "accepted");
        assert_eq!(chosen.secret_preview, "chosen");
        // New ones are made with it, also by who has only heard of it.
        let made = another.operator().create_client("other").await.unwrap().resource;
        assert_eq!(keys(&world.auth).await.0.api_keys, 2);
        assert_eq!(code(world.auth.authenticate_client(made.api_key.expose()).await), "accepted");
        assert_eq!(log_in(&world.auth, &client.key, &ben).await, "accepted");
        assert_eq!(keys(&world.auth).await.1[0].used_by, 0);
    }

    async fn rotations_at_once_make_one_key(db: TestDatabase) {
        let world = World::new(&db).await;
        let mut handles = Vec::new();
        for _ in 0..4 {
            handles.push(open_apart(&db, &[], &world.clock).await.unwrap());
        }
        let mut tasks = JoinSet::new();
        for auth in handles {
            tasks.spawn(async move { auth.operator().rotate_digest_key().await.unwrap().id });
        }
        let made: HashSet<String> = tasks.join_all().await.into_iter().collect();
        let (active, others) = keys(&world.auth).await;
        // Those that began after another had ended may have made one of their own.
        assert!(made.contains(&active.id));
        assert_eq!(others.len(), made.len());
    }

    async fn a_key_that_nothing_depends_on_goes_at_once(db: TestDatabase) {
        let world = World::new(&db).await;
        let (active, _) = keys(&world.auth).await;
        let refused = text(retire(&world.auth, &active.id, RetireDigestKey::Ending(9)).await);
        assert!(refused.contains("rotate first"), "{refused}");
        let client = world.client("acme").await;
        let id = client.model.id;
        let operator = world.auth.operator();
        // What verifies nothing any more does not keep the key.
        let first = operator.create_api_key(id, NewApiKey::default()).await.unwrap().resource;
        operator.revoke_api_key(id, first.id).await.unwrap();
        let end = world.clock.clone();
        let soon = NewApiKey { expires_at: Some(bosa_auth::Clock::now(&end) + std::time::Duration::from_secs(60)), ..NewApiKey::default() };
        operator.create_api_key(id, soon).await.unwrap();
        let former = rotate(&world.auth).await;
        world.tenant(&client).await;
        left(&world.auth, &former, 1).await;
        let refused = text(retire(&world.auth, &former, UNUSED).await);
        assert!(refused.contains("still verifies 1 API keys"), "{refused}");
        world.clock.advance(std::time::Duration::from_secs(60));
        assert_eq!(retire(&world.auth, &former, UNUSED).await.unwrap(), (0, 0));
        for unknown in [former.as_str(), "", "k1", "\0"] {
            assert_eq!(code(retire(&world.auth, unknown, UNUSED).await), "not_found", "{unknown:?}");
        }
        assert_eq!(code(world.auth.authenticate_client(&client.key).await), "accepted");
        assert_eq!(code(world.auth.authenticate_client(first.api_key.expose()).await), "invalid_client");
        let left = bosa_auth_store::digest_keys::list(&Store::new(db.db().clone())).await.unwrap();
        assert_eq!(left.len(), 1);
    }

    async fn what_depends_on_a_key_ends_with_it_and_nothing_else(db: TestDatabase) {
        let world = World::new(&db).await;
        let (ours, theirs) = (world.client("ours").await, world.client("theirs").await);
        let (ana, ben) = (world.user(&ours, "ana").await, world.user(&ours, "ben").await);
        let cid = world.user(&theirs, "cid").await;
        let token = world.token(&ours, &ben).await;
        let another = open_apart(&db, &[], &world.clock).await.unwrap();
        another.poll_changes().await.unwrap();
        assert_eq!(code(another.authenticate_client(&theirs.key).await), "accepted");
        let former = rotate(&world.auth).await;
        assert_eq!(log_in(&world.auth, &ours.key, &ana).await, "accepted");
        world.tenant(&ours).await;
        left(&world.auth, &former, 1).await;

        let mut listed = Vec::new();
        let operator = world.auth.operator();
        let count = operator.digest_key_dependents(&former, |one| listed.push((one.client_name, one.kind, one.name))).await.unwrap();
        listed.sort();
        assert_eq!(count, 3);
        let names: Vec<_> = listed.iter().map(|(client, kind, _)| (client.as_str(), *kind)).collect();
        assert_eq!(names, [("ours", "user"), ("theirs", "api_key"), ("theirs", "user")]);
        assert_eq!((listed[0].2.as_str(), listed[2].2.as_str()), ("ben", "cid"));

        let before = crate::dump::dump(&db).await;
        let refused = text(retire(&world.auth, &former, UNUSED).await);
        assert!(refused.contains("1 API keys") && refused.contains("2 users"), "{refused}");
        let refused = text(retire(&world.auth, &former, RetireDigestKey::Ending(2)).await);
        assert!(refused.contains("more depending on it"), "{refused}");
        assert_eq!(crate::dump::dump(&db).await, before);
        assert_eq!(retire(&world.auth, &former, RetireDigestKey::Ending(3)).await.unwrap(), (1, 2));

        another.poll_changes().await.unwrap();
        for auth in [&world.auth, &another] {
            assert_eq!(code(auth.authenticate_client(&theirs.key).await), "invalid_client");
            assert_eq!(code(auth.authenticate_client(&ours.key).await), "accepted");
            assert_eq!(log_in(auth, &ours.key, &ana).await, "accepted");
            assert_eq!(log_in(auth, &ours.key, &ben).await, "unauthorized");
        }
        // The user stays, with its tokens, and gets a new secret.
        assert!(world.verify(&ours, &token).await.is_ok());
        let tenant = world.tenant(&ours).await;
        let ben = tenant.reset_user_secret(ben.id).await.unwrap();
        assert_eq!(log_in(&world.auth, &ours.key, &ben).await, "accepted");
        let key = operator.create_api_key(theirs.model.id, NewApiKey::default()).await.unwrap().resource;
        assert_eq!(log_in(&world.auth, key.api_key.expose(), &cid).await, "unauthorized");
    }

    async fn a_server_that_has_not_heard_of_it_loses_no_credential(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let user = world.user(&client, "ana").await;
        let stale = open_apart(&db, &[], &world.clock).await.unwrap();
        let former = rotate(&world.auth).await;
        assert_eq!(log_in(&world.auth, &client.key, &user).await, "accepted");
        left(&world.auth, &former, 0).await;
        retire(&world.auth, &former, UNUSED).await.unwrap();
        // Everything that makes a digest, with the key that is gone.
        let operator = stale.operator();
        let made = operator.create_client("other").await.unwrap().resource;
        assert_eq!(code(world.auth.authenticate_client(made.api_key.expose()).await), "accepted");

        let acts = ["create_api_key", "rotate_api_key", "create_user", "reset", "token", "client"];
        for act in acts {
            let stale = open_apart(&db, &[], &world.clock).await.unwrap();
            let former = rotate(&world.auth).await;
            // What is answered from memory has moved to the active key.
            while world.auth.try_authenticate_client(&client.key).unwrap().is_none() {
                world.tenant(&client).await;
            }
            assert_eq!(log_in(&world.auth, &client.key, &user).await, "accepted");
            retire(&world.auth, &former, RetireDigestKey::Ending(9)).await.unwrap();
            let operator = stale.operator();
            let id = client.model.id;
            let repeat = |route| IdempotencyKey::new(act, route, "{}").unwrap();
            match act {
                "create_api_key" => {
                    let key = operator.create_api_key(id, NewApiKey::default()).await.unwrap().resource;
                    assert_eq!(code(world.auth.authenticate_client(key.api_key.expose()).await), "accepted");
                }
                "rotate_api_key" => {
                    let key = operator.create_api_key(id, NewApiKey::default()).await.unwrap().resource;
                    let key = operator.rotate_api_key(id, key.id, 0).await.unwrap().resource;
                    assert_eq!(code(world.auth.authenticate_client(key.api_key.expose()).await), "accepted");
                }
                "create_user" | "reset" => {
                    let tenant = operator.tenant(id).await.unwrap();
                    let new = NewUser { identifier: format!("{act} {former}"), secret: None };
                    let mut made = tenant.create_user(new).await.unwrap().resource;
                    if act == "reset" {
                        made = tenant.reset_user_secret(made.id).await.unwrap();
                    }
                    assert_eq!(log_in(&world.auth, &client.key, &made).await, "accepted");
                }
                "token" => {
                    let tenant = operator.tenant(id).await.unwrap().with_idempotency(repeat("tokens"));
                    tenant.create_token(user.id).await.unwrap();
                }
                _ => {
                    let operator = operator.with_idempotency(repeat("clients"));
                    operator.create_client("with a key").await.unwrap();
                }
            }
        }
    }

    async fn a_key_that_logins_use_meanwhile_is_not_lost(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let mut users = Vec::new();
        for number in 0..4 {
            users.push(world.user(&client, &format!("user {number}")).await);
        }
        for round in 0..3 {
            // It goes on making digests with the former key until it is refused.
            let stale = open_apart(&db, &[], &world.clock).await.unwrap();
            let former = rotate(&world.auth).await;
            let mut tasks = JoinSet::new();
            for (number, user) in users.drain(..).enumerate() {
                let auth = [&world.auth, &stale][number % 2].clone();
                let (key, id) = (client.key.clone(), client.model.id);
                tasks.spawn(async move {
                    assert_eq!(log_in(&auth, &key, &user).await, "accepted");
                    let tenant = auth.operator().tenant(id).await.unwrap();
                    let new = NewUser { identifier: format!("{} {round}", user.identifier), secret: None };
                    let made = tenant.create_user(new).await.unwrap().resource;
                    (user, made)
                });
            }
            let retiring = {
                let (auth, former) = (world.auth.clone(), former.clone());
                tokio::spawn(async move {
                    for _ in 0..10_000 {
                        match retire(&auth, &former, UNUSED).await {
                            Ok(ended) => return assert_eq!(ended, (0, 0)),
                            Err(Error::InvalidInput { .. } | Error::DatabaseUnavailable(_)) => tokio::task::yield_now().await,
                            Err(error) => panic!("{error:?}"),
                        }
                    }
                    panic!("something still depends on the former key");
                })
            };
            let mut made = Vec::new();
            for (user, new) in tasks.join_all().await {
                assert_eq!(log_in(&world.auth, &client.key, &user).await, "accepted");
                assert_eq!(log_in(&world.auth, &client.key, &new).await, "accepted");
                made.extend([user, new]);
            }
            assert_eq!(code(world.auth.authenticate_client(&client.key).await), "accepted");
            retiring.await.unwrap();
            assert!(keys(&world.auth).await.1.is_empty());
            users = made;
        }
    }

    async fn a_repeated_request_is_known_after_a_rotation(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let id = client.model.id;
        let keyed = async |auth: &Auth, body| {
            let key = IdempotencyKey::new("once", "users", body).unwrap();
            auth.operator().tenant(id).await.unwrap().with_idempotency(key)
        };
        let new = |name: &str| NewUser { identifier: name.into(), secret: None };
        let made = keyed(&world.auth, "{}").await.create_user(new("ana")).await.unwrap().resource;
        let another = open_apart(&db, &[], &world.clock).await.unwrap();
        let former = rotate(&world.auth).await;
        for auth in [&world.auth, &another] {
            let again = keyed(auth, "{}").await.create_user(new("ana")).await.unwrap();
            assert!(again.replayed && again.resource.id == made.id);
            let other = keyed(auth, "another").await.create_user(new("ben")).await;
            assert!(matches!(other, Err(Error::IdempotencyMismatch)), "{other:?}");
        }
        world.tenant(&client).await;
        assert_eq!(log_in(&world.auth, &client.key, &made).await, "accepted");
        left(&world.auth, &former, 0).await;
        let refused = text(retire(&world.auth, &former, UNUSED).await);
        assert!(refused.contains("1 records of requests"), "{refused}");
        assert_eq!(keys(&world.auth).await.1[0].requests, 1);
        world.clock.advance(std::time::Duration::from_secs(25 * 3600));
        world.auth.run_maintenance().await.unwrap();
        retire(&world.auth, &former, UNUSED).await.unwrap();
    }

    async fn a_connection_that_was_begun_keeps_the_key(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let user = world.user(&client, "ana").await;
        let former = rotate(&world.auth).await;
        assert_eq!(log_in(&world.auth, &client.key, &user).await, "accepted");
        left(&world.auth, &former, 0).await;
        let store = Store::new(db.db().clone());
        let now = bosa_auth::Clock::now(&world.clock);
        let row = ConnectStateRow {
            client_id: client.model.id,
            id: IntegrationId::from(uuid::Uuid::from_u128(7)),
            user_id: user.id,
            connector: "github".to_owned(),
            api_key_id: None,
            return_address: None,
            replaces: false,
            created_at: now,
            expires_at: now + std::time::Duration::from_secs(600),
        };
        let key: DigestKeyId = former.parse().unwrap();
        let begun = store.write(move |tx| {
            let row = row.clone();
            let page = KeyedDigest { digest: [7; 32].into(), key_id: key };
            Box::pin(async move { ClientTx::new(tx, row.client_id).begin_connection(&row, &page, 10).await })
        });
        assert_eq!(begun.await, Ok::<_, StoreError>(true));
        let refused = text(retire(&world.auth, &former, UNUSED).await);
        assert!(refused.contains("1 connections"), "{refused}");
        assert_eq!(keys(&world.auth).await.1[0].connections, 1);
        assert_eq!(retire(&world.auth, &former, RetireDigestKey::Ending(0)).await.unwrap(), (0, 0));
        assert!(connect_states::find_page(&store, &[7; 32].into()).await.unwrap().is_none());
        assert_eq!(digest_keys::list(&store).await.unwrap().len(), 1);
    }
}
