//! API keys of a client: create, list, rotate, revoke.

use std::sync::Arc;

use bosa_auth_core::{
    ApiKeyId, AuditAction, ClientId, CredentialKind, Form, Scope, ScopeSet, Secret, Timestamp,
    issue_client_key,
};
use bosa_auth_store::api_keys::ApiKeyRow;
use bosa_auth_store::{ClientTx, audit};
use jiff::SignedDuration;

use crate::auth::Inner;
use crate::error::{Error, Result};
use crate::memory::{Change, Outcome};
use crate::model::{ApiKeyModel, Created, NewApiKey, Page, PageRequest};
use crate::operation::{Settled, Written};
use crate::principal::Operator;

/// Longest overlap of a rotation: 90 days.
const LONGEST_OVERLAP_SECONDS: u32 = 90 * 24 * 60 * 60;

impl NewApiKey {
    /// Reads what a key may do from the names of its scopes.
    ///
    /// # Errors
    /// `InvalidInput`: one of the texts names no scope; the reason lists those that there are.
    pub fn parse_scopes<T: AsRef<str>>(names: &[T]) -> Result<ScopeSet> {
        ScopeSet::parse(names).map_err(|_| {
            let known: Vec<_> = Scope::ALL.iter().map(|scope| scope.as_str()).collect();
            Error::invalid("scopes", format!("must be among {}", known.join(", ")))
        })
    }
}

impl Operator {
    /// Makes another API key for a client. Its text is in this result only.
    ///
    /// # Errors
    /// `NotFound`: there is no such client. `InvalidInput`: the expiry has passed, or no scope is
    /// given.
    pub async fn create_api_key(
        &self,
        client_id: ClientId,
        new: NewApiKey,
    ) -> Result<Created<ApiKeyModel>> {
        let inner = self.auth.inner.clone();
        let client = self.find_client(client_id).await?;
        let now = inner.clock.now();
        if new.expires_at.is_some_and(|end| end <= now) {
            return Err(Error::invalid("expires_at", "has passed"));
        }
        let scopes = new.scopes.unwrap_or_default();
        if scopes.is_empty() {
            return Err(Error::invalid("scopes", "must name at least one scope"));
        }
        let make = || {
            let (name, end) = (&client.name, new.expires_at);
            let (text, row) = new_api_key(&inner, client_id, name, scopes, end, now)?;
            Ok((text, row, AuditAction::ApiKeyCreate, None))
        };
        self.insert_key(make).await
    }

    /// Lists the API keys of a client, ended ones included.
    ///
    /// # Errors
    /// `NotFound`: there is no such client.
    pub async fn list_api_keys(
        &self,
        client_id: ClientId,
        request: PageRequest,
    ) -> Result<Page<ApiKeyModel>> {
        self.find_client(client_id).await?;
        let query = request.query()?;
        let page = self
            .auth
            .inner
            .store
            .client(client_id)
            .api_keys(query)
            .await?;
        let items = page.items.iter().map(|row| model(client_id, row)).collect();
        Ok(Page::new(items, page.next))
    }

    /// Makes a successor with the same scopes and ends the given key after `overlap_seconds`; with
    /// 0 it is revoked at once.
    ///
    /// The successor does not expire; the given key keeps an earlier expiry of its own.
    ///
    /// # Errors
    /// `NotFound`: the client has no such live key. `InvalidInput`: the overlap is longer than 90
    /// days.
    pub async fn rotate_api_key(
        &self,
        client_id: ClientId,
        key_id: ApiKeyId,
        overlap_seconds: u32,
    ) -> Result<Created<ApiKeyModel>> {
        if overlap_seconds > LONGEST_OVERLAP_SECONDS {
            return Err(Error::invalid(
                "overlap_seconds",
                "must be at most 7776000 (90 days)",
            ));
        }
        let inner = self.auth.inner.clone();
        let client = self.find_client(client_id).await?;
        let now = inner.clock.now();
        let old = inner.store.client(client_id).api_key(key_id).await?;
        let old = old.ok_or(Error::NotFound { what: "API key" })?;
        let end = now
            .checked_add(SignedDuration::from_secs(i64::from(overlap_seconds)))
            .map_err(Error::internal)?;
        let ends = match overlap_seconds {
            0 => Ends::Now(key_id),
            _ => Ends::At(key_id, end),
        };
        let make = || {
            let (text, row) = new_api_key(&inner, client_id, &client.name, old.scopes, None, now)?;
            Ok((text, row, AuditAction::ApiKeyRotate, Some(ends)))
        };
        self.insert_key(make).await
    }

