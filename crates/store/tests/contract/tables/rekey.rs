use bosa_auth_core::{Actor, IntegrationId};
use bosa_auth_store::{
    ClientTx, DataKeyRow, DataKeyUse, IntegrationWithGrant, PageQuery, Refreshed, RekeyRemaining,
    RekeyRow, Sealed, Store, StoreError, clients, connect_states, connector_keys, data_keys, rekey,
    root_keys, shared_connector_settings,
};
use bosa_auth_testkit::on_every_database;

use super::connected::{
    CONNECTOR_KEY, STATE, WAITING, connected, connector_key, departure, holder, own, sealed,
    sealed_under,
};
use super::world::{Tenant, at, data_key, id, instance_in};

/// When the replacement of keys begins: every key of the world is older.
const START: i64 = 100;
const NEW_KEY: u128 = 0x4000;
const NEW_CONNECTOR_KEY: u128 = 0xc2;

fn page(limit: u32, after: Option<IntegrationId>) -> PageQuery<IntegrationId> {
    PageQuery { after, limit }
}

fn new_key(tenant: &Tenant) -> DataKeyRow {
    DataKeyRow {
        created_at: at(START),
        ..data_key(own(tenant, NEW_KEY))
    }
}

async fn begin(store: &Store, operation: u128) -> RekeyRow {
    let begun = write!(store, [] tx => {
        rekey::begin(tx, holder(operation), &Actor::Operator, at(START)).await
    });
    begun.unwrap()
}

async fn replace_keys(store: &Store, tenant: &Tenant) {
    let replaced = write!(store, [tenant] tx => {
        ClientTx::new(tx, tenant.client).replace_data_key(&new_key(&tenant)).await
    });
    assert_eq!(replaced, Ok(()));
}

/// Seals everything of a client under its new key and removes the old one.
async fn reseal_all(store: &Store, tenant: &Tenant) {
    replace_keys(store, tenant).await;
    let done = write!(store, [tenant] tx => {
        let mut scope = ClientTx::new(tx, tenant.client);
        let under_new = |byte| sealed_under(own(&tenant, NEW_KEY), byte);
        let accounts = scope.integrations_under_keys_before(at(START), page(9, None)).await?;
        for found in accounts.items {
            let refresh = found.grant.as_ref().and_then(|grant| grant.row.refresh_token.as_ref());
            let refresh = refresh.map(|_| under_new(0x82));
            assert!(scope.reseal_integration(&found, &under_new(0x81), refresh.as_ref()).await?);
        }
        for found in scope.connector_settings_under_keys_before(at(START)).await? {
            let secret = found.settings.secret.unwrap();
            let name = &found.settings.connector;
            assert!(scope.reseal_connector_secret(name, &secret, &under_new(0x83)).await?);
        }
        for found in scope.verifiers_under_keys_before(at(START), page(9, None)).await?.items {
            assert!(scope.reseal_verifier(found.row.id, &found.verifier, &under_new(0x84)).await?);
        }
        assert!(scope.delete_data_key(tenant.data_key).await?);
        Ok(())
    });
    assert_eq!(done, Ok(()));
}

async fn reseal_shared(store: &Store) {
    let done = write!(store, [] tx => {
        let key = DataKeyRow { created_at: at(START), ..connector_key(NEW_CONNECTOR_KEY) };
        connector_keys::replace_active(tx, &key).await?;
        for found in shared_connector_settings::under_keys_before(&mut *tx, at(START)).await? {
            let secret = found.settings.secret.unwrap();
            let sealed = sealed_under(key.id, 0x85);
            let name = &found.settings.connector;
            assert!(shared_connector_settings::reseal(tx, name, &secret, &sealed).await?);
            assert!(!shared_connector_settings::reseal(tx, name, &secret, &sealed).await?);
        }
        assert!(connector_keys::delete(tx, id(CONNECTOR_KEY)).await?);
        Ok(())
    });
    assert_eq!(done, Ok(()));
}

