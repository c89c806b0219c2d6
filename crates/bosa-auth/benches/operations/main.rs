//! What one call costs, beside what it cannot cost less than: `cargo bench -p bosa-auth`.
//!
//! Every operation runs on SQLite and on PostgreSQL (`BOSA_AUTH_TEST_POSTGRES_URL`), one call after
//! the other. The baselines are taken in the same run: one look-up by primary key and one insert on
//! the same database, the bare HMAC, the bare Argon2id. `bench/table.sh` makes the table of
//! `docs/performance.md` out of the results.

mod baselines;
mod measure;
mod operations;
mod world;

use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use tokio::runtime::Runtime;

use self::measure::must;
use self::world::World;

fn everything(criterion: &mut Criterion) {
    let runtime = must(
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build(),
    );
    for database in [world::SQLITE, world::POSTGRES] {
        let world = Arc::new(runtime.block_on(World::new(database)));
        on_one_database(criterion, &runtime, &world);
        must(runtime.block_on(world.auth.close()));
    }
}

fn on_one_database(criterion: &mut Criterion, runtime: &Runtime, world: &Arc<World>) {
    // What is compared stands as close together as possible, because the machine's speed drifts.
    baselines::hmac(criterion, world);
    baselines::select(criterion, runtime, world);
    operations::verify_api_key(criterion, runtime, world);
    operations::verify_token(criterion, runtime, world);
    operations::read_integration(criterion, runtime, world);
    baselines::insert(criterion, runtime, world);
    operations::issue_token(criterion, runtime, world);
    operations::login_generated(criterion, runtime, world);
    operations::write_integration(criterion, runtime, world);
    baselines::argon2(criterion, world);
    operations::login_chosen(criterion, runtime, world);
}

criterion_group! {
    name = operations;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(30);
    targets = everything
}
criterion_main!(operations);
