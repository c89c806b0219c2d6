//! Time as a value that is handed in: wall clock in whole microseconds, and a monotonic clock.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use jiff::Timestamp;

/// A source of time.
pub trait Clock: Send + Sync + fmt::Debug {
    /// Returns the wall-clock time, in whole microseconds.
    fn now(&self) -> Timestamp;

    /// Returns the time since an arbitrary fixed moment; it never goes back.
    fn monotonic(&self) -> Duration;
}

/// A time that does not fit the representable range of years -9999 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("time out of range")]
pub struct OutOfRange;

/// Returns microseconds since the Unix epoch, the form in which times are stored.
pub fn to_micros(time: Timestamp) -> i64 {
    time.as_microsecond()
}

/// Reads a time from microseconds since the Unix epoch.
///
/// # Errors
/// [`OutOfRange`] when no such time can be represented.
pub fn from_micros(micros: i64) -> Result<Timestamp, OutOfRange> {
    Timestamp::from_microsecond(micros).map_err(|_| OutOfRange)
}

/// The operating system's clocks.
///
/// The monotonic one also counts while the machine sleeps (`CLOCK_BOOTTIME`) where there is such a
/// clock, so that a deadline does not survive a suspended machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the system's wall clock"
    )]
    fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        // Storage keeps microseconds: a value must not change by being stored and read back.
        from_micros(to_micros(now)).unwrap_or(now)
    }

    fn monotonic(&self) -> Duration {
        let time = rustix::time::clock_gettime(MONOTONIC);
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        let nanoseconds = u32::try_from(time.tv_nsec).unwrap_or(0);
        Duration::new(seconds, nanoseconds)
    }
}

/// A clock that stands still until it is told to move, for tests.
///
/// Clones share one time.
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<Mutex<ManualTime>>);

impl ManualClock {
    /// Starts at the given wall-clock time, cut to whole microseconds.
    pub fn new(now: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(ManualTime {
            now_micros: to_micros(now),
            monotonic: Duration::ZERO,
        })))
    }

    /// Moves both clocks forward.
    pub fn advance(&self, by: Duration) {
        let mut time = self.time();
        let micros = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        time.now_micros = time.now_micros.saturating_add(micros);
        time.monotonic = time.monotonic.saturating_add(by);
    }

    /// Sets the wall clock, also backwards, and leaves the monotonic clock alone.
    pub fn set(&self, now: Timestamp) {
        self.time().now_micros = to_micros(now);
    }

    fn time(&self) -> MutexGuard<'_, ManualTime> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        from_micros(self.time().now_micros).unwrap_or(Timestamp::MAX)
    }

    fn monotonic(&self) -> Duration {
        self.time().monotonic
    }
}

#[derive(Debug)]
struct ManualTime {
    now_micros: i64,
    monotonic: Duration,
}

#[cfg(any(target_os = "linux", target_os = "android"))]
const MONOTONIC: rustix::time::ClockId = rustix::time::ClockId::Boottime;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const MONOTONIC: rustix::time::ClockId = rustix::time::ClockId::Monotonic;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_clock_gives_whole_microseconds() {
        let now = SystemClock.now();
        assert_eq!(now.as_nanosecond() % 1000, 0);
        assert_eq!(from_micros(to_micros(now)), Ok(now));
    }

    #[test]
    fn the_monotonic_clock_never_goes_back() {
        let first = SystemClock.monotonic();
        assert!(first > Duration::ZERO && SystemClock.monotonic() >= first);
    }

    #[test]
    fn advancing_a_manual_clock_moves_both_clocks_and_setting_it_only_one() {
        let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
        let same = clock.clone();
        clock.advance(Duration::from_secs(90));
        assert_eq!(same.now().as_second(), 90);
        assert_eq!(same.monotonic(), Duration::from_secs(90));
        clock.set(Timestamp::UNIX_EPOCH);
        assert_eq!(same.now(), Timestamp::UNIX_EPOCH);
        assert_eq!(same.monotonic(), Duration::from_secs(90));
    }

    #[test]
    fn times_out_of_range_are_refused() {
        assert_eq!(from_micros(i64::MAX), Err(OutOfRange));
        assert_eq!(from_micros(i64::MIN), Err(OutOfRange));
        assert_eq!(from_micros(-1).map(to_micros), Ok(-1));
    }

    #[test]
    fn a_manual_clock_stops_at_the_end_of_time() {
        let clock = ManualClock::new(Timestamp::MAX);
        clock.advance(Duration::MAX);
        assert_eq!(clock.now(), Timestamp::MAX);
    }
}
