//! Replacing every key that seals values, while servers go on.
//!
//! Each client, and the deployment, gets a new key first, so that new values come under it. What lies
//! under an older key is sealed anew if it is still as it was read; what a request stored in between
//! is found again in the next pass. Foreign keys keep an old key until nothing is left under it. One
//! row says that a replacement goes on and since when: whoever runs it again goes on, since old is
//! what is older than that.

mod batch;
mod begin;
mod owner;
mod pace;
mod pass;
mod wrap;

use std::collections::HashSet;
use std::num::NonZeroU32;

use bosa_auth_core::{ClientId, Timestamp};
use bosa_auth_store::{data_keys, rekey};

use self::begin::Begun;
use self::pace::Pace;
pub use self::wrap::WrapReport;
use super::VaultCounts;
use crate::auth::Inner;
use crate::error::{Error, Result};
use crate::principal::Operator;

/// Clients that are listed at once.
const PAGE: u32 = 100;

/// How keys are replaced.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RekeyOptions {
    /// Seal at most so many values a second; as many as can be without.
    pub rate: Option<NonZeroU32>,
    /// Begin a new replacement even though an unfinished one could go on, which leaves the keys alone
    /// that were made since it began.
    pub anew: bool,
}

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RekeyProgress {
    /// How many values this run has sealed under new keys.
    pub resealed: u64,
    /// How many were under old keys when the run began.
    pub total: u64,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RekeyEnd {
    /// No old key is left.
    Finished,
    /// Old keys are left; the same call goes on with them.
    KeysLeft,
    /// Another run began anew meanwhile, and goes on with what is left.
    TakenOver,
}

/// What a run has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RekeyReport {
    /// How it ended.
    pub end: RekeyEnd,
    /// When the replacement began: keys made before are old.
    pub started_at: Timestamp,
    /// Whether an earlier run had begun it.
    pub is_resumed: bool,
    /// How many values this run has sealed under new keys.
    pub resealed: u64,
    /// How many keys it has made.
    pub keys_made: u64,
    /// How many old keys it has removed.
    pub keys_removed: u64,
    /// What does not open or is held by something else, by name, so that its old key stays.
    pub left: Vec<String>,
    /// What is still under old keys.
    pub remaining: VaultCounts,
}

impl Operator {
    /// Makes a new data key for every client, and a new key for the deployment's connector secrets,
    /// seals everything under them that is sealed under older ones, and removes those. Digest keys and
    /// generated signing keys come under the active root key.
    ///
    /// It can be stopped at any point and called again; it goes on where it was. Two calls at once do
    /// no harm. Servers go on reading and writing meanwhile. `progress` is called after each batch.
    ///
    /// # Errors
    /// `DatabaseUnavailable`: what is done stays done. `Configuration`: this process does not have the
    /// active root key. What does not open is no error but part of the report.
    pub async fn vault_rekey(
        &self,
        options: RekeyOptions,
        mut progress: impl FnMut(RekeyProgress) + Send,
    ) -> Result<RekeyReport> {
        let inner = &self.auth.inner;
        // Which root key is active may have changed since this process began.
        inner.reload_keys().await?;
        let begun = self.begin_rekey(options.anew).await?;
        let before = rekey::remaining(&inner.store, begun.started_at).await?;
        let mut run = Run {
            replacement: Replacement { inner, begun },
            pace: Pace::new(inner.clock.clone(), options.rate),
            total: VaultCounts::from(before).values(),
            progress: &mut progress,
            resealed: 0,
            keys_made: 0,
            keys_removed: 0,
            left: Vec::new(),
            is_over: false,
        };
        run.report();
        let end = run.go_on(self).await?;
        match self.rewrap_digest_and_signing_keys().await {
            Err(Error::Unreadable { what }) => run.left.push(what),
            rewrapped => drop(rewrapped?),
        }
        let remaining = match end {
            RekeyEnd::Finished => VaultCounts::default(),
            _ => rekey::remaining(&inner.store, run.replacement.begun.started_at)
                .await?
                .into(),
        };
        Ok(RekeyReport {
            end,
            started_at: run.replacement.begun.started_at,
            is_resumed: run.replacement.begun.is_resumed,
            resealed: run.resealed,
            keys_made: run.keys_made,
            keys_removed: run.keys_removed,
            left: run.left,
            remaining,
        })
    }
}

/// A replacement that goes on.
struct Replacement<'a> {
    inner: &'a Inner,
    begun: Begun,
}

/// One run of a replacement.
struct Run<'a> {
    replacement: Replacement<'a>,
    pace: Pace,
    progress: &'a mut (dyn FnMut(RekeyProgress) + Send),
    total: u64,
    resealed: u64,
    keys_made: u64,
    keys_removed: u64,
    left: Vec<String>,
    /// Whether the replacement has ended meanwhile, by another run.
    is_over: bool,
}

impl Run<'_> {
    async fn go_on(&mut self, operator: &Operator) -> Result<RekeyEnd> {
        let mut stuck = HashSet::new();
        loop {
            let mut is_idle = true;
            let mut after = None;
            loop {
                let page = self.replacement.clients(after).await?;
                for client in &page {
                    if !stuck.contains(&Some(*client)) {
                        is_idle = false;
                        if !self.replace_keys_of(Some(*client)).await? {
                            stuck.insert(Some(*client));
                        }
                    }
                    if self.is_over {
                        return self.replacement.ended_by_another().await;
                    }
                }
                after = page.last().copied();
                if page.len() < PAGE as usize {
                    break;
                }
            }
            if !stuck.contains(&None) && !self.replacement.old_keys(None).await?.is_empty() {
                is_idle = false;
                if !self.replace_keys_of(None).await? {
                    stuck.insert(None);
                }
            }
            if self.is_over {
                return self.replacement.ended_by_another().await;
            }
            if operator
                .finish_rekey(&self.replacement.begun, self.resealed)
                .await?
            {
                return Ok(RekeyEnd::Finished);
            }
            // Whoever is listed now has got an old key in between, from a process whose clock is
            // behind.
            if is_idle {
                return match stuck.is_empty() {
                    true => self.replacement.ended_by_another().await,
                    false => Ok(RekeyEnd::KeysLeft),
                };
            }
        }
    }

    fn report(&mut self) {
        (self.progress)(RekeyProgress {
            resealed: self.resealed,
            total: self.total,
        });
    }
}

impl Replacement<'_> {
    async fn clients(&self, after: Option<ClientId>) -> Result<Vec<ClientId>> {
        let (store, before) = (&self.inner.store, self.begun.started_at);
        Ok(data_keys::clients_with_keys_before(store, before, after, PAGE).await?)
    }

    /// How it ended, when this run has not ended it.
    async fn ended_by_another(&self) -> Result<RekeyEnd> {
        let (store, begun) = (&self.inner.store, &self.begun);
        let Some(row) = rekey::load(store).await? else {
            return Ok(RekeyEnd::Finished);
        };
        let left = rekey::remaining(store, begun.started_at).await?;
        Ok(match row.operation_id == begun.operation_id {
            true => RekeyEnd::KeysLeft,
            false if left.data_keys + left.connector_keys == 0 => RekeyEnd::Finished,
            false => RekeyEnd::TakenOver,
        })
    }
}
