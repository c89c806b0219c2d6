//! Writes that wait together on SQLite and are committed together.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};
use std::time::Duration;

use bosa_auth_store::{BoxFuture, Db, DbOptions, Store, StoreError, Tx, params};
use bosa_auth_testkit::TestDatabase;
use tokio::{
    sync::{Semaphore, mpsc},
    task::{JoinHandle, yield_now},
};

use super::tables::{INSERT, Outcome, count, create, insert, statement, with_items};

/// Runs a test on a file and in memory, on one thread so that the order of the writes is known.
macro_rules! on_sqlite {
    ($( async fn $name:ident($db:ident: &Db) -> Outcome $body:block )*) => {$(
        mod $name {
            use super::*;

            async fn check($db: &Db) -> Outcome $body

            #[tokio::test]
            async fn file() -> Outcome {
                check(TestDatabase::sqlite().await.db()).await
            }

            #[tokio::test]
            async fn memory() -> Outcome {
                check(TestDatabase::sqlite_memory().await.db()).await
            }
        }
    )*};
}

on_sqlite! {
    async fn a_write_sees_nothing_of_what_was_rolled_back_before_it(db: &Db) -> Outcome {
        with_items(db).await?;
        let first = Held::start(db, 1).await;
        let refused = queue(db, |tx| {
            Box::pin(async move {
                tx.execute(INSERT, params![2_i64, "b"]).await?;
                Err::<(), _>(StoreError::ForeignKey)
            })
        })
        .await;
        let ignorant = queue(db, |tx| {
            Box::pin(async move {
                tx.execute(INSERT, params![3_i64, "c"]).await?;
                let _ignored = tx.execute(INSERT, params![3_i64, "c"]).await;
                Ok(())
            })
        })
        .await;
        let panicking = queue(db, |tx| -> BoxFuture<'_, Outcome> {
            Box::pin(async move {
                tx.execute(INSERT, params![4_i64, "d"]).await?;
                panic!("a defect in a use case");
            })
        })
        .await;
        let witness = queue(db, |tx| {
            Box::pin(async move {
                let row = tx.query_opt("select group_concat(id) from item", params![]).await?;
                let seen: String = row.unwrap().get(0)?;
                tx.execute(INSERT, params![5_i64, seen]).await?;
                Ok(())
            })
        })
        .await;
        first.release();
        first.writer.await.unwrap()?;
        assert_eq!(refused.await.unwrap(), Err(StoreError::ForeignKey));
        for failed in [ignorant, panicking] {
            let error = failed.await.unwrap();
            assert!(matches!(error, Err(StoreError::Internal(_))), "{error:?}");
        }
        witness.await.unwrap()?;
        let row = db.read_opt("select name from item where id = 5", params![]).await?;
        assert_eq!(row.unwrap().get::<String>(0)?, "1");
        assert_eq!(count(db).await?, 2);
        Ok(())
    }

    async fn a_commit_that_fails_is_repeated_for_each_alone(db: &Db) -> Outcome {
        with_items(db).await?;
        create(db, LATE, "").await?;
        let first = Held::start(db, 1).await;
        let guilty = queue(db, statement("insert into late (id, item) values (1, 99)")).await;
        let clash = queue(db, insert(1, "b")).await;
        let last = queue(db, insert(3, "c")).await;
        first.release();
        assert_eq!(guilty.await.unwrap(), Err(StoreError::ForeignKey));
        let clash = clash.await.unwrap();
        assert!(matches!(clash, Err(StoreError::Unique { .. })), "{clash:?}");
        last.await.unwrap()?;
        assert_eq!(first.runs(), 2);
        first.writer.await.unwrap()?;
        assert_eq!(count(db).await?, 2);
        Ok(())
    }

    async fn more_writes_than_one_transaction_holds_all_succeed(db: &Db) -> Outcome {
        with_items(db).await?;
        let first = Held::start(db, 0).await;
        let mut others = Vec::new();
        for id in 1..400 {
            let db = db.clone();
            let write = insert(id, id.to_string());
            others.push(tokio::spawn(async move { db.write(write).await }));
        }
        first.release();
        for write in others {
            write.await.unwrap()?;
        }
        first.writer.await.unwrap()?;
        assert_eq!(count(db).await?, 400);
        Ok(())
    }
}

