use bosa_auth_store::{ChangeKind, changes};
use bosa_auth_testkit::on_every_database;
use uuid::Uuid;

use super::world::{at, id, instance_in};

on_every_database! {
    async fn a_new_feed_has_one_row_to_start_from(db: TestDatabase) {
        let (_db, store) = instance_in(db).await;
        let head = changes::head(&store).await.unwrap().unwrap();
        assert_eq!((head.seq, head.mark), (1, Uuid::from_u128(1)));
        let rows = changes::since(&store, head.seq, 10).await.unwrap();
        assert_eq!(rows.len(), 1);
        assert_eq!((rows[0].mark, rows[0].kind), (head.mark, Some(ChangeKind::Instance)));
    }

    async fn changes_at_once_are_numbered_without_gap(db: TestDatabase) {
        let (_db, store) = instance_in(db).await;
        let tasks: Vec<_> = (0..20_u128)
            .map(|number| {
                let store = store.clone();
                tokio::spawn(async move {
                    write!(store, [] tx => {
                        let mark = Uuid::from_u128(100 + number);
                        let client = Some(id(number));
                        changes::append(tx, mark, ChangeKind::User, client, Some(mark), at(5));
                        // Has it sent.
                        changes::head(&mut *tx).await?;
                        // Every fourth write fails after all: its number must not be missing.
                        match number % 4 {
                            0 => Err(bosa_auth_store::StoreError::Internal("refused".to_owned())),
                            _ => Ok(()),
                        }
                    })
                })
            })
            .collect();
        let mut done = 0;
        for task in tasks {
            done += i64::from(task.await.unwrap().is_ok());
        }
        assert_eq!(done, 15);
        let rows = changes::since(&store, 1, 100).await.unwrap();
        let numbers: Vec<i64> = rows.iter().map(|row| row.seq).collect();
        assert_eq!(numbers, (1..=1 + done).collect::<Vec<_>>());
        let head = changes::head(&store).await.unwrap().unwrap();
        let last = rows.last().unwrap();
        assert_eq!((last.seq, last.mark), (head.seq, head.mark));
        assert_eq!(last.subject, Some(last.mark));
    }

    async fn pruning_keeps_the_newest_change_and_leaves_no_hole(db: TestDatabase) {
        let (_db, store) = instance_in(db).await;
        // The clock of another process is behind: the third change is older than the second.
        for (number, second) in [(2, 20), (3, 10), (4, 30)] {
            let done = write!(store, [] tx => {
                let mark = Uuid::from_u128(number);
                changes::append(tx, mark, ChangeKind::Token, None, None, at(second));
                Ok(())
            });
            assert_eq!(done, Ok(()));
        }
        assert_eq!(write!(store, [] tx => changes::prune(tx, at(15), 10).await), Ok(1));
        let numbers: Vec<i64> =
            changes::since(&store, 0, 10).await.unwrap().iter().map(|row| row.seq).collect();
        assert_eq!(numbers, vec![2, 3, 4]);
        for removed in [1, 1, 0] {
            assert_eq!(write!(store, [] tx => changes::prune(tx, at(99), 1).await), Ok(removed));
        }
        let rows = changes::since(&store, 0, 10).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.seq).collect::<Vec<_>>(), vec![4]);
    }

    async fn a_kind_of_a_newer_version_is_unknown_and_not_an_error(db: TestDatabase) {
        let (db, store) = instance_in(db).await;
        let done = db.db().write::<_, bosa_auth_store::StoreError, _>(|tx| Box::pin(async move {
            tx.execute(NEWER, vec![]).await
        })).await;
        assert_eq!(done, Ok(1));
        let rows = changes::since(&store, 2, 10).await.unwrap();
        assert_eq!(rows[0].kind, None);
    }
}

const NEWER: &str = "insert into bosa_changes (seq, mark, kind, client_id, subject, at) \
    select 2, mark, 'from_the_future', null, null, 0 from bosa_feed_head";
