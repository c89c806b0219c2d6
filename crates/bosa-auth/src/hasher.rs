//! Password hashing on its own threads, so that its memory and its time are bounded.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bosa_auth_core::password::{self, Argon2Cost, HashMemory, ORIGINAL_COST};
use bosa_auth_core::{Clock, Entropy, Secret};
use tokio::sync::oneshot;

use crate::error::{Error, Result};

/// How long a hash may wait for a free thread.
const QUEUE_DEADLINE: Duration = Duration::from_secs(2);
/// How many hashes may wait for each thread.
const QUEUE_PER_WORKER: usize = 32;
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
    queue: SyncSender<Job>,
    clock: Arc<dyn Clock>,
    cost: Argon2Cost,
    /// A hash of nothing, verified where there is no hash, so that both cost the same.
    dummy: String,
    dummy_of_the_original: String,
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
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let largest = LARGEST_HASH_MIB.max(cost.memory_kib.div_ceil(1024)).max(1);
        let workers = usize::try_from(memory_mib / largest)
            .unwrap_or(1)
            .clamp(1, cores);
        let (queue, jobs) = sync_channel(workers * QUEUE_PER_WORKER);
        let jobs = Arc::new(Mutex::new(jobs));
        for number in 0..workers {
            let (jobs, clock, entropy) = (jobs.clone(), clock.clone(), entropy.clone());
            std::thread::Builder::new()
                .name(format!("bosa-auth-hash-{number}"))
                .spawn(move || work(&jobs, largest, clock.as_ref(), entropy.as_ref()))
                .map_err(Error::internal)?;
        }
        Ok(Self {
            queue,
            clock,
            cost,
            dummy: password::dummy_phc(cost),
            dummy_of_the_original: password::dummy_phc(ORIGINAL_COST),
        })
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
        let (answer, answered) = oneshot::channel();
        let deadline = self.clock.monotonic() + QUEUE_DEADLINE;
        self.queue
            .try_send(Job {
                work,
                deadline,
                answer,
            })
            .map_err(|error| match error {
                TrySendError::Full(_) => overloaded(),
                TrySendError::Disconnected(_) => Error::internal("the hashing threads have ended"),
            })?;
        answered.await.map_err(Error::internal)?
    }
}

fn overloaded() -> Error {
    metrics::counter!("bosa_auth_hash_overloaded_total").increment(1);
    Error::Overloaded {
        retry_after: RETRY_AFTER,
    }
}

/// One thread: takes jobs until the pool is dropped, reusing its memory up to `largest_mib`.
fn work(jobs: &Mutex<Receiver<Job>>, largest_mib: u32, clock: &dyn Clock, entropy: &dyn Entropy) {
    let keep_kib = usize::try_from(largest_mib.saturating_mul(1024)).unwrap_or(usize::MAX);
    let mut memory = HashMemory::default();
    loop {
        let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job {
            work,
            deadline,
            answer,
        }) = next
        else {
            return;
        };
        if answer.is_closed() {
            // Nobody waits for it any more, and no work was begun.
            continue;
        }
        let result = if clock.monotonic() > deadline {
            Err(overloaded())
        } else {
            carry_out(work, &mut memory, entropy)
        };
        // A stored hash may have been made at a cost that is not allowed for here.
        memory.shrink_to(keep_kib);
        // A caller that has gone is no reason to stop.
        drop(answer.send(result));
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
