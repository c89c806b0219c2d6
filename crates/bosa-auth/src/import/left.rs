//! What is left of the original: which users and tokens still need its hashes and keys.

use bosa_auth_core::Timestamp;
use bosa_auth_store::{ImportedCounts, Store, import_markers, imported_counts};

use crate::auth::{Auth, Inner};
use crate::doctor::{Finding, Severity};
use crate::error::{Error, Result};
use crate::settings::Settings;
use crate::tenant::IMPORTED_KEY_OWN_END;

/// What the original's user secrets need to be verified.
pub(super) const LEAST_HASH_MEMORY_MIB: u32 = 64;

/// The keys for tokens of the original.
pub(super) struct ImportedTokenKeys {
    /// Whether there is one that the original may have signed with.
    pub(super) can_verify: bool,
    /// Whether one is too short for today.
    pub(super) has_short: bool,
}

impl ImportedTokenKeys {
    pub(super) fn of(inner: &Inner) -> Self {
        let keys = inner.signing_keys.for_imported_tokens();
        Self {
            can_verify: inner.settings.has_configured_key && !keys.is_empty(),
            has_short: keys.iter().any(|key| key.kid().is_empty()),
        }
    }
}

/// # Errors
/// `Configuration`: a user's secret is still stored as the original stored it, and the memory for hashes
/// is too small for it.
pub(crate) async fn check_memory(store: &Store, settings: &Settings, now: Timestamp) -> Result<()> {
    let is_enough = settings.argon2_memory_mib >= LEAST_HASH_MEMORY_MIB;
    // Counting reads all users: not at the start of who has none of the original.
    if is_enough || !import_markers::has_users(store).await? {
        return Ok(());
    }
    let left = imported_counts(store, now, IMPORTED_KEY_OWN_END).await?;
    if left.users > 0 {
        return Err(Error::configuration(format!(
            "the secrets of imported users need BOSA_AUTH_ARGON2_MEMORY_MIB to be at least {LEAST_HASH_MEMORY_MIB}"
        )));
    }
    Ok(())
}

/// Looks what is left, and whether it works.
///
/// # Errors
/// `DatabaseUnavailable`: it cannot be read.
pub(crate) async fn examine(auth: &Auth, now: Timestamp) -> Result<Vec<Finding>> {
    let inner = &auth.inner;
    let left = imported_counts(&inner.store, now, IMPORTED_KEY_OWN_END).await?;
    let mut findings = Vec::new();
    let mut add = |severity, title: String, remedy: &str| {
        findings.push(Finding {
            severity,
            title,
            remedy: remedy.to_owned(),
        });
    };
    if left.users > 0 {
        let title = format!(
            "{} imported users have not logged in here yet: their hashes of the original are replaced at the first log-in",
            left.users
        );
        add(Severity::Fine, title, "");
    }
    let keys = ImportedTokenKeys::of(inner);
    let until = inner.settings.imported_tokens_until;
    match until {
        Some(until) if until <= now && left.tokens > 0 => add(
            Severity::Fine,
            format!(
                "{} live imported tokens are refused since {until}, as BOSA_AUTH_IMPORTED_TOKENS_UNTIL says",
                left.tokens
            ),
            "",
        ),
        _ if left.tokens > 0 && !keys.can_verify => add(
            Severity::Warning,
            format!(
                "{} live imported tokens are refused: no key is configured that they may be signed with",
                left.tokens
            ),
            "set the original's AUTH_SECRET_KEY as AUTH_SECRET_KEY or AUTH_SECRET_KEY_PREVIOUS, \
             or let BOSA_AUTH_IMPORTED_TOKENS_UNTIL say since when they are over",
        ),
        _ if left.tokens > 0 => add(Severity::Fine, live(&left, until), ""),
        _ => {}
    }
    let is_over = left.tokens == 0 || until.is_some_and(|until| until <= now);
    if keys.has_short && is_over {
        add(
            Severity::Warning,
            "a key in AUTH_SECRET_KEY_PREVIOUS is too short for today, and no imported token needs it any more"
                .to_owned(),
            "take it out of AUTH_SECRET_KEY_PREVIOUS",
        );
    }
    Ok(findings)
}

fn live(left: &ImportedCounts, until: Option<Timestamp>) -> String {
    let end = match (until, left.last_end) {
        (Some(until), _) => format!("all are refused from {until} on"),
        (None, Some(end)) => format!("the last recorded end is {end}"),
        (None, None) => "each until its own end".to_owned(),
    };
    format!("{} imported tokens are live: {end}", left.tokens)
}
