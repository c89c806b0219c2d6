//! `integration`: the accounts of a user at third parties.

use bosa_auth::{ConfiguredIntegration, Error, NewIntegration, Operator, Secret, Tenant, UserId};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Map, Value};

use crate::args::{ClientArg, LimitArg};
use crate::commands::context::{Context, all_pages};
use crate::commands::select;
use crate::exit::Failure;
use crate::output::escaped;
use crate::view::{DeletedView, IntegrationView};

#[derive(Debug, Subcommand)]
pub(crate) enum IntegrationCommand {
    /// Store an account; its credential comes on standard input or at a prompt.
    Add(NewAccount),
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
pub(crate) struct NewAccount {
    /// The kind of third party, for example github.
    connector: String,
    #[command(flatten)]
    owner: Owner,
    /// What the credential is made of; absent: a text that is stored as it is.
    #[arg(long = "type", value_name = "KIND", value_enum)]
    kind: Option<Kind>,
    /// The account's name at the third party; absent: the user name, or else default.
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<String>,
    /// The user name of a basic credential; absent: the account's name.
    #[arg(long, value_name = "NAME")]
    username: Option<String>,
    /// What the credential permits there; repeat for several.
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// Give an account of this name, if there is one, the new credential.
    #[arg(long)]
    replace: bool,
}

/// What a credential is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// A key.
    #[value(name = "api_key", alias = "api-key")]
    ApiKey,
    /// The password of a user name.
    Basic,
    /// A token that is sent as Authorization: Bearer.
    Bearer,
    /// Fields of the connector's own, as a JSON object.
    Custom,
    /// Tokens that were granted elsewhere, as a JSON object: access_token, refresh_token, expires_at
    /// and subject.
    Oauth,
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
        IntegrationCommand::Add(new) => add(context, operator, new).await,
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

async fn add(context: &Context, operator: &Operator, new: NewAccount) -> Result<(), Failure> {
    if new.username.is_some() && new.kind != Some(Kind::Basic) {
        return Err(Failure::usage(
            "only a basic credential has a user name",
            "Leave --username out, or add --type basic.",
        ));
    }
    let (tenant, user) = find(operator, &new.owner).await?;
    let stored = match new.kind {
        Some(kind) => {
            let new = new.configured(context, kind)?;
            tenant.configure_integration(user, new).await?
        }
        None => {
            let account = new.account.unwrap_or_else(|| "default".to_owned());
            let new = NewIntegration {
                connector: new.connector,
                user_identifier: account,
                auth_string: context.prompt.secret("the credential")?,
                auth_scopes: new.scopes,
                replace_duplicate: new.replace,
            };
            tenant.add_integration(user, new).await?
        }
    };
    let view = IntegrationView::without_credential(stored.resource);
    context.output.record(&view, &IntegrationView::FIELDS)
}

impl NewAccount {
    /// The fields of a credential, the secret one from standard input or a prompt.
    fn configured(self, context: &Context, kind: Kind) -> Result<ConfiguredIntegration, Failure> {
        let secret = |what| context.prompt.secret(what);
        let text = |secret: Secret| Value::String(secret.expose().to_owned());
        let mut fields = match kind {
            Kind::ApiKey => one("api_key", text(secret("the API key")?)),
            Kind::Bearer => one("token", text(secret("the token")?)),
            Kind::Basic => {
                let Some(username) = self.username.as_ref().or(self.account.as_ref()) else {
                    return Err(Failure::usage(
                        "a basic credential has a user name",
                        "Give it with --username, or with --account where the account is called after it.",
                    ));
                };
                let mut fields = one("username", Value::String(username.clone()));
                fields.insert("password".to_owned(), text(secret("the password")?));
                fields
            }
            Kind::Custom | Kind::Oauth => {
                let fields = secret("the fields of the credential, as a JSON object")?;
                // What a parser says of a text may quote it.
                serde_json::from_str(fields.expose()).map_err(|_| {
                    Failure::usage(
                        "what came on standard input is not a JSON object",
                        "Give the fields of the credential as one, for example {\"key\": \"…\"}.",
                    )
                })?
            }
        };
        if let Some(account) = self.account {
            fields.insert("user_identifier".to_owned(), Value::String(account));
        }
        if !self.scopes.is_empty() {
            fields.insert("auth_scopes".to_owned(), self.scopes.into());
        }
        Ok(ConfiguredIntegration {
            connector: self.connector,
            auth_type: kind.name().to_owned(),
            configuration: Secret::new(Value::Object(fields).to_string()),
            replace_duplicate: self.replace,
        })
    }
}

fn one(name: &str, value: Value) -> Map<String, Value> {
    [(name.to_owned(), value)].into_iter().collect()
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::ApiKey => "api_key",
            Self::Basic => "basic",
            Self::Bearer => "bearer",
            Self::Custom => "custom",
            Self::Oauth => "oauth",
        }
    }
}

async fn remove(context: &Context, operator: &Operator, named: &Account) -> Result<(), Failure> {
    let (tenant, user) = find(operator, &named.owner).await?;
    // What is asked about is what is removed, whatever is stored meanwhile.
    let account = match &named.account {
        Some(account) => account.clone(),
        None => {
            let only = tenant.only_account(user, &named.connector).await?;
            only.ok_or(NOT_FOUND)?
        }
    };
    context.prompt.confirm(&format!(
        "Remove the account {} of {}?",
        escaped(&account),
        named.connector
    ))?;
    let removed = tenant
        .delete_integration(user, &named.connector, Some(&account))
        .await?;
    if !removed {
        return Err(NOT_FOUND.into());
    }
    context
        .output
        .record(&DeletedView::DONE, &DeletedView::FIELDS)
}
