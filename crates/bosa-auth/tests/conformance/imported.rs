//! Credentials and tokens of the original system, as an import stores them.

use std::time::Duration;

use bosa_auth::{SystemEntropy, TokenId, UserModel};
use bosa_auth_core::password::{self, HashMemory, ORIGINAL_COST};
use bosa_auth_core::{Clock as _, Form};
use bosa_auth_store::{ClientTx, StoreError, TokenRow};
use bosa_auth_testkit::{TestDatabase, on_every_database};
use serde_json::json;

use crate::hostile::signed;
use crate::support::{Client, World, code};

const TAIL: &str = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFE";

/// A token without `kid` and its row.
async fn import_token(
    world: &World,
    db: &TestDatabase,
    client: &Client,
    user: &UserModel,
) -> String {
    let now = world.clock.now();
    let id = TokenId::generate(now, &SystemEntropy).unwrap();
    let row = TokenRow {
        client_id: client.model.id,
        id,
        user_id: user.id,
        signing_key_id: "imported".to_owned(),
        form: Form::Imported,
        client_generation: 0,
        user_generation: 0,
        issued_at: now,
        expires_at: now + Duration::from_secs(60),
        idle_end: None,
        revoked_at: None,
        revoke_operation: None,
    };
    let client_id = client.model.id;
    db.db()
        .write(move |tx| {
            let row = row.clone();
            Box::pin(async move {
                let _goes_with_the_commit = ClientTx::new(tx, client_id).insert_token_later(&row);
                Ok(())
            })
        })
        .await
        .unwrap_or_else(|error: StoreError| panic!("{error}"));
    let claims = json!({
        "sub": user.id.to_string(),
        "client_id": user.id.to_string(),
        "jti": id.to_string(),
        "exp": now.as_second() + 60,
    });
    signed(&json!({ "typ": "JWT", "alg": "HS256" }), &claims)
}

/// Makes the user's secret one that the original system made.
async fn import_secret(db: &TestDatabase, user: &UserModel) -> String {
    let hash = password::hash(
        TAIL,
        ORIGINAL_COST,
        &mut HashMemory::default(),
        &SystemEntropy,
    )
    .unwrap();
    let id = user.id;
    db.db()
        .write(move |tx| {
            let hash = hash.clone();
            Box::pin(async move {
                let sql = "update bosa_users set secret_kind = 'imported', digest = null, digest_key_id = null, \
                    password_hash = $2 where id = $1";
                tx.execute(sql, vec![id.into(), hash.into()]).await.map(drop)
            })
        })
        .await
        .unwrap_or_else(|error: StoreError| panic!("{error}"));
    let prefix = user.secret.expose().rsplit_once('.').unwrap().0;
    format!("{prefix}.{TAIL}")
}

on_every_database! {
    async fn an_imported_token_is_verified_and_ends_like_any_other(db: TestDatabase) {
        let world = World::new(&db).await;
        let (client, other) = (world.client("acme").await, world.client("other").await);
        let user = world.user(&client, "ana").await;
        let token = import_token(&world, &db, &client, &user).await;
        assert_eq!(world.verify(&client, &token).await.unwrap(), user.id.as_uuid());
        assert_eq!(world.auth.current_user(None, &token).await.unwrap().client_id(), client.model.id);
        assert_eq!(code(world.verify(&other, &token).await), "invalid_token");
        let revoked = import_token(&world, &db, &client, &user).await;
        assert!(!world.auth.revoke_token_service().revoke_token(&other.key, &revoked).await.unwrap());
        assert!(world.auth.revoke_token_service().revoke_token(&client.key, &revoked).await.unwrap());
        assert_eq!(code(world.verify(&client, &revoked).await), "revoked_token");
        assert_eq!(code(world.verify(&other, &revoked).await), "invalid_token");
        world.clock.advance(Duration::from_secs(65));
        assert_eq!(code(world.verify(&client, &token).await), "expired_token");
        assert_eq!(code(world.auth.current_user(None, &token).await), "expired_token");
        assert_eq!(code(world.verify(&other, &token).await), "invalid_token");
    }

    async fn an_imported_token_needs_its_row_and_no_name_of_a_key(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let user = world.user(&client, "ana").await;
        let token = import_token(&world, &db, &client, &user).await;
        let claims = crate::support::payload(&token, 1);
        let own = crate::support::payload(&world.token(&client, &user).await, 0);
        // The same claims under the name of our key are not those of an imported token.
        assert_eq!(code(world.verify(&client, &signed(&own, &claims)).await), "invalid_token");
        let mut unknown = claims.clone();
        unknown["jti"] = json!(uuid::Uuid::from_u128(7).to_string());
        assert_eq!(code(world.verify(&client, &signed(&json!({ "typ": "JWT", "alg": "HS256" }), &unknown)).await), "invalid_token");
    }

    async fn attempts_on_an_identifier_do_not_lock_out_its_imported_secret(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let user = world.user(&client, "ana").await;
        let secret = import_secret(&db, &user).await;
        let login = async |secret: &str| {
            code(world.auth.authenticate_user_service().authenticate_user(&client.key, "ana", secret).await)
        };
        while login("a guess that is wrong").await != "rate_limited" {}
        assert_eq!(login(&secret).await, "accepted");
    }

    async fn an_imported_secret_opens_and_is_a_digest_from_then_on(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let user = world.user(&client, "ana").await;
        let secret = import_secret(&db, &user).await;
        let login = async |secret: &str| {
            code(world.auth.authenticate_user_service().authenticate_user(&client.key, "ana", secret).await)
        };
        let wrong = secret.replace("0123", "0124");
        assert_eq!(login(&wrong).await, "unauthorized");
        assert_eq!(login(user.secret.expose()).await, "unauthorized");
        assert_eq!(login(&secret).await, "accepted");
        let rows = db.db().read("select password_hash from bosa_users where digest is not null", vec![]).await.unwrap();
        assert_eq!(rows[0].get::<Option<String>>(0).unwrap(), None);
        assert_eq!(login(&secret).await, "accepted");
        assert_eq!(login(&wrong).await, "unauthorized");
        assert_eq!(
            code(world.auth.authenticate_user_without_client("ana", &secret, None).await),
            "accepted"
        );
    }
}
