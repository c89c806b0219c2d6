//! Clients: create, verify, find, list, change, delete.

use bosa_auth::{ClientModel, ClientUpdate, Error, PageRequest};
use bosa_auth_core::ClientId;
use bosa_auth_testkit::on_every_database;

use crate::support::{World, check_page_requests, code, counts, limit, walk};

fn suspended() -> ClientUpdate {
    ClientUpdate {
        is_active: Some(false),
        ..Default::default()
    }
}

fn resumed() -> ClientUpdate {
    ClientUpdate {
        is_active: Some(true),
        ..Default::default()
    }
}

fn renamed(name: &str) -> ClientUpdate {
    ClientUpdate {
        name: Some(name.to_owned()),
        ..Default::default()
    }
}

on_every_database! {
    async fn a_client_key_is_in_the_result_of_the_creation_and_nowhere_else(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let (auth, id) = (&world.auth, client.model.id);
        assert!(client.key.starts_with("sk-client-"));
        assert_eq!(client.key.split('.').count(), 3);
        assert!(client.model.is_active && client.model.can_get_integrations);
        assert_eq!(client.model.created_at, bosa_auth::Clock::now(&world.clock));
        let found = [
            auth.verify_client_service().verify_client_api_key(&client.key).await.unwrap(),
            auth.client_aware_service().get_client_by_api_key(&client.key).await.unwrap(),
            auth.client_aware_service().get_client_by_id(id).await.unwrap(),
            auth.client_aware_service().find_client(id).await.unwrap(),
            auth.client_aware_service().find_client_by_name("acme").await.unwrap(),
            auth.create_client_service().update_client(id, ClientUpdate::default()).await.unwrap(),
            auth.client_aware_service().get_client_list(PageRequest::default()).await.unwrap().items.remove(0),
        ];
        for found in found {
            assert!(found.api_key.is_empty());
            assert_eq!((found.id, found.name.as_str()), (id, "acme"));
            assert_eq!(found.created_at, client.model.created_at);
        }
        assert!(!format!("{:?}", client.model).contains(&client.key));
    }

    async fn a_second_client_of_the_same_name_is_refused_and_leaves_nothing(db: TestDatabase) {
        let world = World::new(&db).await;
        world.client("acme").await;
        let before = counts(&db).await;
        let clients = world.auth.create_client_service();
        for name in ["acme", "  acme ", "acme\n"] {
            assert_eq!(code(clients.create_client(name).await), "client_already_exists", "{name:?}");
        }
        assert_eq!(counts(&db).await, before);
        assert_eq!(code(clients.create_client("Acme").await), "accepted");
    }

    async fn a_name_has_1_to_200_characters_after_trimming(db: TestDatabase) {
        let world = World::new(&db).await;
        let clients = world.auth.create_client_service();
        for name in ["", "   ", "\n", "a\u{0}b", "a\tb", "a\u{7f}", "a\u{85}b", &"é".repeat(201)] {
            let refused = clients.create_client(name).await;
            assert!(matches!(refused, Err(Error::InvalidInput { field: "name", .. })), "{name:?}");
        }
        assert_eq!(clients.create_client("  acme  ").await.unwrap().name, "acme");
        let longest = "é".repeat(200);
        assert_eq!(clients.create_client(&longest).await.unwrap().name, longest);
        assert_eq!(counts(&db).await.clients, 2);
    }

    async fn every_wrong_key_is_refused_with_one_message(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let other = world.client("other").await;
        let user = world.user(&client, "ana").await;
        let unknown = client.key.replacen(
            client.key.split('.').next().unwrap(),
            other.key.split('.').next().unwrap(),
            1,
        );
        let verify = world.auth.verify_client_service();
        let mut messages = std::collections::BTreeSet::new();
        for key in ["", "sk-client-", "nonsense", &unknown, user.secret.expose(), &client.key[1..], &format!("{} ", client.key)] {
            let refused = verify.verify_client_api_key(key).await.unwrap_err();
            assert_eq!(refused.code(), "invalid_client", "{key}");
            messages.insert(refused.to_string());
            assert!(!verify.is_api_key_valid(key).await.unwrap());
            assert_eq!(code(world.auth.client_aware_service().get_client_by_api_key(key).await), "invalid_client");
        }
        assert_eq!(messages.len(), 1);
        assert!(verify.is_api_key_valid(&client.key).await.unwrap());
    }

    async fn any_changed_character_of_a_key_is_refused(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let verify = world.auth.verify_client_service();
        for position in 0..client.key.len() {
            let mut bytes = client.key.clone().into_bytes();
            bytes[position] = if bytes[position] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            assert!(!verify.is_api_key_valid(&changed).await.unwrap(), "{position}");
        }
    }

    async fn a_rename_leaves_keys_valid_and_frees_the_old_name(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        world.client("other").await;
        let clients = world.auth.create_client_service();
        let update = clients.update_client(client.model.id, renamed(" umbrella ")).await.unwrap();
        assert_eq!(update.name, "umbrella");
        let verified = world.auth.verify_client_service().verify_client_api_key(&client.key).await.unwrap();
        assert_eq!(verified.name, "umbrella");
        assert_eq!(code(world.auth.client_aware_service().find_client_by_name("acme").await), "not_found");
        assert_eq!(code(clients.update_client(client.model.id, renamed("other")).await), "client_already_exists");
        assert_eq!(code(clients.update_client(client.model.id, renamed("")).await), "invalid_input");
        assert_eq!(code(clients.update_client(client.model.id, renamed("umbrella")).await), "accepted");
        assert_eq!(code(clients.create_client("acme").await), "accepted");
    }

    async fn a_suspended_client_is_refused_everywhere_and_resumes_with_its_tokens(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let user = world.user(&client, "ana").await;
        let token = world.token(&client, &user).await;
        let (auth, id) = (&world.auth, client.model.id);
        let updated = auth.create_client_service().update_client(id, suspended()).await.unwrap();
        assert!(!updated.is_active);
        assert_eq!(code(auth.verify_client_service().verify_client_api_key(&client.key).await), "invalid_client");
        assert!(!auth.verify_client_service().is_api_key_valid(&client.key).await.unwrap());
        assert_eq!(code(auth.client_aware_service().get_client_by_api_key(&client.key).await), "invalid_client");
        assert_eq!(code(auth.client_aware_service().get_client_by_id(id).await), "invalid_client");
        assert!(!auth.client_aware_service().find_client(id).await.unwrap().is_active);
        assert!(!auth.client_aware_service().find_client_by_name("acme").await.unwrap().is_active);
        assert_eq!(code(world.verify(&client, &token).await), "invalid_client");
        assert_eq!(code(auth.current_user(None, &token).await), "invalid_client");
        assert_eq!(code(auth.create_token_service().create_token(user.id, id).await), "unauthorized");
        assert_eq!(
            code(auth.authenticate_user_without_client("ana", user.secret.expose(), None).await),
            "unauthorized"
        );
        let integrations = auth.third_party_integration_service();
        assert_eq!(code(integrations.get_integration(id, user.id, "github").await), "invalid_client");
        assert_eq!(code(integrations.get_integrations(id, user.id).await), "invalid_client");
        assert_eq!(code(integrations.has_integration(id, user.id, "github").await), "invalid_client");
        assert_eq!(code(integrations.delete_integration(id, user.id, "github").await), "invalid_client");

        auth.create_client_service().update_client(id, resumed()).await.unwrap();
        assert_eq!(world.verify(&client, &token).await.unwrap(), user.id.as_uuid());
        assert_eq!(code(auth.client_aware_service().get_client_by_id(id).await), "accepted");
    }

    async fn signing_out_a_client_ends_the_tokens_of_its_users_only(db: TestDatabase) {
        let world = World::new(&db).await;
        let (client, other) = (world.client("acme").await, world.client("other").await);
        let (ana, bob) = (world.user(&client, "ana").await, world.user(&client, "bob").await);
        let eve = world.user(&other, "eve").await;
        let (ended, also, kept) = (
            world.token(&client, &ana).await,
            world.token(&client, &bob).await,
            world.token(&other, &eve).await,
        );
        let update = ClientUpdate { sign_out: true, ..Default::default() };
        world.auth.create_client_service().update_client(client.model.id, update).await.unwrap();
        assert_eq!(code(world.verify(&client, &ended).await), "revoked_token");
        assert_eq!(code(world.verify(&client, &also).await), "revoked_token");
        assert_eq!(code(world.verify(&other, &kept).await), "accepted");
        let again = world.token(&client, &ana).await;
        assert_eq!(code(world.verify(&client, &again).await), "accepted");
    }

    async fn the_flag_of_the_original_is_kept_and_limits_nothing(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let user = world.user(&client, "ana").await;
        let update = ClientUpdate { can_get_integrations: Some(false), ..Default::default() };
        let updated = world.auth.create_client_service().update_client(client.model.id, update).await.unwrap();
        assert!(!updated.can_get_integrations && updated.is_active && updated.name == "acme");
        let integrations = world.auth.third_party_integration_service();
        assert!(integrations.get_integrations(client.model.id, user.id).await.unwrap().is_empty());
    }

    async fn a_deleted_client_is_gone_with_everything_and_its_name_is_free(db: TestDatabase) {
        let world = World::new(&db).await;
        let kept = world.client("kept").await;
        let kept_user = world.user(&kept, "ana").await;
        let kept_token = world.token(&kept, &kept_user).await;
        let before = counts(&db).await;
        let client = world.client("acme").await;
        let (auth, id) = (&world.auth, client.model.id);
        let user = world.user(&client, "ana").await;
        let token = world.token(&client, &user).await;
        let integrations = auth.third_party_integration_service();
        integrations
            .create_integration(bosa_auth::ThirdPartyIntegrationAuth::new(id, user.id, "github", "octocat", "s".into(), vec![]))
            .await
            .unwrap();
        auth.create_client_service().delete_client(id).await.unwrap();
        let after = counts(&db).await;
        assert_eq!(
            (after.clients, after.api_keys, after.users, after.tokens, after.integrations),
            (before.clients, before.api_keys, before.users, before.tokens, before.integrations)
        );
        assert_eq!(code(auth.verify_client_service().verify_client_api_key(&client.key).await), "invalid_client");
        assert_eq!(code(auth.client_aware_service().find_client(id).await), "not_found");
        assert_eq!(code(auth.client_aware_service().get_client_by_id(id).await), "invalid_client");
        assert_eq!(code(auth.create_client_service().delete_client(id).await), "not_found");
        assert_eq!(code(auth.create_client_service().update_client(id, resumed()).await), "not_found");
        assert_eq!(code(auth.current_user(None, &token).await), "invalid_token");
        assert_eq!(code(auth.create_token_service().create_token(user.id, id).await), "unauthorized");
        assert!(integrations.get_integration(id, user.id, "github").await.unwrap().is_none());
        assert_eq!(world.verify(&kept, &kept_token).await.unwrap(), kept_user.id.as_uuid());
        assert_eq!(code(auth.create_client_service().create_client("acme").await), "accepted");
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

    async fn an_unknown_client_is_not_found(db: TestDatabase) {
        let world = World::new(&db).await;
        world.client("acme").await;
        let unknown = ClientId::from(uuid::Uuid::nil());
        let clients = world.auth.create_client_service();
        assert_eq!(code(world.auth.client_aware_service().find_client(unknown).await), "not_found");
        assert_eq!(code(world.auth.client_aware_service().get_client_by_id(unknown).await), "invalid_client");
        assert_eq!(code(clients.update_client(unknown, suspended()).await), "not_found");
        assert_eq!(code(clients.delete_client(unknown).await), "not_found");
        assert_eq!(code(world.auth.operator().tenant(unknown).await), "not_found");
        for name in ["", "ACME", "acme ", "a\u{0}", "' or 1=1 --", "аcme"] {
            let found = world.auth.client_aware_service().find_client_by_name(name).await;
            assert_eq!(code(found), "not_found", "{name:?}");
        }
    }

    async fn a_list_of_clients_is_walked_page_by_page(db: TestDatabase) {
        let world = World::new(&db).await;
        let mut made = Vec::new();
        for number in 0..5 {
            made.push(world.client(&format!("client {number}")).await.model.id);
        }
        made.sort();
        let service = world.auth.client_aware_service();
        for size in [1, 2, 4, 5, 100] {
            let walked = walk(size, |client: &ClientModel| client.id, |request| service.get_client_list(request)).await;
            assert_eq!(walked, made, "{size}");
        }
        assert!(service.get_client_list(limit(5)).await.unwrap().next_cursor.is_none());
        check_page_requests(|request| service.get_client_list(request)).await;
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