    /// Ends an API key at once; true when this call ended it.
    ///
    /// # Errors
    /// `NotFound`: the client has no such key.
    pub async fn revoke_api_key(&self, client_id: ClientId, key_id: ApiKeyId) -> Result<bool> {
        let inner = self.auth.inner.clone();
        self.find_client(client_id).await?;
        let event = Arc::new(inner.event(
            &self.actor,
            AuditAction::ApiKeyRevoke,
            Some(client_id),
            Some(key_id.as_uuid()),
            None,
        )?);
        inner
            .narrow(Change::of_api_key(client_id, key_id), move |tx| {
                let event = event.clone();
                Box::pin(async move {
                    let mut scope = ClientTx::new(&mut *tx, client_id);
                    if scope.api_key(key_id).await?.is_none() {
                        return Err(Error::NotFound { what: "API key" });
                    }
                    // Waits for an earlier attempt of this very call that is still committing. A
                    // call that ends nothing leaves no record, so that no repeat takes it for one
                    // that did.
                    if !scope.revoke_api_key(key_id, event.at).await? {
                        let recorded = audit::is_recorded(&mut *tx, event.id).await?;
                        return Ok(Outcome::Unchanged(recorded));
                    }
                    // Nobody else has this name: the key itself tells of an earlier attempt.
                    drop(audit::record_later(tx, &event));
                    Ok(Outcome::Changed(true))
                })
            })
            .await
    }

    /// Makes a new key and writes it; with `ends`, a predecessor ends at the given time.
    async fn insert_key(&self, make: impl Fn() -> Result<NewKey>) -> Result<Created<ApiKeyModel>> {
        let made = self.insert_key_once(make()?).await;
        match self.auth.inner.unless_keys_were_replaced(made).await? {
            Some(made) => Ok(made),
            None => self.insert_key_once(make()?).await,
        }
    }

    async fn insert_key_once(
        &self,
        (text, row, action, ends): NewKey,
    ) -> Result<Created<ApiKeyModel>> {
        let inner = self.auth.inner.clone();
        let client_id = row.client_id;
        let detail =
            ends.map(|ends| serde_json::json!({ "replaces": ends.id().to_string() }).to_string());
        let event = inner.event(
            &self.actor,
            action,
            Some(client_id),
            Some(row.id.as_uuid()),
            detail,
        )?;
        let operation = self
            .idempotency
            .operation(&inner, &self.actor, event, row.id.as_uuid());
        let new = Arc::new((row, operation));
        let made = new.clone();
        let narrowed = ends.map_or(new.0.id, |ends| ends.id());
        let written = inner
            .narrow(Change::of_api_key(client_id, narrowed), move |tx| {
                let new = made.clone();
                Box::pin(async move {
                    let (row, operation) = new.as_ref();
                    let opening = operation.open(tx);
                    let mut scope = ClientTx::new(&mut *tx, client_id);
                    let ended = match ends {
                        Some(ends) => ends.apply(&mut scope, operation.event.at).await,
                        None => Ok(true),
                    };
                    let inserted = match ended {
                        Ok(true) => scope.insert_api_key(row).await.map_err(Error::from),
                        Ok(false) => Err(Error::NotFound { what: "API key" }),
                        Err(error) => Err(error),
                    };
                    if let Some(earlier) = opening.earlier(tx)? {
                        return Ok(Outcome::Unchanged(Written::Earlier(earlier)));
                    }
                    inserted?;
                    Ok(match ends {
                        Some(_) => Outcome::Changed(Written::Now(())),
                        None => Outcome::Unchanged(Written::Now(())),
                    })
                })
            })
            .await;
        match new.1.settle(&inner, written).await? {
            Settled::Replay(id) => {
                let row = inner
                    .store
                    .client(client_id)
                    .api_key(ApiKeyId::from(id))
                    .await?;
                let row = row.ok_or(Error::NotFound { what: "API key" })?;
                Ok(Created {
                    resource: model(client_id, &row),
                    replayed: true,
                })
            }
            Settled::Now(()) | Settled::Before => {
                let mut resource = model(client_id, &new.0);
                resource.api_key = text;
                Ok(Created {
                    resource,
                    replayed: false,
                })
            }
        }
    }
}

