//! A write that waits for its turn on the writing connection.

use std::{panic::AssertUnwindSafe, sync::Arc};

use futures_util::FutureExt;
use tokio::sync::oneshot;
use tracing::{Instrument, Span};

use crate::{
    db::{
        BoxFuture, Tx,
        tx::{Attempt, Trouble},
    },
    error::StoreError,
};

/// A write without its types.
pub(super) trait Job: Send {
    /// Runs the closure and says whether its changes are to be kept.
    fn run<'t>(&'t mut self, tx: &'t mut Tx) -> BoxFuture<'t, bool>;

    /// Answers the caller.
    fn answer(self: Box<Self>, end: End);
}

/// What became of the transaction that a job ran in.
pub(super) enum End {
    /// It was committed, or nothing of this job was to be kept: what the closure returned holds.
    Settled,
    /// It did not begin, or this job was alone in it and it was not committed.
    Failed(StoreError),
    /// It was shared and was not committed: whose fault that is shows when each runs alone.
    Again(StoreError),
}

pub(super) struct Write<T, E, F> {
    f: Arc<F>,
    /// What the last run came to; `None` before it.
    ended: Option<Result<T, (Trouble, E)>>,
    caller: oneshot::Sender<Attempt<T, E>>,
    span: Span,
}

impl<T, E, F> Write<T, E, F> {
    /// A job, and where its answer arrives.
    pub(super) fn new(f: Arc<F>) -> (Self, oneshot::Receiver<Attempt<T, E>>) {
        let (caller, answer) = oneshot::channel();
        let write = Self {
            f,
            ended: None,
            caller,
            span: Span::current(),
        };
        (write, answer)
    }
}

impl<T, E, F> Job for Write<T, E, F>
where
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
    F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + Sync + 'static,
{
    fn run<'t>(&'t mut self, tx: &'t mut Tx) -> BoxFuture<'t, bool> {
        let span = self.span.clone();
        let run = async move {
            // Another job's task may be the one that runs this: a panic must stay here.
            let result = AssertUnwindSafe(async { (self.f)(tx).await })
                .catch_unwind()
                .await;
            let ended = match result {
                Ok(Ok(value)) => match tx.check() {
                    Ok(()) => Ok(value),
                    Err(error) => Err((Trouble::of(&error), error.into())),
                },
                Ok(Err(error)) => Err((tx.trouble().unwrap_or(Trouble::Failed), error)),
                Err(_) => {
                    let error = StoreError::Internal("a write panicked".to_owned());
                    Err((Trouble::Failed, error.into()))
                }
            };
            self.ended.insert(ended).is_ok() && !tx.is_discarded()
        };
        Box::pin(run.instrument(span))
    }

    fn answer(self: Box<Self>, end: End) {
        let attempt = match (end, self.ended) {
            (End::Settled, Some(result)) => Attempt::Ended(result),
            // Never: a job is settled after it ran.
            (End::Settled, None) => return,
            (End::Failed(error), _) => Attempt::failed(error),
            (End::Again(error), _) => Attempt::Again(error),
        };
        // A caller that is gone misses nothing.
        drop(self.caller.send(attempt));
    }
}
