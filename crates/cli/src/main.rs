//! The `bosa-auth` command: the server, and everything that its operator does.

mod args;
mod commands;
mod config;
mod exit;
mod log_lines;
mod logging;
mod output;
mod progress;
mod prompt;
mod signals;
mod view;
mod welcome;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;

use crate::args::Cli;
use crate::exit::Failure;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let result = match runtime {
        Ok(runtime) => {
            let result = runtime.block_on(commands::run(cli));
            runtime.shutdown_timeout(Duration::from_secs(5));
            result
        }
        Err(error) => Err(Failure::io("cannot start the runtime", &error)),
    };
    log_lines::finish();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.report();
            ExitCode::from(failure.code())
        }
    }
}
