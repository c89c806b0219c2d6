//! Integrations: store, read, select, change and delete accounts at third parties.

use std::time::Duration;

use bosa_auth::{
    AuthStatus, Error, IdempotencyKey, IntegrationUpdate, NewIntegration, PageRequest,
    ThirdPartyIntegrationAuth, UserModel,
};
use bosa_auth_testkit::on_every_database;

use crate::support::{Client, World, check_page_requests, code, counts, walk};

fn account(
    client: &Client,
    user: &UserModel,
    connector: &str,
    name: &str,
) -> ThirdPartyIntegrationAuth {
    let (secret, scopes) = (
        format!("secret of {name}"),
        vec!["read".to_owned(), "write it".to_owned()],
    );
    ThirdPartyIntegrationAuth::new(
        client.model.id,
        user.id,
        connector,
        name,
        secret.into(),
        scopes,
    )
}

async fn store(world: &World, client: &Client, user: &UserModel, names: &[&str]) {
    for name in names {
        let new = account(client, user, "github", name);
        world
            .auth
            .third_party_integration_service()
            .create_integration(new)
            .await
            .unwrap();
        world.clock.advance(Duration::from_secs(1));
    }
}

/// The default account at `github`.
async fn default_account(world: &World, client: &Client, user: &UserModel) -> Option<String> {
    let service = world.auth.third_party_integration_service();
    let found = service
        .get_integration(client.model.id, user.id, "github")
        .await
        .unwrap();
    let all = service
        .get_integrations_for(client.model.id, user.id, "github")
        .await
        .unwrap();
    let selected: Vec<_> = all
        .iter()
        .filter(|account| account.selected)
        .map(|account| &account.user_identifier)
        .collect();
    assert_eq!(
        selected,
        found
            .iter()
            .map(|account| &account.user_identifier)
            .collect::<Vec<_>>()
    );
    found.map(|account| account.user_identifier)
}

