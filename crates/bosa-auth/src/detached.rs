//! Work that goes on when its caller has gone, and that closing waits for.

use std::future::Future;

use tokio::sync::watch;
use tracing::Instrument as _;

use crate::error::{Error, Result};

/// How much of such work there is.
#[derive(Debug, Default)]
pub(crate) struct Detached(watch::Sender<usize>);

/// Counts one piece of work for as long as it lives.
struct Counted(watch::Sender<usize>);

impl Detached {
    /// Does the work in a task of its own, which a caller that goes away does not stop.
    ///
    /// # Errors
    /// `Internal` when the work panics.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T> {
        let counted = Counted::new(&self.0);
        let work = async move {
            let _counted = counted;
            work.await
        };
        let task = tokio::spawn(work.in_current_span());
        task.await.map_err(Error::internal)
    }

    /// Waits until there is none.
    pub(crate) async fn finished(&self) {
        let mut count = self.0.subscribe();
        // The sender is here, so that waiting does not fail.
        let _none = count.wait_for(|count| *count == 0).await;
    }
}

impl Counted {
    fn new(count: &watch::Sender<usize>) -> Self {
        count.send_modify(|count| *count += 1);
        Self(count.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn work_goes_on_without_its_caller_and_is_waited_for() {
        let detached = Arc::new(Detached::default());
        detached.finished().await;
        let (go, gone) = oneshot::channel::<()>();
        let (done, is_done) = oneshot::channel();
        let caller = tokio::spawn({
            let detached = Arc::clone(&detached);
            async move {
                let work = async move {
                    gone.await.ok();
                    done.send(()).ok();
                };
                detached.run(work).await
            }
        });
        let mut count = detached.0.subscribe();
        count.wait_for(|count| *count == 1).await.unwrap();
        caller.abort();
        assert!(caller.await.unwrap_err().is_cancelled());
        go.send(()).unwrap();
        detached.finished().await;
        is_done.await.unwrap();
    }
}
