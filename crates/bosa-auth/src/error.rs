//! The one error type of the library and its permanent codes.

use std::time::Duration;

use bosa_auth_core::{InvalidName, Scope, Timestamp};
use bosa_auth_store::StoreError;

/// The result of every operation of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation was refused or could not be carried out.
///
/// Match on [`Error::kind`] for the class and use [`Error::code`] where a stable text is wanted.
/// No message contains a secret, a credential or the text of a statement.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An argument is malformed; nothing was read or written.
    #[error("{field} {reason}")]
    InvalidInput {
        /// The argument, by the name that the API reference gives it.
        field: &'static str,
        /// What is wrong with it, as the end of a sentence that begins with the field's name.
        reason: String,
        /// What is wrong inside it, where it has parts of its own; the reason lists them too.
        violations: Vec<Violation>,
    },
    /// The client key (or the client itself) is not accepted. One message for every reason.
    #[error("the client is unknown or its key is not valid")]
    InvalidClient,
    /// The user is unknown, suspended, or the credential is wrong. One message for every reason.
    #[error("the user is unknown or the credential is not valid")]
    Unauthorized,
    /// The token is malformed, was not issued here, or belongs to another client.
    #[error("the token is not valid")]
    InvalidToken,
    /// The token's lifetime has passed.
    #[error("the token has expired")]
    ExpiredToken,
    /// The token was ended before its time: revoked, signed out, or its user or client changed.
    #[error("the token has been revoked")]
    RevokedToken,
    /// The API key is valid but lacks the scope that the operation needs.
    #[error("the key lacks the scope {scope}")]
    PermissionDenied {
        /// The missing scope.
        scope: Scope,
    },
    /// What was asked for does not exist, or belongs to somebody else.
    #[error("{what} not found")]
    NotFound {
        /// The kind of thing, for example `user`.
        what: &'static str,
    },
    /// A client of this name exists.
    #[error("a client with this name already exists")]
    ClientAlreadyExists,
    /// A user with this identifier exists in the client.
    #[error("a user with this identifier already exists")]
    UserAlreadyExists,
    /// The user already has this account of this connector.
    #[error("this account is already connected")]
    IntegrationAlreadyExists,
    /// Several accounts of the connector exist and none was named.
    #[error("several accounts of {connector} exist; name one of them")]
    AmbiguousAccount {
        /// The connector.
        connector: String,
        /// The `user_identifier` of every account.
        accounts: Vec<String>,
    },
    /// The account must be connected again before its credential can be used.
    #[error("the account {account} of {connector} must be connected again")]
    NeedsReauthorization {
        /// The connector.
        connector: String,
        /// The account's `user_identifier`.
        account: String,
        /// Since when.
        since: Timestamp,
    },
    /// Too many attempts; try again after the given time.
    #[error("too many attempts")]
    RateLimited {
        /// When to try again.
        retry_after: Duration,
    },
    /// The server has more expensive work than it allows itself; try again after the given time.
    #[error("too much work is waiting")]
    Overloaded {
        /// When to try again.
        retry_after: Duration,
    },
    /// The idempotency key was used before with another request.
    #[error("the idempotency key was used with another request")]
    IdempotencyMismatch,
    /// A request with the same idempotency key is still being carried out.
    #[error("a request with this idempotency key is still in progress")]
    IdempotencyInProgress {
        /// When to try again.
        retry_after: Duration,
    },
    /// The database cannot be reached or did not answer in time.
    #[error("the database is unavailable")]
    DatabaseUnavailable(#[source] Option<StoreError>),
    /// The provider of the integration cannot be reached, or refuses for now.
    #[error("the provider is unavailable")]
    ProviderUnavailable {
        /// When to try again.
        retry_after: Duration,
    },
    /// A process-wide service was used before `initialize_authentication_db`.
    #[error("call initialize_authentication_db first")]
    Uninitialized,
    /// The settings cannot be used; the text says which and what to do.
    #[error("{0}")]
    Configuration(String),
    /// A stored value does not open: it was moved, edited or truncated, or its key is wrong.
    #[error("a stored value cannot be read: {what}")]
    Unreadable {
        /// The kind of value.
        what: String,
    },
    /// A defect of this library or of its surroundings; the log has the cause.
    #[error("internal error")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// What is wrong with one part of a malformed argument.
///
/// # Security
/// It never quotes the part's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Where the part is, as a JSON pointer (RFC 6901).
    pub pointer: String,
    /// What is wrong with it, as the end of a sentence that begins with the pointer.
    pub reason: String,
}

