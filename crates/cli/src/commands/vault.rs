//! `vault`: sealed keys and credentials.

use bosa_auth::Operator;
use clap::Subcommand;
use serde::Serialize;

use crate::commands::context::Context;
use crate::commands::digest_key::DigestKeyView;
use crate::commands::root_key::RootKeyView;
use crate::exit::Failure;
use crate::output::table;
use crate::progress::Counter;

#[derive(Debug, Subcommand)]
pub(crate) enum VaultCommand {
    /// Count what is sealed, and by which keys.
    Status,
    /// Open every sealed key and value and list those that do not open.
    Verify,
}

#[derive(Debug, Serialize)]
struct StatusView {
    clients: u64,
    integrations: u64,
    root_keys: Vec<RootKeyView>,
    digest_keys: Vec<DigestKeyView>,
}

#[derive(Debug, Serialize)]
struct ReportView {
    readable: u64,
    unreadable: Vec<String>,
}

/// Runs a verb on the vault.
pub(crate) async fn run(
    context: &Context,
    operator: &Operator,
    command: &VaultCommand,
) -> Result<(), Failure> {
    match command {
        VaultCommand::Status => status(context, operator).await,
        VaultCommand::Verify => verify(context, operator).await,
    }
}

async fn status(context: &Context, operator: &Operator) -> Result<(), Failure> {
    let output = context.output;
    let status = operator.vault_status().await?;
    let view = StatusView {
        clients: status.clients,
        integrations: status.integrations,
        root_keys: status.root_keys.into_iter().map(Into::into).collect(),
        digest_keys: status.digest_keys.into_iter().map(Into::into).collect(),
    };
    output.record(&view, &["clients", "integrations"])?;
    if output.is_json() {
        return Ok(());
    }
    output.text(&format!(
        "\nroot keys\n{}\n\ndigest keys\n{}\n",
        table(&view.root_keys, &RootKeyView::COLUMNS)?,
        table(&view.digest_keys, &DigestKeyView::COLUMNS)?,
    ))
}

async fn verify(context: &Context, operator: &Operator) -> Result<(), Failure> {
    let output = context.output;
    let counter = Counter::start(output, "keys and values");
    let shown = counter.clone();
    let verified = operator.vault_verify(move |read| shown.set(read)).await;
    counter.finish();
    let report = verified?;
    let is_whole = report.unreadable.is_empty();
    let view = ReportView {
        readable: report.readable,
        unreadable: report.unreadable,
    };
    if output.is_json() || is_whole {
        output.record(&view, &["readable", "unreadable"])?;
    } else {
        let lines: String = view
            .unreadable
            .iter()
            .map(|name| format!("unreadable  {name}\n"))
            .collect();
        output.text(&format!("readable    {}\n{lines}", view.readable))?;
    }
    if is_whole {
        Ok(())
    } else {
        Err(Failure::Problems)
    }
}
