//! `client`: the tenants of the system.

use bosa_auth::{ClientUpdate, Operator};
use clap::{Args, Subcommand};

use crate::args::LimitArg;
use crate::commands::context::{Context, all_pages};
use crate::commands::select;
use crate::exit::Failure;
use crate::view::{ClientView, DeletedView};

#[derive(Debug, Subcommand)]
pub(crate) enum ClientCommand {
    /// Create a client; its key is shown this once.
    Create {
        /// The name, 1 to 200 characters, unique.
        name: String,
    },
    /// List the clients.
    List(LimitArg),
    /// Show a client.
    Show(Named),
    /// Give a client another name; its keys stay valid.
    Rename {
        #[command(flatten)]
        client: Named,
        /// The new name.
        new_name: String,
    },
    /// Refuse everything under a client until it is resumed.
    Suspend {
        #[command(flatten)]
        client: Named,
        /// Also end every token of its users for good.
        #[arg(long)]
        sign_out: bool,
    },
    /// Accept a suspended client again.
    Resume(Named),
    /// Delete a client with its users, tokens and integrations.
    Delete(Named),
}

#[derive(Debug, Args)]
pub(crate) struct Named {
    /// The client, by its name or id.
    client: String,
}

/// Runs a verb on clients.
pub(crate) async fn run(
    context: &Context,
    operator: &Operator,
    command: ClientCommand,
) -> Result<(), Failure> {
    let output = context.output;
    match command {
        ClientCommand::Create { name } => {
            let created = operator.create_client(&name).await?;
            output.record(&ClientView::from(created.resource), &ClientView::FIELDS)?;
            output.note("The key is shown this once: keep it now.");
            Ok(())
        }
        ClientCommand::List(LimitArg { limit }) => {
            let clients =
                all_pages(limit, async |page| operator.get_client_list(page).await).await?;
            let views: Vec<ClientView> = clients.into_iter().map(Into::into).collect();
            output.list(&views, &ClientView::COLUMNS)
        }
        ClientCommand::Show(named) => {
            let client = select::client(operator, &named.client).await?;
            output.record(&ClientView::from(client), &ClientView::FIELDS)
        }
        ClientCommand::Rename { client, new_name } => {
            let change = ClientUpdate {
                name: Some(new_name),
                ..Default::default()
            };
            update(context, operator, &client, change).await
        }
        ClientCommand::Suspend { client, sign_out } => {
            let change = ClientUpdate {
                is_active: Some(false),
                sign_out,
                ..Default::default()
            };
            update(context, operator, &client, change).await
        }
        ClientCommand::Resume(client) => {
            let change = ClientUpdate {
                is_active: Some(true),
                ..Default::default()
            };
            update(context, operator, &client, change).await
        }
        ClientCommand::Delete(named) => {
            let client = select::client(operator, &named.client).await?;
            context.prompt.confirm(&format!(
                "Delete client {} ({}) with all its users, tokens and integrations?",
                client.name, client.id
            ))?;
            operator.delete_client(client.id).await?;
            output.record(&DeletedView::DONE, &DeletedView::FIELDS)
        }
    }
}

async fn update(
    context: &Context,
    operator: &Operator,
    named: &Named,
    change: ClientUpdate,
) -> Result<(), Failure> {
    let client = select::client(operator, &named.client).await?;
    let client = operator.update_client(client.id, change).await?;
    context
        .output
        .record(&ClientView::from(client), &ClientView::FIELDS)
}