on_every_database! {
    async fn one_replacement_goes_on_until_no_old_key_is_left(db: TestDatabase) {
        let (_db, store, ours, theirs) = connected(db).await;
        assert_eq!(rekey::load(&store).await, Ok(None));
        let begun = begin(&store, 1).await;
        assert_eq!(begun.started_at, at(START));
        assert_eq!((begun.actor_kind.as_str(), begun.actor_id, begun.resealed), ("operator", None, 0));
        assert_eq!(begin(&store, 2).await, begun, "another one is resumed instead");
        let before = RekeyRemaining {
            data_keys: 2,
            connector_keys: 1,
            integrations: 6,
            refresh_tokens: 4,
            connector_secrets: 2,
            shared_connector_secrets: 1,
            code_verifiers: 2,
        };
        assert_eq!(rekey::remaining(&store, at(START)).await, Ok(before));
        assert_eq!(rekey::remaining(&store, at(0)).await, Ok(RekeyRemaining::default()));

        let finish = || async { write!(store, [] tx => rekey::finish(tx, holder(1)).await) };
        reseal_all(&store, &ours).await;
        assert_eq!(finish().await, Ok(false));
        let noted = write!(store, [] tx => {
            let other = rekey::advance(tx, holder(2), 1, at(101)).await?;
            let first = rekey::advance(tx, holder(1), 5, at(101)).await?;
            let second = rekey::advance(tx, holder(1), 3, at(102)).await?;
            Ok((other, first, second))
        });
        assert_eq!(noted, Ok((false, true, true)));
        let row = rekey::load(&store).await.unwrap().unwrap();
        assert_eq!((row.resealed, row.updated_at), (8, at(102)));
        reseal_all(&store, &theirs).await;
        assert_eq!(finish().await, Ok(false), "the deployment's own key is left");
        reseal_shared(&store).await;
        assert_eq!(rekey::remaining(&store, at(START)).await, Ok(RekeyRemaining::default()));
        assert_eq!(finish().await, Ok(true));
        assert_eq!(finish().await, Ok(false));
        assert_eq!(rekey::load(&store).await, Ok(None));
        assert_eq!(begin(&store, 3).await.operation_id, holder(3));
    }

    async fn everything_is_under_the_new_keys_afterwards(db: TestDatabase) {
        let (_db, store, ours, _) = connected(db).await;
        reseal_all(&store, &ours).await;
        reseal_shared(&store).await;
        let mut scope = store.client(ours.client);
        let all = scope.all_granted_integrations(page(9, None)).await.unwrap().items;
        assert_eq!(all.len(), 3);
        for found in all {
            assert_eq!((found.key, found.integration.version), (new_key(&ours), 1));
            assert_eq!(&found.integration.sealed[..], &[0x81]);
            let grant = found.grant.unwrap();
            if let Some(token) = grant.row.refresh_token {
                assert_eq!(token.sealed, sealed_under(own(&ours, NEW_KEY), 0x82));
                assert_eq!(grant.key, Some(new_key(&ours)));
            }
        }
        let settings = scope.connector_settings("github").await.unwrap().unwrap();
        assert_eq!(settings.settings.secret, Some(sealed_under(own(&ours, NEW_KEY), 0x83)));
        assert_eq!(settings.settings.version, 1);
        let state = departure(&ours, STATE).state.digest;
        let state = write!(store, [state] tx => connect_states::consume(tx, &state).await);
        assert_eq!(state.unwrap().unwrap().verifier, sealed_under(own(&ours, NEW_KEY), 0x84));
        let shared = shared_connector_settings::find(&store, "slack").await.unwrap().unwrap();
        assert_eq!(shared.settings.secret, Some(sealed_under(id(NEW_CONNECTOR_KEY), 0x85)));
    }

    async fn old_values_come_in_pages_after_the_last_one(db: TestDatabase) {
        let (_db, store, ours, _) = connected(db).await;
        replace_keys(&store, &ours).await;
        let mut scope = store.client(ours.client);
        let mut ids = Vec::new();
        let mut after = None;
        loop {
            let found = scope.integrations_under_keys_before(at(START), page(2, after)).await.unwrap();
            ids.extend(found.items.iter().map(|row| row.integration.id));
            after = found.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(ids, vec![ours.first, ours.second, own(&ours, WAITING)]);
    }

    async fn a_refresh_in_between_wins_over_a_sealing(db: TestDatabase) {
        let (_db, store, ours, _) = connected(db).await;
        replace_keys(&store, &ours).await;
        let read = store.client(ours.client).granted_integration(ours.first).await.unwrap().unwrap();
        let answer = Refreshed {
            version: 1,
            auth_scopes: "[]".to_owned(),
            access_token: sealed(&ours, 0x71),
            refresh_token: Some(sealed(&ours, 0x72)),
            expires_at: at(7200),
            next_refresh_at: None,
            at: at(3600),
        };
        let reseal = |read: IntegrationWithGrant| {
            let (store, ours) = (store.clone(), ours.clone());
            async move {
                write!(store, [ours, read] tx => {
                    let under_new = |byte| sealed_under(own(&ours, NEW_KEY), byte);
                    ClientTx::new(tx, ours.client)
                        .reseal_integration(&read, &under_new(0x81), Some(&under_new(0x82)))
                        .await
                })
            }
        };
        let refreshed = |answer: Refreshed| {
            let (store, ours) = (store.clone(), ours.clone());
            async move {
                let stored = write!(store, [ours, answer] tx => {
                    ClientTx::new(tx, ours.client).store_refreshed(ours.first, holder(1), &answer).await
                });
                stored.unwrap().is_some()
            }
        };
        assert!(refreshed(answer.clone()).await);
        assert_eq!(reseal(read.clone()).await, Ok(false));
        let found = store.client(ours.client).granted_integration(ours.first).await.unwrap().unwrap();
        assert_eq!(&found.integration.sealed[..], &[0x71]);
        // The other way round, a sealing does not make a refresh lose the token that it has got.
        assert_eq!(reseal(found.clone()).await, Ok(true));
        assert_eq!(reseal(found).await, Ok(false), "a second one has nothing to do");
        assert!(refreshed(Refreshed { version: 2, ..answer }).await);
        let left = store.client(ours.client).integrations_under_keys_before(at(START), page(1, None)).await;
        assert_eq!(left.unwrap().items[0].integration.id, ours.first, "and is found once more");
    }

    async fn an_account_is_not_sealed_in_part(db: TestDatabase) {
        let (_db, store, ours, _) = connected(db).await;
        let outcome = write!(store, [ours] tx => {
            let mut scope = ClientTx::new(tx, ours.client);
            let found = scope.granted_integration(ours.first).await?.unwrap();
            scope.reseal_integration(&found, &sealed(&ours, 0x81), None).await
        });
        assert!(matches!(outcome, Err(StoreError::Internal(_))));
    }

    async fn a_data_key_counts_all_that_it_seals_and_stays_so_long(db: TestDatabase) {
        let (_db, store, ours, theirs) = connected(db).await;
        let expected = DataKeyUse {
            integrations: 3,
            refresh_tokens: 2,
            connector_secrets: 1,
            code_verifiers: 1,
        };
        let mut scope = store.client(ours.client);
        assert_eq!(scope.data_key_usage(ours.data_key).await, Ok(expected));
        assert_eq!(scope.data_key_usage(theirs.data_key).await, Ok(DataKeyUse::default()));
        replace_keys(&store, &ours).await;
        let delete = || async {
            write!(store, [ours] tx => {
                ClientTx::new(tx, ours.client).delete_data_key(ours.data_key).await
            })
        };
        // Each of the other uses alone holds the key.
        assert_eq!(delete().await, Err(StoreError::ForeignKey));
        let done = write!(store, [ours] tx => {
            let mut scope = ClientTx::new(tx, ours.client);
            for name in ["first", "second", "waiting"] {
                scope.delete_integration(ours.user, "github", name).await?;
            }
            Ok(())
        });
        assert_eq!(done, Ok(()));
        assert_eq!(delete().await, Err(StoreError::ForeignKey));
        let done = write!(store, [ours] tx => {
            ClientTx::new(tx, ours.client).unset_connector_settings("github").await
        });
        assert_eq!(done, Ok(true));
        assert_eq!(delete().await, Err(StoreError::ForeignKey));
        assert_eq!(write!(store, [] tx => connect_states::prune(tx, at(601), 9).await), Ok(4));
        assert_eq!(delete().await, Ok(true));
    }

    async fn a_refresh_token_alone_holds_its_data_key(db: TestDatabase) {
        let (_db, store, ours, _) = connected(db).await;
        replace_keys(&store, &ours).await;
        let held = write!(store, [ours] tx => {
            let mut scope = ClientTx::new(tx, ours.client);
            let under_new: Sealed = sealed_under(own(&ours, NEW_KEY), 0x71);
            let answer = Refreshed {
                version: 1,
                auth_scopes: "[]".to_owned(),
                access_token: under_new,
                refresh_token: None,
                expires_at: at(7200),
                next_refresh_at: None,
                at: at(3600),
            };
            scope.store_refreshed(ours.second, holder(1), &answer).await?;
            let left = scope.integrations_under_keys_before(at(START), page(9, None)).await?;
            Ok(left.items.iter().any(|row| row.integration.id == ours.second))
        });
        assert_eq!(held, Ok(true));
        let usage = store.client(ours.client).data_key_usage(ours.data_key).await.unwrap();
        assert_eq!((usage.integrations, usage.refresh_tokens), (2, 2));
    }

    async fn a_connector_key_is_one_of_its_kind_and_stays_while_it_seals(db: TestDatabase) {
        let (_db, store, _, _) = connected(db).await;
        let first = connector_key(CONNECTOR_KEY);
        let winner = write!(store, [] tx => {
            connector_keys::insert_first(tx, &connector_key(NEW_CONNECTOR_KEY)).await
        });
        assert_eq!(winner, Ok(first.clone()));
        assert_eq!(connector_keys::usage(&store, first.id).await, Ok(1));
        assert_eq!(root_keys::usage(&store, "k1").await.unwrap().connector_keys, 1);
        let deleted = write!(store, [] tx => connector_keys::delete(tx, id(CONNECTOR_KEY)).await);
        assert_eq!(deleted, Ok(false), "it is the active one");
        let replaced = write!(store, [] tx => {
            connector_keys::replace_active(tx, &connector_key(NEW_CONNECTOR_KEY)).await
        });
        assert_eq!(replaced, Ok(()));
        let active = connector_keys::active(&store).await.unwrap().unwrap();
        assert_eq!(active.id, id(NEW_CONNECTOR_KEY));
        assert!(!connector_keys::find(&store, first.id).await.unwrap().unwrap().is_active);
        let deleted = write!(store, [] tx => connector_keys::delete(tx, id(CONNECTOR_KEY)).await);
        assert_eq!(deleted, Err(StoreError::ForeignKey));
        let outcomes = write!(store, [first] tx => {
            let sealed = vec![9].into();
            let done = connector_keys::reseal(tx, &first, "k1", &sealed).await?;
            let again = connector_keys::reseal(tx, &first, "k1", &sealed).await?;
            shared_connector_settings::unset(tx, "slack").await?;
            let deleted = connector_keys::delete(tx, first.id).await?;
            Ok((done, again, deleted))
        });
        assert_eq!(outcomes, Ok((true, false, true)));
        assert_eq!(connector_keys::list(&store).await.unwrap().len(), 1);
    }

    async fn first_connector_keys_made_at_once_are_one(db: TestDatabase) {
        let (_db, store) = instance_in(db).await;
        let tasks: Vec<_> = (1..=6)
            .map(|number| {
                let store = store.clone();
                tokio::spawn(async move {
                    write!(store, [] tx => {
                        connector_keys::insert_first(tx, &connector_key(number)).await
                    })
                })
            })
            .collect();
        let mut winners = Vec::new();
        for task in tasks {
            winners.push(task.await.unwrap().unwrap().id);
        }
        winners.dedup();
        assert_eq!(winners.len(), 1);
        assert_eq!(connector_keys::list(&store).await.unwrap().len(), 1);
    }

    async fn clients_with_old_keys_are_listed_unless_they_are_being_deleted(db: TestDatabase) {
        let (_db, store, ours, theirs) = connected(db).await;
        let old = |after, limit| data_keys::clients_with_keys_before(&store, at(START), after, limit);
        assert_eq!(old(None, 9).await, Ok(vec![ours.client, theirs.client]));
        assert_eq!(old(None, 1).await, Ok(vec![ours.client]));
        assert_eq!(old(Some(ours.client), 9).await, Ok(vec![theirs.client]));
        let begun = write!(store, [ours] tx => clients::begin_deletion(tx, ours.client, at(5)).await);
        assert_eq!(begun, Ok(true));
        assert_eq!(old(None, 9).await, Ok(vec![theirs.client]));
        assert_eq!(rekey::remaining(&store, at(START)).await.unwrap().data_keys, 1);
        reseal_all(&store, &theirs).await;
        assert_eq!(old(None, 9).await, Ok(vec![]));
        reseal_shared(&store).await;
        begin(&store, 1).await;
        let finished = write!(store, [] tx => rekey::finish(tx, holder(1)).await);
        assert_eq!(finished, Ok(true), "what is being deleted waits for nobody");
    }
}
