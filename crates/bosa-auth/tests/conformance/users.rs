//! Users, where calls and their results do not say everything.

use bosa_auth::{Clock, NewUser, UserUpdate};
use bosa_auth_testkit::on_every_database;

use crate::support::{World, code, counts};

const CHOSEN: &str = "correct horse battery staple";

on_every_database! {
    async fn a_user_is_as_old_as_the_clock_says_and_prints_without_its_secret(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let user = world.user(&client, "ana").await;
        assert_eq!(user.created_at, world.clock.now());
        assert!(!format!("{user:?}").contains(user.secret.expose()));
    }

    async fn the_token_of_a_suspended_user_is_refused_without_a_client_key_too(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let user = world.user(&client, "ana").await;
        let token = world.token(&client, &user).await;
        let suspended = UserUpdate { identifier: None, is_active: Some(false) };
        world.auth.create_user_service().update_user(&client.key, user.id, suspended).await.unwrap();
        assert_eq!(code(world.auth.current_user(None, &token).await), "revoked_token");
    }

    async fn a_deleted_user_leaves_no_rows(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let before = counts(&db).await;
        let user = world.user(&client, "ana").await;
        world.token(&client, &user).await;
        let new = bosa_auth::ThirdPartyIntegrationAuth::new(client.model.id, user.id, "github", "octocat", "s".into(), vec![]);
        world.auth.third_party_integration_service().create_integration(new).await.unwrap();
        world.auth.create_user_service().delete_user(&client.key, user.id).await.unwrap();
        let after = counts(&db).await;
        assert_eq!((after.users, after.tokens, after.integrations), (before.users, before.tokens, before.integrations));
    }

    async fn a_tenant_creates_users_with_both_kinds_of_secret(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let tenant = world.tenant(&client).await;
        let new = NewUser { identifier: "ana".to_owned(), secret: None };
        assert!(tenant.create_user(new).await.unwrap().resource.secret_preview.starts_with("sk-user-..."));
        let new = NewUser { identifier: "bob".to_owned(), secret: Some(CHOSEN.into()) };
        assert_eq!(tenant.create_user(new).await.unwrap().resource.secret_preview, "chosen");
    }
}
