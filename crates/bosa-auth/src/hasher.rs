//! Password hashing on its own threads, so that its memory and its time are bounded.

mod queue;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bosa_auth_core::password::{self, Argon2Cost, HashMemory, ORIGINAL_COST};
use bosa_auth_core::{Clock, Entropy, Secret};
use bosa_auth_store::fork::Process;
use tokio::sync::oneshot;

use self::queue::{Next, Queue};
use crate::error::{Error, Result};

/// How long a hash may wait for a free thread.
const QUEUE_DEADLINE: Duration = Duration::from_secs(2);
/// How many hashes may wait for each thread.
const QUEUE_PER_WORKER: usize = 32;
/// After how long without a job a thread gives its memory back.
const IDLE: Duration = Duration::from_secs(10);
/// What a caller that was turned away is told to wait.
const RETRY_AFTER: Duration = Duration::from_secs(2);
/// The most memory that one thread may come to hold: an imported user's hash is larger than ours.
const LARGEST_HASH_MIB: u32 = ORIGINAL_COST.memory_kib.div_ceil(1024);

/// The pool of hashing threads.
///
/// A job keeps its thread until the hash is done, also when its caller has gone, so that the number
/// of threads is the bound of memory: `budget / 64 MiB`, at least one.
#[derive(Debug)]
pub(crate) struct Hasher {
    /// Where the threads are.
    process: Process,
    pool: Arc<Pool>,
    clock: Arc<dyn Clock>,
    cost: Argon2Cost,
    /// A hash of nothing, verified where there is no hash, so that both cost the same.
    dummy: String,
    dummy_of_the_original: String,
}

/// What the threads share.
#[derive(Debug)]
struct Pool {
    queue: Queue<Job>,
    /// What one thread may keep between two hashes.
    keep_kib: usize,
    idle: Duration,
    /// What all threads hold now.
    held_kib: Mutex<usize>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

#[derive(Debug)]
struct Job {
    work: Work,
    deadline: Duration,
    answer: oneshot::Sender<Result<Answer>>,
}

#[derive(Debug)]
enum Work {
    Hash { secret: Secret, cost: Argon2Cost },
    Verify { secret: Secret, phc: String },
}

#[derive(Debug)]
enum Answer {
    Hash(String),
    Verified(bool),
}

impl Hasher {
    /// Starts the threads.
    pub(crate) fn start(
        cost: Argon2Cost,
        memory_mib: u32,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self> {
        Self::start_with(cost, memory_mib, IDLE, clock, entropy)
    }

    fn start_with(
        cost: Argon2Cost,
        memory_mib: u32,
        idle: Duration,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let largest = LARGEST_HASH_MIB.max(cost.memory_kib.div_ceil(1024)).max(1);
        let workers = usize::try_from(memory_mib / largest)
            .unwrap_or(1)
            .clamp(1, cores);
        let pool = Arc::new(Pool {
            queue: Queue::new(workers * QUEUE_PER_WORKER),
            keep_kib: usize::try_from(largest.saturating_mul(1024)).unwrap_or(usize::MAX),
            idle,
            held_kib: Mutex::new(0),
            clock: clock.clone(),
            entropy,
        });
        // Made first: when a thread cannot be started, dropping it ends those that were.
        let hasher = Self {
            process: Process::current(),
            pool: pool.clone(),
            clock,
            cost,
            dummy: password::dummy_phc(cost),
            dummy_of_the_original: password::dummy_phc(ORIGINAL_COST),
        };
        for number in 0..workers {
            let pool = pool.clone();
            std::thread::Builder::new()
                .name(format!("bosa-auth-hash-{number}"))
                .spawn(move || pool.work())
                .map_err(Error::internal)?;
        }
        Ok(hasher)
    }

    /// Hashes a chosen secret at today's cost.
    pub(crate) async fn hash(&self, secret: Secret) -> Result<String> {
        match self
            .run(Work::Hash {
                secret,
                cost: self.cost,
            })
            .await?
        {
            Answer::Hash(phc) => Ok(phc),
            Answer::Verified(_) => Err(Error::internal("a hash was asked for")),
        }
    }

    /// Whether the secret has this hash.
    pub(crate) async fn verify(&self, secret: Secret, phc: String) -> Result<bool> {
        match self.run(Work::Verify { secret, phc }).await? {
            Answer::Verified(verified) => Ok(verified),
            Answer::Hash(_) => Err(Error::internal("a verification was asked for")),
        }
    }

    /// Spends the work of one verification at today's cost.
    pub(crate) async fn verify_nothing(&self, secret: Secret) -> Result<()> {
        self.verify(secret, self.dummy.clone()).await.map(drop)
    }

    /// Spends the work of one verification at the original system's cost.
    pub(crate) async fn verify_nothing_of_the_original(&self, secret: Secret) -> Result<()> {
        self.verify(secret, self.dummy_of_the_original.clone())
            .await
            .map(drop)
    }

    /// Whether a hash was made at a lower cost than today's. A higher one stays: two processes with
    /// different settings must not take turns, and nothing is ever weakened.
    pub(crate) fn needs_rehash(&self, phc: &str) -> bool {
        password::cost_of(phc).is_none_or(|cost| {
            cost.memory_kib < self.cost.memory_kib || cost.iterations < self.cost.iterations
        })
    }

    async fn run(&self, work: Work) -> Result<Answer> {
        self.process.check()?;
        let (answer, answered) = oneshot::channel();
        let deadline = self.clock.monotonic() + QUEUE_DEADLINE;
        let queued = self.pool.queue.push(Job {
            work,
            deadline,
            answer,
        });
        if !queued {
            return Err(overloaded());
        }
        answered.await.map_err(Error::internal)?
    }
}

impl Drop for Hasher {
    fn drop(&mut self) {
        self.pool.queue.close();
    }
}

impl Pool {
    /// One thread: takes jobs until the pool is dropped, and keeps its memory between them.
    fn work(&self) {
        let mut memory = HashMemory::default();
        let mut held = 0;
        loop {
            let patience = (held > 0).then_some(self.idle);
            match self.queue.take(patience) {
                // A caller that has gone is no reason to stop, nor one to begin.
                Next::Job(job) if job.answer.is_closed() => {}
                Next::Job(job) => {
                    let result = if self.clock.monotonic() > job.deadline {
                        Err(overloaded())
                    } else {
                        self.carry_out(job.work, &mut memory)
                    };
                    // A stored hash may have been made at a cost that is not allowed for here.
                    memory.shrink_to(self.keep_kib);
                    held = self.report(held, &memory);
                    drop(job.answer.send(result));
                }
                Next::Idle => {
                    memory.shrink_to(0);
                    held = self.report(held, &memory);
                }
                Next::Closed => return,
            }
        }
    }

