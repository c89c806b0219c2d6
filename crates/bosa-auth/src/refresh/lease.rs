//! The lease of an account, as its holder sees it.

use std::time::Duration;

use bosa_auth_core::{ClientId, IntegrationId, OperationId};
use bosa_auth_store::{ClientTx, Lease};

use crate::auth::Inner;
use crate::error::{Error, Result};

/// What a lease lasts beyond three times that of a request to the provider.
const SPARE: Duration = Duration::from_secs(5);

/// A lease that was asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Holding {
    pub(super) client_id: ClientId,
    pub(super) id: IntegrationId,
    pub(super) holder: OperationId,
    /// By the monotonic clock, before it was asked for.
    since: Duration,
    timeout: Duration,
}

impl Holding {
    /// Asks for the lease of an account.
    ///
    /// # Errors
    /// `DatabaseUnavailable`: it was not taken, or at least nobody will use it before it ends.
    pub(super) async fn ask(
        inner: &Inner,
        client_id: ClientId,
        id: IntegrationId,
    ) -> Result<(Self, Lease)> {
        let holding = Self {
            client_id,
            id,
            holder: OperationId::generate(inner.clock.now(), inner.entropy.as_ref())?,
            since: inner.clock.monotonic(),
            timeout: inner.outbound.timeout(),
        };
        let length = holding.length();
        let taken = inner.store.write(move |tx| {
            Box::pin(async move {
                let mut scope = ClientTx::new(tx, client_id);
                scope.take_lease(id, holding.holder, length).await
            })
        });
        match taken.await {
            Ok(lease) => Ok((holding, lease)),
            Err(error) => {
                // It may be taken all the same.
                drop(holding.give_back(inner, false).await);
                Err(Error::from(error))
            }
        }
    }

    fn length(&self) -> Duration {
        self.timeout.saturating_mul(3).saturating_add(SPARE)
    }

    /// Whether there is time to record and to send a request before the lease ends, and as much again.
    pub(super) fn may_send(&self, inner: &Inner) -> bool {
        self.left(inner) >= self.timeout.saturating_mul(2)
    }

    /// Whether a request that is sent now is answered, or given up, before the lease ends.
    pub(super) fn may_still_send(&self, inner: &Inner) -> bool {
        self.left(inner) > self.timeout
    }

    /// The holder's own share: it began before the lease did.
    fn left(&self, inner: &Inner) -> Duration {
        let used = inner.clock.monotonic().saturating_sub(self.since);
        self.length().saturating_sub(used)
    }

    /// Records that the refresh token is about to be sent; false when the lease has ended.
    ///
    /// # Errors
    /// `DatabaseUnavailable`: it may be recorded.
    pub(super) async fn mark_sent(&self, inner: &Inner) -> Result<bool> {
        let Self {
            client_id,
            id,
            holder,
            ..
        } = *self;
        let marked = inner.store.write(move |tx| {
            Box::pin(async move { ClientTx::new(tx, client_id).mark_sent(id, holder).await })
        });
        Ok(marked.await?)
    }

    /// Gives the lease back. With `keeps_mark`, the next holder learns that the refresh token was sent.
    ///
    /// # Errors
    /// `DatabaseUnavailable`: then it ends by itself.
    pub(super) async fn give_back(&self, inner: &Inner, keeps_mark: bool) -> Result<()> {
        let Self {
            client_id,
            id,
            holder,
            ..
        } = *self;
        let given = inner.store.write(move |tx| {
            Box::pin(async move {
                let mut scope = ClientTx::new(tx, client_id);
                match keeps_mark {
                    true => scope.abandon_lease(id, holder).await,
                    false => scope.release_lease(id, holder).await,
                }
            })
        });
        Ok(given.await?)
    }
}
