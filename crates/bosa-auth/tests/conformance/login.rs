//! Logging in: work that follows the form presented, limits, and renewing what is stored.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use bosa_auth::Error;
use bosa_auth_testkit::on_every_database;

use crate::support::{Client, World, code};

const CHOSEN: &str = "correct horse battery staple";
const HERE: Option<IpAddr> = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));

async fn login(
    world: &World,
    client: &Client,
    identifier: &str,
    secret: &str,
) -> Result<(), Error> {
    let service = world.auth.authenticate_user_service();
    service
        .authenticate_user(&client.key, identifier, secret)
        .await
        .map(drop)
}

/// What is stored of a chosen secret.
async fn hash(db: &bosa_auth_testkit::TestDatabase, user: &bosa_auth::UserModel) -> String {
    let rows = db
        .db()
        .read(
            "select password_hash from bosa_users where id = $1",
            vec![user.id.into()],
        )
        .await
        .unwrap();
    rows.first().unwrap().get(0).unwrap()
}

on_every_database! {
    async fn any_changed_character_of_a_generated_secret_is_refused(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let user = world.user(&client, "ana").await;
        let secret = user.secret.expose();
        let start = secret.len() - 49;
        for position in start..secret.len() {
            let mut bytes = secret.to_owned().into_bytes();
            bytes[position] = if bytes[position] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            // What does not look generated is counted as a chosen one.
            let refused = login(&world, &client, "ana", &changed).await.unwrap_err();
            assert!(matches!(refused, Error::Unauthorized | Error::RateLimited { .. }), "{position}");
        }
        assert_eq!(code(login(&world, &client, "ana", secret).await), "accepted");
    }

    async fn attempts_with_chosen_secrets_are_limited_for_each_user(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let other = world.client("other").await;
        world.user_with_secret(&client, "ana", CHOSEN).await;
        world.user_with_secret(&client, "bob", CHOSEN).await;
        world.user_with_secret(&other, "ana", CHOSEN).await;
        for attempt in 0..10 {
            assert_eq!(code(login(&world, &client, "ana", "wrong but long enough").await), "unauthorized", "{attempt}");
        }
        let refused = login(&world, &client, "ana", CHOSEN).await.unwrap_err();
        assert_eq!(refused.code(), "rate_limited");
        let wait = refused.retry_after().unwrap();
        assert!(wait >= Duration::from_secs(1) && wait <= Duration::from_secs(6), "{wait:?}");
        // Not the neighbours, and not the same name elsewhere.
        assert_eq!(code(login(&world, &client, "bob", CHOSEN).await), "accepted");
        assert_eq!(code(login(&world, &other, "ana", CHOSEN).await), "accepted");
        // An unknown user is limited alike, so that the limit tells nothing.
        for _ in 0..10 {
            assert_eq!(code(login(&world, &client, "nobody", CHOSEN).await), "unauthorized");
        }
        assert_eq!(code(login(&world, &client, "nobody", CHOSEN).await), "rate_limited");
        world.clock.advance(wait);
        assert_eq!(code(login(&world, &client, "ana", CHOSEN).await), "accepted");
    }

    async fn a_correct_generated_secret_is_never_locked_out(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let user = world.user(&client, "ana").await;
        while !matches!(login(&world, &client, "ana", "wrong but long enough").await, Err(Error::RateLimited { .. })) {}
        for _ in 0..20 {
            assert_eq!(code(login(&world, &client, "ana", user.secret.expose()).await), "accepted");
        }
        let change = world.auth.create_user_service();
        let changed = change.change_user_secret(&client.key, "ana", user.secret.expose().into(), CHOSEN.into()).await;
        assert_eq!(code(changed), "accepted");
    }

    async fn a_generated_secret_names_its_client_when_no_key_comes_along(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let user = world.user(&client, "ana").await;
        let auth = &world.auth;
        let token = auth.authenticate_user_without_client("ana", user.secret.expose(), HERE).await.unwrap();
        assert_eq!((token.client_id, token.user_id), (client.model.id, user.id));
        assert_eq!(code(world.verify(&client, token.token.expose()).await), "accepted");
        let wrong = auth.authenticate_user_without_client("bob", user.secret.expose(), HERE).await;
        assert_eq!(code(wrong), "unauthorized");
    }

    async fn a_chosen_secret_without_a_client_key_is_refused_and_limited_by_address(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        world.user_with_secret(&client, "ana", CHOSEN).await;
        let generated = world.user(&client, "bob").await;
        let attempt = async |address: Option<IpAddr>| {
            code(world.auth.authenticate_user_without_client("ana", CHOSEN, address).await)
        };
        for _ in 0..20 {
            assert_eq!(attempt(HERE).await, "unauthorized");
        }
        assert_eq!(attempt(HERE).await, "rate_limited");
        assert_eq!(attempt(Some(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)))).await, "unauthorized");
        // Mapped addresses are the same ones, and a network of IPv6 counts as one address.
        assert_eq!(attempt(Some(IpAddr::V6(Ipv4Addr::LOCALHOST.to_ipv6_mapped()))).await, "rate_limited");
        let host = |last| Some(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last)));
        for last in 0..20 {
            assert_eq!(attempt(host(last)).await, "unauthorized");
        }
        assert_eq!(attempt(host(99)).await, "rate_limited");
        let correct = world.auth.authenticate_user_without_client("bob", generated.secret.expose(), HERE).await;
        assert_eq!(code(correct), "accepted");
    }

    async fn a_login_without_a_client_key_can_be_switched_off(db: TestDatabase) {
        let world = World::with(&db, &[("BOSA_AUTH_REQUIRE_CLIENT_KEY", "true")]).await;
        let client = world.client("acme").await;
        let user = world.user(&client, "ana").await;
        let refused = world.auth.authenticate_user_without_client("ana", user.secret.expose(), HERE).await;
        assert_eq!(code(refused), "invalid_client");
        let token = world.token(&client, &user).await;
        assert_eq!(code(world.auth.current_user(None, &token).await), "invalid_client");
        assert_eq!(code(world.auth.current_user(Some(&client.key), &token).await), "accepted");
    }

    async fn a_higher_cost_rewrites_the_hash_at_the_next_login_and_ends_nothing(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let user = world.user_with_secret(&client, "ana", CHOSEN).await;
        let token = world.token(&client, &user).await;
        assert!(hash(&db, &user).await.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        let stronger = world.another(&db, &[("BOSA_AUTH_ARGON2_COST", "20480,3,1")]).await;
        let service = stronger.authenticate_user_service();
        let wrong = service.authenticate_user(&client.key, "ana", "wrong but long enough").await;
        assert_eq!(code(wrong), "unauthorized");
        assert!(hash(&db, &user).await.contains("m=19456,t=2,p=1"));
        service.authenticate_user(&client.key, "ana", CHOSEN).await.unwrap();
        let rewritten = hash(&db, &user).await;
        assert!(rewritten.starts_with("$argon2id$v=19$m=20480,t=3,p=1$"), "{rewritten}");
        assert_eq!(code(world.verify(&client, &token).await), "accepted");
        assert_eq!(code(login(&world, &client, "ana", CHOSEN).await), "accepted");
        assert_eq!(hash(&db, &user).await, rewritten, "a lower cost never replaces a higher one");
    }

    async fn too_many_hashes_at_once_are_turned_away_and_nothing_else_is(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let user = world.user(&client, "ana").await;
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..60 {
            let (auth, key) = (world.auth.clone(), client.key.clone());
            tasks.spawn(async move {
                let service = auth.authenticate_user_service();
                service.authenticate_user(&key, &format!("nobody {number}"), CHOSEN).await.unwrap_err()
            });
        }
        assert_eq!(code(login(&world, &client, "ana", user.secret.expose()).await), "accepted");
        let refusals = tasks.join_all().await;
        let overloaded = refusals.iter().filter(|error| error.code() == "overloaded").count();
        assert!(refusals.iter().all(|error| ["overloaded", "unauthorized"].contains(&error.code())));
        assert!((1..60).contains(&overloaded), "{overloaded}");
        assert!(refusals.iter().filter(|error| error.code() == "overloaded").all(|error| error.retry_after().is_some()));
        assert_eq!(code(login(&world, &client, "ana", CHOSEN).await), "unauthorized");
    }

    async fn two_users_with_one_chosen_secret_have_different_hashes(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let ana = world.user_with_secret(&client, "ana", CHOSEN).await;
        let bob = world.user_with_secret(&client, "bob", CHOSEN).await;
        assert_ne!(hash(&db, &ana).await, hash(&db, &bob).await);
    }
}
