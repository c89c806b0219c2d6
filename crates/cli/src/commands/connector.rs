//! `connector`: the kinds of third parties.

use bosa_auth::{Auth, Connector};
use clap::Subcommand;
use serde::Serialize;

use crate::commands::context::Context;
use crate::exit::Failure;

#[derive(Debug, Subcommand)]
pub(crate) enum ConnectorCommand {
    /// List the connectors; accounts of any other name can be stored too.
    List,
    /// Show what a connector declares, what it needs and where its documentation is.
    Show {
        /// The name of the connector.
        name: String,
    },
}

#[derive(Debug, Serialize)]
struct ConnectorView {
    name: String,
    title: String,
    takes: Vec<&'static str>,
    source: String,
}

impl From<Connector> for ConnectorView {
    fn from(connector: Connector) -> Self {
        Self {
            name: connector.name().to_owned(),
            title: connector.title().to_owned(),
            takes: connector.takes(),
            source: connector.source(),
        }
    }
}

/// What people look for first.
const FIRST: &[&str] = &[
    "name",
    "title",
    "source",
    "takes",
    "needs",
    "variables",
    "documentation",
];

/// Runs a verb on connectors.
pub(crate) fn run(
    context: &Context,
    auth: &Auth,
    command: &ConnectorCommand,
) -> Result<(), Failure> {
    match command {
        ConnectorCommand::List => {
            let names = auth.connector_names();
            let views: Result<Vec<ConnectorView>, _> = names
                .iter()
                .map(|name| auth.connector(name).map(Into::into))
                .collect();
            let columns = ["name", "title", "takes", "source"];
            context.output.list(&views?, &columns)
        }
        ConnectorCommand::Show { name } => context.output.details(&auth.connector(name)?, FIRST),
    }
}
