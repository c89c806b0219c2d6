//! Limits on attempts whose refusal costs a password hash.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use bosa_auth_core::{ClientId, Clock};
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
        }
    }

    /// Counts one attempt against a user, known or not.
    ///
    /// # Errors
    /// `RateLimited` when there were too many.
    pub(crate) fn count_user(&self, client_id: ClientId, identifier: &str) -> Result<()> {
        use sha2::Digest as _;
        if self.by_user.len() > HOUSEKEEPING {
            self.by_user.retain_recent();
        }
        let key = (
            client_id,
            sha2::Sha256::digest(identifier.as_bytes()).into(),
        );
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
        if self.by_address.len() > HOUSEKEEPING {
            self.by_address.retain_recent();
        }
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
