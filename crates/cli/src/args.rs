//! The arguments that every verb takes, and the list of verbs.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::commands::{
    backup, client, completions, config, connector, digest_key, import, init, integration, key,
    migrate, restore, root_key, serve, signing_key, token, user, vault,
};

/// Multi-tenant authentication: clients, users, tokens and a vault of integrations.
///
/// Every setting can also be given by its environment variable or in the configuration file; a flag
/// wins over the environment, the environment over the file, the file over the default.
/// `bosa-auth config show` lists all of them.
#[derive(Debug, Parser)]
#[command(
    name = "bosa-auth",
    version,
    arg_required_else_help = true,
    propagate_version = true,
    disable_help_subcommand = true,
    after_help = "Exit codes: 0 done, 1 refused or failed, 2 wrong usage or configuration, \
                  3 not found, 4 the answer is no, 5 the database is unavailable."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The arguments of every verb.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// Configuration file, in TOML.
    #[arg(
        long,
        value_name = "FILE",
        global = true,
        env = "BOSA_AUTH_CONFIG",
        hide_env_values = true,
        help_heading = "Global options"
    )]
    pub(crate) config: Option<PathBuf>,
    /// Database: sqlite:///relative, sqlite:////absolute or postgresql://…, without a password.
    #[arg(
        long,
        value_name = "URL",
        global = true,
        help_heading = "Global options"
    )]
    pub(crate) database_url: Option<String>,
    /// Directory of the embedded database and of generated keys.
    #[arg(
        long,
        value_name = "DIR",
        global = true,
        help_heading = "Global options"
    )]
    pub(crate) data_dir: Option<PathBuf>,
    /// A table for people, or JSON for programs.
    #[arg(
        long,
        value_name = "FORMAT",
        global = true,
        value_enum,
        default_value_t = Format::Table,
        help_heading = "Global options"
    )]
    pub(crate) output: Format,
    /// Do what cannot be undone without asking.
    #[arg(long, short, global = true, help_heading = "Global options")]
    pub(crate) yes: bool,
    /// Print results and errors only.
    #[arg(long, short, global = true, help_heading = "Global options")]
    pub(crate) quiet: bool,
}

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Columns for people.
    Table,
    /// The `data` of the matching HTTP route.
    Json,
}

/// Every verb.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the HTTP server; on the first start, create data directory, keys and database.
    Serve(serve::ServeArgs),
    /// Create data directory, keys and database, or replace the master key.
    Init(init::InitArgs),
    /// The schema of the database.
    #[command(subcommand)]
    Migrate(migrate::MigrateCommand),
    /// Clients, the tenants of the system.
    #[command(subcommand)]
    Client(client::ClientCommand),
    /// API keys of a client.
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Users of a client.
    #[command(subcommand)]
    User(user::UserCommand),
    /// Tokens of a user.
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Accounts of a user at third parties.
    #[command(subcommand)]
    Integration(integration::IntegrationCommand),
    /// Kinds of third parties.
    #[command(subcommand)]
    Connector(connector::ConnectorCommand),
    /// Keys that sign tokens.
    #[command(subcommand)]
    SigningKey(signing_key::SigningKeyCommand),
    /// Sealed keys and credentials.
    #[command(subcommand)]
    Vault(vault::VaultCommand),
    /// Keys outside the database that seal all others.
    #[command(subcommand)]
    RootKey(root_key::RootKeyCommand),
    /// Keys under which client keys and user secrets are digested.
    #[command(subcommand)]
    DigestKey(digest_key::DigestKeyCommand),
    /// Write an archive that SQLite and PostgreSQL can be restored from.
    Backup(backup::BackupArgs),
    /// Read an archive into a database that holds nothing yet.
    Restore(restore::RestoreArgs),
    /// Take over the database of another system.
    #[command(subcommand)]
    Import(import::ImportCommand),
    /// Look for everything that would keep the system from working.
    Doctor,
    /// Settings and where they come from.
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Print the completion script of a shell.
    Completions(completions::CompletionsArgs),
    /// Print the manual page, or write one for each verb into a directory.
    Man(completions::ManArgs),
}

/// Selects a client.
#[derive(Debug, Args)]
pub(crate) struct ClientArg {
    /// The client, by its name or id.
    #[arg(long = "client", value_name = "CLIENT")]
    pub(crate) client: String,
}

/// Limits a list.
#[derive(Debug, Args)]
pub(crate) struct LimitArg {
    /// Print at most this many; all when absent.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: Option<u32>,
}