    /// A job that panics fails alone: the thread goes on, and so do those that wait for one.
    fn carry_out(&self, work: Work, memory: &mut HashMemory) -> Result<Answer> {
        let done = AssertUnwindSafe(|| carry_out(work, memory, self.entropy.as_ref()));
        catch_unwind(done).unwrap_or_else(|_panic| Err(Error::internal("a hash panicked")))
    }

    /// Adds up what the threads hold; gives what this one holds.
    fn report(&self, before_kib: usize, memory: &HashMemory) -> usize {
        let now_kib = memory.held_kib();
        if before_kib != now_kib {
            let mut all = self.held_kib.lock().unwrap_or_else(PoisonError::into_inner);
            *all = (*all + now_kib).saturating_sub(before_kib);
            let mib = u32::try_from(all.div_ceil(1024)).unwrap_or(u32::MAX);
            // Under the lock, so that the last word is the latest.
            metrics::gauge!("bosa_auth_hash_memory_mib").set(f64::from(mib));
        }
        now_kib
    }
}

fn overloaded() -> Error {
    metrics::counter!("bosa_auth_hash_overloaded_total").increment(1);
    Error::Overloaded {
        retry_after: RETRY_AFTER,
    }
}

fn carry_out(work: Work, memory: &mut HashMemory, entropy: &dyn Entropy) -> Result<Answer> {
    metrics::counter!("bosa_auth_hashes_total").increment(1);
    match work {
        Work::Hash { secret, cost } => password::hash(secret.expose(), cost, memory, entropy)
            .map(Answer::Hash)
            .map_err(Error::internal),
        Work::Verify { secret, phc } => password::verify(secret.expose(), &phc, memory)
            .map(Answer::Verified)
            .map_err(|_| Error::Unreadable {
                what: "the hash of a user's secret".to_owned(),
            }),
    }
}

#[cfg(test)]
mod tests {
    use bosa_auth_core::{SeededEntropy, SystemClock};

    use super::*;

    const CHEAP: Argon2Cost = Argon2Cost {
        memory_kib: 64,
        iterations: 1,
        parallelism: 1,
    };

    fn pool(idle: Duration) -> Hasher {
        let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SeededEntropy::new(1)));
        Hasher::start_with(CHEAP, 64, idle, clock, entropy).unwrap()
    }

    fn held(hasher: &Hasher) -> usize {
        *hasher.pool.held_kib.lock().unwrap()
    }

    #[tokio::test]
    async fn a_thread_without_work_gives_its_memory_back() {
        let hasher = pool(Duration::from_millis(1));
        for _ in 0..2 {
            let phc = hasher.hash(Secret::from("a secret")).await.unwrap();
            while held(&hasher) > 0 {
                tokio::task::yield_now().await;
            }
            // And takes new memory for the next job.
            assert!(hasher.verify(Secret::from("a secret"), phc).await.unwrap());
        }
    }

    #[tokio::test]
    async fn the_threads_end_with_the_pool() {
        let hasher = pool(IDLE);
        hasher.hash(Secret::from("a secret")).await.unwrap();
        let pool = Arc::downgrade(&hasher.pool);
        drop(hasher);
        while pool.strong_count() > 0 {
            tokio::task::yield_now().await;
        }
    }
}
