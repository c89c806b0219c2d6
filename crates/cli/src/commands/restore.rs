//! `restore`: reads an archive into a database that holds nothing yet.

use std::path::PathBuf;
use std::sync::Arc;

use bosa_auth::{RestoreOptions, RestoreReport, restore};
use clap::Args;
use serde::Serialize;

use crate::commands::context::Context;
use crate::exit::Failure;
use crate::progress::Counter;

#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// The archive, written by `backup`.
    file: PathBuf,
    /// End every API key, because keys that were revoked after the backup are valid again.
    #[arg(long)]
    revoke_keys: bool,
}

/// What was restored.
#[derive(Debug, Serialize)]
struct RestoreView {
    rows: u64,
    made_at: String,
    keeps_sessions: bool,
    revoked_keys: u64,
    unverified_accounts: u64,
    missing_signing_keys: Vec<String>,
}

impl From<RestoreReport> for RestoreView {
    fn from(report: RestoreReport) -> Self {
        Self {
            rows: report.rows,
            made_at: report.made_at,
            keeps_sessions: report.keeps_sessions,
            revoked_keys: report.revoked_keys,
            unverified_accounts: report.unverified_accounts,
            missing_signing_keys: report.missing_signing_keys,
        }
    }
}

const FIELDS: [&str; 6] = [
    "rows",
    "made_at",
    "keeps_sessions",
    "revoked_keys",
    "unverified_accounts",
    "missing_signing_keys",
];

/// Reads the archive.
pub(crate) async fn run(context: &Context, args: &RestoreArgs) -> Result<(), Failure> {
    let output = context.output;
    let options = RestoreOptions {
        revoke_keys: args.revoke_keys,
    };
    let counter = Counter::start(output, "rows");
    let shown = counter.clone();
    let progress = Arc::new(move |rows| shown.set(rows));
    let restored = restore(&context.configuration, &args.file, options, progress).await;
    counter.finish();
    let view = RestoreView::from(restored?);
    output.record(&view, &FIELDS)?;
    if !view.keeps_sessions {
        output.note("Everyone has to log in again.");
        output.note(if args.revoke_keys {
            "Users and secrets that were ended after the backup are valid again."
        } else {
            "Keys, users and secrets that were ended after the backup are valid again; --revoke-keys ends all API keys."
        });
    }
    if view.unverified_accounts > 0 {
        output.note(
            "Unverified accounts may have to be connected again: their refresh tokens are used once, and were perhaps used after the backup.",
        );
    }
    if !view.missing_signing_keys.is_empty() {
        output.note(
            "Tokens of the missing signing keys are refused until AUTH_SECRET_KEY or AUTH_SECRET_KEY_PREVIOUS has these keys.",
        );
    }
    Ok(())
}
