//! `digest-key`: the keys under which client keys and user secrets are digested.

use std::collections::BTreeMap;

use bosa_auth::{DependentCredential, DigestKeyInfo, Operator, RetireDigestKey};
use clap::Subcommand;
use serde::Serialize;

use crate::commands::context::Context;
use crate::exit::Failure;
use crate::view;

#[derive(Debug, Subcommand)]
pub(crate) enum DigestKeyCommand {
    /// List the digest keys and how many credentials depend on each.
    List,
    /// Make a new key for digests; the former one only verifies.
    ///
    /// No credential changes: what is stored of one moves to the new key when it is next used.
    Rotate,
    /// Remove a key that only verifies.
    ///
    /// While credentials depend on it, they are listed and nothing is changed, unless their end is
    /// accepted.
    Retire {
        /// The key's id, from `digest-key list`.
        id: String,
        /// End the credentials that depend on the key: API keys are revoked, users need a new secret.
        #[arg(long)]
        end_credentials: bool,
    },
}

/// A digest key, by its id; never its bytes.
#[derive(Debug, Serialize)]
pub(crate) struct DigestKeyView {
    id: String,
    is_active: bool,
    used_by: u64,
    api_keys: u64,
    users: u64,
    connections: u64,
    requests: u64,
    created_at: String,
}

impl DigestKeyView {
    pub(crate) const COLUMNS: [&'static str; 6] = [
        "id",
        "is_active",
        "used_by",
        "api_keys",
        "users",
        "created_at",
    ];
}

impl From<DigestKeyInfo> for DigestKeyView {
    fn from(info: DigestKeyInfo) -> Self {
        Self {
            id: info.id,
            is_active: info.is_active,
            used_by: info.used_by,
            api_keys: info.api_keys,
            users: info.users,
            connections: info.connections,
            requests: info.requests,
            created_at: view::time(info.created_at),
        }
    }
}

#[derive(Debug, Serialize)]
struct CredentialView {
    client_id: String,
    client: String,
    kind: &'static str,
    id: String,
    name: String,
}

impl From<DependentCredential> for CredentialView {
    fn from(one: DependentCredential) -> Self {
        Self {
            client_id: one.client_id.to_string(),
            client: one.client_name,
            kind: one.kind,
            id: one.id.to_string(),
            name: one.name,
        }
    }
}

/// How many credentials of a client depend on a key.
#[derive(Debug, Default, Serialize)]
struct ClientView {
    client: String,
    client_id: String,
    api_keys: u64,
    users: u64,
}

/// What became of a key, and of what depended on it.
#[derive(Debug, Serialize)]
struct RetiredView {
    retired: bool,
    credentials: Vec<CredentialView>,
}

/// Runs a verb on digest keys.
pub(crate) async fn run(
    context: &Context,
    operator: &Operator,
    command: &DigestKeyCommand,
) -> Result<(), Failure> {
    let output = context.output;
    match command {
        DigestKeyCommand::List => {
            let keys = operator.digest_keys().await?;
            let views: Vec<DigestKeyView> = keys.into_iter().map(Into::into).collect();
            output.list(&views, &DigestKeyView::COLUMNS)
        }
        DigestKeyCommand::Rotate => {
            let key = operator.rotate_digest_key().await?;
            output.record(&DigestKeyView::from(key), &DigestKeyView::COLUMNS)
        }
        DigestKeyCommand::Retire {
            id,
            end_credentials,
        } => retire(context, operator, id, *end_credentials).await,
    }
}

async fn retire(
    context: &Context,
    operator: &Operator,
    id: &str,
    end_credentials: bool,
) -> Result<(), Failure> {
    let output = context.output;
    let mut credentials: Vec<CredentialView> = Vec::new();
    let each = |one: DependentCredential| credentials.push(one.into());
    let count = operator.digest_key_dependents(id, each).await?;
    let is_active = |key: &DigestKeyInfo| key.is_active && key.id == id;
    let names_active = operator.digest_keys().await?.iter().any(is_active);
    if names_active || count == 0 && !end_credentials {
        operator
            .retire_digest_key(id, RetireDigestKey::Unused)
            .await?;
        return show(context, true, credentials);
    }
    if !end_credentials {
        show(context, false, credentials)?;
        if !output.is_json() {
            output.note(&format!(
                "{count} credentials depend on the key; nothing was changed.\n\
                 Each moves to the active key when it is next used. To end those that are left, give\n\
                 their holders new ones and run this again with --end-credentials."
            ));
        }
        return Err(Failure::AnswerIsNo);
    }
    if !output.is_json() && !credentials.is_empty() {
        output.note(&crate::output::table(
            &by_client(&credentials),
            &CLIENT_COLUMNS,
        )?);
    }
    context.prompt.confirm(&format!(
        "Retire digest key {id} and end the {count} credentials that depend on it?"
    ))?;
    operator
        .retire_digest_key(id, RetireDigestKey::Ending(count))
        .await?;
    show(context, true, credentials)
}

const CLIENT_COLUMNS: [&str; 4] = ["client", "client_id", "api_keys", "users"];

/// Programs get every credential, people how many each client has.
fn show(context: &Context, retired: bool, credentials: Vec<CredentialView>) -> Result<(), Failure> {
    let output = context.output;
    if !output.is_json() && !retired {
        return output.list(&by_client(&credentials), &CLIENT_COLUMNS);
    }
    let view = RetiredView {
        retired,
        credentials,
    };
    output.record(&view, &["retired"])
}

fn by_client(credentials: &[CredentialView]) -> Vec<ClientView> {
    let mut clients: BTreeMap<&str, ClientView> = BTreeMap::new();
    for one in credentials {
        let client = clients.entry(&one.client_id).or_insert_with(|| ClientView {
            client: one.client.clone(),
            client_id: one.client_id.clone(),
            ..ClientView::default()
        });
        match one.kind {
            "user" => client.users += 1,
            _ => client.api_keys += 1,
        }
    }
    clients.into_values().collect()
}
