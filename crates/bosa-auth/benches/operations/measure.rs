//! Timing one asynchronous call, repeated.

use std::fmt::Display;
use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use criterion::Criterion;
use tokio::runtime::Runtime;

/// Fewest samples that Criterion takes, for calls of tens of milliseconds.
pub(crate) const FEW: usize = 10;
pub(crate) const MANY: usize = 30;

/// Measures `call` as `group/name`, on a thread of the runtime like a server's request.
pub(crate) fn measure<F, C>(
    criterion: &mut Criterion,
    runtime: &Runtime,
    (group, name, samples): (&str, &str, usize),
    call: F,
) where
    F: Fn() -> C + Send + Sync + 'static,
    C: Future<Output = ()> + Send,
{
    let call = Arc::new(call);
    let mut group = criterion.benchmark_group(group);
    group.sample_size(samples);
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|times| {
            let call = Arc::clone(&call);
            let task = runtime.spawn(async move {
                let start = now();
                for _ in 0..times {
                    call().await;
                }
                start.elapsed()
            });
            must(runtime.block_on(task))
        });
    });
    group.finish();
}

/// Returns the value; a call that fails must not be measured as a fast one.
#[expect(
    clippy::panic,
    reason = "a benchmark whose calls fail has no result, and Criterion takes no errors"
)]
pub(crate) fn must<T, E: Display>(result: Result<T, E>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("the benchmark cannot go on: {error}"),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark measures the time that really passes"
)]
fn now() -> Instant {
    Instant::now()
}
