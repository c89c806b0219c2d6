//! Requests that name an idempotency key: the second one answers without acting again.

use std::sync::Arc;
use std::time::Duration;

use bosa_auth_core::{Actor, AuditEvent, Digest, DigestKeyId, Secret, keyed_digest};
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
        let (digest_key_id, digest_key) = inner.digest_keys.active();
        let parts = [
            caller.as_bytes(),
            self.route.as_bytes(),
            self.key.expose().as_bytes(),
        ];
        IdempotencyRecord {
            route: self.route,
            key_digest: keyed_digest(&digest_key, KEY_LABEL, &parts),
            request_digest: keyed_digest(
                &digest_key,
                REQUEST_LABEL,
                &[self.request.expose().as_bytes()],
            ),
            caller,
            digest_key_id,
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
    key_digest: Digest,
    request_digest: Digest,
    digest_key_id: DigestKeyId,
    resource: Uuid,
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
        self.request_digest.matches(&stored.request_digest)
    }

    pub(crate) fn row(&self, event: &AuditEvent) -> (IdempotencyScope, IdempotencyRow) {
        let scope = IdempotencyScope {
            caller: self.caller.clone(),
            route: self.route.to_owned(),
            key_digest: (*self.key_digest.as_bytes()).into(),
        };
        let row = IdempotencyRow {
            request_digest: (*self.request_digest.as_bytes()).into(),
            digest_key_id: self.digest_key_id,
            operation_id: event.id,
            status: 200,
            resource_id: Some(self.resource.to_string()),
            created_at: event.at,
        };
        (scope, row)
    }
}
