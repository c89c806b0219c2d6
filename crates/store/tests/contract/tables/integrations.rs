use bosa_auth_core::{AuthStatus, IntegrationId};
use bosa_auth_store::{
    ClientTx, IntegrationChange, IntegrationDeleted, IntegrationInsert, IntegrationRow, PageQuery,
    Store, StoreError,
};
use bosa_auth_testkit::on_every_database;

use super::world::{Tenant, account, at, data_key, id, two_clients};

async fn insert(
    store: &Store,
    tenant: &Tenant,
    row: IntegrationRow,
) -> Result<IntegrationInsert, StoreError> {
    write!(store, [tenant, row] tx => {
        ClientTx::new(tx, tenant.client)
            .insert_integration(&row)
            .await
    })
}

async fn delete(store: &Store, tenant: &Tenant, name: &'static str) -> Option<IntegrationDeleted> {
    write!(store, [tenant] tx => {
        ClientTx::new(tx, tenant.client)
            .delete_integration(tenant.user, "github", name)
            .await
    })
    .unwrap()
}

async fn default_name(store: &Store, tenant: &Tenant) -> Option<String> {
    let found = store
        .client(tenant.client)
        .default_integration(tenant.user, "github")
        .await;
    found.unwrap().map(|row| row.integration.user_identifier)
}

