//! The end of a digest key.
//!
//! The guard is the foreign key of what was digested with it: the row of the key goes last, and the
//! database refuses that while anything refers to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bosa_auth_core::{AuditAction, DigestKeyId};
use bosa_auth_store::changes::ChangeKind;
use bosa_auth_store::digest_key_end::{self, Ending};
use bosa_auth_store::{DigestKeyUse, KeyState, Opaque, StoreError, Tx, digest_keys};

use super::{NOT_FOUND, parse};
use crate::error::{Error, Result};
use crate::memory::{Change, Outcome};
use crate::operation::Operation;
use crate::operator::count;
use crate::principal::Operator;

/// Rows that one transaction ends.
const BATCH: u32 = 500;
/// How often the end of a key is tried while processes that have not heard of its replacement use it.
const TRIES: u32 = 5;

/// What may end with a digest key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RetireDigestKey {
    /// Nothing: the key goes only if nothing depends on it.
    #[default]
    Unused,
    /// Up to so many API keys and users' secrets, connections that were begun, and records of requests
    /// that named an idempotency key.
    Ending(u64),
}

/// What has ended with a digest key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EndedCredentials {
    /// API keys that were revoked.
    pub api_keys: u64,
    /// Users that need a new secret.
    pub users: u64,
}

impl Operator {
    /// Removes a digest key. What depends on it ends, if the caller accepts that: API keys are revoked,
    /// users need a new secret (their tokens stay). Nothing else changes.
    ///
    /// # Errors
    /// `NotFound`: there is no such key. `InvalidInput`: it is the one that new digests are made with, or
    /// more depends on it than the caller accepts; the text says how much.
    pub async fn retire_digest_key(
        &self,
        id: &str,
        accepted: RetireDigestKey,
    ) -> Result<EndedCredentials> {
        let inner = &self.auth.inner;
        let key = parse(id)?;
        let row = digest_keys::find(&inner.store, key).await?;
        if row.ok_or(NOT_FOUND)?.state == KeyState::Active {
            return Err(Error::invalid(
                "id",
                "is the key that new digests are made with; rotate first",
            ));
        }
        let mut ended = EndedCredentials::default();
        for _ in 0..TRIES {
            // What is left of the rows goes to the key that is active now.
            inner.reload_keys().await?;
            let ending = Ending {
                key,
                successor: inner.digest_keys.active().0,
                at: inner.clock.now(),
            };
            let usage = digest_keys::usage(&inner.store, key, ending.at).await?;
            check(&usage, accepted, &ended)?;
            self.free_from_dead(ending).await?;
            if let RetireDigestKey::Ending(_) = accepted {
                self.end_dependents(ending, &mut ended).await?;
            }
            if self.delete_digest_key(key, &ended).await? {
                inner.reload_keys().await?;
                return Ok(ended);
            }
        }
        Err(StoreError::Busy.into())
    }

    async fn free_from_dead(&self, ending: Ending) -> Result<()> {
        let inner = &self.auth.inner;
        loop {
            let freed = inner.store.write(move |tx| {
                Box::pin(async move {
                    let freed = ending.free_from_dead(tx, BATCH).await;
                    freed.map_err(Error::from)
                })
            });
            if freed.await? == 0 {
                return Ok(());
            }
        }
    }

    /// Ends everything that depends on the key, batch by batch.
    async fn end_dependents(&self, ending: Ending, ended: &mut EndedCredentials) -> Result<()> {
        ended.api_keys += self.end_all(ending, Dependents::ApiKeys).await?;
        ended.users += self.end_all(ending, Dependents::UserSecrets).await?;
        self.end_all(ending, Dependents::Connections).await?;
        let inner = &self.auth.inner;
        loop {
            let waiting = digest_key_end::completions(&inner.store, ending.key, BATCH).await?;
            if waiting.is_empty() {
                return Ok(());
            }
            for account in waiting {
                // A digest that no code has, and no other account.
                let mut digest = [0; 32];
                inner.entropy.fill(&mut digest)?;
                let digest = Opaque::from(digest);
                inner
                    .store
                    .write(move |tx| {
                        let digest = digest.clone();
                        Box::pin(async move {
                            let ended = ending.end_completion(tx, account, &digest).await;
                            ended.map_err(Error::from)
                        })
                    })
                    .await?;
            }
        }
    }

    /// Ends all of one kind; returns how many.
    async fn end_all(&self, ending: Ending, dependents: Dependents) -> Result<u64> {
        let mut total = 0;
        loop {
            match self.end_batch(ending, dependents).await? {
                0 => return Ok(total),
                ended => total += ended,
            }
        }
    }