#[tokio::test]
async fn nobody_is_answered_before_the_shared_commit() -> Outcome {
    let db = TestDatabase::sqlite().await;
    let db = db.db();
    with_items(db).await?;
    let first = Held::start(db, 1).await;
    let clash = queue(db, insert(1, "b")).await;
    let mut last = Held::queue(db, 2).await;
    first.release();
    last.has_started().await;
    // The first has ended and the second has failed by now; what it clashed with is not committed.
    settle().await;
    assert!(!first.writer.is_finished());
    assert!(!clash.is_finished());
    assert_eq!(count(db).await?, 0);
    last.release();
    first.writer.await.unwrap()?;
    assert_eq!(count(db).await?, 2);
    let clash = clash.await.unwrap();
    assert!(matches!(clash, Err(StoreError::Unique { .. })), "{clash:?}");
    last.writer.await.unwrap()
}

#[tokio::test]
async fn every_answer_finds_its_write_committed() -> Outcome {
    let db = TestDatabase::sqlite().await;
    with_items(db.db()).await?;
    let writers: Vec<_> = (0..64)
        .map(|writer| {
            let db = db.db().clone();
            tokio::spawn(async move {
                for number in 0..20 {
                    let id = writer * 100 + number;
                    db.write(insert(id, id.to_string())).await?;
                    let found = db.read("select 1 from item where id = $1", params![id]);
                    assert_eq!(found.await?.len(), 1);
                }
                Ok::<_, StoreError>(())
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap()?;
    }
    Ok(())
}

#[tokio::test]
async fn a_write_that_ends_the_shared_transaction_takes_nobody_along() -> Outcome {
    let database = TestDatabase::sqlite().await;
    with_items(database.db()).await?;
    let options = DbOptions {
        statement_timeout: Duration::from_millis(50),
        ..DbOptions::default()
    };
    let db = Db::open(&database.url(), options).await?;
    let first = Held::start(&db, 1).await;
    // SQLite rolls the whole transaction back when it interrupts a statement that writes.
    let endless = queue(&db, statement(INSERT_ENDLESSLY)).await;
    let last = queue(&db, insert(2, "b")).await;
    first.release();
    let endless = endless.await.unwrap();
    assert!(
        matches!(endless, Err(StoreError::Unavailable { .. })),
        "{endless:?}"
    );
    last.await.unwrap()?;
    assert_eq!(first.runs(), 2);
    first.writer.await.unwrap()?;
    assert_eq!(count(&db).await?, 2);
    Ok(())
}

#[tokio::test]
async fn an_exclusive_write_shares_its_transaction_with_nobody() -> Outcome {
    let database = TestDatabase::sqlite().await.migrated().await;
    let db = database.db();
    with_items(db).await?;
    let first = Held::start(db, 1).await;
    let (exclusive, gate, mut started, _) = held(2);
    let store = Store::new(db.clone());
    let exclusive = tokio::spawn(async move { store.exclusive_write(exclusive).await });
    settle().await;
    let last = queue(db, insert(3, "c")).await;
    first.release();
    started.recv().await.unwrap();
    first.writer.await.unwrap()?;
    assert_eq!(count(db).await?, 1);
    gate.close();
    exclusive.await.unwrap()?;
    last.await.unwrap()?;
    assert_eq!(count(db).await?, 3);
    Ok(())
}

#[tokio::test]
async fn a_snapshot_sees_committed_rows_only() -> Outcome {
    let database = TestDatabase::sqlite().await.migrated().await;
    let db = database.db();
    with_items(db).await?;
    let first = Held::start(db, 1).await;
    let (store, beside) = (Store::new(db.clone()), db.clone());
    let snapshot = tokio::spawn(async move {
        store
            .snapshot(move |tx| -> BoxFuture<'_, Outcome> {
                let beside = beside.clone();
                Box::pin(async move {
                    let inside = tx.query("select id from item", params![]).await?.len();
                    assert_eq!(inside, 1);
                    assert_eq!(count(&beside).await?, 1);
                    Ok(())
                })
            })
            .await
    });
    settle().await;
    first.release();
    first.writer.await.unwrap()?;
    snapshot.await.unwrap()
}

#[tokio::test]
async fn a_write_that_gave_up_waiting_never_runs() -> Outcome {
    let database = TestDatabase::sqlite().await;
    with_items(database.db()).await?;
    let options = DbOptions {
        lock_timeout: Duration::from_millis(10),
        ..DbOptions::default()
    };
    let db = Db::open(&database.url(), options).await?;
    let first = Held::start(&db, 1).await;
    assert_eq!(db.write(insert(2, "b")).await, Err(StoreError::Busy));
    first.release();
    first.writer.await.unwrap()?;
    db.write(insert(3, "c")).await?;
    assert_eq!(count(&db).await?, 2);
    Ok(())
}

#[tokio::test]
async fn a_write_survives_the_runtime_that_worked_on_its_group() -> Outcome {
    let database = TestDatabase::sqlite().await;
    let db = database.db();
    with_items(db).await?;
    let other = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let (write, _gate, mut started, _) = held(1);
    let leader = db.clone();
    other.spawn(async move { leader.write(write).await });
    started.recv().await.unwrap();
    let follower = queue(db, insert(2, "b")).await;
    other.shutdown_background();
    follower.await.unwrap()?;
    assert_eq!(count(db).await?, 1);
    Ok(())
}

/// A write of one row that goes on only when it is released.
struct Held {
    writer: JoinHandle<Outcome>,
    gate: Arc<Semaphore>,
    started: mpsc::UnboundedReceiver<()>,
    runs: Arc<AtomicU32>,
}

impl Held {
    /// Starts it and waits until its transaction is open.
    async fn start(db: &Db, id: i64) -> Self {
        let mut held = Self::queue(db, id).await;
        held.has_started().await;
        held
    }

    async fn queue(db: &Db, id: i64) -> Self {
        let (write, gate, started, runs) = held(id);
        Self {
            writer: queue(db, write).await,
            gate,
            started,
            runs,
        }
    }

    async fn has_started(&mut self) {
        self.started.recv().await.unwrap();
    }

    fn release(&self) {
        self.gate.close();
    }

    fn runs(&self) -> u32 {
        self.runs.load(Ordering::Relaxed)
    }
}

#[expect(
    clippy::type_complexity,
    reason = "a closure has no name, and its signals belong to it"
)]
fn held(
    id: i64,
) -> (
    impl for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Outcome> + Send + Sync + 'static,
    Arc<Semaphore>,
    mpsc::UnboundedReceiver<()>,
    Arc<AtomicU32>,
) {
    let (start, started) = mpsc::unbounded_channel();
    let (gate, runs): (_, Arc<AtomicU32>) = (Arc::new(Semaphore::new(0)), Arc::default());
    let (closed, counted) = (Arc::clone(&gate), Arc::clone(&runs));
    let write = as_write(move |tx| {
        let (start, closed) = (start.clone(), Arc::clone(&closed));
        counted.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move {
            tx.execute(INSERT, params![id, format!("held {id}")])
                .await?;
            let _unheard = start.send(());
            // Only a closed gate opens.
            drop(closed.acquire().await);
            Ok(())
        })
    });
    (write, gate, started, runs)
}

/// Tells the compiler how long what the closure is given lives.
fn as_write<F>(write: F) -> F
where
    F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Outcome> + Send + Sync + 'static,
{
    write
}

/// Starts a write and lets it come as far as the queue.
async fn queue<T, F>(db: &Db, write: F) -> JoinHandle<Outcome<T>>
where
    T: Send + 'static,
    F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Outcome<T>> + Send + Sync + 'static,
{
    let db = db.clone();
    let writer = tokio::spawn(async move { db.write(write).await });
    settle().await;
    writer
}

/// Lets every other task of this thread come as far as it can.
async fn settle() {
    for _ in 0..20 {
        yield_now().await;
    }
}

const LATE: &str = "
create table late (
    id integer primary key,
    item integer not null references item (id) deferrable initially deferred
) strict";

const INSERT_ENDLESSLY: &str = "
insert into item (id, name)
with recursive r (n) as (select 1000 union all select n + 1 from r)
select n, 'item ' || n from r";
