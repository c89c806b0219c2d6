//! Third parties as declarations: what a connector is, where its endpoints lie, and which hosts may
//! ever be asked for it; and the client side of their OAuth 2.0.
//!
//! A [`Provider`] is read from a TOML file. The built-in ones are part of the program, and a
//! directory of the user's own adds to them or replaces them; together they are the [`Catalogue`].
//!
//! What goes to a provider and what is made of its answers are pure functions:
//! [`authorization_url`], [`token_request`], [`parse_token_response`], [`identity_from_tokens`].
//! [`Outbound`] is the only part that talks to anybody.
//!
//! ```
//! use bosa_auth_connect::Catalogue;
//!
//! let catalogue = Catalogue::load(None)?;
//! let zendesk = catalogue.get("zendesk")?;
//! let oauth = zendesk.oauth.as_ref().unwrap();
//! let variables = [("subdomain".to_owned(), "acme".to_owned())].into();
//! let token = oauth.resolve(&oauth.token_endpoint, &variables)?;
//! assert_eq!(token.as_str(), "https://acme.zendesk.com/oauth/tokens");
//!
//! let elsewhere = [("subdomain".to_owned(), "example.com/".to_owned())].into();
//! assert!(oauth.resolve(&oauth.token_endpoint, &elsewhere).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod authorization;
mod built_in;
mod catalogue;
mod check;
mod credential;
mod declaration;
mod endpoint;
mod host;
mod identity;
mod outbound;
mod pointer;
mod probe;
mod problem;
mod provider;
mod schema;
mod token_request;
mod token_response;

pub use authorization::{
    AuthorizationRequest, CodeVerifier, authorization_url, random_text, scopes_asked,
};
pub use catalogue::{Catalogue, LookupError};
pub use credential::{Credential, CredentialKind};
pub use endpoint::{Endpoint, EndpointError, Variables};
pub use host::{HostPattern, Hosts};
pub use identity::{
    AccountIdentity, IdentityError, identity_from_tokens, identity_request, parse_identity,
};
pub use outbound::{
    CertificatesError, DEFAULT_TIMEOUT, Lost, NotSent, Outbound, OutboundError, OutboundOptions,
    Request, Response, TlsSetupError, read_certificates,
};
pub use pointer::Pointer;
pub use probe::{ProbeFinding, ProbeRequest, Verdict, probe};
pub use problem::{Place, Problem, Problems};
pub use provider::{
    ClientAuthentication, Identity, IdentityMethod, IdentitySource, Lifetime, OAuth, Origin,
    Provider, RefreshToken, RequestFormat, Variable,
};
pub use schema::{Property, PropertyType, Schema, Violation};
pub use token_request::{ClientCredentials, Grant, revocation_request, token_request};
pub use token_response::{ProviderWords, TokenError, TokenResponse, parse_token_response};
