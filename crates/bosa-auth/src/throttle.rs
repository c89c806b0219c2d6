//! Limits on attempts whose refusal costs a password hash.

use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bosa_auth_core::{ClientId, Clock, UserId};
use governor::clock::{Clock as GovernorClock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};

use crate::error::{Error, Result};

/// Attempts with a chosen secret that one user of one client may make at once.
const ATTEMPTS_PER_USER: NonZeroU32 = NonZeroU32::new(10).unwrap();
/// One more attempt becomes free after this time.
const REPLENISH_USER: Duration = Duration::from_secs(6);
/// Attempts without a client key that one address may make at once.
const ATTEMPTS_PER_ADDRESS: NonZeroU32 = NonZeroU32::new(20).unwrap();
const REPLENISH_ADDRESS: Duration = Duration::from_secs(3);
/// Entries after which the ones that are full again are dropped.
const HOUSEKEEPING: usize = 10_000;

type Keyed<K> = RateLimiter<K, DashMapStateStore<K>, Timekeeper, NoOpMiddleware<Moment>>;

/// The attempt limits of one process.
///
/// Only attempts that are not a correct generated secret are counted, so that flooding a user with
/// wrong secrets never locks out its machine credential (OWASP ASVS 6.3.1).
#[derive(Debug)]
pub(crate) struct Throttle {
    by_user: Keyed<(ClientId, [u8; 32])>,
    by_address: Keyed<Option<IpAddr>>,
    timekeeper: Timekeeper,
    /// The numbers of entries at which the next housekeeping is due.
    crowded_users: AtomicUsize,
    crowded_addresses: AtomicUsize,
}

/// Whose attempts are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Attempted<'a> {
    /// The user of this identifier, known or not, with a chosen secret.
    Identifier(&'a str),
    /// The user whose id is inside an imported secret. Counted apart, because who floods an
    /// identifier does not know the id: the first log-in with a right imported secret stays free.
    Imported(UserId),
}

impl Throttle {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        let timekeeper = Timekeeper(clock);
        let quota = |period, burst| {
            Quota::with_period(period)
                .unwrap_or_else(|| Quota::per_minute(burst))
                .allow_burst(burst)
        };
        Self {
            by_user: RateLimiter::dashmap_with_clock(
                quota(REPLENISH_USER, ATTEMPTS_PER_USER),
                timekeeper.clone(),
            ),
            by_address: RateLimiter::dashmap_with_clock(
                quota(REPLENISH_ADDRESS, ATTEMPTS_PER_ADDRESS),
                timekeeper.clone(),
            ),
            timekeeper,
            crowded_users: AtomicUsize::new(HOUSEKEEPING),
            crowded_addresses: AtomicUsize::new(HOUSEKEEPING),
        }
    }

    /// Counts one attempt against a user, known or not.
    ///
    /// # Errors
    /// `RateLimited` when there were too many.
    pub(crate) fn count_user(&self, client_id: ClientId, attempted: Attempted<'_>) -> Result<()> {
        use sha2::Digest as _;
        drop_old(&self.by_user, &self.crowded_users);
        let digest = sha2::Sha256::new();
        let digest = match attempted {
            Attempted::Identifier(identifier) => digest.chain_update([0]).chain_update(identifier),
            Attempted::Imported(id) => digest.chain_update([1]).chain_update(id.as_uuid()),
        };
        let key = (client_id, digest.finalize().into());
        self.by_user
            .check_key(&key)
            .map_err(|refusal| self.limited(refusal.wait_time_from(self.timekeeper.now())))
    }

    /// Counts one attempt without a client key against the address that it came from; attempts
    /// whose address is unknown share one count.
    ///
    /// # Errors
    /// `RateLimited` when there were too many.
    pub(crate) fn count_address(&self, address: Option<IpAddr>) -> Result<()> {
        drop_old(&self.by_address, &self.crowded_addresses);
        self.by_address
            .check_key(&address.map(network))
            .map_err(|refusal| self.limited(refusal.wait_time_from(self.timekeeper.now())))
    }

    #[expect(
        clippy::unused_self,
        reason = "one place for the metric of this limiter"
    )]
    fn limited(&self, wait: Duration) -> Error {
        metrics::counter!("bosa_auth_rate_limited_total").increment(1);
        Error::RateLimited {
            retry_after: wait.max(Duration::from_secs(1)),
        }
    }
}

/// Looks at every entry, and so not before there are twice as many as the last time had left.
fn drop_old<K: Hash + Eq + Clone>(limiter: &Keyed<K>, crowded: &AtomicUsize) {
    if limiter.len() < crowded.load(Ordering::Relaxed) {
        return;
    }
    limiter.retain_recent();
    let next = limiter.len().saturating_mul(2).max(HOUSEKEEPING);
    crowded.store(next, Ordering::Relaxed);
}

/// One subscriber usually has a whole /64 of IPv6.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = u128::from(address) & !u128::from(u64::MAX);
            IpAddr::V6(network.into())
        }
        address @ IpAddr::V4(_) => address,
    }
}

/// The injected clock as the limiter wants it.
#[derive(Debug, Clone)]
struct Timekeeper(Arc<dyn Clock>);

/// Time since boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Moment(Duration);

impl GovernorClock for Timekeeper {
    type Instant = Moment;

    fn now(&self) -> Moment {
        Moment(self.0.monotonic())
    }
}

impl Reference for Moment {
    fn duration_since(&self, earlier: Self) -> Nanos {
        self.0.saturating_sub(earlier.0).into()
    }

    fn saturating_sub(&self, duration: Nanos) -> Self {
        Moment(self.0.saturating_sub(duration.into()))
    }
}

impl std::ops::Add<Nanos> for Moment {
    type Output = Moment;

    fn add(self, duration: Nanos) -> Moment {
        Moment(self.0.saturating_add(duration.into()))
    }
}

#[cfg(test)]
mod tests {
    use bosa_auth_core::ManualClock;
    use jiff::Timestamp;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_flood_of_identifiers_is_forgotten_when_its_time_is_over() {
        let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
        let throttle = Throttle::new(Arc::new(clock.clone()));
        let client = ClientId::from(Uuid::nil());
        let flood = |from: usize, to: usize| {
            for number in from..to {
                let name = number.to_string();
                throttle
                    .count_user(client, Attempted::Identifier(&name))
                    .unwrap();
            }
        };
        flood(0, HOUSEKEEPING + 2);
        // Nothing was old enough: the next look is due at twice the number.
        assert_eq!(
            throttle.crowded_users.load(Ordering::Relaxed),
            2 * HOUSEKEEPING
        );
        clock.advance(Duration::from_secs(120));
        flood(HOUSEKEEPING + 2, 2 * HOUSEKEEPING + 2);
        assert!(throttle.by_user.len() <= HOUSEKEEPING);
    }

    #[test]
    fn attempts_on_an_identifier_do_not_count_for_the_imported_secret() {
        let throttle = Throttle::new(Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH)));
        let (client, user) = (ClientId::from(Uuid::nil()), UserId::from(Uuid::nil()));
        while throttle
            .count_user(client, Attempted::Identifier("ana"))
            .is_ok()
        {}
        throttle
            .count_user(client, Attempted::Imported(user))
            .unwrap();
    }
}
