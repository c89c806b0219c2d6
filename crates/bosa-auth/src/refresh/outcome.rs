//! How a refresh went.

use std::sync::Arc;
use std::time::Duration;

use crate::error::Error;

/// How a refresh went; everybody who waited for it learns it.
#[derive(Debug, Clone)]
pub(super) enum Outcome {
    /// The new tokens are stored.
    Refreshed,
    /// There was nothing to do any more, or what was done is void: the account is another one now.
    Changed,
    /// The account is no more.
    Gone,
    /// The account must be connected again, and says so.
    Refused,
    /// Another process is at it, for at most so long.
    Elsewhere(Duration),
    /// The provider cannot be asked, or does not answer; it is asked again after this time.
    Unavailable(Duration),
    /// It was not tried, or not finished, for a reason of ours.
    Failed(Arc<Error>),
}

impl Outcome {
    pub(super) fn failed(error: impl Into<Error>) -> Self {
        Self::Failed(Arc::new(error.into()))
    }

    /// For metrics.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Refreshed => "refreshed",
            Self::Changed => "changed",
            Self::Gone => "gone",
            Self::Refused => "refused",
            Self::Elsewhere(_) => "elsewhere",
            Self::Unavailable(_) => "unavailable",
            Self::Failed(_) => "failed",
        }
    }
}

/// An error once more, for the next one who waited.
pub(super) fn copy(error: &Error) -> Error {
    match error {
        Error::DatabaseUnavailable(cause) => Error::DatabaseUnavailable(cause.clone()),
        Error::InvalidInput { field, reason, .. } => Error::invalid(field, reason.clone()),
        Error::NotFound { what } => Error::NotFound { what },
        Error::Configuration(text) => Error::Configuration(text.clone()),
        Error::Unreadable { what } => Error::Unreadable { what: what.clone() },
        other => Error::internal(other.to_string()),
    }
}
