//! Requests that name an idempotency key: the second one answers without acting again.

use std::sync::Arc;
use std::time::Duration;

use bosa_auth_core::{Actor, AuditEvent, Digest, DigestKey, DigestKeyId, Secret, keyed_digest};
use bosa_auth_store::StoreError;
use bosa_auth_store::idempotency::{IdempotencyRow, IdempotencyScope};
use uuid::Uuid;

use crate::auth::Inner;
use crate::error::{Error, Result};
use crate::operation::Operation;

const LONGEST_KEY: usize = 255;
const KEY_LABEL: &str = "idempotency key";
const REQUEST_LABEL: &str = "idempotent request";

/// The idempotency key of one request.
///
/// It is kept as a keyed digest, for the authenticated caller and the route, together with a keyed
/// digest of the request and the id of what was created; a credential is never kept.
#[derive(Debug)]
pub struct IdempotencyKey {
    key: Secret,
    route: &'static str,
    request: Secret,
}

impl IdempotencyKey {
    /// Takes the key as the caller sent it, the name of the route, and the request's body.
    ///
    /// # Errors
    /// `InvalidInput`: the key is not 1 to 255 visible ASCII characters.
    pub fn new(key: &str, route: &'static str, request: &str) -> Result<Self> {
        let visible = |byte: u8| byte.is_ascii_graphic();
        if key.is_empty() || key.len() > LONGEST_KEY || !key.bytes().all(visible) {
            return Err(Error::invalid(
                "Idempotency-Key",
                "must be 1 to 255 visible ASCII characters",
            ));
        }
        Ok(Self {
            key: Secret::from(key),
            route,
            request: Secret::from(request),
        })
    }

    fn record(&self, inner: &Inner, actor: &Actor, resource: Uuid) -> IdempotencyRecord {
        let caller = match actor.id() {
            Some(id) => format!("{}:{id}", actor.kind()),
            None => actor.kind().to_owned(),
        };
        let key = [
            caller.as_bytes(),
            self.route.as_bytes(),
            self.key.expose().as_bytes(),
        ];
        let request = [self.request.expose().as_bytes()];
        let under = |(digest_key_id, digest_key): (_, Arc<DigestKey>)| Digests {
            digest_key_id,
            key: keyed_digest(&digest_key, KEY_LABEL, &key),
            request: keyed_digest(&digest_key, REQUEST_LABEL, &request),
        };
        let (active, former) = inner.digest_keys.active_and_former();
        IdempotencyRecord {
            route: self.route,
            active: under(active),
            former: former.into_iter().map(under).collect(),
            caller,
            resource,
        }
    }
}

/// The idempotency key that a caller may have sent.
#[derive(Debug, Clone, Default)]
pub(crate) struct Idempotency(Option<Arc<IdempotencyKey>>);

impl Idempotency {
    pub(crate) fn of(key: IdempotencyKey) -> Self {
        Self(Some(Arc::new(key)))
    }

    /// Names an act of this request, which makes or changes `resource`.
    pub(crate) fn operation(
        &self,
        inner: &Inner,
        actor: &Actor,
        event: AuditEvent,
        resource: Uuid,
    ) -> Operation {
        let record = self
            .0
            .as_ref()
            .map(|key| key.record(inner, actor, resource));
        Operation::new(event, record)
    }
}

/// What is kept of an idempotency key.
#[derive(Debug)]
pub(crate) struct IdempotencyRecord {
    caller: String,
    route: &'static str,
    active: Digests,
    /// Under the keys that only verify: an earlier request may have come before they were replaced.
    former: Vec<Digests>,
    resource: Uuid,
}

/// A key and its request under one digest key.
#[derive(Debug)]
struct Digests {
    digest_key_id: DigestKeyId,
    key: Digest,
    request: Digest,
}

impl IdempotencyRecord {
    /// What the failure of a write with a key means to the caller: a busy database is an earlier
    /// request that is still being carried out.
    pub(crate) fn explain(error: Error) -> Error {
        match error {
            Error::DatabaseUnavailable(Some(StoreError::Busy)) => Error::IdempotencyInProgress {
                retry_after: Duration::from_secs(1),
            },
            error => error,
        }
    }

    /// Whether a record of the same key is of the same request.
    pub(crate) fn is_same_request(&self, stored: &IdempotencyRow) -> bool {
        std::iter::once(&self.active)
            .chain(&self.former)
            .filter(|digests| digests.digest_key_id == stored.digest_key_id)
            .any(|digests| digests.request.matches(&stored.request_digest))
    }

    pub(crate) fn row(&self, event: &AuditEvent) -> (IdempotencyScope, IdempotencyRow) {
        let row = IdempotencyRow {
            request_digest: (*self.active.request.as_bytes()).into(),
            digest_key_id: self.active.digest_key_id,
            operation_id: event.id,
            status: 200,
            resource_id: Some(self.resource.to_string()),
            created_at: event.at,
        };
        (self.scope(&self.active), row)
    }

    /// Where an earlier request may have left its record, under keys that only verify.
    pub(crate) fn former_scopes(&self) -> impl Iterator<Item = IdempotencyScope> {
        self.former.iter().map(|digests| self.scope(digests))
    }

    fn scope(&self, digests: &Digests) -> IdempotencyScope {
        IdempotencyScope {
            caller: self.caller.clone(),
            route: self.route.to_owned(),
            key_digest: (*digests.key.as_bytes()).into(),
        }
    }
}