/// The class of an [`Error`], one row of the table that every transport maps completely.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(
    missing_docs,
    reason = "each variant is documented at the variant of `Error` of the same name"
)]
pub enum ErrorKind {
    InvalidInput,
    InvalidClient,
    Unauthorized,
    InvalidToken,
    ExpiredToken,
    RevokedToken,
    PermissionDenied,
    NotFound,
    ClientAlreadyExists,
    UserAlreadyExists,
    IntegrationAlreadyExists,
    AmbiguousAccount,
    NeedsReauthorization,
    RateLimited,
    Overloaded,
    IdempotencyMismatch,
    IdempotencyInProgress,
    DatabaseUnavailable,
    ProviderUnavailable,
    Uninitialized,
    Configuration,
    Unreadable,
    Internal,
}

impl ErrorKind {
    /// Every kind, in the order of the documentation's table.
    pub const ALL: [ErrorKind; 23] = [
        ErrorKind::InvalidInput,
        ErrorKind::InvalidClient,
        ErrorKind::Unauthorized,
        ErrorKind::InvalidToken,
        ErrorKind::ExpiredToken,
        ErrorKind::RevokedToken,
        ErrorKind::PermissionDenied,
        ErrorKind::NotFound,
        ErrorKind::ClientAlreadyExists,
        ErrorKind::UserAlreadyExists,
        ErrorKind::IntegrationAlreadyExists,
        ErrorKind::AmbiguousAccount,
        ErrorKind::NeedsReauthorization,
        ErrorKind::RateLimited,
        ErrorKind::Overloaded,
        ErrorKind::IdempotencyMismatch,
        ErrorKind::IdempotencyInProgress,
        ErrorKind::DatabaseUnavailable,
        ErrorKind::ProviderUnavailable,
        ErrorKind::Uninitialized,
        ErrorKind::Configuration,
        ErrorKind::Unreadable,
        ErrorKind::Internal,
    ];

    /// The permanent text of this kind, for programs.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            ErrorKind::InvalidInput => "invalid_input",
            ErrorKind::InvalidClient => "invalid_client",
            ErrorKind::Unauthorized => "unauthorized",
            ErrorKind::InvalidToken => "invalid_token",
            ErrorKind::ExpiredToken => "expired_token",
            ErrorKind::RevokedToken => "revoked_token",
            ErrorKind::PermissionDenied => "permission_denied",
            ErrorKind::NotFound => "not_found",
            ErrorKind::ClientAlreadyExists => "client_already_exists",
            ErrorKind::UserAlreadyExists => "user_already_exists",
            ErrorKind::IntegrationAlreadyExists => "integration_already_exists",
            ErrorKind::AmbiguousAccount => "ambiguous_account",
            ErrorKind::NeedsReauthorization => "needs_reauthorization",
            ErrorKind::RateLimited => "rate_limited",
            ErrorKind::Overloaded => "overloaded",
            ErrorKind::IdempotencyMismatch => "idempotency_mismatch",
            ErrorKind::IdempotencyInProgress => "idempotency_in_progress",
            ErrorKind::DatabaseUnavailable => "database_unavailable",
            ErrorKind::ProviderUnavailable => "provider_unavailable",
            ErrorKind::Uninitialized => "uninitialized",
            ErrorKind::Configuration => "configuration",
            ErrorKind::Unreadable => "unreadable",
            ErrorKind::Internal => "internal",
        }
    }

    /// What the caller can do about it, in one sentence.
    #[must_use]
    pub fn advice(self) -> &'static str {
        match self {
            ErrorKind::InvalidInput => "Correct the named field; nothing was changed.",
            ErrorKind::InvalidClient => {
                "Check the client key; ask the operator for a new one if it was lost."
            }
            ErrorKind::Unauthorized => "Check the identifier and the secret.",
            ErrorKind::InvalidToken => "Log in again.",
            ErrorKind::ExpiredToken => "Log in again.",
            ErrorKind::RevokedToken => "Log in again.",
            ErrorKind::PermissionDenied => "Use a key that has the named scope.",
            ErrorKind::NotFound => "Check the id or the name.",
            ErrorKind::ClientAlreadyExists => "Choose another name.",
            ErrorKind::UserAlreadyExists => "Choose another identifier, or find the existing user.",
            ErrorKind::IntegrationAlreadyExists => "Update or delete the existing account.",
            ErrorKind::AmbiguousAccount => "Name one of the listed accounts.",
            ErrorKind::NeedsReauthorization => "Connect the account again.",
            ErrorKind::RateLimited => "Wait for the given time, then try again.",
            ErrorKind::Overloaded => "Wait for the given time, then try again.",
            ErrorKind::IdempotencyMismatch => "Use a new idempotency key for a new request.",
            ErrorKind::IdempotencyInProgress => {
                "Wait for the given time, then send the same request again."
            }
            ErrorKind::DatabaseUnavailable => "Try again; if it persists, check the database.",
            ErrorKind::ProviderUnavailable => "Try again later.",
            ErrorKind::Uninitialized => "Call initialize_authentication_db before using a service.",
            ErrorKind::Configuration => "Correct the named setting.",
            ErrorKind::Unreadable => "Restore the value from a backup, or store it again.",
            ErrorKind::Internal => "Report it with the request id; the log has the cause.",
        }
    }
}