on_every_database! {
    async fn an_account_comes_back_with_the_key_that_opens_it(db: TestDatabase) {
        let (_db, store, ours, _) = two_clients(db).await;
        let mut scope = store.client(ours.client);
        let found = scope.named_integration(ours.user, "github", "second").await.unwrap().unwrap();
        assert_eq!(found.integration, account(&ours, ours.second, "second"));
        assert_eq!(found.key, data_key(ours.data_key));
        assert_eq!(scope.integration(ours.user, ours.second).await, Ok(Some(found.integration)));
        assert_eq!(scope.has_integration(ours.user, "github").await, Ok(true));
        assert_eq!(scope.has_integration(ours.user, "slack").await, Ok(false));
        assert_eq!(scope.has_integration(ours.user, "").await, Ok(false));
        let names = scope.account_names(ours.user, "github").await.unwrap();
        assert_eq!(names, vec!["first", "second"]);
        assert_eq!(scope.named_integration(ours.user, "github", "Second").await, Ok(None));
    }

    async fn the_same_account_is_stored_once(db: TestDatabase) {
        let (_db, store, ours, _) = two_clients(db).await;
        let again = account(&ours, id(0x51), "first");
        assert_eq!(insert(&store, &ours, again).await, Ok(IntegrationInsert::Taken));
        let same = account(&ours, ours.first, "first");
        assert_eq!(insert(&store, &ours, same).await, Ok(IntegrationInsert::Taken));
        let nobody = IntegrationRow { user_id: id(0x4711), ..account(&ours, id(0x51), "first") };
        assert_eq!(insert(&store, &ours, nobody).await, Ok(IntegrationInsert::NoUser));
    }

    async fn first_accounts_stored_at_once_give_exactly_one_default(db: TestDatabase) {
        let (_db, store, ours, _) = two_clients(db).await;
        let tasks: Vec<_> = (0..8)
            .map(|number| {
                let (store, ours) = (store.clone(), ours.clone());
                tokio::spawn(async move {
                    let row = IntegrationRow {
                        connector: "slack".to_owned(),
                        ..account(&ours, id(0x9_0000 + number), &format!("account-{number}"))
                    };
                    insert(&store, &ours, row).await
                })
            })
            .collect();
        let mut defaults = 0;
        for task in tasks {
            match task.await.unwrap().unwrap() {
                IntegrationInsert::Done { selected } => defaults += usize::from(selected),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(defaults, 1);
        let rows = store.client(ours.client).integrations(ours.user, Some("slack")).await.unwrap();
        assert_eq!(rows.len(), 8);
        assert_eq!(rows.iter().filter(|row| row.integration.selected).count(), 1);
    }

    async fn selecting_moves_the_default_both_ways(db: TestDatabase) {
        let (_db, store, ours, _) = two_clients(db).await;
        for name in ["second", "first", "first"] {
            let done = write!(store, [ours] tx => {
                ClientTx::new(tx, ours.client).select_integration(ours.user, "github", name).await
            });
            let row = done.unwrap().unwrap();
            assert!(row.selected && row.user_identifier == name);
            assert_eq!(default_name(&store, &ours).await.as_deref(), Some(name));
        }
        let unknown = write!(store, [ours] tx => {
            ClientTx::new(tx, ours.client).select_integration(ours.user, "github", "third").await
        });
        assert_eq!(unknown, Ok(None));
        assert_eq!(default_name(&store, &ours).await.as_deref(), Some("first"));
    }

    async fn selections_at_once_leave_exactly_one_default(db: TestDatabase) {
        let (_db, store, ours, _) = two_clients(db).await;
        let tasks: Vec<_> = (0..8)
            .map(|number| {
                let (store, ours) = (store.clone(), ours.clone());
                let name = if number % 2 == 0 { "first" } else { "second" };
                tokio::spawn(async move {
                    write!(store, [ours] tx => {
                        ClientTx::new(tx, ours.client)
                            .select_integration(ours.user, "github", name)
                            .await
                    })
                })
            })
            .collect();
        for task in tasks {
            assert!(task.await.unwrap().unwrap().is_some());
        }
        let rows = store.client(ours.client).integrations(ours.user, None).await.unwrap();
        assert_eq!(rows.iter().filter(|row| row.integration.selected).count(), 1);
    }

    async fn deleting_the_default_promotes_the_newest_remaining_account(db: TestDatabase) {
        let (_db, store, ours, _) = two_clients(db).await;
        let newest = IntegrationRow { created_at: at(9), ..account(&ours, id(0x41), "newest") };
        let twin = IntegrationRow { created_at: at(9), ..account(&ours, id(0x42), "twin") };
        insert(&store, &ours, newest).await.unwrap();
        insert(&store, &ours, twin).await.unwrap();
        let gone = delete(&store, &ours, "second").await.unwrap();
        assert_eq!(gone, IntegrationDeleted { id: ours.second, was_default: false });
        assert_eq!(default_name(&store, &ours).await.as_deref(), Some("first"));
        let gone = delete(&store, &ours, "first").await.unwrap();
        assert!(gone.was_default);
        assert_eq!(default_name(&store, &ours).await.as_deref(), Some("twin"));
        let gone = delete(&store, &ours, "twin").await.unwrap();
        assert!(gone.was_default);
        assert_eq!(default_name(&store, &ours).await.as_deref(), Some("newest"));
        let gone = delete(&store, &ours, "newest").await.unwrap();
        assert!(gone.was_default);
        assert_eq!(delete(&store, &ours, "newest").await, None);
        assert_eq!(default_name(&store, &ours).await, None);
        let again = account(&ours, id(0x43), "again");
        let inserted = insert(&store, &ours, again).await;
        assert_eq!(inserted, Ok(IntegrationInsert::Done { selected: true }));
    }

    async fn the_only_account_is_deleted_only_while_there_is_no_other(db: TestDatabase) {
        let (_db, store, ours, _) = two_clients(db).await;
        let delete_only = async |name: &'static str| {
            let deleted = write!(store, [ours] tx => {
                let mut scope = ClientTx::new(tx, ours.client);
                scope.delete_only_integration(ours.user, "github", name).await
            });
            deleted.unwrap()
        };
        assert_eq!(delete_only("first").await, None);
        assert_eq!(delete_only("third").await, None);
        assert!(delete(&store, &ours, "second").await.is_some());
        let slack = IntegrationRow { connector: "slack".to_owned(), ..account(&ours, id(0x41), "second") };
        insert(&store, &ours, slack).await.unwrap();
        assert_eq!(delete_only("second").await, None);
        let deleted = IntegrationDeleted { id: ours.first, was_default: true };
        assert_eq!(delete_only("first").await, Some(deleted));
    }

    async fn an_account_changes_only_from_the_version_that_was_read(db: TestDatabase) {
        let (_db, store, ours, _) = two_clients(db).await;
        let outcomes = write!(store, [ours] tx => {
            let mut scope = ClientTx::new(tx, ours.client);
            let change = IntegrationChange {
                version: 1,
                auth_scopes: "[\"repo\"]".to_owned(),
                sealed: vec![9, 9].into(),
                data_key_id: ours.data_key,
                auth_status: AuthStatus::Active,
                subject: Some("42".to_owned()),
                at: at(5),
            };
            let done = scope.update_integration(ours.first, &change).await?;
            let stale = scope.update_integration(ours.first, &change).await?;
            let status = AuthStatus::NeedsReauth;
            let stale_status = scope.set_integration_status(ours.first, 1, status, at(6)).await?;
            let status = scope.set_integration_status(ours.first, 2, status, at(6)).await?;
            Ok((done.map(|row| row.version), stale, stale_status, status))
        });
        assert_eq!(outcomes, Ok((Some(2), None, false, true)));
        let row = store.client(ours.client).default_integration(ours.user, "github").await;
        let row = row.unwrap().unwrap().integration;
        assert_eq!(row.id, ours.first, "an account that needs attention stays the default");
        assert_eq!((row.version, row.auth_status), (3, AuthStatus::NeedsReauth));
        assert_eq!((&row.sealed[..], row.subject.as_deref()), (&[9, 9][..], Some("42")));
        assert_eq!((row.auth_scopes.as_str(), row.updated_at), ("[\"repo\"]", at(6)));
    }

    async fn a_data_key_stays_while_a_value_needs_it(db: TestDatabase) {
        let (_db, store, ours, _) = two_clients(db).await;
        let replaced = write!(store, [ours] tx => {
            ClientTx::new(tx, ours.client).replace_data_key(&data_key(id(0x44))).await
        });
        assert_eq!(replaced, Ok(()));
        let deleted = write!(store, [ours] tx => {
            ClientTx::new(tx, ours.client).delete_data_key(ours.data_key).await
        });
        assert_eq!(deleted, Err(StoreError::ForeignKey));
        delete(&store, &ours, "first").await.unwrap();
        delete(&store, &ours, "second").await.unwrap();
        let deleted = write!(store, [ours] tx => {
            ClientTx::new(tx, ours.client).delete_data_key(ours.data_key).await
        });
        assert_eq!(deleted, Ok(true));
    }

    async fn lists_of_accounts_are_ordered_and_paged(db: TestDatabase) {
        let (_db, store, ours, _) = two_clients(db).await;
        let slack = IntegrationRow { connector: "slack".to_owned(), ..account(&ours, id(0x41), "a") };
        let asana = IntegrationRow { connector: "asana".to_owned(), ..account(&ours, id(0x9_0000), "b") };
        insert(&store, &ours, slack).await.unwrap();
        insert(&store, &ours, asana).await.unwrap();
        let mut scope = store.client(ours.client);
        let rows = scope.integrations(ours.user, None).await.unwrap();
        let names: Vec<&str> = rows.iter().map(|row| row.integration.user_identifier.as_str()).collect();
        assert_eq!(names, vec!["b", "first", "second", "a"]);
        let page = scope.integrations_page(ours.user, None, PageQuery { after: None, limit: 3 }).await.unwrap();
        let ids: Vec<IntegrationId> = page.items.iter().map(|row| row.integration.id).collect();
        assert_eq!(ids, vec![id(0x41), ours.first, ours.second]);
        let rest = PageQuery { after: page.next, limit: 3 };
        let page = scope.integrations_page(ours.user, None, rest).await.unwrap();
        assert_eq!((page.items.len(), page.next), (1, None));
        let all = PageQuery { after: None, limit: 9 };
        let page = scope.integrations_page(ours.user, Some("slack"), all).await.unwrap();
        assert_eq!(page.items.len(), 1);
    }
}
