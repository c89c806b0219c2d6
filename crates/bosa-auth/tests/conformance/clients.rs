//! Clients, where calls and their results do not say everything.

use bosa_auth::{ClientUpdate, Clock, PageRequest};
use bosa_auth_testkit::on_every_database;

use crate::support::{World, code, counts};

on_every_database! {
    async fn a_client_is_as_old_as_the_clock_says_and_prints_without_its_key(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        assert_eq!(client.model.created_at, world.clock.now());
        assert!(!format!("{:?}", client.model).contains(&client.key));
    }

    async fn the_users_of_a_suspended_client_are_refused_without_its_key_too(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let user = world.user(&client, "ana").await;
        let token = world.token(&client, &user).await;
        let suspended = ClientUpdate { is_active: Some(false), ..Default::default() };
        world.auth.create_client_service().update_client(client.model.id, suspended).await.unwrap();
        assert_eq!(code(world.auth.current_user(None, &token).await), "invalid_client");
        let login = world.auth.authenticate_user_without_client("ana", user.secret.expose(), None).await;
        assert_eq!(code(login), "unauthorized");
    }

    async fn a_deleted_client_leaves_no_rows(db: TestDatabase) {
        let world = World::new(&db).await;
        world.client("kept").await;
        let before = counts(&db).await;
        let client = world.client("acme").await;
        let (auth, id) = (&world.auth, client.model.id);
        let user = world.user(&client, "ana").await;
        let token = world.token(&client, &user).await;
        let new = bosa_auth::ThirdPartyIntegrationAuth::new(id, user.id, "github", "octocat", "s".into(), vec![]);
        auth.third_party_integration_service().create_integration(new).await.unwrap();
        auth.create_client_service().delete_client(id).await.unwrap();
        let after = counts(&db).await;
        assert_eq!(
            (after.clients, after.api_keys, after.users, after.tokens, after.integrations),
            (before.clients, before.api_keys, before.users, before.tokens, before.integrations)
        );
        assert_eq!(code(auth.current_user(None, &token).await), "invalid_token");
    }

    async fn a_deletion_that_was_interrupted_is_resumed_in_the_background(db: TestDatabase) {
        // The row changes behind the system's back, which the change feed does not tell.
        let world = World::with(&db, &[("BOSA_AUTH_STALENESS_MS", "0")]).await;
        let client = world.client("acme").await;
        world.user(&client, "ana").await;
        db.db()
            .write(|tx| Box::pin(async move { tx.execute("update bosa_clients set state = 'deleting'", vec![]).await.map(drop) }))
            .await
            .unwrap_or_else(|error: bosa_auth_store::StoreError| panic!("{error}"));
        let aware = world.auth.client_aware_service();
        assert_eq!(code(aware.find_client(client.model.id).await), "not_found");
        assert_eq!(code(aware.find_client_by_name("acme").await), "not_found");
        assert!(aware.get_client_list(PageRequest::default()).await.unwrap().items.is_empty());
        assert_eq!(code(world.auth.authenticate_client(&client.key).await), "invalid_client");
        world.auth.run_maintenance().await.unwrap();
        let counts = counts(&db).await;
        assert_eq!((counts.clients, counts.users, counts.api_keys), (0, 0, 0));
        assert_eq!(code(world.auth.create_client_service().create_client("acme").await), "accepted");
    }

    async fn a_master_key_is_checked_exactly(db: TestDatabase) {
        let world = World::new(&db).await;
        assert_eq!(code(world.auth.verify_master_key(crate::support::MASTER_KEY)), "accepted");
        for wrong in ["", "x", &crate::support::MASTER_KEY[1..], &format!("{} ", crate::support::MASTER_KEY)] {
            assert_eq!(code(world.auth.verify_master_key(wrong)), "invalid_client");
        }
        assert!(world.auth.has_master_key());
    }
}
