//! A client is deleted with values of every kind, and the deletion is killed at every step.

use bosa_auth_core::ClientId;
use bosa_auth_store::{ClientTx, StoreError, clients};
use bosa_auth_testkit::{TestDatabase, on_every_database};

use super::filled::now;
use super::rekey::filled;
use crate::dump::dump;

/// The tables that hold anything of a client, but what outlives it.
async fn tables_of(db: &TestDatabase, client: ClientId) -> Vec<String> {
    let plain = client.to_string();
    let hexadecimal = plain.replace('-', "").to_uppercase();
    let outlives = ["bosa_audit_events", "bosa_changes"];
    let dump = dump(db).await.into_iter();
    let holds = |row: &String| row.contains(&plain) || row.contains(&hexadecimal);
    dump.filter(|(table, rows)| !outlives.contains(&table.as_str()) && rows.iter().any(holds))
        .map(|(table, _)| table)
        .collect()
}

on_every_database! {
    async fn a_deletion_that_was_killed_at_any_step_goes_on(db: TestDatabase) {
        let (world, servers) = filled(&db).await;
        let (client, other) = (servers[0].client, servers[1].client);
        let before = tables_of(&db, other).await;
        let all = [
            "bosa_api_keys", "bosa_clients", "bosa_connect_states", "bosa_connector_settings",
            "bosa_data_keys", "bosa_integration_grants", "bosa_integration_sets", "bosa_integrations",
            "bosa_users",
        ];
        for table in all {
            assert!(tables_of(&db, client).await.iter().any(|name| name == table), "{table}");
        }
        let store = &servers[0].store;
        let keys = store.client(client).data_keys().await.unwrap();
        let begun = store.write(move |tx| {
            Box::pin(async move {
                assert!(clients::begin_deletion(&mut *tx, client, now()).await?);
                ClientTx::new(tx, client).wipe_data_keys(&[0; 73]).await
            })
        });
        begun.await.unwrap_or_else(|error: StoreError| panic!("{error}"));
        for key in store.client(client).data_keys().await.unwrap() {
            assert!(key.sealed.iter().all(|byte| *byte == 0) && keys.iter().all(|before| before.sealed != key.sealed));
        }
        // Each of these is a process that was killed after one more batch.
        for _ in 0..4 {
            let batch = store.write(move |tx| Box::pin(async move { clients::delete_batch(tx, client, 1).await }));
            assert!(batch.await.unwrap_or_else(|error: StoreError| panic!("{error}")));
        }
        assert!(!tables_of(&db, client).await.is_empty());
        world.auth.run_maintenance().await.unwrap();
        assert_eq!(tables_of(&db, client).await, Vec::<String>::new());
        assert_eq!(tables_of(&db, other).await, before);
        let report = world.auth.operator().vault_verify(|_| ()).await.unwrap();
        assert!(report.unreadable.is_empty(), "{report:?}");
        world.auth.operator().delete_client(other).await.unwrap();
        assert_eq!(tables_of(&db, other).await, Vec::<String>::new());
    }
}
