//! A connector: a third party whose accounts can be held, as its file declares it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bosa_auth_core::ConnectorName;
use serde::{Deserialize, Serialize, Serializer};
use url::Url;

use crate::credential::Credential;
use crate::endpoint::{Endpoint, EndpointError, Variables};
use crate::host::Hosts;
use crate::pointer::Pointer;
use crate::problem::Problems;

/// A connector, checked. Its JSON has the names of the file.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct Provider {
    /// The name under which accounts are stored.
    #[serde(serialize_with = "as_text")]
    pub name: ConnectorName,
    /// The name for people.
    pub title: String,
    /// The provider's pages from which the facts come.
    pub documentation: Vec<String>,
    /// How accounts are connected by OAuth; `None` when the provider has no such way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oauth: Option<OAuth>,
    /// What must be known before the provider's addresses are complete.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, Variable>,
    /// Other credentials that are taken.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub credentials: Vec<Credential>,
    /// Where it is declared.
    #[serde(skip)]
    pub origin: Origin,
}

/// Where a connector is declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// In the program.
    BuiltIn,
    /// In a file of the user's own.
    File(PathBuf),
}

/// A provider's OAuth 2.0, as RFC 6749 names it.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct OAuth {
    /// Where the user's browser is sent.
    pub authorization_endpoint: Endpoint,
    /// Where codes and refresh tokens are exchanged.
    pub token_endpoint: Endpoint,
    /// Where tokens are revoked (RFC 7009).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revocation_endpoint: Option<Endpoint>,
    /// What the provider calls itself in `iss` (RFC 9207) and in ID tokens; it is compared, never
    /// asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<Endpoint>,
    /// The provider's description of itself (RFC 8414, OpenID Connect Discovery).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discovery: Option<Endpoint>,
    /// Every host that may ever be asked.
    pub hosts: Hosts,
    /// How the client proves itself at the token endpoint.
    pub client_authentication: ClientAuthentication,
    /// Whether the provider is known to check PKCE; the challenge is sent in any case.
    pub pkce: bool,
    /// What stands between scopes.
    pub scope_separator: String,
    /// The parameter that takes the scopes.
    pub scope_parameter: String,
    /// What is asked for when the settings name no scopes.
    pub default_scopes: Vec<String>,
    /// The form of token requests.
    pub token_request: RequestFormat,
    /// Below which member of the token endpoint's answer the tokens lie.
    pub token_response: Pointer,
    /// Further parameters of the authorization request.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub authorization_parameters: BTreeMap<String, String>,
    /// Further headers of token requests.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub token_headers: BTreeMap<String, String>,
    /// How long tokens live.
    pub lifetime: Lifetime,
    /// Who the account is.
    pub identity: Identity,
}

/// How a client proves itself at the token endpoint (RFC 6749 §2.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientAuthentication {
    /// `Authorization: Basic`.
    Basic,
    /// `client_id` and `client_secret` in the body.
    Post,
    /// A public client: `client_id` in the body, and no secret.
    None,
}

/// The form of a token request's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RequestFormat {
    /// `application/x-www-form-urlencoded`, as the standard has it.
    #[default]
    Form,
    /// `application/json`.
    Json,
}

/// How long a provider's tokens live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Lifetime {
    /// Seconds of an access token when the answer names none.
    pub access_token_seconds: u32,
    /// What becomes of a refresh token when it is used.
    pub refresh_token: RefreshToken,
    /// Seconds for which a used refresh token is still accepted.
    pub reuse_grace_seconds: u32,
}

impl Lifetime {
    /// The lifetime of an access token when the answer names none.
    #[must_use]
    pub fn access_token(&self) -> Duration {
        Duration::from_secs(self.access_token_seconds.into())
    }

    /// For how long a used refresh token is still accepted.
    #[must_use]
    pub fn reuse_grace(&self) -> Duration {
        Duration::from_secs(self.reuse_grace_seconds.into())
    }
}

