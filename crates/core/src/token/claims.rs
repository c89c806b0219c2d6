//! What a token says.

use serde::Serialize;

use crate::id::{ClientId, TokenId, UserId};

/// The claims of a token that is issued here (RFC 7519 section 4, RFC 9068 section 2.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Claims {
    /// The user.
    pub sub: UserId,
    /// The client that the user belongs to.
    pub client_id: ClientId,
    /// For whom the token is: the text of `client_id`.
    pub aud: String,
    /// The user's identifier when the token was issued, [cut](crate::as_label) if it is long; a label, never
    /// decided upon.
    pub identifier: String,
    /// The token's own id.
    pub jti: TokenId,
    /// Who issued it.
    pub iss: String,
    /// When it was issued, in seconds since the Unix epoch.
    pub iat: i64,
    /// When it ends, in seconds since the Unix epoch.
    pub exp: i64,
}

/// The claims of a token whose signature, issuer and time were checked.
///
/// # Security
/// They say what was issued, not what is valid today: the token's row decides that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerifiedClaims {
    /// The user.
    pub sub: UserId,
    /// The client; unknown for a token without `kid`, whose claim of that name cannot be relied on.
    pub client_id: Option<ClientId>,
    /// The token's own id.
    pub jti: TokenId,
    /// When it ends, in seconds since the Unix epoch; always there in a token with `kid`.
    pub exp: Option<i64>,
}
