//! Writes that must not be lost are repeated.

use std::time::Duration;

use bosa_auth_store::StoreError;

use crate::error::Error;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(2);
/// Failures other than an absent database: a full disk passes too, a defect does not.
const MOST_OTHERS: u32 = 60;

/// How often a write was repeated.
#[derive(Debug)]
pub(super) struct Repeats {
    wait: Duration,
    others: u32,
}

impl Default for Repeats {
    fn default() -> Self {
        Self {
            wait: FIRST,
            others: 0,
        }
    }
}

impl Repeats {
    /// How long to wait before the write is repeated; `None` when it is not.
    pub(super) fn next(&mut self, error: &Error) -> Option<Duration> {
        match error {
            // Everything lives on in another database.
            Error::DatabaseUnavailable(Some(StoreError::Moved)) => return None,
            Error::DatabaseUnavailable(_) => {}
            // The client is being deleted, and its keys are.
            Error::InvalidClient | Error::Unreadable { .. } => return None,
            _ => self.others += 1,
        }
        let wait = self.wait;
        self.wait = wait.saturating_mul(2).min(LONGEST);
        (self.others <= MOST_OTHERS).then_some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_database_is_waited_for_as_long_as_it_takes() {
        let mut repeats = Repeats::default();
        let waits = (0..1000).map(|_| repeats.next(&Error::DatabaseUnavailable(None)));
        let waits: Vec<_> = waits.map(Option::unwrap).collect();
        assert_eq!(waits[..3], [FIRST, FIRST * 2, FIRST * 4]);
        assert_eq!(waits[999], LONGEST);
    }

    #[test]
    fn what_cannot_pass_is_not_repeated_for_ever() {
        let moved = Error::DatabaseUnavailable(Some(StoreError::Moved));
        assert_eq!(Repeats::default().next(&moved), None);
        assert_eq!(Repeats::default().next(&Error::InvalidClient), None);
        let mut repeats = Repeats::default();
        let defect = || Error::internal("a defect");
        assert!((0..MOST_OTHERS).all(|_| repeats.next(&defect()).is_some()));
        assert_eq!(repeats.next(&defect()), None);
    }
}
