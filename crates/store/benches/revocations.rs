//! What the row lock of the change feed costs many revocations at once: the same transaction without
//! a feed, with one head, and with a head for each of 16 parts.
//!
//! `bench/revocations.sh` runs it on both databases; by hand:
//! `cargo bench -p bosa-auth-store --bench revocations -- sqlite://FILE | postgresql://…`

use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};

use bosa_auth_store::{
    BoxFuture, DatabaseUrl, Db, DbOptions, Store, StoreError, Tx, migrate, params,
};
use jiff::Timestamp;
use tokio::time::Instant;
use uuid::Uuid;

const ROUNDS: usize = 7;
/// Rows that each task has to itself, so that only the feed makes them wait for one another.
const ROWS_OF_A_TASK: i64 = 4;
const PARTS: i64 = 16;
/// How many connections of PostgreSQL are in use at most.
const CONNECTIONS: usize = 64;

/// Numbers the revocations, so that each has an audit record of its own.
static OPERATIONS: AtomicU64 = AtomicU64::new(1);

#[derive(Clone, Copy)]
enum Feed {
    None,
    OneHead,
    Parts,
}

impl Feed {
    const ALL: [Self; 3] = [Self::None, Self::OneHead, Self::Parts];

    fn name(self) -> &'static str {
        match self {
            Self::None => "no feed",
            Self::OneHead => "one head",
            Self::Parts => "16 heads",
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let Some(url) = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with("--"))
    else {
        return Ok(());
    };
    let url = DatabaseUrl::parse(&url)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(run(&url))
}

async fn run(url: &DatabaseUrl) -> Result<(), Box<dyn Error>> {
    let options = DbOptions {
        pool_size: CONNECTIONS,
        ..DbOptions::default()
    };
    let db = Db::open(url, options).await?;
    migrate::up(&db, Timestamp::UNIX_EPOCH).await?;
    db.write(|tx| Box::pin(prepare(tx))).await?;
    let store = Store::new(db);
    let database = if url.is_sqlite() {
        "SQLite"
    } else {
        "PostgreSQL"
    };
    let mut lines = Vec::new();
    for (tasks, each) in [(1, 150), (8, 60), (64, 20)] {
        let mut rates = Feed::ALL.map(|feed| (feed, Vec::new()));
        // They take turns, so that a busy moment of the disk meets all of them.
        for _ in 0..ROUNDS {
            for (feed, rates) in &mut rates {
                rates.push(rate(&store, *feed, tasks, each).await?);
            }
        }
        for (_, rates) in &mut rates {
            rates.sort_by(f64::total_cmp);
        }
        let baseline = middle(
            &rates
                .first()
                .map(|(_, rates)| rates.clone())
                .unwrap_or_default(),
        );
        for (feed, rates) in &rates {
            let value = middle(rates);
            let (low, high) = (rates.first().unwrap_or(&0.0), rates.last().unwrap_or(&0.0));
            lines.push(format!(
                r#"{{"group": "{database}, {tasks} at once", "subject": "{}", "metric": "revocations", "unit": "1/s", "value": {value:.0}, "low": {low:.0}, "high": {high:.0}, "baseline": "{}", "ratio": {:.3}}}"#,
                feed.name(),
                Feed::None.name(),
                value / baseline
            ));
        }
    }
    println!("[{}]", lines.join(",\n"));
    Ok(())
}

async fn prepare(tx: &mut Tx) -> Result<(), StoreError> {
    tx.batch(CREATE).await?;
    for number in 0..64 * ROWS_OF_A_TASK {
        tx.execute(INSERT_TOKEN, params![number]).await?;
    }
    for number in 0..PARTS {
        tx.execute(INSERT_HEAD, params![number, Uuid::nil()])
            .await?;
    }
    Ok(())
}

async fn rate(store: &Store, feed: Feed, tasks: i64, each: i64) -> Result<f64, Box<dyn Error>> {
    let start = Instant::now();
    let writers: Vec<_> = (0..tasks)
        .map(|task| {
            let store = store.clone();
            tokio::spawn(async move {
                for round in 0..each {
                    let token = task * ROWS_OF_A_TASK + round % ROWS_OF_A_TASK;
                    let number = OPERATIONS.fetch_add(1, Ordering::Relaxed);
                    let operation = Uuid::from_u128(number.into());
                    store
                        .write(move |tx| revoke(tx, feed, token, operation))
                        .await?;
                }
                Ok::<_, StoreError>(())
            })
        })
        .collect();
    for writer in writers {
        writer.await??;
    }
    let revocations = u32::try_from(tasks * each).map_or(f64::NAN, f64::from);
    Ok(revocations / start.elapsed().as_secs_f64())
}

/// As the library revokes: the row first, then its audit record and the feed together with the commit.
fn revoke(
    tx: &mut Tx,
    feed: Feed,
    token: i64,
    operation: Uuid,
) -> BoxFuture<'_, Result<(), StoreError>> {
    Box::pin(async move {
        tx.execute(REVOKE, params![token, operation]).await?;
        let _ = tx.later(RECORD, params![operation, token]);
        let part = match feed {
            Feed::None => return Ok(()),
            Feed::OneHead => 0,
            Feed::Parts => part_of(token / ROWS_OF_A_TASK),
        };
        let _ = tx.later(ADVANCE, params![part, operation]);
        let _ = tx.later(APPEND, params![part, token]);
        Ok(())
    })
}

/// As clients fall: some parts have several, others none (SplitMix64).
fn part_of(client: i64) -> i64 {
    let mixed = client
        .wrapping_add(1)
        .wrapping_mul(-7_046_029_254_386_353_131);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(-4_658_895_280_553_007_687);
    (mixed ^ (mixed >> 27)).rem_euclid(PARTS)
}

fn middle(sorted: &[f64]) -> f64 {
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

const CREATE: &str = "create table bench_tokens (id bigint not null primary key, operation uuid); \
    create table bench_records (id uuid not null primary key, token bigint not null); \
    create table bench_heads (part bigint not null primary key, seq bigint not null, mark uuid not null); \
    create table bench_changes (part bigint not null, seq bigint not null, mark uuid not null, \
    token bigint not null, primary key (part, seq))";
const INSERT_TOKEN: &str = "insert into bench_tokens (id, operation) values ($1, null)";
const INSERT_HEAD: &str = "insert into bench_heads (part, seq, mark) values ($1, 0, $2)";
const REVOKE: &str = "update bench_tokens set operation = $2 where id = $1";
const RECORD: &str = "insert into bench_records (id, token) values ($1, $2)";
const ADVANCE: &str = "update bench_heads set seq = seq + 1, mark = $2 where part = $1";
const APPEND: &str = "insert into bench_changes (part, seq, mark, token) \
    select part, seq, mark, $2 from bench_heads where part = $1";
