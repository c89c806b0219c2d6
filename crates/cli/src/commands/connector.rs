//! `connector`: the kinds of third parties, and the OAuth clients at them.

mod change;

use bosa_auth::{Auth, Connector, ConnectorSettings, Error, Operator};
use clap::{Args, Subcommand};
use serde::Serialize;

use crate::commands::context::Context;
use crate::commands::{doctor, select};
use crate::exit::Failure;
use crate::view::{ConnectorSettingsView, DeletedView};

#[derive(Debug, Subcommand)]
pub(crate) enum ConnectorCommand {
    /// List the connectors; accounts of any other name can be stored too.
    List,
    /// Show what a connector declares, what it needs, where its documentation is, and its settings.
    Show {
        /// The name of the connector.
        name: String,
        #[command(flatten)]
        owner: Owner,
    },
    /// Ask the provider whether the settings of a connector can work.
    Check {
        /// The name of the connector.
        name: String,
        #[command(flatten)]
        owner: Owner,
    },
    /// Store settings of a connector; what is not named stays as it is.
    Set(change::SetArgs),
    /// Remove the settings of a connector.
    Unset {
        /// The name of the connector.
        name: String,
        #[command(flatten)]
        owner: Owner,
    },
}

/// Whose settings.
#[derive(Debug, Args)]
pub(crate) struct Owner {
    /// The client, by its name or id; without it, the settings of the deployment, which serve every
    /// client without an OAuth client of its own.
    #[arg(long, value_name = "CLIENT")]
    client: Option<String>,
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

#[derive(Debug, Serialize)]
struct ConnectorWithSettingsView {
    #[serde(flatten)]
    connector: Connector,
    settings: Option<ConnectorSettingsView>,
}

/// What people look for first.
const FIRST: &[&str] = &[
    "name",
    "title",
    "source",
    "takes",
    "needs",
    "settings",
    "variables",
    "documentation",
];

/// Runs a verb on connectors.
pub(crate) async fn run(
    context: &Context,
    auth: &Auth,
    operator: &Operator,
    command: ConnectorCommand,
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
        ConnectorCommand::Show { name, owner } => {
            let view = ConnectorWithSettingsView {
                connector: auth.connector(&name)?,
                settings: owner.settings(operator, &name).await?.map(Into::into),
            };
            context.output.details(&view, FIRST)
        }
        ConnectorCommand::Check { name, owner } => {
            let findings = match owner.client {
                None => operator.check_connector(&name).await?,
                Some(client) => {
                    let tenant = select::tenant(operator, &client).await?;
                    tenant.check_connector(&name).await?
                }
            };
            doctor::print(context, findings)
        }
        ConnectorCommand::Set(args) => change::set(context, auth, operator, args).await,
        ConnectorCommand::Unset { name, owner } => unset(context, operator, &name, owner).await,
    }
}

async fn unset(
    context: &Context,
    operator: &Operator,
    name: &str,
    owner: Owner,
) -> Result<(), Failure> {
    let whose = match &owner.client {
        None => "the deployment".to_owned(),
        Some(client) => format!("the client {client}"),
    };
    context.prompt.confirm(&format!(
        "Remove the settings of {name} of {whose}? Accounts that were connected with them cannot be refreshed any more."
    ))?;
    match owner.client {
        None => operator.unset_connector_settings(name).await?,
        Some(client) => {
            let tenant = select::tenant(operator, &client).await?;
            tenant.unset_connector_settings(name).await?;
        }
    }
    context
        .output
        .record(&DeletedView::DONE, &DeletedView::FIELDS)
}

impl Owner {
    /// The owner's settings; `None` when there are none.
    async fn settings(
        &self,
        operator: &Operator,
        name: &str,
    ) -> Result<Option<ConnectorSettings>, Failure> {
        let found = match &self.client {
            None => operator.connector_settings(name).await,
            Some(client) => {
                let tenant = select::tenant(operator, client).await?;
                tenant.connector_settings(name).await
            }
        };
        match found {
            Ok(settings) => Ok(Some(settings)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}
