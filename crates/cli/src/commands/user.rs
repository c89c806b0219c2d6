//! `user`: the users of a client.

use bosa_auth::{NewUser, Operator, Tenant, UserModel, UserUpdate};
use clap::{Args, Subcommand};

use crate::args::{ClientArg, LimitArg};
use crate::commands::context::{Context, all_pages};
use crate::commands::select;
use crate::exit::Failure;
use crate::output::table;
use crate::view::{DeletedView, IntegrationView, RevokedView, UserCompleteView, UserView};

#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Create a user; its generated secret is shown this once.
    Create {
        /// The name that the client gives the user, 1 to 320 characters, unique in the client.
        identifier: String,
        #[command(flatten)]
        client: ClientArg,
        /// Take the secret, 15 to 256 characters, from standard input or a prompt.
        #[arg(long)]
        choose_secret: bool,
    },
    /// List the users of a client.
    List {
        #[command(flatten)]
        client: ClientArg,
        #[command(flatten)]
        limit: LimitArg,
    },
    /// Show a user with its integrations.
    Show(Named),
    /// Refuse a user and end its tokens, until it is resumed.
    Suspend(Named),
    /// Accept a suspended user again.
    Resume(Named),
    /// Give a user a new generated secret, shown this once, and end its tokens.
    ResetSecret(Named),
    /// End all tokens of a user.
    SignOut(Named),
    /// Delete a user with its tokens and integrations.
    Delete(Named),
}

#[derive(Debug, Args)]
pub(crate) struct Named {
    /// The user, by its identifier or id.
    user: String,
    #[command(flatten)]
    client: ClientArg,
}

/// Runs a verb on users.
pub(crate) async fn run(
    context: &Context,
    operator: &Operator,
    command: UserCommand,
) -> Result<(), Failure> {
    match command {
        UserCommand::Create {
            identifier,
            client,
            choose_secret,
        } => {
            let tenant = select::tenant(operator, &client.client).await?;
            create(context, &tenant, identifier, choose_secret).await
        }
        UserCommand::List { client, limit } => {
            let tenant = select::tenant(operator, &client.client).await?;
            let users = all_pages(limit.limit, async |page| tenant.list_users(page).await).await?;
            let views: Vec<UserView> = users.into_iter().map(Into::into).collect();
            context.output.list(&views, &UserView::COLUMNS)
        }
        UserCommand::Show(named) => {
            let (tenant, user) = find(operator, &named).await?;
            show(context, &tenant, user).await
        }
        UserCommand::Suspend(named) => set_active(context, operator, &named, false).await,
        UserCommand::Resume(named) => set_active(context, operator, &named, true).await,
        UserCommand::ResetSecret(named) => {
            let (tenant, user) = find(operator, &named).await?;
            context.prompt.confirm(&format!(
                "Replace the secret of {} and end all its tokens?",
                user.identifier
            ))?;
            let user = tenant.reset_user_secret(user.id).await?;
            context
                .output
                .record(&UserView::from(user), &UserView::FIELDS)?;
            context
                .output
                .note("The secret is shown this once: keep it now.");
            Ok(())
        }
        UserCommand::SignOut(named) => {
            let (tenant, user) = find(operator, &named).await?;
            context
                .prompt
                .confirm(&format!("End all tokens of {}?", user.identifier))?;
            tenant.revoke_all_tokens(user.id).await?;
            context
                .output
                .record(&RevokedView { revoked: true }, &RevokedView::FIELDS)
        }
        UserCommand::Delete(named) => {
            let (tenant, user) = find(operator, &named).await?;
            context.prompt.confirm(&format!(
                "Delete user {} ({}) with all its tokens and integrations?",
                user.identifier, user.id
            ))?;
            tenant.delete_user(user.id).await?;
            context
                .output
                .record(&DeletedView::DONE, &DeletedView::FIELDS)
        }
    }
}

async fn find(operator: &Operator, named: &Named) -> Result<(Tenant, UserModel), Failure> {
    let tenant = select::tenant(operator, &named.client.client).await?;
    let user = select::user(&tenant, &named.user).await?;
    Ok((tenant, user))
}

async fn create(
    context: &Context,
    tenant: &Tenant,
    identifier: String,
    choose_secret: bool,
) -> Result<(), Failure> {
    let secret = match choose_secret {
        true => Some(context.prompt.secret("the secret")?),
        false => None,
    };
    let is_generated = secret.is_none();
    let created = tenant.create_user(NewUser { identifier, secret }).await?;
    context
        .output
        .record(&UserCompleteView::from(created.resource), &UserView::FIELDS)?;
    if is_generated {
        context
            .output
            .note("The secret is shown this once: keep it now.");
    }
    Ok(())
}

async fn show(context: &Context, tenant: &Tenant, user: UserModel) -> Result<(), Failure> {
    let output = context.output;
    let user = UserCompleteView::from(tenant.find_user_complete(user.id).await?);
    output.record(&user, &UserView::FIELDS)?;
    if output.is_json() || user.integrations.is_empty() {
        return Ok(());
    }
    let integrations = table(&user.integrations, &IntegrationView::COLUMNS)?;
    output.text(&format!("\n{integrations}\n"))
}

async fn set_active(
    context: &Context,
    operator: &Operator,
    named: &Named,
    is_active: bool,
) -> Result<(), Failure> {
    let (tenant, user) = find(operator, named).await?;
    let change = UserUpdate {
        is_active: Some(is_active),
        ..Default::default()
    };
    let user = tenant.update_user(user.id, change).await?;
    context
        .output
        .record(&UserView::from(user), &UserView::FIELDS)
}
