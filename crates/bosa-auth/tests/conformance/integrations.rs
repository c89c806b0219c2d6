//! Integrations, where calls and their results do not say everything.

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

on_every_database! {
    async fn a_list_of_accounts_is_walked_page_by_page(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let user = world.user(&client, "ana").await;
        store(&world, &client, &user, &["one", "two"]).await;
        let service = world.auth.third_party_integration_service();
        service.create_integration(account(&client, &user, "gitlab", "one")).await.unwrap();
        let (c, u) = (client.model.id, user.id);
        let all = service.get_integrations(c, u).await.unwrap();
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
