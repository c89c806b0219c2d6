//! So many values a second.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use bosa_auth_core::Clock;

/// Values that are sealed in one transaction.
const BATCH: u32 = 50;
/// How often the clock is looked at while there is nothing to do but wait.
const LOOK: Duration = Duration::from_millis(50);

/// Makes a run wait between its batches.
pub(super) struct Pace {
    clock: Arc<dyn Clock>,
    rate: Option<NonZeroU32>,
    /// When the next batch may go.
    next: Duration,
}

impl Pace {
    pub(super) fn new(clock: Arc<dyn Clock>, rate: Option<NonZeroU32>) -> Self {
        Self {
            next: clock.monotonic(),
            clock,
            rate,
        }
    }

    /// How many values make a batch: at a low rate a tenth of a second's.
    pub(super) fn batch(&self) -> usize {
        let batch = self
            .rate
            .map_or(BATCH, |rate| (rate.get() / 10).clamp(1, BATCH));
        usize::try_from(batch).unwrap_or(1)
    }

    /// Waits until so many more values may be sealed.
    pub(super) async fn wait_for(&mut self, values: u32) {
        let Some(rate) = self.rate else { return };
        loop {
            let now = self.clock.monotonic();
            let Some(wait) = self.next.checked_sub(now).filter(|wait| !wait.is_zero()) else {
                // What was not used is not made up for.
                self.next = self.next.max(now) + Duration::from_secs(values.into()) / rate.get();
                return;
            };
            tokio::time::sleep(wait.min(LOOK)).await;
        }
    }
}
