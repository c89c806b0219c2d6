use bosa_auth_core::DigestKeyId;
use bosa_auth_store::{
    ApiKeyWithClient, ClientTx, KeyState, NodeRow, Opaque, SigningKeyRow, StoreError, api_keys,
    digest_keys, nodes, signing_keys,
};
use bosa_auth_testkit::on_every_database;

use super::world::{DIGEST_KEY, api_key, at, data_key, digest_key, id, instance_in, two_clients};

pub(crate) fn signing_key(kid: &str) -> SigningKeyRow {
    SigningKeyRow {
        kid: kid.to_owned(),
        algorithm: "ES256".to_owned(),
        root_key_id: "k1".to_owned(),
        sealed: vec![5].into(),
        state: KeyState::Verifying,
        created_at: at(0),
    }
}

on_every_database! {
    async fn the_first_digest_key_wins_and_the_loser_reads_it(db: TestDatabase) {
        let (_db, store) = instance_in(db).await;
        let winner = write!(store, [] tx => {
            digest_keys::insert_first(tx, &digest_key(0xd2)).await
        });
        assert_eq!(winner, Ok(digest_key(DIGEST_KEY)));
        assert_eq!(digest_keys::list(&store).await.unwrap().len(), 1);
    }

    async fn a_replaced_digest_key_verifies_until_nothing_needs_it(db: TestDatabase) {
        let (_db, store, ours, theirs) = two_clients(db).await;
        let replaced = write!(store, [] tx => {
            assert!(!digest_keys::replace_active(tx, id(0xd3), &digest_key(0xd2)).await?);
            digest_keys::replace_active(tx, id(DIGEST_KEY), &digest_key(0xd2)).await
        });
        assert_eq!(replaced, Ok(true));
        let former: DigestKeyId = id(DIGEST_KEY);
        let found = digest_keys::find(&store, former).await.unwrap().unwrap();
        assert_eq!(found.state, KeyState::Verifying);
        let usage = digest_keys::usage(&store, former, at(1)).await.unwrap();
        assert_eq!((usage.api_keys, usage.users), (2, 2));
        let refused = write!(store, [] tx => digest_keys::delete(tx, id(DIGEST_KEY)).await);
        assert_eq!(refused, Err(StoreError::ForeignKey));
        let moved = write!(store, [ours, theirs] tx => {
            for tenant in [ours, theirs] {
                let mut scope = ClientTx::new(tx, tenant.client);
                let (old, new) = (Opaque::from([7; 32]), Opaque::from([9; 32]));
                assert!(scope.rewrite_api_key_digest(tenant.api_key, &old, &new, id(0xd2)).await?);
                assert!(!scope.rewrite_api_key_digest(tenant.api_key, &old, &new, id(0xd2)).await?);
                assert!(scope.delete_user(tenant.user).await?);
            }
            digest_keys::delete(tx, id(DIGEST_KEY)).await
        });
        assert_eq!(moved, Ok(true));
    }

    async fn one_stored_signing_key_signs(db: TestDatabase) {
        let (_db, store) = instance_in(db).await;
        assert_eq!(signing_keys::active(&store).await, Ok(None));
        let done = write!(store, [] tx => {
            signing_keys::insert_active(tx, &signing_key("a")).await?;
            assert!(signing_keys::insert(tx, &signing_key("b")).await?);
            assert!(!signing_keys::insert(tx, &signing_key("b")).await?);
            assert!(signing_keys::activate(tx, "b").await?);
            assert!(!signing_keys::activate(tx, "c").await?);
            Ok(())
        });
        assert_eq!(done, Ok(()));
        assert_eq!(signing_keys::active(&store).await.unwrap().unwrap().kid, "b");
        let active = write!(store, [] tx => signing_keys::retire(tx, "b").await);
        assert_eq!(active, Ok(false), "the active key is not retired");
        assert_eq!(write!(store, [] tx => signing_keys::retire(tx, "a").await), Ok(true));
        assert_eq!(write!(store, [] tx => signing_keys::deactivate(tx).await), Ok(()));
        assert_eq!(signing_keys::active(&store).await, Ok(None));
        assert_eq!(signing_keys::list(&store).await.unwrap().len(), 1);
    }

    async fn activations_at_once_leave_one_active_key(db: TestDatabase) {
        let (_db, store) = instance_in(db).await;
        let tasks: Vec<_> = (0..6)
            .map(|number| {
                let store = store.clone();
                tokio::spawn(async move {
                    write!(store, [] tx => {
                        signing_keys::insert_active(tx, &signing_key(&format!("key-{number}"))).await
                    })
                })
            })
            .collect();
        for task in tasks {
            assert_eq!(task.await.unwrap(), Ok(()));
        }
        let keys = signing_keys::list(&store).await.unwrap();
        assert_eq!(keys.len(), 6);
        assert_eq!(keys.iter().filter(|key| key.state == KeyState::Active).count(), 1);
    }

    async fn the_first_data_key_of_a_client_wins(db: TestDatabase) {
        let (_db, store, ours, theirs) = two_clients(db).await;
        let winner = write!(store, [ours] tx => {
            ClientTx::new(tx, ours.client).insert_first_data_key(&data_key(id(0x41))).await
        });
        assert_eq!(winner, Ok(data_key(ours.data_key)));
        let wiped = write!(store, [ours] tx => {
            ClientTx::new(tx, ours.client).wipe_data_keys(&[0; 4]).await
        });
        assert_eq!(wiped, Ok(1));
        let key = store.client(ours.client).active_data_key().await.unwrap().unwrap();
        assert_eq!(&key.sealed[..], &[0; 4]);
        let key = store.client(theirs.client).active_data_key().await.unwrap().unwrap();
        assert_eq!(&key.sealed[..], &[3]);
        let clients = bosa_auth_store::data_keys::clients_under(&store, "k1").await.unwrap();
        assert_eq!(clients, vec![ours.client, theirs.client]);
    }

    async fn a_data_key_is_resealed_only_as_it_was_read(db: TestDatabase) {
        let (_db, store, ours, _) = two_clients(db).await;
        let outcomes = write!(store, [ours] tx => {
            let mut scope = ClientTx::new(tx, ours.client);
            let before = data_key(ours.data_key);
            let sealed = Opaque::from(vec![6]);
            let done = scope.reseal_data_key(&before, "k1", &sealed).await?;
            let again = scope.reseal_data_key(&before, "k1", &sealed).await?;
            Ok((done, again))
        });
        assert_eq!(outcomes, Ok((true, false)));
    }

    async fn an_api_key_is_found_with_its_client(db: TestDatabase) {
        let (_db, store, ours, _) = two_clients(db).await;
        let ApiKeyWithClient { key, client, .. } =
            api_keys::find(&store, ours.api_key).await.unwrap().unwrap();
        assert_eq!(key, api_key(ours.client, ours.api_key));
        assert_eq!((client.id, client.name.as_str()), (ours.client, "ours"));
        assert_eq!(api_keys::find(&store, id(0x4711)).await, Ok(None));
    }

    async fn a_key_is_revoked_once_and_its_end_only_comes_nearer(db: TestDatabase) {
        let (_db, store, ours, theirs) = two_clients(db).await;
        let outcomes = write!(store, [ours] tx => {
            let mut scope = ClientTx::new(tx, ours.client);
            let key = ours.api_key;
            Ok([
                scope.limit_api_key(key, at(50)).await?,
                scope.limit_api_key(key, at(60)).await?,
                scope.limit_api_key(key, at(40)).await?,
                scope.revoke_api_key(key, at(5)).await?,
                scope.revoke_api_key(key, at(6)).await?,
                scope.limit_api_key(key, at(30)).await?,
            ])
        });
        assert_eq!(outcomes, Ok([true, false, true, true, false, false]));
        let key = store.client(ours.client).api_key(ours.api_key).await.unwrap().unwrap();
        assert_eq!((key.expires_at, key.revoked_at), (Some(at(40)), Some(at(5))));
        assert_eq!(write!(store, [] tx => api_keys::revoke_all(tx, at(7)).await), Ok(1));
        let key = store.client(theirs.client).api_key(theirs.api_key).await.unwrap().unwrap();
        assert_eq!(key.revoked_at, Some(at(7)));
    }

    async fn last_use_never_goes_back_in_time(db: TestDatabase) {
        let (_db, store, ours, _) = two_clients(db).await;
        for second in [20, 10] {
            let done = write!(store, [ours] tx => {
                api_keys::touch(tx, &[(ours.api_key, at(second)), (id(0x4711), at(second))]).await
            });
            assert_eq!(done, Ok(()));
        }
        let key = store.client(ours.client).api_key(ours.api_key).await.unwrap().unwrap();
        assert_eq!(key.last_used_at, Some(at(20)));
    }

    async fn a_node_is_seen_until_it_is_forgotten(db: TestDatabase) {
        let (_db, store) = instance_in(db).await;
        let mut node = NodeRow {
            id: id(1),
            kid: "a".to_owned(),
            started_at: at(0),
            seen_at: at(0),
        };
        assert_eq!(write!(store, [node] tx => nodes::seen(tx, &node).await), Ok(()));
        node.kid = "b".to_owned();
        node.seen_at = at(9);
        assert_eq!(write!(store, [node] tx => nodes::seen(tx, &node).await), Ok(()));
        assert_eq!(nodes::list(&store, at(9)).await, Ok(vec![node]));
        assert_eq!(nodes::list(&store, at(10)).await, Ok(vec![]));
        assert_eq!(write!(store, [] tx => nodes::prune(tx, at(10)).await), Ok(1));
    }
}
