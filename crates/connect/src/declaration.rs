//! A connector file as it is written. What each key means is said where its checked form is; here
//! is only what a file may hold, with the places that a later check points at.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use crate::credential::CredentialKind;
use crate::provider::{ClientAuthentication, IdentityMethod, RefreshToken, RequestFormat};
use crate::schema::SchemaDeclaration;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Declaration {
    pub(crate) title: Spanned<String>,
    pub(crate) documentation: Spanned<Vec<Spanned<String>>>,
    pub(crate) oauth: Option<OAuthDeclaration>,
    #[serde(default)]
    pub(crate) variables: BTreeMap<String, Spanned<VariableDeclaration>>,
    #[serde(default)]
    pub(crate) credentials: Vec<Spanned<CredentialDeclaration>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OAuthDeclaration {
    pub(crate) authorization_endpoint: Spanned<String>,
    pub(crate) token_endpoint: Spanned<String>,
    pub(crate) revocation_endpoint: Option<Spanned<String>>,
    pub(crate) issuer: Option<Spanned<String>>,
    pub(crate) discovery: Option<Spanned<String>>,
    pub(crate) hosts: Spanned<Vec<Spanned<String>>>,
    pub(crate) client_authentication: ClientAuthentication,
    pub(crate) pkce: bool,
    pub(crate) scope_separator: Option<Spanned<String>>,
    pub(crate) scope_parameter: Option<Spanned<String>>,
    pub(crate) default_scopes: Vec<Spanned<String>>,
    #[serde(default)]
    pub(crate) token_request: RequestFormat,
    pub(crate) token_response: Option<Spanned<String>>,
    #[serde(default)]
    pub(crate) authorization_parameters: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    pub(crate) token_headers: BTreeMap<String, Spanned<String>>,
    pub(crate) lifetime: LifetimeDeclaration,
    pub(crate) identity: IdentityDeclaration,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LifetimeDeclaration {
    pub(crate) access_token_seconds: Spanned<i64>,
    pub(crate) refresh_token: RefreshToken,
    pub(crate) reuse_grace_seconds: Option<Spanned<i64>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct IdentityDeclaration {
    pub(crate) source: Spanned<String>,
    #[serde(default)]
    pub(crate) method: IdentityMethod,
    pub(crate) body: Option<Spanned<String>>,
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, Spanned<String>>,
    pub(crate) subject: Spanned<String>,
    pub(crate) label: Spanned<Vec<Spanned<String>>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VariableDeclaration {
    pub(crate) description: Spanned<String>,
    pub(crate) example: Spanned<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CredentialDeclaration {
    pub(crate) kind: CredentialKind,
    pub(crate) title: Spanned<String>,
    pub(crate) description: Spanned<String>,
    pub(crate) schema: Option<Spanned<SchemaDeclaration>>,
}
