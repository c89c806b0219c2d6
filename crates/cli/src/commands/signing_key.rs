//! `signing-key`: the keys that sign tokens.

use bosa_auth::{Algorithm, Operator, SigningKeyInfo};
use clap::Subcommand;
use serde::Serialize;

use crate::commands::context::Context;
use crate::exit::Failure;
use crate::view::{self, DeletedView};

#[derive(Debug, Subcommand)]
pub(crate) enum SigningKeyCommand {
    /// List the keys that tokens are signed and verified with.
    List,
    /// Generate a key and sign new tokens with it; the former keys go on verifying.
    Rotate {
        /// HS256, HS384, HS512, RS256, PS256, ES256, ES384 or EdDSA; as configured when absent.
        #[arg(long, value_name = "ALGORITHM", value_parser = algorithm)]
        algorithm: Option<Algorithm>,
    },
    /// Stop verifying with a generated key: its tokens end.
    Retire {
        /// The key's id, from `signing-key list`; it may begin with a hyphen.
        #[arg(allow_hyphen_values = true)]
        kid: String,
    },
}

#[derive(Debug, Serialize)]
struct SigningKeyView {
    kid: String,
    algorithm: String,
    signs: bool,
    origin: &'static str,
    created_at: Option<String>,
}

const FIELDS: [&str; 5] = ["kid", "algorithm", "signs", "origin", "created_at"];

impl From<SigningKeyInfo> for SigningKeyView {
    fn from(info: SigningKeyInfo) -> Self {
        Self {
            kid: info.kid,
            algorithm: info.algorithm.to_string(),
            signs: info.signs,
            origin: info.origin,
            created_at: info.created_at.map(view::time),
        }
    }
}

/// Runs a verb on signing keys.
pub(crate) async fn run(
    context: &Context,
    operator: &Operator,
    command: SigningKeyCommand,
) -> Result<(), Failure> {
    let output = context.output;
    match command {
        SigningKeyCommand::List => {
            let keys = operator.signing_keys().await?;
            let views: Vec<SigningKeyView> = keys.into_iter().map(Into::into).collect();
            output.list(&views, &FIELDS)
        }
        SigningKeyCommand::Rotate { algorithm } => {
            let key = operator.rotate_signing_key(algorithm).await?;
            output.record(&SigningKeyView::from(key), &FIELDS)
        }
        SigningKeyCommand::Retire { kid } => {
            context.prompt.confirm(&format!(
                "Retire signing key {kid} and end every token signed with it?"
            ))?;
            operator.retire_signing_key(&kid).await?;
            output.record(&DeletedView::DONE, &DeletedView::FIELDS)
        }
    }
}

fn algorithm(text: &str) -> Result<Algorithm, String> {
    text.parse()
        .map_err(|_| "use HS256, HS384, HS512, RS256, PS256, ES256, ES384 or EdDSA".to_owned())
}
