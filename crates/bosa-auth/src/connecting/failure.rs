//! Why a connection ended without an account, for the user and for programs.

use bosa_auth_connect::{IdentityError, ProviderWords, TokenError};

/// Longest part of a provider's own words that is shown.
const LONGEST_WORDS: usize = 300;

/// Why a connection ended without an account.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectFailure {
    /// It took longer than it may.
    Expired,
    /// The client, the user or the API key that began it is not in force any more, or the account's
    /// connector has no OAuth client any more.
    NotAllowed,
    /// The answer was not given by the connector's provider (RFC 9207).
    ForeignIssuer,
    /// The provider, or the user there, said no.
    Provider {
        /// The provider's code, for example `access_denied`.
        code: String,
        /// Its words for people.
        description: Option<String>,
    },
    /// The provider sent neither a code nor a reason.
    NoCode,
    /// The provider did not exchange the code.
    Refused(ProviderWords),
    /// The provider refused the settings of the connector.
    SettingsRefused(ProviderWords),
    /// The provider cannot be reached or cannot answer now; nothing was granted.
    Unavailable(String),
    /// The provider's answer was lost on its way.
    AnswerLost(String),
    /// The provider did not say who the account is.
    UnknownIdentity(String),
    /// An account of this name is there that was not connected here, and may not be replaced.
    AlreadyExists {
        /// Its name.
        user_identifier: String,
    },
    /// An account of this name is there that is another one at the provider.
    OtherAccount {
        /// Its name.
        user_identifier: String,
    },
    /// The account could not be stored.
    NotStored,
}

impl ConnectFailure {
    /// A permanent text, for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Expired => "connection_expired",
            Self::NotAllowed => "connection_not_allowed",
            Self::ForeignIssuer => "foreign_issuer",
            Self::Provider { code, .. } if code == "access_denied" => "access_denied",
            Self::Provider { .. } | Self::NoCode | Self::Refused(_) => "provider_refused",
            Self::SettingsRefused(_) => "settings_refused",
            Self::Unavailable(_) => "provider_unavailable",
            Self::AnswerLost(_) => "answer_lost",
            Self::UnknownIdentity(_) => "identity_unknown",
            Self::AlreadyExists { .. } => "integration_already_exists",
            Self::OtherAccount { .. } => "other_account",
            Self::NotStored => "not_stored",
        }
    }

    /// What happened and what can be done, for the user, in whole sentences. It may hold words of the
    /// provider, which are text and nothing else.
    #[must_use]
    pub fn explain(&self, provider: &str) -> String {
        match self {
            Self::Expired => {
                "It took longer than ten minutes. Begin again in the application.".into()
            }
            Self::NotAllowed => {
                "The connection is not allowed any more. Ask in the application why.".into()
            }
            Self::ForeignIssuer => format!(
                "The answer does not come from {provider}. Nothing was stored; begin again in the application."
            ),
            Self::Provider { code, description } => match code.as_str() {
                "access_denied" => format!(
                    "{provider} says that access was denied{}. Nothing was stored.",
                    in_brackets(description.as_deref())
                ),
                code => format!(
                    "{provider} says: {}{}. Nothing was stored.",
                    shortened(code),
                    in_brackets(description.as_deref())
                ),
            },
            Self::NoCode => format!("{provider} sent no answer. Begin again in the application."),
            Self::Refused(words) => format!(
                "{provider} did not accept the code that it had given: {}. Begin again in the application.",
                said(words)
            ),
            Self::SettingsRefused(words) => format!(
                "{provider} does not accept the settings of this application: {}. Tell its operator.",
                said(words)
            ),
            Self::Unavailable(reason) => format!(
                "{provider} cannot be reached at the moment ({reason}). Nothing was stored; try again later in the application."
            ),
            Self::AnswerLost(reason) => format!(
                "The answer of {provider} was lost on its way ({reason}). Nothing was stored; begin again in the application."
            ),
            Self::UnknownIdentity(reason) => format!(
                "It is not known which account it is: {reason}. Nothing was stored; try again later in the application."
            ),
            Self::AlreadyExists { user_identifier } => format!(
                "An account named {user_identifier} is stored already. Remove it first, or have it replaced."
            ),
            Self::OtherAccount { user_identifier } => format!(
                "Another account of {provider} is connected under the name {user_identifier}. Remove that one first."
            ),
            Self::NotStored => {
                "The account could not be stored. Begin again in the application.".into()
            }
        }
    }
}

impl From<TokenError> for ConnectFailure {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Refused(words) => Self::Refused(words),
            TokenError::ClientRefused(words) => Self::SettingsRefused(words),
            TokenError::Unavailable { status, .. } => Self::Unavailable(format!("status {status}")),
            TokenError::NotSent(reason) => Self::Unavailable(reason.to_string()),
            TokenError::OutcomeUnknown(reason) => Self::AnswerLost(reason),
        }
    }
}

impl From<IdentityError> for ConnectFailure {
    fn from(error: IdentityError) -> Self {
        Self::UnknownIdentity(error.to_string())
    }
}

fn said(words: &ProviderWords) -> String {
    shortened(&words.to_string())
}

fn in_brackets(description: Option<&str>) -> String {
    match description.map(shortened) {
        Some(text) if !text.is_empty() => format!(" ({text})"),
        _ => String::new(),
    }
}

/// The beginning of a foreign text, without what would change the text around it.
fn shortened(text: &str) -> String {
    let is_harmless = |letter: &char| !letter.is_control() && !is_direction(*letter);
    let text: String = text
        .chars()
        .filter(is_harmless)
        .take(LONGEST_WORDS)
        .collect();
    text.trim().trim_end_matches('.').to_owned()
}

/// Characters that change the direction of the text around them (UAX #9).
const fn is_direction(letter: char) -> bool {
    matches!(letter, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
