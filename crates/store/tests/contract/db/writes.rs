//! Transactions: what is kept, what is refused, who waits.

use std::{sync::Arc, time::Duration};

use bosa_auth_store::{BoxFuture, Db, DbOptions, StoreError, params};
use bosa_auth_testkit::on_every_database;
use tokio::sync::{Semaphore, mpsc};

use super::tables::{
    INCREMENT, INSERT, INSERT_ONCE, Outcome, count, insert, statement, sum, with_items,
};

on_every_database! {
    async fn a_second_row_with_a_unique_value_is_refused(db: TestDatabase) -> Outcome {
        let db = db.db();
        with_items(db).await?;
        db.write(insert(1, "a")).await?;
        for (id, name) in [(1, "b"), (2, "a")] {
            let error = db.write(insert(id, name)).await.unwrap_err();
            assert!(matches!(error, StoreError::Unique { .. }), "{error:?}");
        }
        assert_eq!(count(db).await?, 1);
        Ok(())
    }

    async fn a_reference_to_nothing_is_refused(db: TestDatabase) -> Outcome {
        let db = db.db();
        with_items(db).await?;
        let orphan = "insert into part (id, item) values (1, 99)";
        let error = db.write(statement(orphan)).await.unwrap_err();
        assert_eq!(error, StoreError::ForeignKey);
        Ok(())
    }

    async fn an_error_rolls_back(db: TestDatabase) -> Outcome {
        let db = db.db();
        with_items(db).await?;
        let error = db
            .write(|tx| -> BoxFuture<'_, Outcome> {
                Box::pin(async move {
                    tx.execute(INSERT, params![1_i64, "a"]).await?;
                    Err(StoreError::ForeignKey)
                })
            })
            .await
            .unwrap_err();
        assert_eq!(error, StoreError::ForeignKey);
        assert_eq!(count(db).await?, 0);
        Ok(())
    }

    async fn a_panic_rolls_back(db: TestDatabase) -> Outcome {
        let db = db.db();
        with_items(db).await?;
        let error = db
            .write(|tx| -> BoxFuture<'_, Outcome> {
                Box::pin(async move {
                    tx.execute(INSERT, params![1_i64, "a"]).await?;
                    panic!("a defect in a use case");
                })
            })
            .await
            .unwrap_err();
        assert!(matches!(error, StoreError::Internal(_)), "{error:?}");
        assert_eq!(count(db).await?, 0);
        db.write(insert(2, "b")).await
    }

    async fn a_write_that_ignores_a_failed_statement_is_not_committed(db: TestDatabase) -> Outcome {
        let db = db.db();
        with_items(db).await?;
        let error = db
            .write(|tx| -> BoxFuture<'_, Outcome> {
                Box::pin(async move {
                    tx.execute(INSERT, params![1_i64, "a"]).await?;
                    let _ignored = tx.execute(INSERT, params![1_i64, "a"]).await;
                    Ok(())
                })
            })
            .await
            .unwrap_err();
        assert!(matches!(error, StoreError::Internal(_)), "{error:?}");
        assert_eq!(count(db).await?, 0);
        Ok(())
    }

    async fn a_write_outlives_its_caller(db: TestDatabase) -> Outcome {
        let db = db.db();
        with_items(db).await?;
        let (started, mut begun) = mpsc::channel::<()>(1);
        let gate = Arc::new(Semaphore::new(0));
        let (writer, closed_gate) = (db.clone(), Arc::clone(&gate));
        let caller = tokio::spawn(async move {
            writer
                .write(move |tx| wait_and_insert(tx, started.clone(), closed_gate.clone()))
                .await
        });
        begun.recv().await.unwrap();
        caller.abort();
        assert!(caller.await.unwrap_err().is_cancelled());
        gate.add_permits(1);
        // The same row again waits for the write that goes on, and then meets it.
        let error = db.write(insert(1, "b")).await.unwrap_err();
        assert!(matches!(error, StoreError::Unique { .. }), "{error:?}");
        Ok(())
    }

    async fn concurrent_writers_all_succeed(db: TestDatabase) -> Outcome {
        let db = db.db();
        with_items(db).await?;
        db.write(insert(0, "0")).await?;
        let writers: Vec<_> = (0..50)
            .map(|_| {
                let db = db.clone();
                tokio::spawn(async move { db.write(statement(INCREMENT)).await })
            })
            .collect();
        for writer in writers {
            writer.await.unwrap()?;
        }
        assert_eq!(sum(db).await?, 50);
        Ok(())
    }

    async fn handles_of_one_database_wait_for_each_other(db: TestDatabase) -> Outcome {
        let other = Db::open(&db.url(), DbOptions::default()).await?;
        with_items(db.db()).await?;
        let writers: Vec<_> = (0..20)
            .map(|id| {
                let db = if id % 2 == 0 { db.db() } else { &other }.clone();
                tokio::spawn(async move { db.write(insert(id, id.to_string())).await })
            })
            .collect();
        for writer in writers {
            writer.await.unwrap()?;
        }
        assert_eq!(count(&other).await?, 20);
        assert_eq!(count(db.db()).await?, 20);
        Ok(())
    }

    async fn rows_changed_are_counted_and_returned(db: TestDatabase) -> Outcome {
        let db = db.db();
        with_items(db).await?;
        db.write(|tx| -> BoxFuture<'_, Outcome> {
            Box::pin(async move {
                assert_eq!(tx.execute(INSERT_ONCE, params![1_i64, "a"]).await?, 1);
                assert_eq!(tx.execute(INSERT_ONCE, params![1_i64, "b"]).await?, 0);
                assert_eq!(tx.execute(INSERT_ONCE, params![2_i64, "c"]).await?, 1);
                assert_eq!(tx.execute(INCREMENT, params![]).await?, 2);
                assert_eq!(tx.query(RETURNING, params![]).await?.len(), 2);
                assert_eq!(tx.execute(RETURNING, params![]).await?, 2);
                tx.advisory_lock(7).await
            })
        })
        .await
    }

    async fn a_read_cannot_write(db: TestDatabase) -> Outcome {
        let db = db.db();
        with_items(db).await?;
        assert!(db.read(INSERT, params![1_i64, "a"]).await.is_err());
        assert_eq!(count(db).await?, 0);
        Ok(())
    }

    async fn an_error_tells_no_bound_value(db: TestDatabase) -> Outcome {
        let db = db.db();
        with_items(db).await?;
        db.write(insert(1, "hunter2")).await?;
        let unique = db.write(insert(2, "hunter2")).await.unwrap_err();
        let wrong_table = "select id from no_such_table where name = $1";
        let wrong = db.read(wrong_table, params!["hunter2"]).await.unwrap_err();
        let cast = db.read("select cast($1 as bigint)", params!["hunter2"]).await;
        for error in [Some(unique), Some(wrong), cast.err()].into_iter().flatten() {
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        }
        Ok(())
    }

    async fn a_statement_that_takes_too_long_is_stopped(db: TestDatabase) -> Outcome {
        let options = DbOptions {
            statement_timeout: Duration::from_millis(20),
            ..DbOptions::default()
        };
        let hasty = Db::open(&db.url(), options).await?;
        let error = hasty.read(ENDLESS, params![]).await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
        hasty.ping().await
    }

    async fn a_closed_database_says_so(db: TestDatabase) -> Outcome {
        let db = db.db();
        with_items(db).await?;
        db.close().await;
        assert!(matches!(db.ping().await, Err(StoreError::Unavailable { .. })));
        let error = db.write(insert(1, "a")).await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
        Ok(())
    }
}

fn wait_and_insert(
    tx: &mut bosa_auth_store::Tx,
    started: mpsc::Sender<()>,
    gate: Arc<Semaphore>,
) -> BoxFuture<'_, Outcome> {
    Box::pin(async move {
        tx.execute(INSERT, params![1_i64, "a"]).await?;
        started.send(()).await.unwrap();
        gate.acquire().await.unwrap().forget();
        Ok(())
    })
}

const RETURNING: &str = "update item set n = n + 1 returning id";

const ENDLESS: &str = "
with recursive r (n) as (select 1 union all select (n + 1) % 1000 from r)
select count(*) from r";
