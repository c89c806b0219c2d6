//! Providers that are down are left alone for a while, so that not every reader waits for them.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bosa_auth_core::{ClientId, IntegrationId};

/// The first wait; each failure after it doubles it.
const FIRST: Duration = Duration::from_secs(5);
const LONGEST_OF_ACCOUNT: Duration = Duration::from_secs(300);
const LONGEST_OF_CONNECTOR: Duration = Duration::from_secs(60);
/// So much is believed of what a provider asks for.
const LONGEST_ASKED_FOR: Duration = Duration::from_secs(3600);
/// So many failures of its accounts in a row, and a connector is left alone as a whole.
const FAILURES_OF_CONNECTOR: u32 = 3;
/// Above this number of entries those that are over are forgotten.
const MANY: usize = 10_000;

/// Who is left alone, and until when by the monotonic clock.
#[derive(Debug, Default)]
pub(super) struct BackOffs(Mutex<HashMap<Place, BackOff>>);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Place {
    Account(ClientId, IntegrationId),
    /// Of one client: what another one has set is no reason to keep this one waiting.
    Connector(ClientId, String),
}

#[derive(Debug, Clone, Copy)]
struct BackOff {
    failures: u32,
    until: Duration,
}

/// Whose fault a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// This account's alone.
    Account,
    /// The provider's, which may fail for other accounts too. It can say after what time it wants to
    /// be asked again.
    Provider(Option<Duration>),
    /// Of the client's settings at this connector, which hold for every account.
    Settings,
}

impl BackOffs {
    /// How long an account is still left alone. When a connector's time is over, one caller is let
    /// through, and the others wait for `probe` longer.
    pub(super) fn remaining(
        &self,
        client_id: ClientId,
        id: IntegrationId,
        connector: &str,
        now: Duration,
        probe: Duration,
    ) -> Option<Duration> {
        let mut known = self.known();
        let account = known.get(&Place::Account(client_id, id));
        let account = account.and_then(|account| account.remaining(now));
        let place = Place::Connector(client_id, connector.to_owned());
        let Some(whole) = known.get_mut(&place) else {
            return account;
        };
        if whole.failures < FAILURES_OF_CONNECTOR {
            return account;
        }
        let connector = whole.remaining(now);
        if account.is_none() && connector.is_none() {
            whole.until = now.saturating_add(probe);
        }
        account.max(connector)
    }

    /// Notes a failure, and returns how long the account is left alone.
    pub(super) fn note(
        &self,
        client_id: ClientId,
        id: IntegrationId,
        connector: &str,
        now: Duration,
        fault: Fault,
    ) -> Duration {
        let mut known = self.known();
        if known.len() > MANY {
            known.retain(|_, entry| entry.until > now);
        }
        let account = known.entry(Place::Account(client_id, id));
        let account = account.or_insert(BackOff::NONE);
        account.failures = account.failures.saturating_add(1);
        let mut wait = doubled(account.failures - 1, LONGEST_OF_ACCOUNT);
        if let Fault::Provider(Some(asked_for)) = fault {
            wait = wait.max(asked_for.min(LONGEST_ASKED_FOR));
        }
        account.until = now.saturating_add(wait);
        if fault != Fault::Account {
            let whole = known.entry(Place::Connector(client_id, connector.to_owned()));
            let whole = whole.or_insert(BackOff::NONE);
            whole.failures = whole.failures.saturating_add(1);
            let pause = match fault {
                Fault::Settings => {
                    whole.failures = whole.failures.max(FAILURES_OF_CONNECTOR);
                    LONGEST_OF_CONNECTOR
                }
                _ => doubled(
                    whole.failures.saturating_sub(FAILURES_OF_CONNECTOR),
                    LONGEST_OF_CONNECTOR,
                ),
            };
            whole.until = now.saturating_add(pause);
            if whole.failures >= FAILURES_OF_CONNECTOR {
                wait = wait.max(pause);
            }
        }
        wait
    }

    /// Forgets an account and its connector: the provider answers.
    pub(super) fn forget(&self, client_id: ClientId, id: IntegrationId, connector: &str) {
        let mut known = self.known();
        known.remove(&Place::Account(client_id, id));
        known.remove(&Place::Connector(client_id, connector.to_owned()));
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Place, BackOff>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BackOff {
    const NONE: Self = Self {
        failures: 0,
        until: Duration::ZERO,
    };

    fn remaining(&self, now: Duration) -> Option<Duration> {
        self.until.checked_sub(now).filter(|left| !left.is_zero())
    }
}

fn doubled(times: u32, longest: Duration) -> Duration {
    FIRST
        .saturating_mul(1_u32.checked_shl(times.min(16)).unwrap_or(u32::MAX))
        .min(longest)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const PROBE: Duration = Duration::from_secs(11);
    const PROVIDER: Fault = Fault::Provider(None);

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn account(number: u128) -> (ClientId, IntegrationId) {
        (Uuid::from_u128(1).into(), Uuid::from_u128(number).into())
    }

    fn note(known: &BackOffs, number: u128, now: u64, fault: Fault) -> Duration {
        let (client, id) = account(number);
        known.note(client, id, "github", seconds(now), fault)
    }

    fn remaining(known: &BackOffs, number: u128, now: u64) -> Option<Duration> {
        let (client, id) = account(number);
        known.remaining(client, id, "github", seconds(now), PROBE)
    }

    #[test]
    fn each_failure_doubles_the_wait_up_to_a_bound() {
        let known = BackOffs::default();
        let waits: Vec<_> = (0..8)
            .map(|_| note(&known, 1, 100, Fault::Account).as_secs())
            .collect();
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 300, 300]);
        assert_eq!(remaining(&known, 1, 399), Some(seconds(1)));
        assert_eq!(remaining(&known, 1, 400), None);
        assert_eq!(remaining(&known, 2, 100), None);
    }

    #[test]
    fn what_the_provider_asks_for_is_kept_within_reason() {
        let known = BackOffs::default();
        let asked = |wait| Fault::Provider(Some(seconds(wait)));
        assert_eq!(note(&known, 1, 0, asked(90)), seconds(90));
        assert_eq!(note(&known, 2, 0, asked(1)), seconds(5));
        assert_eq!(note(&known, 3, 0, asked(u64::MAX)), seconds(3600));
    }

    #[test]
    fn the_third_account_in_a_row_stops_all_of_the_connector_and_one_tries_again() {
        let known = BackOffs::default();
        for number in 1..=3 {
            assert_eq!(remaining(&known, 9, 0), None);
            note(&known, number, 0, PROVIDER);
        }
        assert_eq!(remaining(&known, 9, 1), Some(seconds(4)));
        // One is let through, and the others wait for it.
        assert_eq!(remaining(&known, 9, 5), None);
        assert_eq!(remaining(&known, 8, 5), Some(PROBE));
        let (client, id) = account(9);
        known.forget(client, id, "github");
        assert_eq!(remaining(&known, 8, 5), None);
        let foreign = known.remaining(Uuid::from_u128(2).into(), id, "github", seconds(1), PROBE);
        assert_eq!(foreign, None);
    }

    #[test]
    fn refused_settings_stop_the_connector_at_once() {
        let known = BackOffs::default();
        assert_eq!(note(&known, 1, 0, Fault::Settings), seconds(60));
        assert_eq!(remaining(&known, 2, 30), Some(seconds(30)));
    }
}
