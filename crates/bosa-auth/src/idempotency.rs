//! Requests that name an idempotency key: the second one answers without acting again.

use bosa_auth_core::{Actor, AuditEvent, Digest, DigestKeyId, Secret, keyed_digest};
use bosa_auth_store::idempotency::{self, IdempotencyRow, IdempotencyScope};
use bosa_auth_store::{StoreError, Tx, audit};
use uuid::Uuid;

use crate::auth::Inner;
use crate::error::{Error, Result};

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

    pub(crate) fn record(&self, inner: &Inner, actor: &Actor) -> IdempotencyRecord {
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
        }
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
}

/// What a write finds when it begins.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Begun {
    /// Nothing of it is done yet.
    Fresh,
    /// An earlier attempt of this very write, whose outcome was lost, has done it.
    Applied,
    /// An earlier request with the same idempotency key has done it.
    Replay(Uuid),
}

/// Begins a write: names its operation, so that a repeat of it is recognised.
///
/// The insert waits for an attempt or request of the same name that is still committing.
pub(crate) async fn begin(
    tx: &mut Tx,
    event: &AuditEvent,
    record: Option<&IdempotencyRecord>,
    resource: Uuid,
) -> Result<Begun> {
    if let Some(record) = record {
        let (scope, row) = record.row(event, resource);
        if !idempotency::insert(tx, &scope, &row).await? {
            let stored = idempotency::load(&mut *tx, &scope)
                .await?
                .ok_or(StoreError::Busy)?;
            if stored.operation_id == event.id {
                return Ok(Begun::Applied);
            }
            if !record.request_digest.matches(&stored.request_digest) {
                return Err(Error::IdempotencyMismatch);
            }
            let resource = stored.resource_id.and_then(|id| id.parse().ok());
            return resource
                .map(Begun::Replay)
                .ok_or_else(|| Error::Unreadable {
                    what: "an idempotency record".to_owned(),
                });
        }
    }
    if audit::record(tx, event).await? {
        Ok(Begun::Fresh)
    } else {
        Ok(Begun::Applied)
    }
}

impl IdempotencyRecord {
    fn row(&self, event: &AuditEvent, resource: Uuid) -> (IdempotencyScope, IdempotencyRow) {
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
            resource_id: Some(resource.to_string()),
            created_at: event.at,
        };
        (scope, row)
    }
}

/// What a write that found the database busy means to a caller that sent an idempotency key: the
/// earlier request is still being carried out.
pub(crate) fn in_progress(has_key: bool, error: Error) -> Error {
    match error {
        Error::DatabaseUnavailable(Some(StoreError::Busy)) if has_key => {
            Error::IdempotencyInProgress {
                retry_after: std::time::Duration::from_secs(1),
            }
        }
        error => error,
    }
}
