//! Leases: among all processes, who may refresh an account now.
//!
//! A refresh token that is used once must not be sent by two, nor lost between the provider and the
//! database. A holder takes the lease, marks that it is about to send, sends, stores the answer and
//! gives the lease back in the transaction that stores it. Whoever takes a lease after a holder that
//! never did so learns how long ago that one's mark was set.
//!
//! Leases are measured by the database's clock, so that processes need not agree on the time.

use std::time::Duration;

use bosa_auth_core::{IntegrationId, OperationId, Timestamp};
use jiff::SignedDuration;

use crate::client_tx::ClientScope;
use crate::columns::statements;
use crate::db::Tx;
use crate::error::StoreError;
use crate::params;

/// What became of an attempt to take a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lease {
    /// It is the caller's.
    Taken {
        /// How long ago an earlier holder marked that it sends the refresh token, when nobody has
        /// learned since what became of it. It can be negative after the database's clock was set.
        sent_ago: Option<SignedDuration>,
    },
    /// Somebody else has it.
    Held {
        /// For how long at most, if its holder does not give it back before.
        remaining: SignedDuration,
    },
    /// The client has no such account.
    Gone,
}

/// Marks the usable accounts of every client as unverified whose refresh token was sent, with nobody
/// knowing yet what became of it: the answer will find this database closed. Returns how many.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn doubt_sent(tx: &mut Tx, at: Timestamp) -> Result<u64, StoreError> {
    tx.execute(DOUBT_SENT, params![at]).await
}

impl ClientScope<&mut Tx> {
    /// Takes the lease of an account for `length`, unless another holder has it; the same holder
    /// takes it once more.
    ///
    /// `length` begins before this returns: a holder counts from before it asked.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses or cannot be reached.
    pub async fn take_lease(
        &mut self,
        id: IntegrationId,
        holder: OperationId,
        length: Duration,
    ) -> Result<Lease, StoreError> {
        let now = self.source.database_clock().await?;
        let length = i64::try_from(length.as_micros()).unwrap_or(i64::MAX);
        let until = now.saturating_add(length);
        let take = params![self.client_id, id, holder, until, now];
        let taken = match self.source.query_opt(TAKE, take).await {
            // The account was deleted at this moment; the next attempt sees it.
            Err(StoreError::ForeignKey) => return Err(self.source.run_again()),
            taken => taken?,
        };
        if let Some(row) = taken {
            let sent_at: Option<i64> = row.get(0)?;
            return Ok(Lease::Taken {
                sent_ago: sent_at.map(|sent_at| since(sent_at, now)),
            });
        }
        let held = self.source.query_opt(HELD, params![self.client_id, id]);
        Ok(match held.await? {
            Some(row) => Lease::Held {
                remaining: since(now, row.get(0)?),
            },
            None => Lease::Gone,
        })
    }

    /// Marks that the holder is about to send the refresh token; false when its lease has ended, so
    /// that it must not be sent.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses or cannot be reached.
    pub async fn mark_sent(
        &mut self,
        id: IntegrationId,
        holder: OperationId,
    ) -> Result<bool, StoreError> {
        let now = self.source.database_clock().await?;
        let mark = params![self.client_id, id, holder, now];
        Ok(self.source.execute(MARK_SENT, mark).await? == 1)
    }

    /// Gives a lease back of which it is known that nothing was sent under it, or that what was sent
    /// has changed nothing. An earlier holder's mark stays. Does nothing when another one has it.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses or cannot be reached.
    pub async fn release_lease(
        &mut self,
        id: IntegrationId,
        holder: OperationId,
    ) -> Result<(), StoreError> {
        let own = params![self.client_id, id, holder];
        let _keeps_the_mark_of_another = self.source.later(RELEASE, own);
        self.abandon_lease(id, holder).await
    }

    /// Gives a lease back of which it is unknown what became of what was sent: the mark stays for
    /// the next holder. Does nothing when another one has it.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses or cannot be reached.
    pub async fn abandon_lease(
        &mut self,
        id: IntegrationId,
        holder: OperationId,
    ) -> Result<(), StoreError> {
        let own = params![self.client_id, id, holder];
        self.source.execute(ABANDON, own).await.map(drop)
    }

    /// Ends the holder's lease with its mark, whoever set it: what was sent has been answered.
    pub(crate) fn settle_lease_later(&mut self, id: IntegrationId, holder: OperationId) {
        let own = params![self.client_id, id, holder];
        let _may_be_over = self.source.later(SETTLE, own);
    }

    /// Ends an account's lease with its mark, whoever has it: the refresh token is another one now.
    pub(crate) fn forget_lease_later(&mut self, id: IntegrationId) {
        let _may_be_none = self.source.later(FORGET, params![self.client_id, id]);
    }
}

fn since(earlier: i64, later: i64) -> SignedDuration {
    SignedDuration::from_micros(later.saturating_sub(earlier))
}

statements! {
    TAKE = "insert into bosa_refresh_leases (client_id, integration_id, holder, held_until) \
        select a.client_id, a.id, $3, $4 from bosa_integrations a where a.client_id = $1 and a.id = $2 \
        on conflict (client_id, integration_id) do update set holder = $3, held_until = $4 \
        where bosa_refresh_leases.held_until <= $5 or bosa_refresh_leases.holder = $3 returning sent_at";
    HELD = "select held_until from bosa_refresh_leases where client_id = $1 and integration_id = $2";
    MARK_SENT = "update bosa_refresh_leases set sent_at = coalesce(sent_at, $4), \
        sent_by = coalesce(sent_by, $3) \
        where client_id = $1 and integration_id = $2 and holder = $3 and held_until > $4";
    RELEASE = "delete from bosa_refresh_leases where client_id = $1 and integration_id = $2 \
        and holder = $3 and coalesce(sent_by, $3) = $3";
    ABANDON = "update bosa_refresh_leases set held_until = 0 \
        where client_id = $1 and integration_id = $2 and holder = $3";
    SETTLE = "delete from bosa_refresh_leases where client_id = $1 and integration_id = $2 and holder = $3";
    DOUBT_SENT = "update bosa_integrations set auth_status = 'unverified', version = version + 1, \
        updated_at = $1 where auth_status = 'active' and (client_id, id) in \
        (select client_id, integration_id from bosa_refresh_leases where sent_at is not null)";
    FORGET = "delete from bosa_refresh_leases where client_id = $1 and integration_id = $2";
}
