//! How many round trips a write to PostgreSQL costs.

use bosa_auth_store::{BoxFuture, Db, DbOptions, Store, params};
use bosa_auth_testkit::{Line, TestDatabase};

use super::tables::{INCREMENT, INSERT, Outcome, insert, with_items};

/// On one thread, so that everything that is sent together leaves together.
#[tokio::test]
async fn a_write_costs_one_round_trip_per_statement_and_one_to_commit() -> Outcome {
    let database = TestDatabase::postgres().await.migrated().await;
    with_items(database.db()).await?;
    let line = Line::to(&database).await;
    let options = DbOptions {
        pool_size: 1,
        ..DbOptions::default()
    };
    let db = Db::open(&line.url(), options).await?;
    let store = Store::new(db.clone());
    db.ping().await?;

    let before = line.trips();
    db.ping().await?;
    assert_eq!(line.trips() - before, 1);

    let before = line.trips();
    let names = "select name from item";
    db.read_together(vec![(names, params![]), (names, params![])])
        .await?;
    assert_eq!(line.trips() - before, 1);

    let before = line.trips();
    store.write(insert(1, "a")).await?;
    assert_eq!(line.trips() - before, 2);

    let before = line.trips();
    store
        .write(|tx| -> BoxFuture<'_, Outcome> {
            Box::pin(async move {
                tx.execute(INSERT, params![2_i64, "b"]).await?;
                tx.execute(INCREMENT, params![]).await?;
                tx.query("select id from item", params![]).await?;
                Ok(())
            })
        })
        .await?;
    assert_eq!(line.trips() - before, 4);

    // What may wait leaves with the next statement, or with the commit.
    let before = line.trips();
    store
        .write(|tx| -> BoxFuture<'_, Outcome> {
            Box::pin(async move {
                let first = tx.later(INSERT, params![3_i64, "c"]);
                let second = tx.later(INSERT, params![4_i64, "d"]);
                assert_eq!(tx.query("select id from item", params![]).await?.len(), 4);
                assert_eq!((tx.changed(&first)?, tx.changed(&second)?), (1, 1));
                let _with_the_commit = tx.later(INCREMENT, params![]);
                Ok(())
            })
        })
        .await?;
    assert_eq!(line.trips() - before, 2);

    let before = line.trips();
    store
        .write(|_| -> BoxFuture<'_, Outcome> { Box::pin(async { Ok(()) }) })
        .await?;
    assert_eq!(line.trips() - before, 1);
    Ok(())
}
