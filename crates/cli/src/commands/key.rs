//! `key`: the API keys of a client.

use bosa_auth::{ApiKeyId, NewApiKey, Operator, Scope, ScopeSet, Timestamp};
use clap::Subcommand;

use crate::args::{ClientArg, LimitArg};
use crate::commands::context::{Context, all_pages};
use crate::commands::select;
use crate::exit::Failure;
use crate::view::{ApiKeyView, RevokedView};

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Create another key of a client; it is shown this once.
    Create {
        #[command(flatten)]
        client: ClientArg,
        /// What the key may do, for example users:read; repeat for several. Everything when absent.
        #[arg(long = "scope", value_name = "SCOPE", value_parser = scope)]
        scopes: Vec<Scope>,
        /// When the key ends, in RFC 3339, for example 2030-01-01T00:00:00Z. Never when absent.
        #[arg(long, value_name = "TIME", value_parser = time)]
        expires_at: Option<Timestamp>,
    },
    /// List the keys of a client, ended ones included.
    List {
        #[command(flatten)]
        client: ClientArg,
        #[command(flatten)]
        limit: LimitArg,
    },
    /// Create the successor of a key and end the key.
    Rotate {
        /// The key's id, from `key list`.
        key: ApiKeyId,
        #[command(flatten)]
        client: ClientArg,
        /// Seconds for which the former key goes on beside its successor.
        #[arg(long, value_name = "SECONDS", default_value_t = 0)]
        overlap_seconds: u32,
    },
    /// End a key at once.
    Revoke {
        /// The key's id, from `key list`.
        key: ApiKeyId,
        #[command(flatten)]
        client: ClientArg,
    },
}

/// Runs a verb on API keys.
pub(crate) async fn run(
    context: &Context,
    operator: &Operator,
    command: KeyCommand,
) -> Result<(), Failure> {
    let output = context.output;
    match command {
        KeyCommand::Create {
            client,
            scopes,
            expires_at,
        } => {
            let client = select::client(operator, &client.client).await?;
            let scopes = (!scopes.is_empty()).then(|| ScopeSet::from_iter(scopes));
            let new = NewApiKey { scopes, expires_at };
            let created = operator.create_api_key(client.id, new).await?;
            output.record(&ApiKeyView::from(created.resource), &ApiKeyView::FIELDS)?;
            output.note("The key is shown this once: keep it now.");
            Ok(())
        }
        KeyCommand::List { client, limit } => {
            let id = select::client(operator, &client.client).await?.id;
            let keys = all_pages(limit.limit, async |page| {
                operator.list_api_keys(id, page).await
            })
            .await?;
            let views: Vec<ApiKeyView> = keys.into_iter().map(Into::into).collect();
            output.list(&views, &ApiKeyView::COLUMNS)
        }
        KeyCommand::Rotate {
            key,
            client,
            overlap_seconds,
        } => {
            let client = select::client(operator, &client.client).await?;
            context.prompt.confirm(&match overlap_seconds {
                0 => format!("Replace key {key} of {} and end it at once?", client.name),
                seconds => format!(
                    "Replace key {key} of {} and end it in {seconds} seconds?",
                    client.name
                ),
            })?;
            let created = operator
                .rotate_api_key(client.id, key, overlap_seconds)
                .await?;
            output.record(&ApiKeyView::from(created.resource), &ApiKeyView::FIELDS)?;
            output.note("The key is shown this once: keep it now.");
            Ok(())
        }
        KeyCommand::Revoke { key, client } => {
            let client = select::client(operator, &client.client).await?;
            context
                .prompt
                .confirm(&format!("End key {key} of {}?", client.name))?;
            let revoked = operator.revoke_api_key(client.id, key).await?;
            output.record(&RevokedView { revoked }, &RevokedView::FIELDS)?;
            if revoked {
                Ok(())
            } else {
                Err(Failure::AnswerIsNo)
            }
        }
    }
}

fn scope(text: &str) -> Result<Scope, String> {
    text.parse().map_err(|_| {
        let known: Vec<&str> = Scope::ALL.iter().map(|scope| scope.as_str()).collect();
        format!("use one of {}", known.join(", "))
    })
}

fn time(text: &str) -> Result<Timestamp, String> {
    text.parse()
        .map_err(|_| "use RFC 3339, for example 2030-01-01T00:00:00Z".to_owned())
}
