//! A write names its operation, so that a repeat of it is recognised.
//!
//! The statements that name it go out with its effect, in one round trip.

use bosa_auth_core::AuditEvent;
use bosa_auth_store::{Later, StoreError, Tx, audit, idempotency};
use uuid::Uuid;

use crate::auth::Inner;
use crate::error::{Error, Result};
use crate::idempotency::IdempotencyRecord;

/// An administrative act: its audit event, and what is kept of its idempotency key.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) event: AuditEvent,
    record: Option<IdempotencyRecord>,
}

/// Who was there before a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Earlier {
    /// An attempt of this very write, whose outcome was lost.
    Attempt,
    /// Whoever kept a record of its idempotency key; [`Operation::settle`] tells who.
    Request,
}

/// How the transaction of a write ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Written<T> {
    /// This attempt has written.
    Now(T),
    /// It found everything done.
    Earlier(Earlier),
}

/// What became of a write.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Settled<T> {
    /// This call has done it.
    Now(T),
    /// This call has done it in an earlier attempt.
    Before,
    /// An earlier request with the same idempotency key has done it.
    Replay(Uuid),
}

/// The name of a write, on its way together with the effect.
#[derive(Debug)]
#[must_use]
pub(crate) struct Opening {
    record: Option<Later>,
    /// Whether there are records under keys that only verify.
    former: Vec<Later>,
    audit: Later,
}

impl Operation {
    pub(crate) fn new(event: AuditEvent, record: Option<IdempotencyRecord>) -> Self {
        Self { event, record }
    }

    /// Opens a write. The statements go out with the next one, and wait for an attempt or a request
    /// of the same name that is still committing.
    ///
    /// Whatever runs before [`Opening::earlier`] is asked may meet what is done already, and must do
    /// no harm that cannot be rolled back.
    pub(crate) fn open(&self, tx: &mut Tx) -> Opening {
        let record = self.record.as_ref().map(|record| {
            let (scope, row) = record.row(&self.event);
            idempotency::insert_later(tx, &scope, &row)
        });
        let former = self
            .record
            .iter()
            .flat_map(IdempotencyRecord::former_scopes);
        let former = former.map(|scope| idempotency::look_later(tx, &scope));
        Opening {
            record,
            former: former.collect(),
            audit: audit::record_later(tx, &self.event),
        }
    }

    /// What became of a write, given how its transaction ended.
    ///
    /// # Errors
    /// The write's own failure. `IdempotencyMismatch`: the key came with another request.
    pub(crate) async fn settle<T>(
        &self,
        inner: &Inner,
        written: Result<Written<T>>,
    ) -> Result<Settled<T>> {
        let written = match &self.record {
            Some(_) => written.map_err(IdempotencyRecord::explain)?,
            None => written?,
        };
        let record = match (written, &self.record) {
            (Written::Now(effect), _) => return Ok(Settled::Now(effect)),
            (Written::Earlier(Earlier::Request), Some(record)) => record,
            (Written::Earlier(_), _) => return Ok(Settled::Before),
        };
        let (scope, _) = record.row(&self.event);
        let mut stored = idempotency::load(&inner.store, &scope).await?;
        for scope in record.former_scopes() {
            if stored.is_none() {
                stored = idempotency::load(&inner.store, &scope).await?;
            }
        }
        // It was forgotten at this moment.
        let stored = stored.ok_or_else(|| IdempotencyRecord::explain(StoreError::Busy.into()))?;
        if stored.operation_id == self.event.id {
            return Ok(Settled::Before);
        }
        if !record.is_same_request(&stored) {
            return Err(Error::IdempotencyMismatch);
        }
        let resource = stored.resource_id.and_then(|id| id.parse().ok());
        resource
            .map(Settled::Replay)
            .ok_or_else(|| Error::Unreadable {
                what: "an idempotency record".to_owned(),
            })
    }
}

impl Opening {
    /// Who was there before, once the effect was sent. If anybody was, the transaction is discarded,
    /// and what became of the effect means nothing.
    ///
    /// # Errors
    /// The failure of the statements that name the write.
    pub(crate) fn earlier(&self, tx: &mut Tx) -> Result<Option<Earlier>> {
        let is_there = |statement| Ok::<_, StoreError>(tx.changed(statement)? == 0);
        let mut is_former = false;
        for statement in &self.former {
            is_former |= tx.changed(statement)? > 0;
        }
        let earlier = match &self.record {
            Some(record) if is_former || is_there(record)? => Some(Earlier::Request),
            _ if is_there(&self.audit)? => Some(Earlier::Attempt),
            _ => None,
        };
        if earlier.is_some() {
            tx.discard();
        }
        Ok(earlier)
    }
}
