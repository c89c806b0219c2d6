use bosa_auth_store::{
    ClientTx, InstanceState, KeyState, Opaque, Store, StoreError, changes, connector_keys,
    digest_keys, instance, params, root_keys, signing_keys,
};
use bosa_auth_testkit::on_every_database;
use uuid::Uuid;

use super::connected::connector_key;
use super::keys::signing_key;
use super::world::{
    DIGEST_KEY, at, data_key, digest_key, id, instance_in, instance_row, two_clients,
};

on_every_database! {
    async fn a_migrated_database_has_no_instance_yet(db: TestDatabase) {
        let db = db.migrated().await;
        let store = Store::new(db.db().clone());
        assert_eq!(instance::load(&store).await, Ok(None));
        assert_eq!(root_keys::canaries(&store).await, Ok(vec![]));
        assert_eq!(changes::head(&store, 0).await, Ok(None));
    }

    async fn an_instance_is_made_once(db: TestDatabase) {
        let (_db, store) = instance_in(db).await;
        let again = write!(store, [] tx => {
            let canary = Opaque::from(vec![9]);
            instance::create(tx, &instance_row(), &canary, Uuid::from_u128(9)).await
        });
        assert_eq!(again, Ok(false));
        assert_eq!(instance::load(&store).await, Ok(Some(instance_row())));
        let canaries = root_keys::canaries(&store).await.unwrap();
        assert_eq!(canaries.len(), 1);
        assert_eq!(&canaries[0].sealed[..], &[1]);
    }

    async fn processes_that_start_at_once_make_one_instance(db: TestDatabase) {
        let db = db.migrated().await;
        let store = Store::new(db.db().clone());
        let tasks: Vec<_> = (0..6_u8)
            .map(|number| {
                let store = store.clone();
                tokio::spawn(async move {
                    write!(store, [] tx => {
                        let mut row = instance_row();
                        row.id = Uuid::from_u128(number.into()).into();
                        row.active_root_key = format!("k{number}");
                        let canary = Opaque::from(vec![number]);
                        instance::create(tx, &row, &canary, Uuid::from_u128(number.into())).await
                    })
                })
            })
            .collect();
        let mut made = 0;
        for task in tasks {
            made += usize::from(task.await.unwrap().unwrap());
        }
        assert_eq!(made, 1);
        let row = instance::load(&store).await.unwrap().unwrap();
        let canaries = root_keys::canaries(&store).await.unwrap();
        assert_eq!(canaries.len(), 1, "a loser leaves no canary behind");
        assert_eq!(canaries[0].root_key_id, row.active_root_key);
    }

    async fn a_moved_instance_takes_no_write(db: TestDatabase) {
        let (_db, store) = instance_in(db).await;
        let moved = store
            .exclusive_write::<_, StoreError, _>(|tx| {
                Box::pin(instance::set_state(tx, InstanceState::Moved, Some("/backup")))
            })
            .await;
        assert_eq!(moved, Ok(()));
        let refused = write!(store, [] tx => {
            root_keys::insert_canary(tx, "k2", &Opaque::from(vec![2]), at(1)).await
        });
        assert_eq!(refused, Err(StoreError::Moved));
        assert_eq!(root_keys::canaries(&store).await.unwrap().len(), 1);
        let row = instance::load(&store).await.unwrap().unwrap();
        assert_eq!((row.state, row.moved_to.as_deref()), (InstanceState::Moved, Some("/backup")));
    }

    async fn a_write_that_waited_for_a_move_sees_it(db: TestDatabase) {
        let (_db, store) = instance_in(db).await;
        let (locked, is_locked) = tokio::sync::oneshot::channel();
        let (go, wait) = tokio::sync::oneshot::channel::<()>();
        let signals = std::sync::Arc::new(std::sync::Mutex::new(Some((locked, wait))));
        let moving = tokio::spawn({
            let store = store.clone();
            async move {
                store
                    .exclusive_write::<_, StoreError, _>(move |tx| {
                        let signals = signals.lock().unwrap().take();
                        Box::pin(async move {
                            // The lock is taken with the first statement.
                            instance::load(&mut *tx).await?;
                            if let Some((locked, wait)) = signals {
                                locked.send(()).unwrap();
                                wait.await.unwrap();
                            }
                            instance::set_state(tx, InstanceState::Moved, None).await
                        })
                    })
                    .await
            }
        });
        is_locked.await.unwrap();
        let writing = tokio::spawn({
            let store = store.clone();
            async move {
                write!(store, [] tx => {
                    tx.execute(RENAME, params![]).await
                })
            }
        });
        go.send(()).unwrap();
        assert_eq!(moving.await.unwrap(), Ok(()));
        // Whichever came first, nothing was written after the move.
        let written = writing.await.unwrap();
        assert_eq!(written, Err(StoreError::Moved));
        assert_eq!(instance::load(&store).await.unwrap().unwrap().issuer, "bosa-auth");
    }

    async fn the_active_root_key_has_a_canary(db: TestDatabase) {
        let (_db, store) = instance_in(db).await;
        let unknown = write!(store, [] tx => instance::set_active_root_key(tx, "k1", "k2").await);
        assert_eq!(unknown, Err(StoreError::ForeignKey));
        let done = write!(store, [] tx => {
            root_keys::insert_canary(tx, "k2", &Opaque::from(vec![2]), at(1)).await?;
            assert!(!instance::set_active_root_key(tx, "k3", "k2").await?);
            instance::set_active_root_key(tx, "k1", "k2").await
        });
        assert_eq!(done, Ok(true));
        let used = write!(store, [] tx => root_keys::delete_canary(tx, "k1").await);
        assert_eq!(used, Err(StoreError::ForeignKey), "a digest key is sealed under it");
        assert_eq!(root_keys::usage(&store, "k1").await.unwrap().digest_keys, 1);
    }

    async fn no_key_is_stored_under_a_root_key_that_was_replaced(db: TestDatabase) {
        let (_db, store, ours, _) = two_clients(db).await;
        let done = write!(store, [] tx => {
            root_keys::insert_canary(tx, "k2", &Opaque::from(vec![2]), at(1)).await?;
            instance::set_active_root_key(tx, "k1", "k2").await
        });
        assert_eq!(done, Ok(true));
        let replaced = Err(StoreError::RootKeyReplaced);
        let client = ours.client;
        let data = write!(store, [client] tx => ClientTx::new(tx, client).replace_data_key(&data_key(id(0x77))).await);
        assert_eq!(data, replaced);
        let digest = write!(store, [] tx => digest_keys::replace_active(tx, id(DIGEST_KEY), &digest_key(0xd2)).await);
        assert_eq!(digest.map(drop), replaced);
        let signing = write!(store, [] tx => signing_keys::insert(tx, &signing_key("a")).await);
        assert_eq!(signing.map(drop), replaced);
        let connector = write!(store, [] tx => connector_keys::insert_first(tx, &connector_key(7)).await);
        assert_eq!(connector.map(drop), replaced);
        // Nothing of it was kept, and what was there is as it was.
        let found = digest_keys::find(&store, id(DIGEST_KEY)).await.unwrap().unwrap();
        assert_eq!(found.state, KeyState::Active);
        assert_eq!(store.client(client).active_data_key().await.unwrap().unwrap().id, ours.data_key);
        let resealed = write!(store, [] tx => digest_keys::reseal(tx, &digest_key(DIGEST_KEY), "k2", &Opaque::from(vec![8])).await);
        assert_eq!(resealed, Ok(true));
        let again = write!(store, [] tx => digest_keys::reseal(tx, &digest_key(DIGEST_KEY), "k2", &Opaque::from(vec![8])).await);
        assert_eq!(again, Ok(false));
    }
}

const RENAME: &str = "update bosa_instance set issuer = 'changed'";