/// What becomes of a refresh token when it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RefreshToken {
    /// The provider gives none.
    None,
    /// It is used again.
    Stays,
    /// It is used once, and the answer has the next.
    Rotates,
}

/// Where the provider says who an account is.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct Identity {
    /// What is looked at.
    pub source: IdentitySource,
    /// How the address is asked.
    pub method: IdentityMethod,
    /// The JSON that is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Further headers of the request.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The identifier that stays the same for ever.
    pub subject: Pointer,
    /// The account's name: the first that is there.
    pub label: Vec<Pointer>,
}

/// What is looked at to see who an account is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdentitySource {
    /// An address that is asked with the access token.
    Endpoint(Endpoint),
    /// The ID token (OpenID Connect) in the token endpoint's answer.
    IdToken,
    /// The token endpoint's answer itself.
    TokenResponse,
}

impl Serialize for IdentitySource {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Endpoint(endpoint) => endpoint.serialize(serializer),
            Self::IdToken => serializer.serialize_str("id_token"),
            Self::TokenResponse => serializer.serialize_str("token_response"),
        }
    }
}

/// How the address of the identity is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum IdentityMethod {
    /// `GET`.
    #[default]
    Get,
    /// `POST`.
    Post,
}

/// A part of the provider's host names that differs between its customers.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct Variable {
    /// What it is.
    pub description: String,
    /// A value that could be one.
    pub example: String,
}

impl Provider {
    /// Reads a connector file. Plain `http` is allowed for loopback hosts only, in files of the
    /// user's own.
    ///
    /// # Errors
    /// Every problem with its line, or the first when the text is not TOML of the format at all.
    pub fn parse(name: &ConnectorName, origin: Origin, text: &str) -> Result<Self, Problems> {
        crate::check::parse(name, origin, text)
    }

    /// Checks that every variable has a value that is one label of a host name, and that no other
    /// is given.
    ///
    /// # Errors
    /// [`EndpointError`] naming the first variable that is missing, unknown or wrong.
    pub fn check_variables(&self, variables: &Variables) -> Result<(), EndpointError> {
        for name in self.variables.keys() {
            match variables.get(name) {
                None => return Err(EndpointError::MissingVariable { name: name.clone() }),
                Some(value) if !crate::host::is_label(value) => {
                    return Err(EndpointError::NotALabel { name: name.clone() });
                }
                Some(_) => {}
            }
        }
        match variables
            .keys()
            .find(|name| !self.variables.contains_key(*name))
        {
            Some(name) => Err(EndpointError::UnknownVariable { name: name.clone() }),
            None => Ok(()),
        }
    }

    /// What the connector takes: `oauth`, and the kinds of its other credentials.
    pub fn takes(&self) -> impl Iterator<Item = &'static str> {
        let oauth = self.oauth.as_ref().map(|_| "oauth");
        let others = self
            .credentials
            .iter()
            .map(|credential| credential.kind.name());
        oauth.into_iter().chain(others)
    }
}

impl Origin {
    /// The path that problems are reported under.
    pub(crate) fn path(&self, name: &ConnectorName) -> PathBuf {
        match self {
            Self::BuiltIn => Path::new("built-in").join(format!("{name}.toml")),
            Self::File(path) => path.clone(),
        }
    }
}

impl OAuth {
    /// An address of this provider with its variables filled in.
    ///
    /// # Errors
    /// [`EndpointError`] when a variable has no value or one that is not a label of a host name, or
    /// when the address leads elsewhere than the file allows.
    pub fn resolve(
        &self,
        endpoint: &Endpoint,
        variables: &Variables,
    ) -> Result<Url, EndpointError> {
        endpoint.resolve(&self.hosts, variables)
    }

    /// Whether an address that an answer of the provider holds may be asked.
    #[must_use]
    pub fn allows_host(&self, url: &Url) -> bool {
        self.hosts.allow(url)
    }
}

fn as_text<S: Serializer>(name: &ConnectorName, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(name.as_str())
}
