//! Why a verb ended without success: its text for people and its exit code for programs.

use std::io::{self, Write as _};

use bosa_auth::{Error, ErrorKind};

use crate::output::escaped;

/// What ended a verb.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The library refused or could not do it.
    Library(Error),
    /// The arguments or the surroundings cannot be used.
    Usage {
        /// What is wrong.
        message: String,
        /// What to do instead.
        help: String,
    },
    /// The operating system refused something.
    Io(String),
    /// The person at the terminal said no.
    Declined,
    /// A signal ended it before its time.
    Interrupted {
        /// The exit code by which a shell knows the signal.
        code: u8,
        /// What is true now.
        message: String,
        /// How to go on.
        help: String,
    },
    /// The result was printed, and the answer is no.
    AnswerIsNo,
    /// The result was printed, and it lists problems.
    Problems,
    /// The reader of the output has gone; there is nobody to tell.
    ReaderGone,
}

impl Failure {
    pub(crate) fn usage(message: impl Into<String>, help: impl Into<String>) -> Self {
        Failure::Usage {
            message: message.into(),
            help: help.into(),
        }
    }

    pub(crate) fn io(what: &str, error: &io::Error) -> Self {
        Failure::Io(format!("{what}: {error}"))
    }

    /// A failure to write the result.
    pub(crate) fn output(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Failure::ReaderGone
        } else {
            Failure::io("cannot write the result", error)
        }
    }

    /// The exit code of the process.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Failure::Library(error) => code_of(error.kind()),
            Failure::Usage { .. } => 2,
            Failure::Io(_) | Failure::Declined | Failure::Problems => 1,
            Failure::AnswerIsNo => 4,
            Failure::Interrupted { code, .. } => *code,
            Failure::ReaderGone => 0,
        }
    }

    /// Writes the failure to standard error.
    pub(crate) fn report(&self) {
        let (message, help) = match self {
            Failure::Library(error) => explained(error),
            Failure::Usage { message, help } | Failure::Interrupted { message, help, .. } => {
                (message.clone(), help.clone())
            }
            Failure::Io(message) => (message.clone(), String::new()),
            Failure::Declined => (
                "not confirmed; nothing was changed".to_owned(),
                String::new(),
            ),
            Failure::AnswerIsNo | Failure::Problems | Failure::ReaderGone => return,
        };
        let mut text = format!("error: {}\n", message.replace('\n', "\n       "));
        if !help.is_empty() {
            text.push_str(&format!("help: {}\n", help.replace('\n', "\n      ")));
        }
        // Standard error may be closed too; then there is nobody to tell.
        drop(io::stderr().lock().write_all(text.as_bytes()));
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Library(error)
    }
}

/// The exit code of each class of error; complete, so that a new class must choose one.
fn code_of(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::InvalidInput | ErrorKind::Uninitialized | ErrorKind::Configuration => 2,
        ErrorKind::NotFound => 3,
        ErrorKind::DatabaseUnavailable => 5,
        ErrorKind::InvalidClient
        | ErrorKind::Unauthorized
        | ErrorKind::InvalidToken
        | ErrorKind::ExpiredToken
        | ErrorKind::RevokedToken
        | ErrorKind::PermissionDenied
        | ErrorKind::ClientAlreadyExists
        | ErrorKind::UserAlreadyExists
        | ErrorKind::IntegrationAlreadyExists
        | ErrorKind::AmbiguousAccount
        | ErrorKind::NeedsReauthorization
        | ErrorKind::RateLimited
        | ErrorKind::Overloaded
        | ErrorKind::IdempotencyMismatch
        | ErrorKind::IdempotencyInProgress
        | ErrorKind::ProviderUnavailable
        | ErrorKind::Unreadable
        | ErrorKind::Internal => 1,
    }
}

/// The error with what caused it, and what to do: at a terminal there is no log to look it up in.
fn explained(error: &Error) -> (String, String) {
    let (message, advice) = error.explain();
    let advice = match error {
        Error::AmbiguousAccount { accounts, .. } => {
            let names: Vec<_> = accounts.iter().map(|name| escaped(name)).collect();
            format!("Name one with --account: {}", names.join(", "))
        }
        Error::NeedsReauthorization { since, .. } => {
            format!("Connect it again. It has been so since {since}; integration list says why.")
        }
        Error::RateLimited { retry_after } | Error::Overloaded { retry_after } => {
            format!("Try again in {} seconds.", retry_after.as_secs().max(1))
        }
        Error::Internal(_) => "Report it together with this text.".to_owned(),
        _ => advice,
    };
    // What a message quotes may come from elsewhere; its own lines stay lines.
    let lines: Vec<_> = message.split('\n').map(escaped).collect();
    (lines.join("\n"), advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_the_exit_code_of_the_table() {
        let expected = |kind: ErrorKind| match kind.code() {
            "invalid_input" | "uninitialized" | "configuration" => 2,
            "not_found" => 3,
            "database_unavailable" => 5,
            _ => 1,
        };
        for kind in ErrorKind::ALL {
            assert_eq!(code_of(kind), expected(kind), "{}", kind.code());
        }
    }

    #[test]
    fn a_reader_that_has_gone_is_no_failure() {
        let broken = io::Error::from(io::ErrorKind::BrokenPipe);
        assert_eq!(Failure::output(&broken).code(), 0);
        let full = io::Error::from(io::ErrorKind::StorageFull);
        assert_eq!(Failure::output(&full).code(), 1);
    }
}
