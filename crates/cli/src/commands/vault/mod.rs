//! `vault`: sealed keys and values.

mod rekey;
mod status;
mod verify;

use bosa_auth::Operator;
use clap::Subcommand;

use crate::commands::context::Context;
use crate::exit::Failure;

#[derive(Debug, Subcommand)]
pub(crate) enum VaultCommand {
    /// Count what is sealed, and by which keys; tell whether a replacement of keys is unfinished.
    Status,
    /// Make new keys and seal every value under them, while servers go on; run again it goes on.
    Rekey(rekey::RekeyArgs),
    /// Open every sealed key and value and list those that do not open.
    Verify,
}

/// Runs a verb on the vault.
pub(crate) async fn run(
    context: &Context,
    operator: &Operator,
    command: &VaultCommand,
) -> Result<(), Failure> {
    match command {
        VaultCommand::Status => status::run(context, operator).await,
        VaultCommand::Rekey(args) => rekey::run(context, operator, args).await,
        VaultCommand::Verify => verify::run(context, operator).await,
    }
}
