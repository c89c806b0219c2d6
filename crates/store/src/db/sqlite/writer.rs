//! The writing connection and the writes that wait for it.
//!
//! Whoever finds nobody at work becomes the leader: it runs its own write and those that have come
//! meanwhile, one after the other, commits them together, and hands over to a new leader if still
//! more are waiting. A write that finds no company is committed at once.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Mutex as AsyncMutex, OwnedMutexGuard, oneshot},
    time::timeout,
};

use super::{
    closed,
    file::OpenFile,
    job::{End, Job},
    link::Link,
    tx::SqliteTx,
    when_free,
};
use crate::{
    db::{
        Tx,
        tx::{Attempt, TxArm},
    },
    error::StoreError,
};

/// The most writes that one transaction holds, which bounds how long its first waits for the rest.
const MEMBERS: usize = 128;

pub(super) struct Writer {
    /// Holds `None` once the database is closed.
    connection: Arc<AsyncMutex<Option<Link>>>,
    queue: Mutex<Queue>,
    lock_timeout: Duration,
    /// `None` in memory.
    file: Option<Arc<OpenFile>>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Entry>,
    /// Whether someone works on the queue.
    led: bool,
    /// The number of the next entry.
    next: u64,
}

struct Entry {
    number: u64,
    /// Whether it must not share its transaction.
    alone: bool,
    job: Box<dyn Job>,
}

impl Writer {
    pub(super) fn new(
        connection: Link,
        lock_timeout: Duration,
        file: Option<Arc<OpenFile>>,
    ) -> Self {
        Self {
            connection: Arc::new(AsyncMutex::new(Some(connection))),
            queue: Mutex::default(),
            lock_timeout,
            file,
        }
    }

    /// Waits until no transaction is open, and keeps others from opening one.
    pub(super) async fn connection(&self) -> Result<OwnedMutexGuard<Option<Link>>, StoreError> {
        let lock = Arc::clone(&self.connection).lock_owned();
        timeout(self.lock_timeout, lock)
            .await
            .map_err(|_| StoreError::Busy)
    }

    pub(super) async fn close(&self) {
        self.connection.lock().await.take();
    }

    /// Runs a job in a transaction, its own or a shared one, and waits for its answer.
    pub(super) async fn run<T, E>(
        self: &Arc<Self>,
        job: Box<dyn Job>,
        mut answer: oneshot::Receiver<Attempt<T, E>>,
        alone: bool,
    ) -> Attempt<T, E>
    where
        E: From<StoreError>,
    {
        let (number, leadership) = self.enter(job, alone);
        if let Some(leadership) = leadership {
            leadership.exercise().await;
        }
        let answer = match timeout(self.lock_timeout, &mut answer).await {
            Ok(answer) => answer,
            Err(_) if self.withdraw(number) => return Attempt::failed(StoreError::Busy),
            // It has begun, so that only its end is an answer.
            Err(_) => answer.await,
        };
        // A leader whose runtime shut down took its jobs along.
        answer.unwrap_or_else(|_| Attempt::failed(StoreError::OutcomeUnknown))
    }

    /// Queues a job; returns its number and, where nobody leads, the leadership.
    fn enter(self: &Arc<Self>, job: Box<dyn Job>, alone: bool) -> (u64, Option<Leadership>) {
        let mut queue = self.queue();
        let number = queue.next;
        queue.next += 1;
        queue.waiting.push_back(Entry { number, alone, job });
        let led = std::mem::replace(&mut queue.led, true);
        (number, (!led).then(|| Leadership(Some(Arc::clone(self)))))
    }

    /// Takes a job out of the queue; false when it is not there any more.
    fn withdraw(&self, number: u64) -> bool {
        let mut queue = self.queue();
        let position = queue
            .waiting
            .iter()
            .position(|entry| entry.number == number);
        position.is_some_and(|position| queue.waiting.remove(position).is_some())
    }

    async fn one_transaction(&self) {
        let Some(Entry { alone, mut job, .. }) = self.queue().waiting.pop_front() else {
            return;
        };
        let mut tx = match self.begin().await {
            Ok(tx) => Tx::new(TxArm::Sqlite(tx)),
            Err(error) => return job.answer(End::Failed(error)),
        };
        // The first needs no savepoint: while it runs, nobody else's changes are there.
        if !job.run(&mut tx).await {
            tx.rollback().await;
            return job.answer(End::Settled);
        }
        let mut members = vec![job];
        while !alone
            && members.len() < MEMBERS
            && let Some(mut job) = self.next_companion()
        {
            let shared = share(&mut tx, job.as_mut()).await;
            members.push(job);
            if let Err(error) = shared {
                // The transaction is gone, or in a state that nobody may commit.
                tx.rollback().await;
                return again(members, &error);
            }
        }
        match tx.commit().await {
            Ok(()) => {
                for job in members {
                    job.answer(End::Settled);
                }
            }
            Err(error) => again(members, &error),
        }
    }

    /// The next job, if there is one that shares the open transaction.
    fn next_companion(&self) -> Option<Box<dyn Job>> {
        let mut queue = self.queue();
        match queue.waiting.front() {
            Some(entry) if !entry.alone => queue.waiting.pop_front().map(|entry| entry.job),
            _ => None,
        }
    }

    async fn begin(&self) -> Result<SqliteTx, StoreError> {
        let mut connection = self.connection().await?;
        if let Some(file) = &self.file {
            file.check()?;
        }
        when_free(self.lock_timeout, || {
            connection.as_mut().ok_or_else(closed)?.begin()
        })
        .await?;
        Ok(SqliteTx::new(connection, self.file.is_none()))
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs a job in a savepoint of a transaction that holds others already.
///
/// An error says that the transaction cannot be committed.
async fn share(tx: &mut Tx, job: &mut dyn Job) -> Result<(), StoreError> {
    tx.sqlite()?.savepoint()?;
    if job.run(tx).await {
        tx.sqlite()?.release()
    } else {
        tx.sqlite()?.undo()?;
        tx.forget_trouble();
        Ok(())
    }
}

/// Has the members of a transaction that failed run again, each alone; also those whose closures
/// had failed, since what they saw of the others has never been.
fn again(members: Vec<Box<dyn Job>>, error: &StoreError) {
    let shared = members.len() > 1;
    tracing::debug!(%error, members = members.len(), "a transaction was not committed");
    for job in members {
        job.answer(match shared {
            true => End::Again(error.clone()),
            false => End::Failed(error.clone()),
        });
    }
}

/// The duty to work on the queue until it is empty; `None` once it is over.
struct Leadership(Option<Arc<Writer>>);

impl Leadership {
    /// Runs one transaction and hands over, so that the leader's own caller has its answer.
    async fn exercise(mut self) {
        if let Some(writer) = &self.0 {
            writer.one_transaction().await;
        }
        let Some(writer) = self.0.take() else { return };
        {
            let mut queue = writer.queue();
            if queue.waiting.is_empty() {
                queue.led = false;
                return;
            }
        }
        follow(Self(Some(writer)));
    }
}

/// Apart from the function that calls it, because a future cannot contain itself.
fn follow(leadership: Leadership) {
    drop(tokio::spawn(leadership.exercise()));
}

impl Drop for Leadership {
    /// The runtime of the leader is shutting down: those who wait start again on their own.
    fn drop(&mut self) {
        if let Some(writer) = self.0.take() {
            let mut queue = writer.queue();
            queue.led = false;
            let waiting = std::mem::take(&mut queue.waiting);
            drop(queue);
            drop(waiting);
        }
    }
}
