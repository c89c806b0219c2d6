//! Connections to PostgreSQL that die.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};
use std::time::Duration;

use bosa_auth_store::{BoxFuture, Db, DbOptions, StoreError, Tx, params};
use bosa_auth_testkit::TestDatabase;
use tokio::sync::Barrier;

use super::tables::{INSERT_ONCE, Outcome, count, insert, sum, with_items};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_loses_its_connection_is_repeated() -> Outcome {
    let db = TestDatabase::postgres().await;
    with_items(db.db()).await?;
    let attempts = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&attempts);
    db.db()
        .write(move |tx| -> BoxFuture<'_, Outcome> {
            let attempt = counted.fetch_add(1, Ordering::Relaxed);
            Box::pin(async move {
                tx.execute(INSERT_ONCE, params![1_i64, "a"]).await?;
                if attempt == 0 {
                    tx.query(TERMINATE_OURSELVES, params![]).await?;
                }
                Ok(())
            })
        })
        .await?;
    assert_eq!(attempts.load(Ordering::Relaxed), 2);
    assert_eq!(count(db.db()).await?, 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_outcome_is_unknown_is_repeated() -> Outcome {
    let (db, attempts, result) = lose_commits(1).await?;
    result?;
    assert_eq!(attempts, 2);
    assert_eq!(count(db.db()).await?, 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outcome_that_stays_unknown_is_reported() -> Outcome {
    let (_db, attempts, result) = lose_commits(u32::MAX).await?;
    assert_eq!(result, Err(StoreError::OutcomeUnknown));
    assert_eq!(attempts, 4);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_outcome_stays_unknown_when_the_server_gives_no_answer() -> Outcome {
    let db = TestDatabase::postgres().await;
    with_items(db.db()).await?;
    let killer = Db::open(&db.url(), DbOptions::default()).await?;
    let impatient = DbOptions {
        statement_timeout: Duration::from_millis(200),
        ..DbOptions::default()
    };
    let impatient = Db::open(&db.url(), impatient).await?;
    let attempts = Arc::new(AtomicU32::new(0));
    let result = impatient
        .write(move |tx| -> BoxFuture<'_, Outcome> {
            let attempt = attempts.fetch_add(1, Ordering::Relaxed);
            let killer = killer.clone();
            Box::pin(async move {
                tx.execute(INSERT_ONCE, params![1_i64, "a"]).await?;
                match attempt {
                    0 => terminate(tx, &killer).await,
                    _ => tx.query(NO_ANSWER, params![]).await.map(drop),
                }
            })
        })
        .await;
    assert_eq!(result, Err(StoreError::OutcomeUnknown));

    let unanswered = impatient
        .write(|tx| -> BoxFuture<'_, Outcome> {
            Box::pin(async move { tx.query(NO_ANSWER, params![]).await.map(drop) })
        })
        .await;
    assert!(matches!(unanswered, Err(StoreError::Unavailable { .. })));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_on_a_dead_connection_is_repeated() -> Outcome {
    let db = TestDatabase::postgres().await;
    let killer = Db::open(&db.url(), DbOptions::default()).await?;
    db.db().ping().await?;
    killer.read(TERMINATE_OTHERS, params![]).await?;
    db.db().ping().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_writes_that_wait_for_each_other_both_succeed() -> Outcome {
    let db = TestDatabase::postgres().await;
    with_items(db.db()).await?;
    db.db().write(insert(1, "a")).await?;
    db.db().write(insert(2, "b")).await?;
    let meet = Arc::new(Barrier::new(2));
    let writers = [(1_i64, 2_i64), (2, 1)].map(|(first, second)| {
        let (db, meet) = (db.db().clone(), Arc::clone(&meet));
        let attempts = AtomicU32::new(0);
        tokio::spawn(async move {
            db.write(move |tx| -> BoxFuture<'_, Outcome> {
                let first_attempt = attempts.fetch_add(1, Ordering::Relaxed) == 0;
                let meet = Arc::clone(&meet);
                Box::pin(async move {
                    tx.execute(INCREMENT_ONE, params![first]).await?;
                    if first_attempt {
                        meet.wait().await;
                    }
                    tx.execute(INCREMENT_ONE, params![second]).await?;
                    Ok(())
                })
            })
            .await
        })
    });
    for writer in writers {
        writer.await.unwrap()?;
    }
    assert_eq!(sum(db.db()).await?, 4);
    Ok(())
}

/// Writes one row and ends the connection right before each of the first `times` commits.
async fn lose_commits(times: u32) -> Outcome<(TestDatabase, u32, Outcome)> {
    let db = TestDatabase::postgres().await;
    let killer = Db::open(&db.url(), DbOptions::default()).await?;
    with_items(db.db()).await?;
    let attempts = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&attempts);
    let result = db
        .db()
        .write(move |tx| -> BoxFuture<'_, Outcome> {
            let lose = counted.fetch_add(1, Ordering::Relaxed) < times;
            let killer = killer.clone();
            Box::pin(async move {
                tx.execute(INSERT_ONCE, params![1_i64, "a"]).await?;
                if lose {
                    terminate(tx, &killer).await
                } else {
                    Ok(())
                }
            })
        })
        .await;
    Ok((db, attempts.load(Ordering::Relaxed), result))
}

async fn terminate(tx: &mut Tx, killer: &Db) -> Outcome {
    let row = tx.query_opt("select pg_backend_pid()", params![]).await?;
    let process: i64 = row.unwrap().get(0)?;
    killer.read(TERMINATE, params![process]).await?;
    Ok(())
}

const INCREMENT_ONE: &str = "update item set n = n + 1 where id = $1";

const TERMINATE_OURSELVES: &str = "select pg_terminate_backend(pg_backend_pid())";

/// Takes longer than any limit.
const NO_ANSWER: &str = "select cast(pg_sleep(3600) as text)";

/// Waits until the process is gone.
const TERMINATE: &str = "select pg_terminate_backend(cast($1 as integer), 5000)";

const TERMINATE_OTHERS: &str = "
select pg_terminate_backend(pid, 5000) from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid()";
