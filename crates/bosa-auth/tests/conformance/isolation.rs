//! A second client tries everything with what belongs to the first.

use std::time::Duration;

use bosa_auth::{ThirdPartyIntegrationAuth, UserUpdate};
use bosa_auth_testkit::on_every_database;

use crate::dump::{changed, dump};
use crate::operations::{Target, of_user, on_target};
use crate::support::{Client, World, code};

/// A user with a token and an account.
pub(crate) async fn target(world: &World, client: &Client, identifier: &str) -> Target {
    let user = world.user(client, identifier).await;
    let token = world
        .tenant(client)
        .await
        .create_token(user.id)
        .await
        .unwrap()
        .resource;
    let account = ThirdPartyIntegrationAuth::new(
        client.model.id,
        user.id,
        "github",
        "octocat",
        "gho".into(),
        vec![],
    );
    world
        .auth
        .third_party_integration_service()
        .create_integration(account)
        .await
        .unwrap();
    Target {
        user_id: user.id,
        identifier: identifier.to_owned(),
        secret: user.secret.expose().to_owned(),
        token: token.token.expose().to_owned(),
        token_id: token.id,
        connector: "github".to_owned(),
        account: "octocat".to_owned(),
    }
}

/// What nobody has.
fn nothing(world: &World) -> Target {
    Target {
        user_id: uuid::Uuid::from_u128(7).into(),
        identifier: "nobody".to_owned(),
        secret: bosa_auth_core::issue_user_secret(
            uuid::Uuid::from_u128(7).into(),
            "nobody",
            world.auth.entropy().as_ref(),
        )
        .unwrap()
        .text
        .expose()
        .to_owned(),
        token: "e30.e30.e30".to_owned(),
        token_id: uuid::Uuid::from_u128(7).into(),
        connector: "github".to_owned(),
        account: "octocat".to_owned(),
    }
}

on_every_database! {
    async fn a_second_client_learns_nothing_and_changes_nothing(db: TestDatabase) {
        let world = World::with(&db, &[("BOSA_AUTH_TOKEN_SLIDING", "30")]).await;
        let (first, second) = (world.client("first").await, world.client("second").await);
        let theirs = target(&world, &first, "ana").await;
        // The second one has the same of its own, which none of this may touch either.
        target(&world, &second, "eve").await;
        world.clock.advance(Duration::from_secs(20 * 60));
        let before = dump(&db).await;
        let tenant = world.tenant(&second).await;
        let foreign = on_target(&tenant, &theirs).await;
        assert_eq!(changed(&before, &dump(&db).await), Vec::<String>::new());
        let unknown = on_target(&tenant, &nothing(&world)).await;
        assert_eq!(foreign, unknown);
        let harmless = ["unauthorized", "not_found", "invalid_token", "false"];
        for (name, _, outcome) in &foreign {
            assert!(harmless.contains(outcome), "{name}: {outcome}");
        }
    }

    async fn a_token_in_any_state_has_no_user_beside_the_key_of_a_second_client(db: TestDatabase) {
        let world = World::with(&db, &[("AUTH_ACCESS_TOKEN_EXPIRE_MINUTES", "60")]).await;
        let (first, second) = (world.client("first").await, world.client("second").await);
        let live = target(&world, &first, "ana").await;
        let revoked = target(&world, &first, "bob").await;
        let suspended = target(&world, &first, "cid").await;
        world.tenant(&first).await.revoke_token(&revoked.token).await.unwrap();
        let suspend = UserUpdate { identifier: None, is_active: Some(false) };
        world.tenant(&first).await.update_user(suspended.user_id, suspend).await.unwrap();
        let check = async || {
            for target in [&live, &revoked, &suspended] {
                assert_eq!(code(world.auth.current_user(Some(&second.key), &target.token).await), "invalid_token");
            }
        };
        check().await;
        let update = bosa_auth::ClientUpdate { is_active: Some(false), ..Default::default() };
        world.auth.create_client_service().update_client(first.model.id, update).await.unwrap();
        check().await;
        world.clock.advance(Duration::from_secs(2 * 3600));
        check().await;
        for target in [&live, &revoked, &suspended] {
            assert_eq!(code(world.verify(&second, &target.token).await), "invalid_token");
            assert!(!world.tenant(&second).await.revoke_token(&target.token).await.unwrap());
        }
    }

    async fn an_account_of_another_client_cannot_be_stored_by_naming_it(db: TestDatabase) {
        let world = World::new(&db).await;
        let (first, second) = (world.client("first").await, world.client("second").await);
        let theirs = target(&world, &first, "ana").await;
        let own = target(&world, &second, "eve").await;
        let before = dump(&db).await;
        let tenant = world.tenant(&second).await;
        for (client, user) in [(first.model.id, theirs.user_id), (first.model.id, own.user_id), (second.model.id, theirs.user_id)] {
            let new = ThirdPartyIntegrationAuth::new(client, user, "gitlab", "x", "y".into(), vec![]);
            assert_eq!(code(tenant.create_integration(new).await), "unauthorized");
        }
        assert_eq!(changed(&before, &dump(&db).await), Vec::<String>::new());
    }

    async fn a_user_reaches_only_its_own_accounts(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let ana = target(&world, &client, "ana").await;
        let bob = world.user(&client, "bob").await;
        let token = world.token(&client, &bob).await;
        let before = dump(&db).await;
        let current = world.auth.current_user(None, &token).await.unwrap();
        assert!(!current.has_integration("github").await.unwrap());
        assert_eq!(code(current.get_integration("github", Some("octocat")).await), "not_found");
        assert_eq!(code(current.select_integration("github", "octocat").await), "not_found");
        assert_eq!(code(current.delete_integration("github", Some("octocat")).await), "not_found");
        assert_eq!(code(current.change_secret(ana.secret.as_str().into(), "a newly chosen secret".into()).await), "unauthorized");
        assert_eq!(changed(&before, &dump(&db).await), Vec::<String>::new());
        of_user(&current, &ana).await;
        let kept = world.auth.third_party_integration_service().get_integrations(client.model.id, ana.user_id).await.unwrap();
        assert_eq!(kept.len(), 1);
    }

    async fn an_idempotency_key_counts_for_its_own_caller_only(db: TestDatabase) {
        let world = World::new(&db).await;
        let (first, second) = (world.client("first").await, world.client("second").await);
        let create = async |client: &Client| {
            let key = bosa_auth::IdempotencyKey::new("once", "users", "{}").unwrap();
            let user = bosa_auth::NewUser { identifier: "ana".into(), secret: None };
            world.tenant(client).await.with_idempotency(key).create_user(user).await.unwrap()
        };
        let (one, two) = (create(&first).await, create(&second).await);
        assert!(!one.replayed && !two.replayed);
        assert_ne!(one.resource.id, two.resource.id);
        assert!(create(&second).await.replayed);
    }
}
