//! How the provider behaves as long as nothing goes wrong.

use std::time::Duration;

/// What a test may choose.
#[derive(Debug, Clone)]
pub struct Behaviour {
    /// What becomes of a refresh token that is used.
    pub refresh_tokens: RefreshTokens,
    /// What the connector's file says about the grace; `None` tells the truth.
    pub declared_grace: Option<Duration>,
    /// Lifetime of an access token.
    pub access_token_lifetime: Duration,
    /// Whether an answer with tokens names that lifetime.
    pub says_lifetime: bool,
    /// Whether the browser brings `iss` back (RFC 9207).
    pub says_issuer: bool,
    /// Whether the connector's file names the issuer.
    pub declares_issuer: bool,
    /// Addresses that the browser may be sent back to; none allows all.
    pub redirect_uris: Vec<String>,
    /// Lifetime of a code.
    pub code_lifetime: Duration,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            refresh_tokens: RefreshTokens::Rotate { grace: None },
            declared_grace: None,
            access_token_lifetime: Duration::from_secs(3600),
            says_lifetime: true,
            says_issuer: true,
            declares_issuer: true,
            redirect_uris: Vec::new(),
            code_lifetime: Duration::from_secs(60),
        }
    }
}

/// What becomes of a refresh token that is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefreshTokens {
    /// There are none.
    None,
    /// It is used again and again.
    Stay,
    /// It is used once, and the answer has the next one. Using it a second time ends all tokens of
    /// that login, unless there is a grace.
    Rotate {
        /// For how long a used token still gets an answer, and which.
        grace: Option<Grace>,
    },
}

/// What a used refresh token is still good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grace {
    /// From its first use, by the provider's clock.
    pub lasts: Duration,
    /// What it is answered with.
    pub answer: GraceAnswer,
}

/// What a refresh token is answered with when it is used within the grace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GraceAnswer {
    /// The refresh token that the first use was answered with.
    SameSuccessor,
    /// One more refresh token, as good as the first.
    FurtherSuccessor,
}

impl RefreshTokens {
    /// Tokens that are used once, with a grace.
    #[must_use]
    pub const fn rotate_with_grace(lasts: Duration, answer: GraceAnswer) -> Self {
        Self::Rotate {
            grace: Some(Grace { lasts, answer }),
        }
    }

    /// For how long a used token still gets an answer.
    #[must_use]
    pub fn grace(self) -> Duration {
        match self {
            Self::Rotate { grace: Some(grace) } => grace.lasts,
            _ => Duration::ZERO,
        }
    }
}

/// How the next browser is sent back.
#[derive(Debug, Clone, Default)]
pub struct AuthorizationAnswer {
    /// An error with its description instead of a code.
    pub error: Option<(String, String)>,
    /// A state that is not the one that came.
    pub state: Option<String>,
    /// Another issuer, or with an empty text none.
    pub issuer: Option<String>,
    /// A code that was issued to somebody else.
    pub code: Option<String>,
}
