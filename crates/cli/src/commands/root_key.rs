//! `root-key`: the keys outside the database that seal all others.

use bosa_auth::{Operator, RootKeyInfo};
use clap::Subcommand;
use serde::Serialize;

use crate::commands::context::Context;
use crate::exit::Failure;
use crate::view::{self, DeletedView};

#[derive(Debug, Subcommand)]
pub(crate) enum RootKeyCommand {
    /// List the root keys that the database was sealed with.
    List,
    /// Seal new keys under another root key, in every running server at once.
    ///
    /// A server that lacks the key is not ready from then on. What is sealed already stays as it is:
    /// `vault rekey --wrap-only` brings it along.
    Activate {
        /// The key's id, as in BOSA_AUTH_ROOT_KEYS or root.keys.
        #[arg(required_unless_present = "new")]
        id: Option<String>,
        /// Generate a key and add it to root.keys, for instances that keep their keys there.
        #[arg(long, conflicts_with = "id")]
        new: bool,
    },
    /// Forget a root key that seals nothing any more, and take it out of root.keys.
    Retire {
        /// The key's id, from `root-key list`.
        id: String,
    },
}

/// A root key, by its id; never its bytes.
#[derive(Debug, Serialize)]
pub(crate) struct RootKeyView {
    id: String,
    is_active: bool,
    is_present: bool,
    seals: u64,
    created_at: String,
}

impl RootKeyView {
    pub(crate) const COLUMNS: [&'static str; 5] =
        ["id", "is_active", "is_present", "seals", "created_at"];
}

impl From<RootKeyInfo> for RootKeyView {
    fn from(info: RootKeyInfo) -> Self {
        Self {
            id: info.id,
            is_active: info.is_active,
            is_present: info.is_present,
            seals: info.seals,
            created_at: view::time(info.created_at),
        }
    }
}

/// Runs a verb on root keys.
pub(crate) async fn run(
    context: &Context,
    operator: &Operator,
    command: &RootKeyCommand,
) -> Result<(), Failure> {
    let output = context.output;
    match command {
        RootKeyCommand::List => {
            let keys = operator.root_keys().await?;
            let views: Vec<RootKeyView> = keys.into_iter().map(Into::into).collect();
            output.list(&views, &RootKeyView::COLUMNS)
        }
        RootKeyCommand::Activate { id, new } => {
            let key = match id {
                Some(id) if !new => operator.activate_root_key(id).await?,
                _ => operator.activate_new_root_key().await?,
            };
            output.record(&RootKeyView::from(key), &RootKeyView::COLUMNS)
        }
        RootKeyCommand::Retire { id } => {
            context.prompt.confirm(&format!(
                "Retire root key {id}? It goes from root.keys too, if it is there; backups that were made under it open only with a copy of it."
            ))?;
            operator.retire_root_key(id).await?;
            output.record(&DeletedView::DONE, &DeletedView::FIELDS)
        }
    }
}
