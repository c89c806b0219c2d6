//! `integration`: the accounts of a user at third parties.

use bosa_auth::{Error, Operator, Tenant, ThirdPartyIntegrationAuth, UserId};
use clap::{Args, Subcommand};

use crate::args::{ClientArg, LimitArg};
use crate::commands::context::{Context, all_pages};
use crate::commands::select;
use crate::exit::Failure;
use crate::view::{DeletedView, IntegrationView};

#[derive(Debug, Subcommand)]
pub(crate) enum IntegrationCommand {
    /// Store an account; its credential comes on standard input or at a prompt.
    Add {
        /// The kind of third party, for example github.
        connector: String,
        #[command(flatten)]
        owner: Owner,
        /// The account's name at the third party.
        #[arg(long, value_name = "ACCOUNT", default_value = "default")]
        account: String,
        /// What the credential permits there; repeat for several.
        #[arg(long = "scope", value_name = "SCOPE")]
        scopes: Vec<String>,
    },
    /// List the accounts of a user, without their credentials.
    List {
        #[command(flatten)]
        owner: Owner,
        /// Only accounts of this kind of third party.
        #[arg(long, value_name = "CONNECTOR")]
        connector: Option<String>,
        #[command(flatten)]
        limit: LimitArg,
    },
    /// Show an account with its credential: the default one, or the named one.
    Show(Account),
    /// Make an account the default one of its connector.
    Select {
        /// The kind of third party, for example github.
        connector: String,
        #[command(flatten)]
        owner: Owner,
        /// The account's name at the third party.
        #[arg(long, value_name = "ACCOUNT")]
        account: String,
    },
    /// Remove an account; with several, it must be named.
    Remove(Account),
}

#[derive(Debug, Args)]
pub(crate) struct Owner {
    #[command(flatten)]
    client: ClientArg,
    /// The user, by its identifier or id.
    #[arg(long, value_name = "USER")]
    user: String,
}

#[derive(Debug, Args)]
pub(crate) struct Account {
    /// The kind of third party, for example github.
    connector: String,
    #[command(flatten)]
    owner: Owner,
    /// The account's name at the third party.
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<String>,
}

/// Runs a verb on integrations.
pub(crate) async fn run(
    context: &Context,
    operator: &Operator,
    command: IntegrationCommand,
) -> Result<(), Failure> {
    let output = context.output;
    match command {
        IntegrationCommand::Add {
            connector,
            owner,
            account,
            scopes,
        } => {
            let (tenant, user) = find(operator, &owner).await?;
            let credential = context.prompt.secret("the credential")?;
            let client_id = tenant.client().id;
            let new = ThirdPartyIntegrationAuth::new(
                client_id, user, connector, account, credential, scopes,
            );
            let stored = tenant.create_integration(new).await?.resource;
            let view = IntegrationView::without_credential(stored);
            output.record(&view, &IntegrationView::FIELDS)
        }
        IntegrationCommand::List {
            owner,
            connector,
            limit,
        } => {
            let (tenant, user) = find(operator, &owner).await?;
            let connector = connector.as_deref();
            let accounts = all_pages(limit.limit, async |page| {
                tenant.list_integrations(user, connector, page).await
            })
            .await?;
            let views: Vec<IntegrationView> = accounts.into_iter().map(Into::into).collect();
            output.list(&views, &IntegrationView::COLUMNS)
        }
        IntegrationCommand::Show(named) => {
            let (tenant, user) = find(operator, &named.owner).await?;
            let found = tenant
                .get_specific_or_default_integration(
                    user,
                    &named.connector,
                    named.account.as_deref(),
                )
                .await?
                .ok_or(NOT_FOUND)?;
            output.record(&IntegrationView::from(found), &IntegrationView::FIELDS)
        }
        IntegrationCommand::Select {
            connector,
            owner,
            account,
        } => {
            let (tenant, user) = find(operator, &owner).await?;
            let selected = tenant
                .set_selected_integration(user, &connector, &account)
                .await?;
            let view = IntegrationView::without_credential(selected);
            output.record(&view, &IntegrationView::FIELDS)
        }
        IntegrationCommand::Remove(named) => remove(context, operator, &named).await,
    }
}

const NOT_FOUND: Error = Error::NotFound {
    what: "integration",
};

async fn find(operator: &Operator, owner: &Owner) -> Result<(Tenant, UserId), Failure> {
    let tenant = select::tenant(operator, &owner.client.client).await?;
    let user = select::user(&tenant, &owner.user).await?;
    Ok((tenant, user.id))
}

async fn remove(context: &Context, operator: &Operator, named: &Account) -> Result<(), Failure> {
    let (tenant, user) = find(operator, &named.owner).await?;
    let account = named.account.as_deref();
    context.prompt.confirm(&match account {
        Some(account) => format!("Remove the account {account} of {}?", named.connector),
        None => format!("Remove the account of {}?", named.connector),
    })?;
    let removed = tenant
        .delete_integration(user, &named.connector, account)
        .await?;
    if !removed {
        return Err(NOT_FOUND.into());
    }
    context
        .output
        .record(&DeletedView::DONE, &DeletedView::FIELDS)
}
