//! The exchange with the provider: a code for tokens, and who the account is.

use std::time::Duration;

use bosa_auth_connect::{
    AccountIdentity, CodeVerifier, Grant, IdentityError, OAuth, TokenError, TokenResponse,
    identity_from_tokens, identity_request, parse_identity, parse_token_response, token_request,
};
use bosa_auth_core::{Secret, Timestamp};
use url::Url;

use super::ConnectFailure;
use crate::auth::Inner;
use crate::connector_settings::OAuthClient;
use crate::error::{Error, Result};

/// How often the provider is asked who the account is: a code is not exchanged twice, so that one
/// answer that is lost here would end the connection.
const IDENTITY_ATTEMPTS: u32 = 3;
const IDENTITY_PAUSE: Duration = Duration::from_millis(300);

/// What the provider gave.
#[derive(Debug)]
pub(super) struct Granted {
    pub(super) tokens: TokenResponse,
    pub(super) identity: AccountIdentity,
    /// Before the code was sent: the tokens end no later than counted from here.
    pub(super) at: Timestamp,
}

/// Whether an answer was given by the connector's provider, as far as it says so (RFC 9207 §2.4).
///
/// A provider that declares no issuer is known by its hosts. That it may then name any of them opens
/// nothing: each connector has a redirect URI of its own, which alone tells providers apart.
///
/// # Errors
/// `ForeignIssuer`.
pub(super) fn check_issuer(
    client: &OAuthClient,
    oauth: &OAuth,
    issuer: Option<&str>,
) -> Result<(), ConnectFailure> {
    let is_good = match (&oauth.issuer, issuer) {
        (_, None) => true,
        (Some(declared), Some(said)) => {
            let declared = declared.text(&client.variables);
            declared.is_ok_and(|declared| declared == said)
        }
        (None, Some(said)) => Url::parse(said).is_ok_and(|url| oauth.allows_host(&url)),
    };
    is_good.then_some(()).ok_or(ConnectFailure::ForeignIssuer)
}

/// Exchanges a code for tokens and learns who the account is.
///
/// # Errors
/// `Internal` when an address of the provider cannot be made.
pub(super) async fn exchange(
    inner: &Inner,
    client: &OAuthClient,
    redirect_uri: &str,
    code: &Secret,
    verifier: &CodeVerifier,
) -> Result<Result<Granted, ConnectFailure>> {
    let oauth = client.oauth()?;
    let at = inner.clock.now();
    let grant = Grant::Code {
        code,
        redirect_uri,
        verifier,
    };
    let request = token_request(oauth, &client.credentials, &client.variables, &grant)
        .map_err(Error::internal)?;
    let response = inner.outbound.send(&oauth.hosts, request).await;
    let tokens = response
        .map_err(TokenError::from)
        .and_then(|response| parse_token_response(oauth, &response));
    let tokens = match tokens {
        Ok(tokens) => tokens,
        Err(error) => return Ok(Err(error.into())),
    };
    Ok(match identity(inner, client, oauth, &tokens).await {
        Ok(identity) => Ok(Granted {
            tokens,
            identity,
            at,
        }),
        Err(failure) => Err(failure),
    })
}

/// Asks the provider who the account is.
pub(super) async fn identity(
    inner: &Inner,
    client: &OAuthClient,
    oauth: &OAuth,
    tokens: &TokenResponse,
) -> Result<AccountIdentity, ConnectFailure> {
    let variables = &client.variables;
    let client_id = &client.credentials.client_id;
    if let Some(identity) = identity_from_tokens(oauth, client_id, variables, tokens)? {
        return Ok(identity);
    }
    let mut attempt = 1;
    loop {
        let request = identity_request(oauth, variables, &tokens.access_token)
            .map_err(IdentityError::from)?
            .ok_or(IdentityError::NoSubject)?;
        let failure = match inner.outbound.send(&oauth.hosts, request).await {
            Ok(response) if response.status == 429 || response.status >= 500 => {
                ConnectFailure::Unavailable(format!("status {}", response.status))
            }
            Ok(response) => return Ok(parse_identity(oauth, &response)?),
            Err(error) => TokenError::from(error).into(),
        };
        if attempt == IDENTITY_ATTEMPTS {
            return Err(failure);
        }
        tokio::time::sleep(IDENTITY_PAUSE * attempt).await;
        attempt += 1;
    }
}
