//! Statements that leave together.

use bosa_auth_store::{BoxFuture, StoreError, params};
use bosa_auth_testkit::on_every_database;

use super::tables::{INCREMENT, INSERT, Outcome, count, insert, sum, with_items};

const NAMES: &str = "select name from item where id >= $1 order by id";
const MISSING: &str = "select id from missing";

on_every_database! {
    async fn reads_that_leave_together_are_answered_in_their_order(db: TestDatabase) -> Outcome {
        let db = db.db();
        with_items(db).await?;
        for (id, name) in [(1, "a"), (2, "b"), (3, "c")] {
            db.write(insert(id, name)).await?;
        }
        let ids = [2_i64, 9, 1];
        let reads = ids.iter().map(|id| (NAMES, params![*id])).collect();
        let answers = db.read_together(reads).await?;
        let names: Vec<Vec<String>> = answers
            .iter()
            .map(|rows| rows.iter().map(|row| row.get(0).unwrap()).collect())
            .collect();
        assert_eq!(names, [vec!["b", "c"], vec![], vec!["a", "b", "c"]]);
        assert!(db.read_together(vec![]).await?.is_empty());

        // More than leave in one flight.
        let many: Vec<i64> = (0..70).collect();
        let reads = many.iter().map(|id| (NAMES, params![*id])).collect();
        let counts: Vec<usize> = db.read_together(reads).await?.iter().map(Vec::len).collect();
        assert_eq!((counts.len(), &counts[..5]), (70, &[3, 3, 2, 1, 0][..]));
        Ok(())
    }

    async fn a_read_that_fails_fails_those_that_left_with_it(db: TestDatabase) -> Outcome {
        let db = db.db();
        with_items(db).await?;
        for place in 0..3 {
            let mut reads = vec![(NAMES, params![0_i64]), (NAMES, params![0_i64])];
            reads.insert(place, (MISSING, params![]));
            let failed = db.read_together(reads).await;
            assert!(matches!(failed, Err(StoreError::Internal(_))), "{failed:?}");
        }
        let wrote = db.read_together(vec![(NAMES, params![0_i64]), (INCREMENT, params![])]).await;
        assert!(wrote.is_err(), "{wrote:?}");
        assert_eq!(db.read_together(vec![(NAMES, params![0_i64])]).await?.len(), 1);
        Ok(())
    }

    async fn a_last_statement_that_was_left_for_later_fails_the_write_with_its_error(db: TestDatabase) -> Outcome {
        let db = db.db();
        with_items(db).await?;
        let failed = db
            .write(|tx| -> BoxFuture<'_, Outcome> {
                Box::pin(async move {
                    tx.execute(INSERT, params![1_i64, "a"]).await?;
                    let _increments = tx.later(INCREMENT, params![]);
                    let _refused = tx.later("insert into part (id, item) values (1, 99)", params![]);
                    Ok(())
                })
            })
            .await;
        assert_eq!(failed, Err(StoreError::ForeignKey));
        assert_eq!(count(db).await?, 0);
        Ok(())
    }

    async fn what_ran_before_a_failure_is_known_when_the_rest_is_discarded(db: TestDatabase) -> Outcome {
        let db = db.db();
        with_items(db).await?;
        db.write(insert(1, "a")).await?;
        let answer = db
            .write(|tx| -> BoxFuture<'_, Outcome<(u64, bool)>> {
                Box::pin(async move {
                    let known = tx.later("update item set n = n + 1 where id = 9", params![]);
                    let counted = tx.later(INCREMENT, params![]);
                    let taken = tx.execute(INSERT, params![2_i64, "a"]).await;
                    assert_eq!(tx.changed(&counted)?, 1);
                    tx.discard();
                    Ok((tx.changed(&known)?, taken.is_err()))
                })
            })
            .await;
        assert_eq!(answer, Ok((0, true)));
        assert_eq!((count(db).await?, sum(db).await?), (1, 0));
        Ok(())
    }
}
