//! Keys under another root key, and the age of keys.

use std::time::Duration;

use bosa_auth_testkit::on_every_database;

use super::cells::execute;
use super::opened::{Opened, TWO_ROOT_KEYS, open_all};
use super::rekey::{assert_all_new, filled, filled_with, rekey};
use crate::dump::{changed, dump};

on_every_database! {
    async fn keys_come_under_the_active_root_key_and_no_value_is_touched(db: TestDatabase) {
        let (world, _) = filled_with(&db, &[("BOSA_AUTH_ROOT_KEYS", TWO_ROOT_KEYS)]).await;
        let operator = world.auth.operator();
        operator.rotate_signing_key(None).await.unwrap();
        let (before, rows) = (open_all(&db).await, dump(&db).await);
        let none = operator.vault_wrap().await.unwrap();
        assert_eq!((none.root_key.as_str(), none.wrapped), ("k1", 0));
        assert_eq!(changed(&rows, &dump(&db).await), ["bosa_audit_events"]);

        operator.activate_root_key("k2").await.unwrap();
        let rows = dump(&db).await;
        let report = operator.vault_wrap().await.unwrap();
        // Two data keys, a connector key, a digest key and a signing key.
        assert_eq!((report.root_key.as_str(), report.wrapped, report.unreadable.len()), ("k2", 5, 0));
        let tables = changed(&rows, &dump(&db).await);
        let keys = ["bosa_audit_events", "bosa_connector_keys", "bosa_data_keys", "bosa_digest_keys", "bosa_signing_keys"];
        assert_eq!(tables, keys);
        let after = open_all(&db).await;
        assert_eq!(after.values, before.values);
        let ids = |opened: &Opened| opened.keys.iter().map(|key| key.id).collect::<Vec<_>>();
        assert_eq!(ids(&after), ids(&before));
        assert!(after.keys.iter().all(|key| key.root_key_id == "k2"));
        operator.retire_root_key("k1").await.unwrap();
    }

    async fn new_keys_are_sealed_under_the_root_key_that_is_active_by_then(db: TestDatabase) {
        let (world, _) = filled_with(&db, &[("BOSA_AUTH_ROOT_KEYS", TWO_ROOT_KEYS)]).await;
        let before = open_all(&db).await;
        let apart = crate::support::open_apart(&db, &[("BOSA_AUTH_ROOT_KEYS", TWO_ROOT_KEYS)], &world.clock);
        let apart = apart.await.unwrap();
        // Another process does it, which the first one has not learned yet.
        apart.operator().activate_root_key("k2").await.unwrap();
        rekey(&world.auth).await;
        let after = open_all(&db).await;
        assert_all_new(&before, &after);
        assert!(after.keys.iter().all(|key| key.root_key_id == "k2"));
        apart.operator().retire_root_key("k1").await.unwrap();
    }

    async fn a_key_that_does_not_open_is_named_and_stays_as_it_is(db: TestDatabase) {
        let (world, servers) = filled_with(&db, &[("BOSA_AUTH_ROOT_KEYS", TWO_ROOT_KEYS)]).await;
        let client = servers[0].client;
        let key = servers[0].key.id();
        let sql = "update bosa_data_keys set sealed = $2 where client_id = $1";
        execute(&db, sql, vec![client.into(), vec![1; 73].into()]).await;
        let operator = world.auth.operator();
        operator.activate_root_key("k2").await.unwrap();
        let report = operator.vault_wrap().await.unwrap();
        assert_eq!(report.unreadable, [format!("data key {key}, client {client}")]);
        assert_eq!(report.wrapped, 3);
    }

    async fn keys_are_counted_by_age(db: TestDatabase) {
        let (world, _) = filled(&db).await;
        let status = async || world.auth.operator().vault_status().await.unwrap();
        let days = |days: u64| Duration::from_secs(days * 86_400);
        let ages = |status: &bosa_auth::VaultStatus| {
            let ages = status.data_keys;
            [ages.up_to_30_days, ages.up_to_90_days, ages.up_to_365_days, ages.older]
        };
        let first = status().await;
        assert_eq!((ages(&first), first.data_keys.retiring), ([2, 0, 0, 0], 0));
        assert_eq!((first.clients, first.rekey.is_none()), (2, true));
        let sealed = first.sealed;
        assert_eq!((sealed.credentials, sealed.refresh_tokens, sealed.code_verifiers), (6, 2, 2));
        assert_eq!((sealed.connector_secrets, sealed.shared_connector_secrets), (2, 1));
        assert_eq!((sealed.data_keys, sealed.connector_keys, sealed.values()), (2, 1, 13));
        let [key] = first.connector_keys.as_slice() else { panic!("{first:?}") };
        assert_eq!((key.is_active, key.seals), (true, 1));
        for (passed, expected) in [(31, [0, 2, 0, 0]), (60, [0, 0, 2, 0]), (300, [0, 0, 0, 2])] {
            world.clock.advance(days(passed));
            let found = status().await;
            assert_eq!(ages(&found), expected);
            assert_eq!(found.data_keys.oldest, first.data_keys.oldest);
        }
        rekey(&world.auth).await;
        let last = status().await;
        assert_eq!(ages(&last), [2, 0, 0, 0]);
        assert!(last.data_keys.oldest > first.data_keys.oldest);
    }
}
