//! The verbs, one file for each noun.

pub(crate) mod backup;
pub(crate) mod client;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod connector;
pub(crate) mod context;
pub(crate) mod digest_key;
pub(crate) mod doctor;
pub(crate) mod import;
pub(crate) mod init;
pub(crate) mod integration;
pub(crate) mod key;
pub(crate) mod migrate;
pub(crate) mod restore;
pub(crate) mod root_key;
pub(crate) mod select;
pub(crate) mod serve;
pub(crate) mod signing_key;
pub(crate) mod token;
pub(crate) mod user;
pub(crate) mod vault;

use bosa_auth::{Auth, OpenMode};

use crate::args::{Cli, Command};
use crate::commands::context::Context;
use crate::exit::Failure;
use crate::logging::{self, Verbosity};

/// Runs one verb.
///
/// # Errors
/// Whatever ended it without success.
pub(crate) async fn run(cli: Cli) -> Result<(), Failure> {
    match cli.command {
        Command::Completions(args) => return completions::completions(&args),
        Command::Man(args) => return completions::man(&args),
        _ => {}
    }
    let flags = match &cli.command {
        Command::Serve(args) => args.overrides(),
        Command::Import(command) => command.overrides()?,
        _ => Vec::new(),
    };
    let context = Context::new(&cli.global, flags)?;
    let verbosity = match &cli.command {
        Command::Serve(_) => Verbosity::Server,
        _ => Verbosity::Verb,
    };
    if !matches!(cli.command, Command::Config(_) | Command::Doctor) {
        logging::start(&context.configuration, verbosity)?;
    }
    match cli.command {
        Command::Serve(_) => serve::run(&context).await,
        Command::Init(args) => init::run(&context, &args).await,
        Command::Migrate(command) => migrate::run(&context, &command).await,
        Command::Restore(args) => restore::run(&context, &args).await,
        Command::Import(command) => import::run(&context, &command).await,
        Command::Doctor => doctor::run(&context).await,
        Command::Config(command) => config::run(&context, &command),
        other => {
            let auth = Auth::open_configured(&context.configuration, OpenMode::Existing).await?;
            let result = on_instance(&context, &auth, other).await;
            if let Err(error) = auth.close().await {
                tracing::warn!(%error, "the instance did not close cleanly");
            }
            result
        }
    }
}

/// Runs a verb that works on what an instance holds.
async fn on_instance(context: &Context, auth: &Auth, command: Command) -> Result<(), Failure> {
    let operator = auth.operator();
    match command {
        Command::Client(command) => client::run(context, &operator, command).await,
        Command::Key(command) => key::run(context, &operator, command).await,
        Command::User(command) => user::run(context, &operator, command).await,
        Command::Token(command) => token::run(context, &operator, command).await,
        Command::Integration(command) => integration::run(context, &operator, command).await,
        Command::Connector(command) => connector::run(context, auth, &operator, command).await,
        Command::SigningKey(command) => signing_key::run(context, &operator, command).await,
        Command::Vault(command) => vault::run(context, &operator, &command).await,
        Command::RootKey(command) => root_key::run(context, &operator, &command).await,
        Command::DigestKey(command) => digest_key::run(context, &operator, &command).await,
        Command::Backup(args) => backup::run(context, &operator, &args).await,
        Command::Serve(_)
        | Command::Init(_)
        | Command::Migrate(_)
        | Command::Restore(_)
        | Command::Import(_)
        | Command::Doctor
        | Command::Config(_)
        | Command::Completions(_)
        | Command::Man(_) => Ok(()),
    }
}
