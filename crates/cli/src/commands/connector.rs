//! `connector`: the kinds of third parties.

use bosa_auth::Auth;
use clap::Subcommand;

use crate::commands::context::Context;
use crate::exit::Failure;

#[derive(Debug, Subcommand)]
pub(crate) enum ConnectorCommand {
    /// List the built-in names; accounts of any other name can be stored too.
    List,
}

/// Runs a verb on connectors.
pub(crate) fn run(
    context: &Context,
    auth: &Auth,
    command: &ConnectorCommand,
) -> Result<(), Failure> {
    let ConnectorCommand::List = command;
    let names = auth.connector_names();
    if context.output.is_json() {
        return context.output.list(&names, &[]);
    }
    context.output.text(
        &names
            .iter()
            .map(|name| format!("{name}\n"))
            .collect::<String>(),
    )
}
