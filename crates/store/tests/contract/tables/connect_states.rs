use bosa_auth_store::{
    ClientTx, ConnectReturn, ConnectStateRow, Departure, KeyedDigest, Opaque, Store, StoreError,
    StoredSecret, connect_states, digest_keys, params,
};
use bosa_auth_testkit::on_every_database;

use super::connected::{
    PAGE, STATE, WAITING, completion, connected, connection, departure, page_of, sealed_under,
};
use super::world::{DIGEST_KEY, Tenant, at, digest_key, id, two_clients};

async fn begin(store: &Store, tenant: &Tenant, row: ConnectStateRow) -> Result<bool, StoreError> {
    let page = page_of(tenant, 0x4711);
    write!(store, [tenant, row, page] tx => {
        ClientTx::new(tx, tenant.client).begin_connection(&row, &page, 20).await
    })
}

async fn depart(
    store: &Store,
    tenant: &Tenant,
    number: u128,
    leaving: Departure,
    now: i64,
) -> Result<bool, StoreError> {
    let page = page_of(tenant, number).digest;
    write!(store, [tenant, page, leaving] tx => {
        ClientTx::new(tx, tenant.client).depart(&page, &leaving, at(now)).await
    })
}

async fn consume(store: &Store, state: Opaque) -> Option<ConnectReturn> {
    write!(store, [state] tx => connect_states::consume(tx, &state).await).unwrap()
}

