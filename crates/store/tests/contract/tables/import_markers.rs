use bosa_auth_core::Timestamp;
use bosa_auth_store::{ImportKind, ImportMarker, ImportOutcome, Store, StoreError, import_markers};
use bosa_auth_testkit::on_every_database;
use uuid::Uuid;

use super::world::{at, instance_in};

const ROW: Uuid = Uuid::from_u128(7);

fn imported(moment: Timestamp) -> ImportMarker {
    ImportMarker {
        kind: ImportKind::User,
        id: ROW,
        outcome: ImportOutcome::Imported,
        reason: None,
        former_name: Some("alice".to_owned()),
        was_active: true,
        imported_at: moment,
    }
}

fn skipped(reason: &str, moment: Timestamp) -> ImportMarker {
    ImportMarker {
        outcome: ImportOutcome::Skipped,
        reason: Some(reason.to_owned()),
        former_name: None,
        was_active: false,
        ..imported(moment)
    }
}

async fn skip(store: &Store, marker: &ImportMarker) -> Result<bool, StoreError> {
    write!(store, [marker] tx => {
        let put = import_markers::put_later(tx, &marker);
        tx.flush().await?;
        Ok(tx.changed(&put)? == 1)
    })
}

async fn found(store: &Store) -> Option<ImportMarker> {
    let found = import_markers::find(store, ImportKind::User, ROW).await;
    found.unwrap()
}

on_every_database! {
    async fn an_imported_row_is_never_remembered_as_skipped_again(db: TestDatabase) {
        let (_db, store) = instance_in(db).await;
        assert_eq!(skip(&store, &skipped("first", at(1))).await, Ok(true));
        assert_eq!(skip(&store, &skipped("second", at(2))).await, Ok(true));
        assert_eq!(found(&store).await, Some(skipped("second", at(2))));

        let marker = imported(at(3));
        let put: Result<_, StoreError> = write!(store, [marker] tx => {
            let _goes_with_the_commit = import_markers::put_later(tx, &marker);
            Ok(())
        });
        assert_eq!(put, Ok(()));
        assert_eq!(found(&store).await, Some(imported(at(3))));
        assert_eq!(skip(&store, &skipped("third", at(4))).await, Ok(false));
        assert_eq!(found(&store).await, Some(imported(at(3))));
        assert_eq!(import_markers::find(&store, ImportKind::Client, ROW).await, Ok(None));
    }
}
