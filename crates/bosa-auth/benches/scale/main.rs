//! How cost, memory and start-up time grow with the number of users: `bench/scale.sh`.
//!
//! One run fills one database with users and ten tokens each, measures calls through the library on
//! random rows, then starts the server on it. A bare look-up and a bare insert in a small table are
//! measured beside the rest: what they differ between two sizes is the machine's doing.

mod fill;
mod measure;
mod operations;
mod postgres;
mod rows;
mod server;
mod sqlite;
mod world;

use std::error::Error;
use std::path::PathBuf;

use self::measure::Report;
use self::world::World;

/// What may fail here is reported and ends the run.
pub(crate) type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// What is measured.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    /// `sqlite` or `postgres`, as it stands in the results.
    pub(crate) database: String,
    /// Where the database is; for SQLite a file that does not exist yet.
    pub(crate) url: String,
    pub(crate) users: u64,
    /// The server's program.
    pub(crate) program: PathBuf,
    /// For the server's files.
    pub(crate) directory: PathBuf,
}

fn main() -> Outcome<()> {
    // Cargo adds `--bench`.
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| word != "--bench")
        .collect();
    let [database, url, users, program, directory] = arguments.as_slice() else {
        return Err("run bench/scale.sh instead".into());
    };
    let order = Order {
        database: database.clone(),
        url: url.clone(),
        users: users.parse()?,
        program: program.into(),
        directory: directory.into(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    // On a thread of the runtime, as a server's request is.
    runtime.block_on(runtime.spawn(run(order)))?
}

async fn run(order: Order) -> Outcome<()> {
    let mut report = Report::new(&order);
    let world = World::fill(&order, &mut report).await?;
    operations::measure(&world, &mut report).await?;
    world.close().await?;
    server::measure(&order, world, &mut report).await?;
    report.print()
}