on_every_database! {
    async fn a_page_is_found_by_its_digest_until_the_user_leaves_it(db: TestDatabase) {
        let (_db, store, ours, _) = connected(db).await;
        let page = page_of(&ours, PAGE).digest;
        let found = connect_states::find_page(&store, &page).await;
        assert_eq!(found, Ok(Some(connection(&ours, PAGE))));
        let state = departure(&ours, PAGE).state.digest;
        assert_eq!(connect_states::find_page(&store, &state).await, Ok(None));
        assert_eq!(consume(&store, page.clone()).await, None, "a page is no state");
        assert_eq!(depart(&store, &ours, PAGE, departure(&ours, PAGE), 1).await, Ok(true));
        assert_eq!(connect_states::find_page(&store, &page).await, Ok(None));
    }

    async fn a_user_leaves_a_page_once(db: TestDatabase) {
        let (_db, store, ours, _) = connected(db).await;
        let first = departure(&ours, PAGE);
        assert_eq!(depart(&store, &ours, PAGE, first.clone(), 1).await, Ok(true));
        let repeated = depart(&store, &ours, PAGE, first.clone(), 1).await;
        assert_eq!(repeated, Ok(true), "the same write, after an unknown outcome");
        let second = Departure {
            state: KeyedDigest { digest: [9; 32].into(), ..first.state.clone() },
            ..first.clone()
        };
        assert_eq!(depart(&store, &ours, PAGE, second, 1).await, Ok(false));
        assert!(consume(&store, first.state.digest).await.is_some());
    }

    async fn users_that_leave_one_page_at_once_are_one(db: TestDatabase) {
        let (_db, store, ours, _) = connected(db).await;
        let tasks: Vec<_> = (0..6_u8)
            .map(|number| {
                let (store, ours) = (store.clone(), ours.clone());
                tokio::spawn(async move {
                    let mut leaving = departure(&ours, PAGE);
                    leaving.state.digest = [number; 32].into();
                    depart(&store, &ours, PAGE, leaving, 1).await
                })
            })
            .collect();
        let mut left = 0;
        for task in tasks {
            left += usize::from(task.await.unwrap().unwrap());
        }
        assert_eq!(left, 1);
    }

    async fn a_page_that_has_ended_is_left_by_nobody(db: TestDatabase) {
        let (_db, store, ours, _) = connected(db).await;
        assert_eq!(depart(&store, &ours, PAGE, departure(&ours, PAGE), 600).await, Ok(false));
        assert_eq!(depart(&store, &ours, PAGE, departure(&ours, PAGE), 599).await, Ok(true));
    }

    async fn a_state_is_consumed_once_with_all_that_was_kept(db: TestDatabase) {
        let (_db, store, ours, _) = connected(db).await;
        let leaving = departure(&ours, STATE);
        let found = consume(&store, leaving.state.digest.clone()).await.unwrap();
        let expected = ConnectReturn {
            row: connection(&ours, STATE),
            cookie: KeyedDigest {
                digest: leaving.cookie_digest,
                key_id: leaving.state.key_id,
            },
            verifier: leaving.verifier,
            auth_scopes: leaving.auth_scopes,
        };
        assert_eq!(found, expected);
        assert_eq!(consume(&store, leaving.state.digest).await, None);
        assert_eq!(consume(&store, vec![].into()).await, None);
    }

    async fn a_state_that_comes_back_many_times_at_once_is_consumed_once(db: TestDatabase) {
        let (_db, store, ours, _) = connected(db).await;
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let (store, state) = (store.clone(), departure(&ours, STATE).state.digest);
                tokio::spawn(async move { consume(&store, state).await })
            })
            .collect();
        let mut consumed = 0;
        for task in tasks {
            consumed += usize::from(task.await.unwrap().is_some());
        }
        assert_eq!(consumed, 1);
    }

    async fn a_state_keeps_its_end_for_whoever_consumes_it(db: TestDatabase) {
        let (_db, store, ours, _) = connected(db).await;
        assert_eq!(write!(store, [] tx => connect_states::prune(tx, at(600), 9).await), Ok(0));
        let found = consume(&store, departure(&ours, STATE).state.digest).await.unwrap();
        assert_eq!(found.row.expires_at, at(600));
        for expected in [2, 1, 0] {
            let pruned = write!(store, [] tx => connect_states::prune(tx, at(601), 2).await);
            assert_eq!(pruned, Ok(expected));
        }
        assert_eq!(depart(&store, &ours, PAGE, departure(&ours, PAGE), 1).await, Ok(false));
    }

    async fn a_connection_is_begun_once_for_a_user_of_the_client(db: TestDatabase) {
        let (_db, store, ours, theirs) = two_clients(db).await;
        let row = ConnectStateRow {
            api_key_id: None,
            return_address: None,
            ..connection(&ours, 0x4711)
        };
        for _ in 0..2 {
            assert_eq!(begin(&store, &ours, row.clone()).await, Ok(true));
        }
        let found = connect_states::find_page(&store, &page_of(&ours, 0x4711).digest).await;
        assert_eq!(found, Ok(Some(row)));
        for user_id in [theirs.user, id(0x4711)] {
            let nobody = ConnectStateRow { user_id, ..connection(&ours, 0x4712) };
            assert_eq!(begin(&store, &ours, nobody).await, Ok(false));
        }
    }

    async fn a_connection_names_keys_of_its_own_client(db: TestDatabase) {
        let (_db, store, ours, theirs) = connected(db).await;
        let foreign = ConnectStateRow {
            api_key_id: Some(theirs.api_key),
            ..connection(&ours, 0x4711)
        };
        assert_eq!(begin(&store, &ours, foreign).await, Err(StoreError::ForeignKey));
        let foreign = Departure {
            verifier: sealed_under(theirs.data_key, 1),
            ..departure(&ours, PAGE)
        };
        let refused = depart(&store, &ours, PAGE, foreign, 1).await;
        assert_eq!(refused, Err(StoreError::ForeignKey));
    }

    async fn connections_go_with_their_user(db: TestDatabase) {
        let (db, store, ours, theirs) = connected(db).await;
        let deleted = write!(store, [ours] tx => {
            ClientTx::new(tx, ours.client).delete_user(ours.user).await
        });
        assert_eq!(deleted, Ok(true));
        for (tenant, left) in [(ours, 0), (theirs, 2)] {
            let rows = db.db().read(STATES_OF, params![tenant.client]).await.unwrap();
            assert_eq!(rows.len(), left);
        }
    }

    async fn a_digest_key_stays_while_a_connection_needs_it(db: TestDatabase) {
        let (_db, store, ours, theirs) = connected(db).await;
        let replaced = write!(store, [] tx => {
            digest_keys::replace_active(tx, id(DIGEST_KEY), &digest_key(0xd2)).await
        });
        assert_eq!(replaced, Ok(true));
        let usage = digest_keys::usage(&store, id(DIGEST_KEY), at(1)).await.unwrap();
        assert_eq!((usage.connect_states, usage.completions), (4, 2));
        // One that leaves its page takes the newest key along.
        let mut leaving = departure(&ours, PAGE);
        leaving.state.key_id = id(0xd2);
        assert_eq!(depart(&store, &ours, PAGE, leaving.clone(), 1).await, Ok(true));
        assert_eq!(digest_keys::usage(&store, id(0xd2), at(1)).await.unwrap().connect_states, 1);
        let found = consume(&store, leaving.state.digest).await.unwrap();
        assert_eq!(found.cookie.key_id, id(0xd2));
        let rewritten = write!(store, [ours, theirs] tx => {
            for tenant in [&ours, &theirs] {
                let mut scope = ClientTx::new(&mut *tx, tenant.client);
                let (old, new) = (Opaque::from([7; 32]), Opaque::from([9; 32]));
                assert!(scope.rewrite_api_key_digest(tenant.api_key, &old, &new, id(0xd2)).await?);
                let secret = StoredSecret::Digest { digest: new, key: id(0xd2) };
                assert!(scope.rewrite_secret(tenant.user, 1, &secret).await?);
            }
            Ok(())
        });
        assert_eq!(rewritten, Ok(()));
        let delete = || delete_former_key(&store);
        assert_eq!(delete().await, Err(StoreError::ForeignKey), "connections and codes are left");
        assert_eq!(write!(store, [] tx => connect_states::prune(tx, at(601), 9).await), Ok(3));
        assert_eq!(delete().await, Err(StoreError::ForeignKey), "codes are left");
        for tenant in [&ours, &theirs] {
            let code = completion(tenant, WAITING).digest;
            let completed = write!(store, [tenant, code] tx => {
                let mut scope = ClientTx::new(tx, tenant.client);
                scope.complete_integration(tenant.user, &code, at(1)).await
            });
            assert!(completed.unwrap().is_some());
        }
        assert_eq!(delete().await, Ok(true));
    }
}

async fn delete_former_key(store: &Store) -> Result<bool, StoreError> {
    write!(store, [] tx => digest_keys::delete(tx, id(DIGEST_KEY)).await)
}

const STATES_OF: &str = "select 1 from bosa_connect_states where client_id = $1";