on_every_database! {
    async fn what_was_stored_comes_back_exactly(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let user = world.user(&client, "ana").await;
        let service = world.auth.third_party_integration_service();
        for (position, secret) in ["x", " spaces \n", "{\"json\":true}", "\u{0}nul\u{0}", "日本語🎉", &"y".repeat(65_536)].iter().enumerate() {
            let name = format!("account {position}");
            let mut new = account(&client, &user, "github", &name);
            new.auth_string = (*secret).into();
            // Ignored on creation.
            new.id = Some(uuid::Uuid::nil().into());
            new.selected = true;
            new.auth_status = AuthStatus::NeedsReauth;
            new.created_at = Some(bosa_auth::Timestamp::UNIX_EPOCH);
            let stored = service.create_integration(new).await.unwrap();
            assert_ne!(stored.id, Some(uuid::Uuid::nil().into()));
            assert_eq!(stored.selected, position == 0);
            assert_eq!(stored.auth_status, AuthStatus::Active);
            assert_eq!(stored.created_at, Some(bosa_auth::Clock::now(&world.clock)));
            assert_eq!(stored.auth_string.expose(), *secret);
            let read = service.get_integration_for(client.model.id, user.id, "github", &name).await.unwrap().unwrap();
            assert_eq!(read.auth_string.expose(), *secret);
            assert_eq!(read.auth_scopes, ["read", "write it"]);
            assert_eq!((read.id, read.created_at, &read.user_identifier), (stored.id, stored.created_at, &name));
            assert!(!format!("{read:?}").contains("nul") && !format!("{read:?}").contains("json"));
        }
    }

    async fn a_malformed_field_is_named_and_nothing_is_written(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let user = world.user(&client, "ana").await;
        let before = counts(&db).await;
        let service = world.auth.third_party_integration_service();
        let good = || account(&client, &user, "github", "octocat");
        let refused = async |new: ThirdPartyIntegrationAuth, name: &str| match service.create_integration(new).await {
            Err(Error::InvalidInput { field, .. }) => assert_eq!(field, name),
            other => panic!("{name}: {other:?}"),
        };
        for connector in ["", "GitHub", "-x", "_x", "a b", "a\u{0}", "git%", "gïthub", "../x", &"x".repeat(65), "' or 1=1 --"] {
            refused(ThirdPartyIntegrationAuth { connector: connector.into(), ..good() }, "connector").await;
        }
        for name in ["", "a\u{0}", "a\nb", &"x".repeat(321)] {
            refused(ThirdPartyIntegrationAuth { user_identifier: name.into(), ..good() }, "user_identifier").await;
        }
        for secret in ["", &"x".repeat(65_537)] {
            refused(ThirdPartyIntegrationAuth { auth_string: secret.into(), ..good() }, "auth_string").await;
        }
        let scopes = [vec![String::new()], vec!["a\u{0}".into()], vec!["x".repeat(1025)], vec!["x".into(); 257]];
        for auth_scopes in scopes {
            refused(ThirdPartyIntegrationAuth { auth_scopes, ..good() }, "auth_scopes").await;
        }
        assert_eq!(counts(&db).await, before);
        let longest = format!("9{}", "_-a".repeat(21));
        let stored = service.create_integration(account(&client, &user, &longest, &"é".repeat(320))).await.unwrap();
        assert_eq!(stored.connector, longest);
        let none = ThirdPartyIntegrationAuth { auth_scopes: vec![], ..account(&client, &user, "github", "x") };
        assert!(service.create_integration(none).await.unwrap().auth_scopes.is_empty());
    }

    async fn an_empty_or_malformed_connector_is_an_error_and_never_a_wildcard(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let user = world.user(&client, "ana").await;
        store(&world, &client, &user, &["one"]).await;
        let service = world.auth.third_party_integration_service();
        let (c, u) = (client.model.id, user.id);
        for connector in ["", "%", "*", "GITHUB", "github\u{0}"] {
            assert_eq!(code(service.get_integration(c, u, connector).await), "invalid_input");
            assert_eq!(code(service.get_integrations_for(c, u, connector).await), "invalid_input");
            assert_eq!(code(service.has_integration(c, u, connector).await), "invalid_input");
            assert_eq!(code(service.delete_integration(c, u, connector).await), "invalid_input");
            assert_eq!(code(service.set_selected_integration(c, u, connector, "one").await), "invalid_input");
            let update = IntegrationUpdate::default();
            assert_eq!(code(service.update_integration_auth(c, u, connector, "one", update).await), "invalid_input");
        }
        assert_eq!(default_account(&world, &client, &user).await.as_deref(), Some("one"));
    }

    async fn an_account_is_stored_once(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let (user, bob) = (world.user(&client, "ana").await, world.user(&client, "bob").await);
        store(&world, &client, &user, &["octocat"]).await;
        let service = world.auth.third_party_integration_service();
        let mut again = account(&client, &user, "github", "octocat");
        again.auth_string = "another secret".into();
        assert_eq!(code(service.create_integration(again).await), "integration_already_exists");
        let kept = service.get_integration(client.model.id, user.id, "github").await.unwrap().unwrap();
        assert_eq!(kept.auth_string.expose(), "secret of octocat");
        for other in [account(&client, &user, "gitlab", "octocat"), account(&client, &user, "github", "Octocat"), account(&client, &bob, "github", "octocat")] {
            assert_eq!(code(service.create_integration(other).await), "accepted");
        }
        // The provider's names are exact: other spellings are other accounts.
        for name in ["jos\u{e9}", "jose\u{301}"] {
            assert_eq!(code(service.create_integration(account(&client, &user, "github", name)).await), "accepted");
        }
    }

    async fn unknown_and_foreign_ids_give_nothing(db: TestDatabase) {
        let world = World::new(&db).await;
        let (client, other) = (world.client("acme").await, world.client("other").await);
        let user = world.user(&client, "ana").await;
        store(&world, &client, &user, &["one"]).await;
        let before = counts(&db).await;
        let service = world.auth.third_party_integration_service();
        let nobody = uuid::Uuid::nil();
        let pairs = [(nobody, nobody), (client.model.id.as_uuid(), nobody), (nobody, user.id.as_uuid()), (other.model.id.as_uuid(), user.id.as_uuid())];
        for (c, u) in pairs {
            assert!(service.get_integration(c, u, "github").await.unwrap().is_none());
            assert!(service.get_integration_for(c, u, "github", "one").await.unwrap().is_none());
            assert!(service.get_integrations(c, u).await.unwrap().is_empty());
            assert!(service.get_integrations_for(c, u, "github").await.unwrap().is_empty());
            assert!(!service.has_integration(c, u, "github").await.unwrap());
            assert!(!service.delete_integration(c, u, "github").await.unwrap());
            assert!(!service.delete_integration_for(c, u, "github", "one").await.unwrap());
            assert_eq!(code(service.set_selected_integration(c, u, "github", "one").await), "not_found");
            assert_eq!(code(service.update_integration_auth(c, u, "github", "one", IntegrationUpdate::default()).await), "not_found");
            let new = ThirdPartyIntegrationAuth::new(c, u, "github", "two", "x".into(), vec![]);
            assert_eq!(code(service.create_integration(new).await), "unauthorized");
        }
        let (c, u) = (client.model.id, user.id);
        for name in ["", "two", "ONE", "o\u{0}ne", "' or 1=1 --", "%"] {
            assert!(service.get_integration_for(c, u, "github", name).await.unwrap().is_none(), "{name:?}");
            assert!(!service.delete_integration_for(c, u, "github", name).await.unwrap());
            assert_eq!(code(service.set_selected_integration(c, u, "github", name).await), "not_found");
            assert_eq!(code(service.update_integration_auth(c, u, "github", name, IntegrationUpdate::default()).await), "not_found");
        }
        assert!(service.get_integration(c, u, "gitlab").await.unwrap().is_none());
        assert_eq!(counts(&db).await, before);
    }

    async fn the_first_account_is_the_default_until_another_is_selected(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let user = world.user(&client, "ana").await;
        assert_eq!(default_account(&world, &client, &user).await, None);
        store(&world, &client, &user, &["one", "two", "three"]).await;
        assert_eq!(default_account(&world, &client, &user).await.as_deref(), Some("one"));
        let service = world.auth.third_party_integration_service();
        for name in ["three", "three", "two"] {
            let selected = service.set_selected_integration(client.model.id, user.id, "github", name).await.unwrap();
            assert!(selected.selected && selected.auth_string.is_empty());
            assert_eq!(default_account(&world, &client, &user).await.as_deref(), Some(name));
        }
        let named = service.get_integration_for(client.model.id, user.id, "github", "one").await.unwrap().unwrap();
        assert_eq!((named.auth_string.expose(), named.selected), ("secret of one", false));
    }

    async fn only_the_deletion_of_the_default_promotes_the_newest_one_left(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let user = world.user(&client, "ana").await;
        store(&world, &client, &user, &["one", "two", "three", "four"]).await;
        let service = world.auth.third_party_integration_service();
        let delete = async |name: &str| service.delete_integration_for(client.model.id, user.id, "github", name).await.unwrap();
        assert!(delete("three").await && !delete("three").await);
        assert_eq!(default_account(&world, &client, &user).await.as_deref(), Some("one"));
        assert!(delete("one").await);
        assert_eq!(default_account(&world, &client, &user).await.as_deref(), Some("four"));
        store(&world, &client, &user, &["five"]).await;
        assert_eq!(default_account(&world, &client, &user).await.as_deref(), Some("four"));
        assert!(delete("four").await);
        assert_eq!(default_account(&world, &client, &user).await.as_deref(), Some("five"));
        assert!(delete("five").await && delete("two").await);
        assert_eq!(default_account(&world, &client, &user).await, None);
        store(&world, &client, &user, &["six"]).await;
        assert_eq!(default_account(&world, &client, &user).await.as_deref(), Some("six"));
    }

    async fn a_deletion_without_a_name_needs_a_single_account(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let user = world.user(&client, "ana").await;
        store(&world, &client, &user, &["b", "a"]).await;
        let service = world.auth.third_party_integration_service();
        match service.delete_integration(client.model.id, user.id, "github").await {
            Err(Error::AmbiguousAccount { connector, accounts }) => {
                assert_eq!((connector.as_str(), accounts), ("github", vec!["a".to_owned(), "b".to_owned()]));
            }
            other => panic!("{other:?}"),
        }
        assert!(service.delete_integration_for(client.model.id, user.id, "github", "a").await.unwrap());
        assert!(service.delete_integration(client.model.id, user.id, "github").await.unwrap());
        assert!(!service.delete_integration(client.model.id, user.id, "github").await.unwrap());
        assert!(!service.has_integration(client.model.id, user.id, "github").await.unwrap());
    }

    async fn lists_hold_all_accounts_or_those_of_one_connector(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let user = world.user(&client, "ana").await;
        store(&world, &client, &user, &["one", "two"]).await;
        let service = world.auth.third_party_integration_service();
        service.create_integration(account(&client, &user, "gitlab", "one")).await.unwrap();
        let (c, u) = (client.model.id, user.id);
        let all = service.get_integrations(c, u).await.unwrap();
        assert_eq!(all.len(), 3);
        assert!(all.iter().all(|found| found.auth_string.expose() == format!("secret of {}", found.user_identifier)));
        assert_eq!(service.get_integrations_for(c, u, "github").await.unwrap().len(), 2);
        assert_eq!(service.get_integrations_for(c, u, "jira").await.unwrap().len(), 0);
        let tenant = world.tenant(&client).await;
        let mut ids: Vec<_> = all.iter().map(|found| found.id).collect();
        ids.sort();
        for size in [1, 2, 3, 100] {
            let walked = walk(size, |found: &ThirdPartyIntegrationAuth| (found.id, found.auth_string.is_empty()), |request| tenant.list_integrations(u, None, request)).await;
            assert_eq!(walked, ids.iter().map(|id| (*id, true)).collect::<Vec<_>>());
            let at = walk(size, |found: &ThirdPartyIntegrationAuth| found.connector.clone(), |request| tenant.list_integrations(u, Some("github"), request)).await;
            assert_eq!(at, ["github", "github"]);
        }
        check_page_requests(|request| tenant.list_integrations(u, None, request)).await;
        check_page_requests(|request| tenant.list_integrations(u, Some("github"), request)).await;
        let unknown = tenant.list_integrations(uuid::Uuid::nil().into(), None, PageRequest::default()).await;
        assert_eq!(code(unknown), "not_found");
    }

    async fn an_update_replaces_only_what_is_given(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let user = world.user(&client, "ana").await;
        store(&world, &client, &user, &["one", "two"]).await;
        let service = world.auth.third_party_integration_service();
        let (c, u) = (client.model.id, user.id);
        let update = async |auth_string: Option<&str>, auth_scopes: Option<Vec<String>>| {
            let update = IntegrationUpdate { auth_string: auth_string.map(Into::into), auth_scopes };
            service.update_integration_auth(c, u, "github", "one", update).await
        };
        let read = async || service.get_integration(c, u, "github").await.unwrap().unwrap();
        let before = read().await;
        let updated = update(Some("new secret"), None).await.unwrap();
        assert!(updated.auth_string.is_empty() && updated.selected);
        let after = read().await;
        assert_eq!((after.auth_string.expose(), &after.auth_scopes), ("new secret", &before.auth_scopes));
        assert_eq!((after.id, after.created_at), (before.id, before.created_at));
        update(None, Some(vec!["admin".into()])).await.unwrap();
        let after = read().await;
        assert_eq!((after.auth_string.expose(), after.auth_scopes), ("new secret", vec!["admin".to_owned()]));
        for (secret, scopes) in [(Some(""), None), (Some("x"), Some(vec![String::new()])), (None, Some(vec!["\n".into()]))] {
            assert_eq!(code(update(secret, scopes).await), "invalid_input");
        }
        assert_eq!(read().await.auth_string.expose(), "new secret");
        assert_eq!(code(update(None, None).await), "accepted");
        let other = service.get_integration_for(c, u, "github", "two").await.unwrap().unwrap();
        assert_eq!(other.auth_string.expose(), "secret of two");
    }

    async fn an_expired_default_stays_the_default_and_asks_to_be_connected_again(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let user = world.user(&client, "ana").await;
        store(&world, &client, &user, &["one", "two"]).await;
        db.db()
            .write(|tx| Box::pin(async move {
                let sql = "update bosa_integrations set auth_status = 'needs_reauth' where user_identifier = 'one'";
                tx.execute(sql, vec![]).await.map(drop)
            }))
            .await
            .unwrap_or_else(|error: bosa_auth_store::StoreError| panic!("{error}"));
        let service = world.auth.third_party_integration_service();
        let (c, u) = (client.model.id, user.id);
        match service.get_integration(c, u, "github").await {
            Err(Error::NeedsReauthorization { connector, account, .. }) => {
                assert_eq!((connector.as_str(), account.as_str()), ("github", "one"));
            }
            other => panic!("{other:?}"),
        }
        assert!(service.has_integration(c, u, "github").await.unwrap());
        let all = service.get_integrations(c, u).await.unwrap();
        let expired = all.iter().find(|account| account.user_identifier == "one").unwrap();
        assert_eq!((expired.auth_status, expired.selected), (AuthStatus::NeedsReauth, true));
        let named = service.get_integration_for(c, u, "github", "two").await.unwrap().unwrap();
        assert_eq!(named.auth_string.expose(), "secret of two");
        let update = IntegrationUpdate { auth_string: None, auth_scopes: Some(vec![]) };
        let changed = service.update_integration_auth(c, u, "github", "one", update).await.unwrap();
        assert_eq!(changed.auth_status, AuthStatus::NeedsReauth);
        let update = IntegrationUpdate { auth_string: Some("renewed".into()), auth_scopes: None };
        service.update_integration_auth(c, u, "github", "one", update).await.unwrap();
        let read = service.get_integration(c, u, "github").await.unwrap().unwrap();
        assert_eq!(read.auth_string.expose(), "renewed");
    }

    async fn a_user_stores_selects_and_deletes_its_own_accounts(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let user = world.user(&client, "ana").await;
        let token = world.token(&client, &user).await;
        let current = world.auth.current_user(None, &token).await.unwrap();
        let new = |name: &str, secret: &str, replace_duplicate| NewIntegration {
            connector: "github".into(),
            user_identifier: name.into(),
            auth_string: secret.into(),
            auth_scopes: vec![secret.into()],
            replace_duplicate,
        };
        assert!(!current.has_integration("github").await.unwrap());
        assert_eq!(code(current.get_integration("github", None).await), "not_found");
        assert_eq!(code(current.delete_integration("github", None).await), "not_found");
        assert_eq!(code(current.select_integration("github", "one").await), "not_found");
        assert!(current.create_integration(new("one", "first", true)).await.unwrap().resource.selected);
        current.create_integration(new("two", "second", false)).await.unwrap();
        assert_eq!(code(current.create_integration(new("one", "again", false)).await), "integration_already_exists");
        assert_eq!(current.get_integration("github", Some("one")).await.unwrap().auth_string.expose(), "first");
        let before = counts(&db).await;
        let replaced = current.create_integration(new("one", "again", true)).await.unwrap();
        assert!(!replaced.replayed);
        assert_eq!(counts(&db).await.integrations, before.integrations);
        let read = current.get_integration("github", Some("one")).await.unwrap();
        assert_eq!((read.auth_string.expose(), read.auth_scopes), ("again", vec!["again".to_owned()]));
        assert_eq!(replaced.resource.id, read.id);
        assert!(current.select_integration("github", "two").await.unwrap().selected);
        assert_eq!(current.get_integration("github", None).await.unwrap().auth_string.expose(), "second");
        assert_eq!(code(current.delete_integration("github", None).await), "ambiguous_account");
        assert_eq!(code(current.delete_integration("github", Some("two")).await), "accepted");
        assert_eq!(code(current.delete_integration("github", Some("two")).await), "not_found");
        assert_eq!(current.get_integration("github", None).await.unwrap().user_identifier, "one");
        assert_eq!(code(current.delete_integration("github", None).await), "accepted");
    }

    async fn a_replacement_under_an_idempotency_key_happens_once(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let user = world.user(&client, "ana").await;
        let token = world.token(&client, &user).await;
        let put = async |key: &str, secret: &str| {
            let current = world.auth.current_user(None, &token).await.unwrap();
            let key = IdempotencyKey::new(key, "integrations", secret).unwrap();
            current
                .with_idempotency(key)
                .create_integration(NewIntegration {
                    connector: "github".into(),
                    user_identifier: "one".into(),
                    auth_string: secret.into(),
                    auth_scopes: vec![],
                    replace_duplicate: true,
                })
                .await
        };
        assert!(!put("a", "first").await.unwrap().replayed);
        assert!(put("a", "first").await.unwrap().replayed);
        assert!(!put("b", "second").await.unwrap().replayed);
        let again = put("b", "second").await.unwrap();
        assert!(again.replayed && again.resource.auth_string.is_empty());
        assert_eq!(code(put("a", "other").await), "idempotency_mismatch");
        assert!(put("a", "first").await.unwrap().replayed);
        let read = world.auth.third_party_integration_service().get_integration(client.model.id, user.id, "github").await;
        assert_eq!(read.unwrap().unwrap().auth_string.expose(), "second");
    }
}
