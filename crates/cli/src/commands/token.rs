//! `token`: the tokens of a user.

use bosa_auth::{ErrorKind, Operator};
use clap::Subcommand;

use crate::args::{ClientArg, LimitArg};
use crate::commands::context::{Context, all_pages};
use crate::commands::select;
use crate::exit::Failure;
use crate::view::{RevokedView, TokenInfoView, TokenView, VerificationView};

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Issue a token to a user without its secret.
    Issue {
        /// The user, by its identifier or id.
        user: String,
        #[command(flatten)]
        client: ClientArg,
    },
    /// Verify a token, given on standard input or at a prompt; exit code 4 when it is not valid.
    Verify {
        #[command(flatten)]
        client: ClientArg,
    },
    /// End a token, given on standard input or at a prompt; exit code 4 when there was nothing to end.
    Revoke {
        #[command(flatten)]
        client: ClientArg,
    },
    /// List the tokens of a user, ended ones included.
    List {
        /// The user, by its identifier or id.
        user: String,
        #[command(flatten)]
        client: ClientArg,
        #[command(flatten)]
        limit: LimitArg,
    },
}

/// Runs a verb on tokens.
pub(crate) async fn run(
    context: &Context,
    operator: &Operator,
    command: TokenCommand,
) -> Result<(), Failure> {
    let output = context.output;
    match command {
        TokenCommand::Issue { user, client } => {
            let tenant = select::tenant(operator, &client.client).await?;
            let user = select::user(&tenant, &user).await?;
            let created = tenant.create_token(user.id).await?;
            output.record(&TokenView::from(created.resource), &TokenView::FIELDS)
        }
        TokenCommand::Verify { client } => {
            let tenant = select::tenant(operator, &client.client).await?;
            let token = context.prompt.secret("the token")?;
            match tenant.verify_token(token.expose()).await {
                Ok(verified) => {
                    output.record(&VerificationView::from(verified), &VerificationView::FIELDS)
                }
                Err(error) if is_a_no(error.kind()) => {
                    let answer = VerificationView::invalid(error.code());
                    output.record(&answer, &VerificationView::FIELDS)?;
                    Err(Failure::AnswerIsNo)
                }
                Err(error) => Err(error.into()),
            }
        }
        TokenCommand::Revoke { client } => {
            let tenant = select::tenant(operator, &client.client).await?;
            let token = context.prompt.secret("the token")?;
            let revoked = tenant.revoke_token(token.expose()).await?;
            output.record(&RevokedView { revoked }, &RevokedView::FIELDS)?;
            if revoked {
                Ok(())
            } else {
                Err(Failure::AnswerIsNo)
            }
        }
        TokenCommand::List {
            user,
            client,
            limit,
        } => {
            let tenant = select::tenant(operator, &client.client).await?;
            let id = select::user(&tenant, &user).await?.id;
            let tokens = all_pages(limit.limit, async |page| tenant.list_tokens(id, page).await);
            let views: Vec<TokenInfoView> = tokens.await?.into_iter().map(Into::into).collect();
            output.list(&views, &TokenInfoView::COLUMNS)
        }
    }
}

/// Whether a refused verification is an answer about the token and not a failure.
fn is_a_no(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::InvalidToken
            | ErrorKind::ExpiredToken
            | ErrorKind::RevokedToken
            | ErrorKind::InvalidClient
            | ErrorKind::Unauthorized
    )
}
