//! Checks of the whole workspace that no compiler makes, run as `cargo xtask <name>`.
//!
//! One file per subcommand. Each returns the list of its findings; an empty list is success.

mod deny;
mod documents;
mod openapi;
mod repository;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::{Parser, Subcommand};

/// Dependency policy and repository checks.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Checks licences, banned and duplicate crates, and sources against `deny.toml`.
    Deny,
    /// Writes `docs/errors.md` and the README's table of settings from the code.
    Documents {
        /// Only tells whether they are up to date.
        #[arg(long)]
        check: bool,
    },
    /// Writes `openapi/v1.json` from the routes and their types.
    Openapi {
        /// Only tells whether it is up to date.
        #[arg(long)]
        check: bool,
    },
    /// Checks the text of the tracked files.
    Repository,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let root = workspace_root();
    let outcome = match arguments.task {
        Task::Deny => deny::run(&root),
        Task::Documents { check } => documents::run(&root, check),
        Task::Openapi { check } => openapi::run(&root, check),
        Task::Repository => repository::run(&root),
    };
    match outcome {
        Ok(report) if report.findings.is_empty() => {
            println!("{}", report.summary);
            ExitCode::SUCCESS
        }
        Ok(report) => {
            for finding in &report.findings {
                eprintln!("error: {finding}");
            }
            eprintln!("{} finding(s); {}", report.findings.len(), report.summary);
            ExitCode::FAILURE
        }
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::from(2)
        }
    }
}

/// What a subcommand looked at and what it found wrong.
#[derive(Debug, PartialEq, Eq)]
struct Report {
    summary: String,
    findings: Vec<String>,
}

/// Why a check could not be made at all.
#[derive(Debug, thiserror::Error)]
enum TaskError {
    #[error("cannot run {program}: {source}")]
    Start {
        program: &'static str,
        source: std::io::Error,
    },
    #[error("{program} failed: {message}")]
    Failed {
        program: &'static str,
        message: String,
    },
    #[error("cannot read {path}: {source}")]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("cannot write {path}: {source}")]
    Write {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{what} is not as expected: {message}")]
    Format { what: &'static str, message: String },
}

/// The workspace's root: the parent of this crate's folder, whatever the current directory.
fn workspace_root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// Runs a program in `root` and returns what it printed.
fn output_of(program: &'static str, arguments: &[&str], root: &Path) -> Result<Vec<u8>, TaskError> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(root)
        .output()
        .map_err(|source| TaskError::Start { program, source })?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(TaskError::Failed { program, message });
    }
    Ok(output.stdout)
}