impl Error {
    /// The class of this error.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::InvalidInput { .. } => ErrorKind::InvalidInput,
            Error::InvalidClient => ErrorKind::InvalidClient,
            Error::Unauthorized => ErrorKind::Unauthorized,
            Error::InvalidToken => ErrorKind::InvalidToken,
            Error::ExpiredToken => ErrorKind::ExpiredToken,
            Error::RevokedToken => ErrorKind::RevokedToken,
            Error::PermissionDenied { .. } => ErrorKind::PermissionDenied,
            Error::NotFound { .. } => ErrorKind::NotFound,
            Error::ClientAlreadyExists => ErrorKind::ClientAlreadyExists,
            Error::UserAlreadyExists => ErrorKind::UserAlreadyExists,
            Error::IntegrationAlreadyExists => ErrorKind::IntegrationAlreadyExists,
            Error::AmbiguousAccount { .. } => ErrorKind::AmbiguousAccount,
            Error::NeedsReauthorization { .. } => ErrorKind::NeedsReauthorization,
            Error::RateLimited { .. } => ErrorKind::RateLimited,
            Error::Overloaded { .. } => ErrorKind::Overloaded,
            Error::IdempotencyMismatch => ErrorKind::IdempotencyMismatch,
            Error::IdempotencyInProgress { .. } => ErrorKind::IdempotencyInProgress,
            Error::DatabaseUnavailable(_) => ErrorKind::DatabaseUnavailable,
            Error::ProviderUnavailable { .. } => ErrorKind::ProviderUnavailable,
            Error::Uninitialized => ErrorKind::Uninitialized,
            Error::Configuration(_) => ErrorKind::Configuration,
            Error::Unreadable { .. } => ErrorKind::Unreadable,
            Error::Internal(_) => ErrorKind::Internal,
        }
    }

    /// The permanent text of this error's class, for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.kind().code()
    }

    /// When the caller may try again, for the kinds that say so.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Error::RateLimited { retry_after }
            | Error::Overloaded { retry_after }
            | Error::IdempotencyInProgress { retry_after }
            | Error::ProviderUnavailable { retry_after } => Some(*retry_after),
            Error::DatabaseUnavailable(_) => Some(Duration::from_secs(1)),
            _ => None,
        }
    }

    /// What happened, with its causes, and what to do about it: for the operator, who sees this where
    /// there is no log. Callers of the API are told less.
    #[must_use]
    pub fn explain(&self) -> (String, String) {
        let mut title = self.to_string();
        if let Error::Configuration(text) = self {
            // These say themselves what to do; several of them come one a line.
            return match text.split_once("; ") {
                Some((title, remedy)) if !text.contains('\n') => (title.into(), remedy.into()),
                _ => (
                    title,
                    "correct the setting; bosa-auth config show lists where each comes from".into(),
                ),
            };
        }
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            let text = error.to_string();
            if text.starts_with(&title) {
                title = text;
            } else if !title.contains(&text) {
                title = format!("{title}: {text}");
            }
            cause = error.source();
        }
        (title, self.kind().advice().to_owned())
    }

    pub(crate) fn invalid(field: &'static str, reason: impl Into<String>) -> Self {
        Error::InvalidInput {
            field,
            reason: reason.into(),
            violations: Vec::new(),
        }
    }

    /// Parts of an argument that are malformed; all of them are named.
    pub(crate) fn violated(
        field: &'static str,
        what: impl std::fmt::Display,
        violations: Vec<Violation>,
    ) -> Self {
        let all: Vec<_> = violations
            .iter()
            .map(|violation| format!("{} {}", violation.pointer, violation.reason))
            .collect();
        Error::InvalidInput {
            field,
            reason: format!("{what}: {}", all.join("; ")),
            violations,
        }
    }

    pub(crate) fn configuration(text: impl Into<String>) -> Self {
        Error::Configuration(text.into())
    }

    pub(crate) fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Error::Internal(cause.into())
    }
}

impl From<InvalidName> for Error {
    fn from(error: InvalidName) -> Self {
        Error::invalid(error.field, error.reason)
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable { .. }
            | StoreError::Busy
            | StoreError::OutcomeUnknown
            | StoreError::Moved => Error::DatabaseUnavailable(Some(error)),
            StoreError::Unreadable { what } => Error::Unreadable {
                what: what.to_string(),
            },
            StoreError::Configuration(text) => Error::Configuration(text),
            StoreError::Migration(text) => Error::Configuration(text),
            other => Error::internal(other),
        }
    }
}

impl From<bosa_auth_core::EntropyError> for Error {
    fn from(error: bosa_auth_core::EntropyError) -> Self {
        Error::internal(error)
    }
}
