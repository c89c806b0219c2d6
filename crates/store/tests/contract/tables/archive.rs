use std::collections::BTreeSet;
use std::time::Duration;

use bosa_auth_core::{Actor, AuditAction, AuditEvent};
use bosa_auth_store::import_markers::{self, ImportKind, ImportMarker, ImportOutcome};
use bosa_auth_store::{
    ClientTx, Param, Store, StoreError, archive, audit, changes, clients, instance, params, rekey,
    root_keys, tokens,
};
use bosa_auth_testkit::{TestDatabase, on_every_database};
use uuid::Uuid;

use super::connected::{connected, holder};
use super::world::{at, id, instance_row, two_clients};

type Rows = Vec<(&'static str, Vec<Vec<Param>>)>;

/// Reads every carried table on one state, in small pages.
async fn exported(store: &Store) -> Rows {
    store
        .snapshot::<_, StoreError, _>(|tx| {
            Box::pin(async move {
                let mut all = Vec::new();
                for table in archive::tables().iter().filter(|table| table.is_carried()) {
                    let mut rows = Vec::new();
                    let mut after = None;
                    loop {
                        let page = archive::export(&mut *tx, table, after, 1).await?;
                        let Some(last) = page.last() else { break };
                        after = Some(table.key(last));
                        rows.extend(page);
                    }
                    all.push((table.name(), rows));
                }
                Ok(all)
            })
        })
        .await
        .unwrap()
}

async fn import(store: &Store, rows: &Rows) -> Result<(), StoreError> {
    write!(store, [rows] tx => {
        for (name, rows) in rows {
            let table = archive::table(name).unwrap();
            for row in rows {
                archive::import(tx, table, row).await?;
            }
        }
        archive::adopt_instance(tx, id(0xff), Uuid::from_u128(0xfe), at(9)).await
    })
}

async fn store_in(db: TestDatabase) -> (TestDatabase, Store) {
    let db = db.migrated().await;
    let store = Store::new(db.db().clone());
    (db, store)
}

/// Exports from `from`, imports into `into` and compares.
async fn moves(from: TestDatabase, into: TestDatabase) {
    let (_from, source, ours, _) = connected(from).await;
    let recorded = write!(source, [ours] tx => {
        let event = AuditEvent {
            id: id(1),
            at: at(1),
            actor: Actor::Operator,
            action: AuditAction::ClientCreate,
            client_id: Some(ours.client),
            subject: None,
            detail: None,
        };
        rekey::begin(tx, holder(1), &Actor::Operator, at(1)).await?;
        ClientTx::new(&mut *tx, ours.client)
            .take_lease(ours.first, holder(1), Duration::from_secs(60))
            .await?;
        let marker = ImportMarker {
            kind: ImportKind::Client,
            id: ours.client.as_uuid(),
            outcome: ImportOutcome::Imported,
            reason: None,
            former_name: None,
            was_active: true,
            imported_at: at(1),
        };
        let _answer = import_markers::put_later(tx, &marker);
        audit::record(tx, &event).await
    });
    assert_eq!(recorded, Ok(true));
    let (_into, target) = store_in(into).await;
    let rows = exported(&source).await;
    assert_eq!(import(&target, &rows).await, Ok(()));

    let copied = exported(&target).await;
    for ((name, before), (_, after)) in rows.iter().zip(&copied) {
        if *name == "bosa_instance" {
            continue;
        }
        assert!(
            !before.is_empty() || *name == "bosa_signing_keys",
            "{name} tests nothing"
        );
        assert!(before == after, "{name} differs");
    }
    let mut expected = instance_row();
    expected.id = id(0xff);
    assert_eq!(instance::load(&target).await, Ok(Some(expected)));
    let head = changes::head(&target, 0).await.unwrap().unwrap();
    assert_eq!((head.seq, head.mark), (1, Uuid::from_u128(0xfe)));
    for table in LEFT {
        let rows = |store: &Store| {
            let db = store.db().clone();
            async move { db.read(table, params![]).await.unwrap().len() }
        };
        assert_ne!(rows(&source).await, 0, "{table} tests nothing");
        assert_eq!(rows(&target).await, 0, "{table}");
    }
    let token = tokens::find(&source, ours.token).await;
    assert_eq!(tokens::find(&target, ours.token).await, token);
    assert!(
        import(&target, &rows).await.is_err(),
        "an instance is there already"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_moves_from_sqlite_to_postgresql() {
    moves(TestDatabase::sqlite().await, TestDatabase::postgres().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_moves_from_postgresql_to_sqlite() {
    moves(TestDatabase::postgres().await, TestDatabase::sqlite().await).await;
}

on_every_database! {
    async fn every_table_and_column_of_the_schema_is_listed(db: TestDatabase) {
        let (db, _store) = store_in(db).await;
        let columns = match db.url().is_sqlite() {
            true => SQLITE_COLUMNS,
            false => POSTGRES_COLUMNS,
        };
        let in_schema: BTreeSet<String> = db.db().read(columns, params![]).await.unwrap()
            .iter()
            .map(|row| row.get(0).unwrap())
            .collect();
        let listed: BTreeSet<String> = archive::tables()
            .iter()
            .flat_map(|table| {
                table.columns().iter().map(|(column, _)| format!("{}.{column}", table.name()))
            })
            .collect();
        assert_eq!(in_schema, listed);
    }

    async fn a_row_of_other_columns_is_refused(db: TestDatabase) {
        let (_db, store) = store_in(db).await;
        for row in [params!["k1"], params!["k1", "text", 1_i64]] {
            let refused = write!(store, [row] tx => {
                archive::import(tx, archive::table("bosa_root_key_canaries").unwrap(), row).await
            });
            assert!(matches!(refused, Err(StoreError::Unreadable { .. })));
        }
        assert!(archive::table("bosa_unknown").is_none());
    }

    async fn a_snapshot_does_not_see_what_is_written_meanwhile(db: TestDatabase) {
        let (db, store, ours, _) = two_clients(db).await;
        if db.url().is_sqlite() {
            // There a snapshot keeps writers waiting instead.
            return;
        }
        let writer = store.clone();
        let seen = store
            .snapshot::<_, StoreError, _>(move |tx| {
                let (writer, ours) = (writer.clone(), ours.clone());
                Box::pin(async move {
                    let before = clients::find(&mut *tx, ours.client).await?;
                    let ended = write!(writer, [ours] tx => {
                        clients::end_tokens(tx, ours.client, at(5)).await
                    });
                    assert_eq!(ended, Ok(true));
                    let after = clients::find(&mut *tx, ours.client).await?;
                    Ok(before == after)
                })
            })
            .await;
        assert_eq!(seen, Ok(true));
    }

    async fn a_snapshot_cannot_write_on_postgresql(db: TestDatabase) {
        let (db, store) = store_in(db).await;
        if db.url().is_sqlite() {
            return;
        }
        let written = store
            .snapshot::<_, StoreError, _>(|tx| {
                Box::pin(async move {
                    root_keys::insert_canary(tx, "k1", &vec![1].into(), at(0)).await
                })
            })
            .await;
        assert!(written.is_err());
    }
}

/// What speaks of requests in flight.
const LEFT: [&str; 3] = [
    "select 1 from bosa_connect_states",
    "select 1 from bosa_refresh_leases",
    "select 1 from bosa_rekey",
];

const SQLITE_COLUMNS: &str = "select t.name || '.' || c.name from sqlite_schema t, pragma_table_info(t.name) c \
    where t.type = 'table' and t.name like 'bosa!_%' escape '!'";

const POSTGRES_COLUMNS: &str = "select (table_name || '.' || column_name)::text \
    from information_schema.columns where table_name like 'bosa!_%' escape '!'";
