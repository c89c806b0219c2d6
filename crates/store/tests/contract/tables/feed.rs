use bosa_auth_store::{ChangeKind, changes};
use bosa_auth_testkit::on_every_database;
use uuid::Uuid;

use super::world::{at, id, instance_in};

on_every_database! {
    async fn a_new_feed_has_one_row_to_start_from(db: TestDatabase) {
        let (_db, store) = instance_in(db).await;
        let head = changes::head(&store, 0).await.unwrap().unwrap();
        assert_eq!((head.seq, head.mark), (1, Uuid::from_u128(1)));
        let rows = changes::since(&store, 0, head.seq, 10).await.unwrap();
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
                        changes::head(&mut *tx, 0).await?;
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
            done += usize::from(task.await.unwrap().is_ok());
        }
        assert_eq!(done, 15);
        let mut found = 0;
        for part in 0..changes::PARTS as i64 {
            let rows = changes::since(&store, part, 1, 100).await.unwrap();
            let numbers: Vec<i64> = rows.iter().map(|row| row.seq).collect();
            let head = changes::head(&store, part).await.unwrap().unwrap();
            assert_eq!(numbers, (1..=head.seq).collect::<Vec<_>>());
            assert_eq!(rows.last().unwrap().mark, head.mark);
            for row in &rows[1..] {
                assert_eq!(row.subject, Some(row.mark));
                assert_eq!(changes::part_of(row.client_id), part);
            }
            found += rows.len() - 1;
        }
        assert_eq!(found, done);
    }

    async fn one_look_gives_every_part_at_one_moment(db: TestDatabase) {
        let (db, store) = instance_in(db).await;
        for number in 0..20_u128 {
            let done = write!(store, [] tx => {
                let mark = Uuid::from_u128(100 + number);
                changes::append(tx, mark, ChangeKind::Client, Some(id(number)), None, at(5));
                Ok(())
            });
            assert_eq!(done, Ok(()));
        }
        let parts = changes::PARTS as i64;
        let page = changes::poll(db.db(), [1; changes::PARTS], 100).await.unwrap().unwrap();
        assert!(page.is_primary && page.heads.len() == changes::PARTS);
        let places: Vec<_> = page.changes.iter().map(|row| (row.part, row.seq)).collect();
        // Numbers 0 to 19 in 16 parts: two of them in the first four.
        let expected = (0..parts).flat_map(|part| (1..=if part < 4 { 3 } else { 2 }).map(move |seq| (part, seq)));
        assert_eq!(places, expected.collect::<Vec<_>>());
        // Too much for one look: the heads alone, from which a reader starts again.
        let cut = changes::poll(db.db(), [1; changes::PARTS], 30).await.unwrap().unwrap();
        assert_eq!((&cut.heads, cut.changes.len()), (&page.heads, 0));
        let heads = changes::poll(db.db(), [i64::MAX; changes::PARTS], 100).await.unwrap().unwrap();
        assert_eq!((&heads.heads, heads.changes.len()), (&page.heads, 0));
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
            changes::since(&store, 0, 0, 10).await.unwrap().iter().map(|row| row.seq).collect();
        assert_eq!(numbers, vec![2, 3, 4]);
        for removed in [1, 1, 0] {
            assert_eq!(write!(store, [] tx => changes::prune(tx, at(99), 1).await), Ok(removed));
        }
        let rows = changes::since(&store, 0, 0, 10).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.seq).collect::<Vec<_>>(), vec![4]);
    }

    async fn a_kind_of_a_newer_version_is_unknown_and_not_an_error(db: TestDatabase) {
        let (db, store) = instance_in(db).await;
        let done = db.db().write::<_, bosa_auth_store::StoreError, _>(|tx| Box::pin(async move {
            tx.execute(NEWER, vec![]).await
        })).await;
        assert_eq!(done, Ok(1));
        let rows = changes::since(&store, 0, 2, 10).await.unwrap();
        assert_eq!(rows[0].kind, None);
    }
}

const NEWER: &str = "insert into bosa_changes (part, seq, mark, kind, client_id, subject, at) \
    select part, 2, mark, 'from_the_future', null, null, 0 from bosa_feed_head where part = 0";
