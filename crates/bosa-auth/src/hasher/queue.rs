//! What the hashing threads take their jobs from: bounded, and a thread that waits for long is told.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A bounded queue of jobs that many threads take from.
#[derive(Debug)]
pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    capacity: usize,
}

#[derive(Debug)]
struct State<T> {
    jobs: VecDeque<T>,
    is_closed: bool,
}

/// What a thread got.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next<T> {
    Job(T),
    /// There was no job for as long as the thread was willing to wait.
    Idle,
    /// There will never be one again.
    Closed,
}

impl<T> Queue<T> {
    pub(super) fn new(capacity: usize) -> Self {
        let state = State {
            jobs: VecDeque::with_capacity(capacity),
            is_closed: false,
        };
        Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
            capacity,
        }
    }

    /// Adds a job, unless there are too many already; tells whether it did.
    pub(super) fn push(&self, job: T) -> bool {
        let mut state = self.state();
        if state.jobs.len() >= self.capacity {
            return false;
        }
        state.jobs.push_back(job);
        drop(state);
        self.changed.notify_one();
        true
    }

    /// Takes the oldest job. Waits for one at most for `patience`, or without an end.
    pub(super) fn take(&self, patience: Option<Duration>) -> Next<T> {
        let nothing = |state: &mut State<T>| state.jobs.is_empty() && !state.is_closed;
        let state = self.state();
        let mut state = match patience {
            None => self.changed.wait_while(state, nothing),
            Some(patience) => match self.changed.wait_timeout_while(state, patience, nothing) {
                Ok((state, _)) => Ok(state),
                Err(poisoned) => Ok(poisoned.into_inner().0),
            },
        }
        .unwrap_or_else(PoisonError::into_inner);
        match state.jobs.pop_front() {
            Some(job) => Next::Job(job),
            None if state.is_closed => Next::Closed,
            None => Next::Idle,
        }
    }

    /// Lets every thread end once the jobs that are left have been taken.
    pub(super) fn close(&self) {
        self.state().is_closed = true;
        self.changed.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_come_out_in_the_order_in_which_they_went_in_and_not_too_many() {
        let queue = Queue::new(2);
        assert!(queue.push(1) && queue.push(2));
        assert!(!queue.push(3));
        assert_eq!(queue.take(None), Next::Job(1));
        assert!(queue.push(4));
        assert_eq!(queue.take(None), Next::Job(2));
        assert_eq!(queue.take(None), Next::Job(4));
    }

    #[test]
    fn a_thread_that_has_waited_in_vain_is_told() {
        let queue = Queue::<u8>::new(1);
        assert_eq!(queue.take(Some(Duration::ZERO)), Next::Idle);
        assert_eq!(queue.take(Some(Duration::from_millis(1))), Next::Idle);
    }

    #[test]
    fn what_is_left_is_still_taken_after_the_end() {
        let queue = Queue::new(2);
        assert!(queue.push(1));
        queue.close();
        assert_eq!(queue.take(None), Next::Job(1));
        assert_eq!(queue.take(None), Next::Closed);
        assert_eq!(queue.take(Some(Duration::ZERO)), Next::Closed);
    }

    #[test]
    fn the_end_wakes_the_threads_that_wait() {
        let queue = &Queue::<u8>::new(1);
        std::thread::scope(|scope| {
            let waiting = [None, Some(Duration::from_secs(3600))];
            let threads = waiting.map(|patience| scope.spawn(move || queue.take(patience)));
            queue.close();
            for thread in threads {
                assert_eq!(thread.join().unwrap(), Next::Closed);
            }
        });
    }
}
