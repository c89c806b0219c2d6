//! `completions` and `man`: made from the definition of the arguments.

use std::io;
use std::path::PathBuf;

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;
use clap_mangen::Man;

use crate::args::{Cli, Format};
use crate::exit::Failure;
use crate::output::Output;

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell.
    shell: Shell,
}

#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Write a page for each verb into this directory, which is made if need be.
    directory: Option<PathBuf>,
}

const OUTPUT: Output = Output {
    format: Format::Table,
    quiet: true,
};

/// Prints the completion script of a shell.
pub(crate) fn completions(args: &CompletionsArgs) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "bosa-auth", &mut script);
    OUTPUT.text(&String::from_utf8_lossy(&script))
}

/// Prints the manual page, or writes all of them.
pub(crate) fn man(args: &ManArgs) -> Result<(), Failure> {
    let Some(directory) = &args.directory else {
        let mut page = Vec::new();
        Man::new(Cli::command())
            .render(&mut page)
            .map_err(|error| Failure::io("cannot make the page", &error))?;
        return OUTPUT.text(&String::from_utf8_lossy(&page));
    };
    let failed = |error: io::Error| {
        Failure::io(
            &format!("cannot write into {}", directory.display()),
            &error,
        )
    };
    std::fs::create_dir_all(directory).map_err(failed)?;
    clap_mangen::generate_to(Cli::command(), directory).map_err(failed)
}
