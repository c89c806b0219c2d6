//! Tokens: what they hold, how they end with time, and the keys that sign them.

use std::time::Duration;

use bosa_auth::{Algorithm, Clock, PageRequest};
use bosa_auth_core::SystemEntropy;
use bosa_auth_core::token::SigningKey;
use bosa_auth_testkit::on_every_database;

use crate::support::{World, code, counts, payload};

const ALGORITHMS: [Algorithm; 8] = [
    Algorithm::HS256,
    Algorithm::HS384,
    Algorithm::HS512,
    Algorithm::RS256,
    Algorithm::PS256,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];
const OTHER_KEY: &str = "another signing key for tests, long enough";

fn configured_key(algorithm: Algorithm) -> String {
    if algorithm.is_symmetric() {
        return "0123456789abcdef".repeat(4);
    }
    let key = SigningKey::generate(algorithm, &SystemEntropy).unwrap();
    key.to_configured().unwrap().expose().to_owned()
}

on_every_database! {
    async fn a_token_carries_the_promised_header_and_claims(db: TestDatabase) {
        let world = World::with(&db, &[("BOSA_AUTH_ISSUER", "accounts"), ("AUTH_ACCESS_TOKEN_EXPIRE_MINUTES", "60")]).await;
        let client = world.client("acme").await;
        let user = world.user(&client, "ana@example.com").await;
        let token = world.auth.create_token_service().create_token(user.id, client.model.id).await.unwrap();
        let now = world.clock.now().as_second();
        assert_eq!((token.token_type, token.expires_at), ("bearer", now + 3600));
        assert_eq!((token.user_id, token.client_id), (user.id, client.model.id));
        let text = token.token.expose();
        let header = payload(text, 0);
        assert_eq!((header["typ"].as_str(), header["alg"].as_str()), (Some("JWT"), Some("HS256")));
        assert_eq!(header["kid"].as_str().map(str::len), Some(22));
        assert_eq!(header.as_object().unwrap().len(), 3);
        let claims = payload(text, 1);
        let client_id = client.model.id.to_string();
        assert_eq!(claims["sub"], user.id.to_string());
        assert_eq!((&claims["client_id"], &claims["aud"]), (&client_id.as_str().into(), &client_id.as_str().into()));
        assert_eq!(claims["identifier"], "ana@example.com");
        assert_eq!(claims["jti"], token.id.to_string());
        assert_eq!(claims["iss"], "accounts");
        assert_eq!((claims["iat"].as_i64(), claims["exp"].as_i64()), (Some(now), Some(now + 3600)));
        assert_eq!(claims.as_object().unwrap().len(), 8);
        let verified = world.auth.verify_token_service().verify_token(&client.key, text).await.unwrap();
        assert_eq!((verified.user_id, verified.id, verified.expires_at), (user.id, token.id, now + 3600));
    }

    async fn the_default_lifetime_is_thirty_days(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let user = world.user(&client, "ana").await;
        let token = world.auth.create_token_service().create_token(user.id, client.model.id).await.unwrap();
        assert_eq!(token.expires_at, world.clock.now().as_second() + 43_200 * 60);
    }

    async fn verification_answers_from_the_row_and_not_from_the_claim(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let user = world.user(&client, "ana").await;
        let token = world.token(&client, &user).await;
        db.db()
            .write(move |tx| Box::pin(async move {
                let sql = "update bosa_users set identifier = 'renamed' where id = $1";
                tx.execute(sql, vec![user.id.into()]).await.map(drop)
            }))
            .await
            .unwrap_or_else(|error: bosa_auth_store::StoreError| panic!("{error}"));
        let verified = world.auth.verify_token_service().verify_token(&client.key, &token).await.unwrap();
        assert_eq!(verified.identifier, "renamed");
        assert_eq!(world.auth.current_user(None, &token).await.unwrap().identifier(), "renamed");
    }

    async fn a_token_expires_five_seconds_after_its_end(db: TestDatabase) {
        let world = World::with(&db, &[("AUTH_ACCESS_TOKEN_EXPIRE_MINUTES", "1")]).await;
        let client = world.client("acme").await;
        let user = world.user(&client, "ana").await;
        let token = world.auth.create_token_service().create_token(user.id, client.model.id).await.unwrap();
        let tokens = async || {
            let service = world.auth.create_token_service();
            service.list_tokens(&client.key, user.id, PageRequest::default()).await.unwrap().items.remove(0)
        };
        let end = bosa_auth::Timestamp::from_second(token.expires_at + 5).unwrap();
        world.clock.set(end - Duration::from_micros(1));
        assert_eq!(code(world.verify(&client, token.token.expose()).await), "accepted");
        assert!(tokens().await.is_active);
        world.clock.set(end);
        assert_eq!(code(world.verify(&client, token.token.expose()).await), "expired_token");
        assert_eq!(code(world.auth.current_user(None, token.token.expose()).await), "expired_token");
        assert!(!tokens().await.is_active);
        assert!(!world.auth.revoke_token_service().revoke_token(&client.key, token.token.expose()).await.unwrap());
    }

    async fn a_token_can_be_revoked_for_as_long_as_it_is_accepted(db: TestDatabase) {
        let world = World::with(&db, &[("AUTH_ACCESS_TOKEN_EXPIRE_MINUTES", "1")]).await;
        let client = world.client("acme").await;
        let user = world.user(&client, "ana").await;
        let token = world.token(&client, &user).await;
        world.clock.advance(Duration::from_secs(63));
        assert_eq!(code(world.verify(&client, &token).await), "accepted");
        assert!(world.auth.revoke_token_service().revoke_token(&client.key, &token).await.unwrap());
        assert_eq!(code(world.verify(&client, &token).await), "revoked_token");
    }

    async fn a_token_is_revoked_by_its_id_too(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let (user, bob) = (world.user(&client, "ana").await, world.user(&client, "bob").await);
        let tenant = world.tenant(&client).await;
        let token = tenant.create_token(user.id).await.unwrap().resource;
        assert!(!tenant.revoke_token_by_id(bob.id, token.id).await.unwrap());
        assert!(!tenant.revoke_token_by_id(user.id, uuid::Uuid::nil().into()).await.unwrap());
        assert!(tenant.revoke_token_by_id(user.id, token.id).await.unwrap());
        assert!(!tenant.revoke_token_by_id(user.id, token.id).await.unwrap());
        assert_eq!(code(tenant.verify_token(token.token.expose()).await), "revoked_token");
        let ended = tenant.create_token(user.id).await.unwrap().resource;
        tenant.revoke_all_tokens(user.id).await.unwrap();
        assert!(!tenant.revoke_token_by_id(user.id, ended.id).await.unwrap(), "it was not live any more");
    }

    async fn a_sliding_token_ends_when_it_is_not_used_and_lives_on_when_it_is(db: TestDatabase) {
        let world = World::with(&db, &[("BOSA_AUTH_TOKEN_SLIDING", "30"), ("AUTH_ACCESS_TOKEN_EXPIRE_MINUTES", "120")]).await;
        let client = world.client("acme").await;
        let user = world.user(&client, "ana").await;
        let start = world.clock.now().as_second();
        let idle = world.token(&client, &user).await;
        let used = world.auth.create_token_service().create_token(user.id, client.model.id).await.unwrap();
        assert_eq!(used.expires_at, start + 30 * 60, "the earlier end is reported");
        assert_eq!(payload(used.token.expose(), 1)["exp"].as_i64(), Some(start + 120 * 60));
        let verify = async || world.auth.verify_token_service().verify_token(&client.key, used.token.expose()).await;
        assert_eq!(verify().await.unwrap().expires_at, start + 30 * 60);
        world.clock.advance(Duration::from_secs(20 * 60));
        assert_eq!(verify().await.unwrap().expires_at, start + 50 * 60);
        world.clock.advance(Duration::from_secs(10 * 60));
        assert_eq!(code(world.verify(&client, &idle).await), "expired_token");
        assert_eq!(code(world.verify(&client, &idle).await), "expired_token", "a refusal does not wake it");
        for _ in 0..5 {
            world.clock.advance(Duration::from_secs(15 * 60));
            assert_eq!(code(verify().await), "accepted");
        }
        // The end of the claim is the absolute cap.
        assert_eq!(verify().await.unwrap().expires_at, start + 120 * 60);
        world.clock.advance(Duration::from_secs(15 * 60));
        assert_eq!(code(verify().await), "expired_token");
    }

    async fn a_revoked_sliding_token_does_not_slide(db: TestDatabase) {
        let world = World::with(&db, &[("BOSA_AUTH_TOKEN_SLIDING", "30")]).await;
        let client = world.client("acme").await;
        let user = world.user(&client, "ana").await;
        let token = world.token(&client, &user).await;
        world.clock.advance(Duration::from_secs(20 * 60));
        assert!(world.auth.revoke_token_service().revoke_token(&client.key, &token).await.unwrap());
        assert_eq!(code(world.verify(&client, &token).await), "revoked_token");
    }

    async fn ended_tokens_are_pruned_a_day_later_and_stay_expired(db: TestDatabase) {
        let world = World::with(&db, &[("AUTH_ACCESS_TOKEN_EXPIRE_MINUTES", "1")]).await;
        let client = world.client("acme").await;
        let user = world.user(&client, "ana").await;
        let token = world.token(&client, &user).await;
        world.clock.advance(Duration::from_secs(60 + 86_399));
        let live = world.token(&client, &user).await;
        world.auth.run_maintenance().await.unwrap();
        assert_eq!(counts(&db).await.tokens, 2);
        world.clock.advance(Duration::from_secs(1));
        world.auth.run_maintenance().await.unwrap();
        assert_eq!(counts(&db).await.tokens, 1);
        assert_eq!(code(world.verify(&client, &token).await), "expired_token");
        assert_eq!(code(world.verify(&client, &live).await), "accepted");
        // A clock that goes back does not revive what has no row any more.
        world.clock.set("2026-01-02T03:04:06Z".parse().unwrap());
        assert_eq!(code(world.verify(&client, &token).await), "invalid_token");
    }

    async fn every_algorithm_works_with_a_configured_key(db: TestDatabase) {
        for algorithm in ALGORITHMS {
            let name = algorithm.to_string();
            let key = configured_key(algorithm);
            let world = World::with(&db, &[("AUTH_ALGORITHM", &name), ("AUTH_SECRET_KEY", &key)]).await;
            let client = world.client(&name).await;
            let user = world.user(&client, "ana").await;
            let token = world.token(&client, &user).await;
            assert_eq!(payload(&token, 0)["alg"], name.as_str());
            assert_eq!(world.verify(&client, &token).await.unwrap(), user.id.as_uuid());
        }
    }

    async fn every_algorithm_works_with_a_generated_key(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let user = world.user(&client, "ana").await;
        let first = world.token(&client, &user).await;
        let mut tokens = vec![first];
        for algorithm in ALGORITHMS {
            let key = world.auth.operator().rotate_signing_key(Some(algorithm)).await.unwrap();
            let token = world.token(&client, &user).await;
            assert_eq!(payload(&token, 0)["alg"], algorithm.to_string());
            assert_eq!(payload(&token, 0)["kid"], key.kid.as_str());
            tokens.push(token);
        }
        for token in &tokens {
            assert_eq!(code(world.verify(&client, token).await), "accepted");
        }
        let another = world.another(&db, &[]).await;
        for token in &tokens {
            assert_eq!(code(another.verify_token_service().verify_token(&client.key, token).await), "accepted");
        }
    }

    async fn a_key_rotated_and_retired_here_counts_at_once_in_another_handle(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let user = world.user(&client, "ana").await;
        let another = world.another(&db, &[]).await;
        let elsewhere = async |token: &str| code(another.verify_token_service().verify_token(&client.key, token).await);
        let operator = world.auth.operator();
        let first = operator.rotate_signing_key(None).await.unwrap();
        let signed_elsewhere = another.create_token_service().create_token(user.id, client.model.id).await.unwrap();
        assert_eq!(payload(signed_elsewhere.token.expose(), 0)["kid"], first.kid.as_str());
        let token = world.token(&client, &user).await;
        assert_eq!(elsewhere(&token).await, "accepted");
        assert_eq!(code(operator.retire_signing_key(&first.kid).await), "invalid_input");
        let second = operator.rotate_signing_key(None).await.unwrap();
        assert_eq!(elsewhere(&token).await, "accepted");
        let keys = operator.signing_keys().await.unwrap();
        assert_eq!(keys.iter().filter(|key| key.signs).map(|key| key.kid.as_str()).collect::<Vec<_>>(), [second.kid.as_str()]);
        assert_eq!(keys.iter().map(|key| key.origin).filter(|origin| *origin == "generated").count(), 2);
        operator.retire_signing_key(&first.kid).await.unwrap();
        assert_eq!(code(world.verify(&client, &token).await), "invalid_token");
        assert_eq!(elsewhere(&token).await, "invalid_token");
        for kid in [first.kid.as_str(), "", "nonsense", "\u{0}", "../../etc/passwd"] {
            assert_eq!(code(operator.retire_signing_key(kid).await), "not_found");
        }
    }

    async fn a_changed_key_ends_the_tokens_of_the_former_one(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let user = world.user(&client, "ana").await;
        let token = world.token(&client, &user).await;
        let changed = world.another(&db, &[("AUTH_SECRET_KEY", OTHER_KEY)]).await;
        assert_eq!(code(changed.verify_token_service().verify_token(&client.key, &token).await), "invalid_token");
    }

    async fn previous_keys_verify_and_do_not_sign(db: TestDatabase) {
        let (old, new) = ("o".repeat(64), "n".repeat(64));
        let es256 = configured_key(Algorithm::ES256);
        let world = World::with(&db, &[("AUTH_SECRET_KEY", &old)]).await;
        let client = world.client("acme").await;
        let user = world.user(&client, "ana").await;
        let by_old = world.token(&client, &user).await;
        let asymmetric = world.another(&db, &[("AUTH_ALGORITHM", "ES256"), ("AUTH_SECRET_KEY", &es256)]).await;
        let by_es256 = asymmetric.create_token_service().create_token(user.id, client.model.id).await.unwrap();
        for previous in [format!("{old},ES256:{es256}"), format!("HS256:{old}, ES256:{es256}")] {
            let auth = world.another(&db, &[("AUTH_SECRET_KEY", &new), ("AUTH_SECRET_KEY_PREVIOUS", &previous)]).await;
            let verify = auth.verify_token_service();
            assert_eq!(code(verify.verify_token(&client.key, &by_old).await), "accepted");
            assert_eq!(code(verify.verify_token(&client.key, by_es256.token.expose()).await), "accepted");
            let signed = auth.create_token_service().create_token(user.id, client.model.id).await.unwrap();
            assert_ne!(payload(signed.token.expose(), 0)["kid"], payload(&by_old, 0)["kid"]);
            let keys = auth.operator().signing_keys().await.unwrap();
            assert_eq!(keys.iter().filter(|key| key.origin == "previous" && !key.signs).count(), 2);
        }
    }

    async fn another_issuer_does_not_accept_the_token(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let user = world.user(&client, "ana").await;
        let token = world.token(&client, &user).await;
        let other = world.another(&db, &[("BOSA_AUTH_ISSUER", "somebody else")]).await;
        assert_eq!(code(other.verify_token_service().verify_token(&client.key, &token).await), "invalid_token");
    }

    async fn the_current_user_acts_for_itself_with_or_without_a_key(db: TestDatabase) {
        let world = World::new(&db).await;
        let (client, other) = (world.client("acme").await, world.client("other").await);
        let user = world.user(&client, "ana").await;
        let token = world.token(&client, &user).await;
        for key in [None, Some(client.key.as_str())] {
            let current = world.auth.current_user(key, &token).await.unwrap();
            assert_eq!((current.user_id(), current.client_id()), (user.id, client.model.id));
            assert_eq!(current.profile().await.unwrap().user.id, user.id);
        }
        assert_eq!(code(world.auth.current_user(Some(&other.key), &token).await), "invalid_token");
        assert_eq!(code(world.auth.current_user(Some("nonsense"), &token).await), "invalid_client");
        assert_eq!(code(world.auth.current_user(None, "nonsense").await), "invalid_token");
        let current = world.auth.current_user(None, &token).await.unwrap();
        let changed = current.change_secret(user.secret.expose().into(), "a newly chosen secret".into()).await;
        assert_eq!(changed.unwrap().secret_preview, "chosen");
        assert_eq!(code(world.auth.current_user(None, &token).await), "revoked_token");
    }
}