/// A new key's text and row, the act that makes it, and how its predecessor ends.
type NewKey = (Secret, ApiKeyRow, AuditAction, Option<Ends>);

/// How a rotated key comes to its end.
#[derive(Debug, Clone, Copy)]
enum Ends {
    /// It is revoked: a time would be compared with the clocks of other processes.
    Now(ApiKeyId),
    At(ApiKeyId, Timestamp),
}

impl Ends {
    fn id(self) -> ApiKeyId {
        match self {
            Self::Now(id) | Self::At(id, _) => id,
        }
    }

    /// Ends the key; false when it had ended before. Writing comes first, because it waits for
    /// whoever is ending the key at this moment.
    async fn apply(self, scope: &mut ClientTx<'_>, now: Timestamp) -> Result<bool> {
        match self {
            Self::Now(id) => {
                let revoked = scope.revoke_api_key(id, now).await?;
                let key = scope.api_key(id).await?;
                Ok(revoked && key.is_some_and(|key| has_time_left(&key, now)))
            }
            // Changes nothing when the key ends earlier anyway.
            Self::At(id, end) => {
                let limited = scope.limit_api_key(id, end).await?;
                let key = scope.api_key(id).await?;
                Ok(limited
                    || key.is_some_and(|key| key.revoked_at.is_none() && has_time_left(&key, now)))
            }
        }
    }
}

/// Makes a key: its text, to be shown once, and the row that verifies it.
pub(super) fn new_api_key(
    inner: &Inner,
    client_id: ClientId,
    client_name: &str,
    scopes: ScopeSet,
    expires_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<(Secret, ApiKeyRow)> {
    let id = ApiKeyId::generate(now, inner.entropy.as_ref())?;
    let issued = issue_client_key(id, client_name, inner.entropy.as_ref())?;
    let (digest_key_id, digest_key) = inner.digest_keys.active();
    let digest = issued.digest(
        &digest_key,
        CredentialKind::ClientKey,
        client_id,
        id.as_uuid(),
    );
    let row = ApiKeyRow {
        client_id,
        id,
        form: Form::Current,
        digest: (*digest.as_bytes()).into(),
        digest_key_id,
        preview: issued.preview,
        scopes,
        expires_at,
        last_used_at: None,
        revoked_at: None,
        created_at: now,
    };
    Ok((issued.text, row))
}

fn has_time_left(row: &ApiKeyRow, now: Timestamp) -> bool {
    row.expires_at.is_none_or(|end| now < end)
}

fn model(client_id: ClientId, row: &ApiKeyRow) -> ApiKeyModel {
    ApiKeyModel {
        id: row.id,
        client_id,
        api_key: Secret::default(),
        preview: row.preview.clone(),
        scopes: row.scopes,
        expires_at: row.expires_at,
        last_used_at: row.last_used_at,
        revoked_at: row.revoked_at,
        created_at: row.created_at,
    }
}
