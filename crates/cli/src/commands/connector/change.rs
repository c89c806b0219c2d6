//! `connector set`: what is named changes, and everything else stays as it is stored.

use bosa_auth::{Auth, NewConnectorSettings, Operator, SecretChange};
use clap::Args;

use super::Owner;
use crate::commands::context::Context;
use crate::commands::select;
use crate::exit::Failure;
use crate::view::ConnectorSettingsView;

#[derive(Debug, Args)]
pub(crate) struct SetArgs {
    /// The name of the connector.
    name: String,
    #[command(flatten)]
    owner: Owner,
    /// The id of the OAuth client at the provider; its secret comes on standard input or at a prompt.
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// Keep the stored secret although --client-id is given.
    #[arg(long, requires = "client_id")]
    keep_secret: bool,
    /// Ask for exactly these scopes; repeat for several.
    #[arg(
        long = "scope",
        value_name = "SCOPE",
        conflicts_with = "default_scopes"
    )]
    scopes: Vec<String>,
    /// Ask for the scopes that the connector declares.
    #[arg(long)]
    default_scopes: bool,
    /// Allow an address to return to after an account was connected; repeat for several.
    #[arg(long = "return-address", value_name = "URL")]
    return_addresses: Vec<String>,
    /// Allow an address no longer; repeat for several.
    #[arg(long = "remove-return-address", value_name = "URL")]
    removed_addresses: Vec<String>,
    /// A value of one of the connector's variables; repeat for several.
    #[arg(long = "variable", value_name = "NAME=VALUE", value_parser = variable)]
    variables: Vec<(String, String)>,
    /// Whether a connected account is readable only after its client has posted the code that the
    /// returning browser carried.
    #[arg(long, value_name = "true|false", num_args = 0..=1, default_missing_value = "true")]
    require_completion: Option<bool>,
}

/// Stores the settings that the arguments make of the stored ones.
pub(super) async fn set(
    context: &Context,
    auth: &Auth,
    operator: &Operator,
    args: SetArgs,
) -> Result<(), Failure> {
    let connector = auth.connector(&args.name)?;
    let stored = args.owner.settings(operator, &args.name).await?;
    let mut new = NewConnectorSettings::default();
    if let Some(stored) = stored {
        new.client_id = stored.client_id;
        new.scopes = stored.scopes;
        new.return_addresses = stored.return_addresses;
        new.variables = stored.variables;
        new.require_completion = stored.require_completion;
    }
    if args.client_id.is_some() {
        new.client_id = args.client_id;
        let needs_secret = connector.needs().iter().any(|need| need == "client_secret");
        if needs_secret && !args.keep_secret {
            let secret = context.prompt.secret("the secret of the OAuth client")?;
            new.client_secret = SecretChange::Replace(secret);
        }
    }
    if args.default_scopes {
        new.scopes.clear();
    }
    if !args.scopes.is_empty() {
        new.scopes = args.scopes;
    }
    for address in args.removed_addresses {
        let before = new.return_addresses.len();
        new.return_addresses.retain(|known| *known != address);
        if new.return_addresses.len() == before {
            return Err(Failure::usage(
                format!("{address} is not among the addresses to return to"),
                format!("See bosa-auth connector show {}.", args.name),
            ));
        }
    }
    new.return_addresses.extend(args.return_addresses);
    new.variables.extend(args.variables);
    if let Some(require_completion) = args.require_completion {
        new.require_completion = require_completion;
    }
    let owner = match &args.owner.client {
        None => String::new(),
        Some(client) => format!(" --client {client}"),
    };
    let settings = match args.owner.client {
        None => operator.set_connector_settings(&args.name, &new).await?,
        Some(client) => {
            let tenant = select::tenant(operator, &client).await?;
            tenant.set_connector_settings(&args.name, &new).await?
        }
    };
    let view = ConnectorSettingsView::from(settings);
    context
        .output
        .record(&view, &ConnectorSettingsView::FIELDS)?;
    context.output.note(&format!(
        "Try it: bosa-auth connector check {}{owner}",
        connector.name()
    ));
    Ok(())
}

fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => Err("use NAME=VALUE".to_owned()),
    }
}
