//! A key with one scope can do what that scope permits and nothing else.

use bosa_auth::{NewApiKey, Scope, ScopeSet};
use bosa_auth_testkit::on_every_database;

use crate::dump::{changed, dump};
use crate::isolation::target;
use crate::operations::{of_client, of_connectors, of_user, on_target};
use crate::support::{Client, World};

async fn key_with(world: &World, client: &Client, scopes: ScopeSet) -> String {
    let new = NewApiKey {
        scopes: Some(scopes),
        expires_at: None,
    };
    let key = world
        .auth
        .create_client_service()
        .create_api_key(client.model.id, new)
        .await
        .unwrap();
    key.api_key.expose().to_owned()
}

on_every_database! {
    async fn a_key_with_one_scope_can_do_only_what_it_permits(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        for &scope in Scope::ALL {
            let key = key_with(&world, &client, [scope].into_iter().collect()).await;
            let tenant = world.auth.authenticate_client(&key).await.unwrap();
            assert_eq!(tenant.scopes().to_string(), scope.as_str());
            let target = target(&world, &client, scope.as_str()).await;
            let mut outcomes = of_client(&tenant, scope.as_str()).await;
            outcomes.extend(on_target(&tenant, &target).await);
            outcomes.extend(of_connectors(&tenant).await);
            for (name, needed, outcome) in outcomes {
                let denied = outcome == "permission_denied";
                assert_eq!(denied, needed != scope, "{name} with {scope}: {outcome}");
            }
        }
    }

    async fn a_refusal_for_want_of_a_scope_writes_nothing(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let target = target(&world, &client, "ana").await;
        let key = key_with(&world, &client, [Scope::ConnectorsManage].into_iter().collect()).await;
        let tenant = world.auth.authenticate_client(&key).await.unwrap();
        let before = dump(&db).await;
        let mut outcomes = of_client(&tenant, "x").await;
        outcomes.extend(on_target(&tenant, &target).await);
        assert!(outcomes.iter().all(|(_, _, outcome)| *outcome == "permission_denied"), "{outcomes:?}");
        assert_eq!(changed(&before, &dump(&db).await), Vec::<String>::new());
    }

    async fn a_users_token_never_widens_the_key_beside_it(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        for &scope in Scope::ALL {
            let key = key_with(&world, &client, [scope].into_iter().collect()).await;
            let target = target(&world, &client, scope.as_str()).await;
            let current = world.auth.current_user(Some(&key), &target.token).await.unwrap();
            for (name, needed, outcome) in of_user(&current, &target).await {
                let denied = outcome == "permission_denied";
                assert_eq!(denied, needed != scope, "{name} with {scope}: {outcome}");
            }
        }
    }

    async fn a_user_without_a_key_has_every_scope(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let target = target(&world, &client, "ana").await;
        let current = world.auth.current_user(None, &target.token).await.unwrap();
        for (name, _, outcome) in of_user(&current, &target).await {
            assert!(["accepted", "true"].contains(&outcome), "{name}: {outcome}");
        }
    }

    async fn a_key_with_every_scope_can_do_everything(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let target = target(&world, &client, "ana").await;
        let tenant = world.tenant(&client).await;
        let mut outcomes = of_client(&tenant, "x").await;
        outcomes.extend(on_target(&tenant, &target).await);
        let refused: Vec<_> = outcomes
            .into_iter()
            .filter(|(_, _, outcome)| !["accepted", "true"].contains(outcome))
            .collect();
        // The first revocation has ended the token, and the login's secret was replaced on the way.
        assert_eq!(refused, [("revoke_token_by_id", Scope::TokensRevoke, "false")]);
    }
}
