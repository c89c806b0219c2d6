use std::time::Duration;

use bosa_auth_core::{ClientId, ClientState};
use bosa_auth_store::{
    ClientChange, ClientTx, Lease, PageQuery, Store, StoreError, Updated, clients, counts, params,
};
use bosa_auth_testkit::on_every_database;

use super::connected::{connected, holder};
use super::world::{at, client_row, id, instance_in, two_clients, user_row};

fn change(version: i64, name: &str) -> ClientChange {
    ClientChange {
        version,
        name: name.to_owned(),
        state: ClientState::Active,
        can_get_integrations: true,
        end_tokens: false,
        at: at(5),
    }
}

async fn delete_all(store: &Store, client: ClientId) -> usize {
    let mut calls = 1;
    while write!(store, [] tx => clients::delete_batch(tx, client, 1).await).unwrap() {
        calls += 1;
    }
    calls
}

on_every_database! {
    async fn a_client_comes_back_by_id_and_by_exact_name(db: TestDatabase) {
        let (_db, store) = instance_in(db).await;
        let row = client_row(id(0x10), "Åsa’s shop 🛒");
        assert_eq!(write!(store, [row] tx => clients::insert(tx, &row).await), Ok(true));
        assert_eq!(write!(store, [row] tx => clients::insert(tx, &row).await), Ok(false));
        let same_name = client_row(id(0x11), "Åsa’s shop 🛒");
        assert_eq!(write!(store, [same_name] tx => clients::insert(tx, &same_name).await), Ok(false));
        assert_eq!(clients::find(&store, id(0x10)).await, Ok(Some(row.clone())));
        assert_eq!(clients::find_by_name(&store, &row.name).await, Ok(Some(row)));
        assert_eq!(clients::find_by_name(&store, "åsa’s shop 🛒").await, Ok(None));
        assert_eq!(clients::find(&store, id(0x11)).await, Ok(None));
    }

    async fn clients_made_at_once_under_one_name_are_one(db: TestDatabase) {
        let (_db, store) = instance_in(db).await;
        let tasks: Vec<_> = (1..=6)
            .map(|number| {
                let store = store.clone();
                tokio::spawn(async move {
                    write!(store, [] tx => clients::insert(tx, &client_row(id(number), "shop")).await)
                })
            })
            .collect();
        let mut made = 0;
        for task in tasks {
            made += usize::from(task.await.unwrap().unwrap());
        }
        assert_eq!(made, 1);
    }

    async fn a_change_needs_the_version_that_was_read(db: TestDatabase) {
        let (_db, store, ours, _) = two_clients(db).await;
        let outcomes = write!(store, [ours] tx => {
            let taken = clients::update(tx, ours.client, &change(1, "theirs")).await?;
            let mut suspend = change(1, "renamed");
            suspend.state = ClientState::Suspended;
            suspend.end_tokens = true;
            let done = clients::update(tx, ours.client, &suspend).await?;
            let stale = clients::update(tx, ours.client, &suspend).await?;
            let unknown = clients::update(tx, id(0x4711), &change(1, "new")).await?;
            Ok([taken, done, stale, unknown])
        });
        let expected = [Updated::Taken, Updated::Done, Updated::Stale, Updated::Stale];
        assert_eq!(outcomes, Ok(expected));
        let row = clients::find(&store, ours.client).await.unwrap().unwrap();
        assert_eq!((row.name.as_str(), row.state), ("renamed", ClientState::Suspended));
        assert_eq!((row.generation, row.version, row.updated_at), (1, 2, at(5)));
    }

    async fn deletion_ends_with_nothing_left_and_can_be_resumed(db: TestDatabase) {
        let (db, store, ours, theirs) = connected(db).await;
        let leased = write!(store, [ours] tx => {
            let mut scope = ClientTx::new(tx, ours.client);
            scope.take_lease(ours.first, holder(1), Duration::from_secs(60)).await
        });
        assert!(matches!(leased, Ok(Lease::Taken { .. })));
        // Without its first step nothing is removed.
        assert_eq!(delete_all(&store, ours.client).await, 1);
        let begun = write!(store, [ours] tx => {
            Ok((
                clients::begin_deletion(tx, ours.client, at(5)).await?,
                clients::begin_deletion(tx, ours.client, at(6)).await?,
            ))
        });
        assert_eq!(begun, Ok((true, false)));
        assert_eq!(clients::deleting(&store).await, Ok(vec![ours.client]));
        let late = write!(store, [ours] tx => {
            let user = user_row(ours.client, id(0x51), "late");
            ClientTx::new(tx, ours.client).insert_user(&user).await
        });
        assert_eq!(late, Ok(false), "nobody joins a client that is being deleted");
        let changed = write!(store, [ours] tx => {
            clients::update(tx, ours.client, &change(2, "back")).await
        });
        assert_eq!(changed, Ok(Updated::Stale));
        assert!(delete_all(&store, ours.client).await > 8);
        assert_eq!(clients::find(&store, ours.client).await, Ok(None));
        assert_eq!(clients::deleting(&store).await, Ok(vec![]));
        let left = counts(&store).await.unwrap();
        assert_eq!((left.clients, left.users, left.tokens), (1, 1, 1));
        assert_eq!((left.api_keys, left.integrations), (1, 3));
        for table in LEFT {
            let rows = db.db().read(table, params![ours.client]).await.unwrap();
            assert!(rows.is_empty(), "{table}");
        }
        assert!(clients::find(&store, theirs.client).await.unwrap().is_some());
    }

    async fn pages_of_clients_follow_their_ids(db: TestDatabase) {
        let (_db, store) = instance_in(db).await;
        let done = write!(store, [] tx => {
            for number in [2, 3, 1] {
                clients::insert(tx, &client_row(id(number), &format!("c{number}"))).await?;
            }
            Ok::<_, StoreError>(())
        });
        assert_eq!(done, Ok(()));
        let page = clients::page(&store, PageQuery { after: None, limit: 2 }).await.unwrap();
        let ids: Vec<ClientId> = page.items.iter().map(|row| row.id).collect();
        assert_eq!((ids, page.next), (vec![id(1), id(2)], Some(id(2))));
        let page = clients::page(&store, PageQuery { after: page.next, limit: 2 }).await.unwrap();
        assert_eq!((page.items.len(), page.next), (1, None));
    }

    async fn a_restore_ends_the_tokens_of_every_client(db: TestDatabase) {
        let (_db, store, ours, theirs) = two_clients(db).await;
        assert_eq!(write!(store, [] tx => clients::end_all_tokens(tx, at(5)).await), Ok(2));
        for client in [ours.client, theirs.client] {
            assert_eq!(clients::find(&store, client).await.unwrap().unwrap().generation, 1);
        }
    }
}

const LEFT: [&str; 10] = [
    "select 1 from bosa_users where client_id = $1",
    "select 1 from bosa_tokens where client_id = $1",
    "select 1 from bosa_integration_sets where client_id = $1",
    "select 1 from bosa_integrations where client_id = $1",
    "select 1 from bosa_integration_grants where client_id = $1",
    "select 1 from bosa_refresh_leases where client_id = $1",
    "select 1 from bosa_connect_states where client_id = $1",
    "select 1 from bosa_connector_settings where client_id = $1",
    "select 1 from bosa_api_keys where client_id = $1",
    "select 1 from bosa_data_keys where client_id = $1",
];
