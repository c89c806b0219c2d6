//! Writes a second on a SQLite file: in groups, beside one transaction each, in the same run.
//!
//! `cargo bench -p bosa-auth-store --bench group_commit [-- DIRECTORY]`

use std::{error::Error, path::PathBuf};

use bosa_auth_store::{
    BoxFuture, DatabaseUrl, Db, DbOptions, Store, StoreError, Tx, migrate, params,
};
use jiff::Timestamp;
use tokio::time::Instant;

const ROUNDS: usize = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let parent = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with("--"));
    let parent = parent.map_or_else(std::env::temp_dir, PathBuf::from);
    let directory = tempfile::tempdir_in(parent)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let url = DatabaseUrl::sqlite_file(directory.path().join("bench.db"));
        let db = Db::open(&url, DbOptions::default()).await?;
        migrate::up(&db, Timestamp::UNIX_EPOCH).await?;
        db.write(|tx| Box::pin(async move { tx.batch(CREATE).await }))
            .await?;
        let store = Store::new(db);
        for (tasks, each) in [(1, 1000), (64, 100)] {
            // The two take turns, so that a busy moment of the disk meets both.
            let mut rates = (Vec::new(), Vec::new());
            for _ in 0..ROUNDS {
                rates.0.push(rate(&store, Mode::Alone, tasks, each).await?);
                rates.1.push(rate(&store, Mode::Grouped, tasks, each).await?);
            }
            let (alone, grouped) = (median(rates.0), median(rates.1));
            println!(
                "{tasks:>2} tasks: one transaction each {alone:>8.0}/s, in groups {grouped:>8.0}/s, ratio {:.2}",
                grouped / alone
            );
        }
        Ok(())
    })
}

#[derive(Clone, Copy)]
enum Mode {
    Alone,
    Grouped,
}

async fn rate(store: &Store, mode: Mode, tasks: u32, each: u32) -> Result<f64, Box<dyn Error>> {
    let start = Instant::now();
    let writers: Vec<_> = (0..tasks)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                for _ in 0..each {
                    match mode {
                        Mode::Alone => store.exclusive_write(insert).await?,
                        Mode::Grouped => store.write(insert).await?,
                    }
                }
                Ok::<_, StoreError>(())
            })
        })
        .collect();
    for writer in writers {
        writer.await??;
    }
    Ok(f64::from(tasks * each) / start.elapsed().as_secs_f64())
}

fn insert(tx: &mut Tx) -> BoxFuture<'_, Result<(), StoreError>> {
    Box::pin(async move {
        tx.execute(INSERT, params!["a value of some length"])
            .await?;
        Ok(())
    })
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied().unwrap_or(f64::NAN)
}

const CREATE: &str = "create table bench_rows (id integer primary key, value text not null) strict";

const INSERT: &str = "insert into bench_rows (value) values ($1)";