    async fn end_batch(&self, ending: Ending, dependents: Dependents) -> Result<u64> {
        let inner = &self.auth.inner;
        let detail = serde_json::json!({ "id": ending.key.to_string(), "ends": dependents.name() });
        let event = inner.event(
            &self.actor,
            AuditAction::DigestKeyRetire,
            None,
            Some(ending.key.as_uuid()),
            Some(detail.to_string()),
        )?;
        // What an attempt has ended whose answer was lost.
        let ended = Arc::new(AtomicU64::new(0));
        let act = Arc::new((Operation::new(event, None), ended.clone()));
        inner
            .narrow(Change::of_instance(ChangeKind::DigestKey), move |tx| {
                let act = act.clone();
                Box::pin(async move {
                    let (operation, ended) = act.as_ref();
                    let opening = operation.open(tx);
                    let done = dependents.end(ending, tx).await;
                    if opening.earlier(tx)?.is_some() {
                        return Ok(Outcome::Unchanged(()));
                    }
                    let done = done?;
                    ended.store(done, Ordering::Relaxed);
                    if done == 0 {
                        tx.discard();
                        return Ok(Outcome::Unchanged(()));
                    }
                    Ok(Outcome::Changed(()))
                })
            })
            .await?;
        Ok(ended.load(Ordering::Relaxed))
    }

    /// Removes the key itself; false when something depends on it again.
    async fn delete_digest_key(&self, key: DigestKeyId, ended: &EndedCredentials) -> Result<bool> {
        let inner = &self.auth.inner;
        let detail = serde_json::json!({
            "id": key.to_string(), "api_keys": ended.api_keys, "users": ended.users,
        });
        let event = inner.event(
            &self.actor,
            AuditAction::DigestKeyRetire,
            None,
            Some(key.as_uuid()),
            Some(detail.to_string()),
        )?;
        let operation = Arc::new(Operation::new(event, None));
        inner
            .narrow(Change::of_instance(ChangeKind::DigestKey), move |tx| {
                let operation = operation.clone();
                Box::pin(async move {
                    let opening = operation.open(tx);
                    let deleted = digest_keys::delete(tx, key).await;
                    // Here, because what follows asks for the record of this very call.
                    if deleted == Err(StoreError::ForeignKey) {
                        tx.discard();
                        return Ok(Outcome::Unchanged(false));
                    }
                    if opening.earlier(tx)?.is_some() {
                        return Ok(Outcome::Unchanged(true));
                    }
                    match deleted? {
                        true => Ok(Outcome::Changed(true)),
                        // Another call was faster.
                        false => Err(NOT_FOUND),
                    }
                })
            })
            .await
    }
}

#[derive(Debug, Clone, Copy)]
enum Dependents {
    ApiKeys,
    UserSecrets,
    /// And records of requests.
    Connections,
}

impl Dependents {
    const fn name(self) -> &'static str {
        match self {
            Self::ApiKeys => "api_keys",
            Self::UserSecrets => "users",
            Self::Connections => "connections",
        }
    }

    async fn end(self, ending: Ending, tx: &mut Tx) -> std::result::Result<u64, StoreError> {
        match self {
            Self::ApiKeys => ending.end_api_keys(tx, BATCH).await,
            Self::UserSecrets => ending.end_user_secrets(tx, BATCH).await,
            Self::Connections => ending.end_connections(tx, BATCH).await,
        }
    }
}

/// Refuses while more depends on a key than is accepted to end.
fn check(usage: &DigestKeyUse, accepted: RetireDigestKey, ended: &EndedCredentials) -> Result<()> {
    let credentials = count(usage.api_keys + usage.users);
    let connections = count(usage.connect_states + usage.completions);
    match accepted {
        RetireDigestKey::Ending(most) if ended.api_keys + ended.users + credentials <= most => {
            Ok(())
        }
        RetireDigestKey::Ending(_) => Err(Error::invalid(
            "id",
            "has more depending on it than was confirmed; list it again",
        )),
        RetireDigestKey::Unused if credentials > 0 => Err(Error::invalid(
            "id",
            format!(
                "still verifies {} API keys and the secrets of {} users; each moves to the active key at its next use",
                usage.api_keys, usage.users
            ),
        )),
        RetireDigestKey::Unused if connections > 0 || usage.requests > 0 => Err(Error::invalid(
            "id",
            format!(
                "is needed by {connections} connections that were begun and by {} records of requests with an idempotency key; they end by themselves within a day",
                usage.requests
            ),
        )),
        RetireDigestKey::Unused => Ok(()),
    }
}
