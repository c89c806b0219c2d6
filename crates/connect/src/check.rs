//! From a file's text to a connector: everything that its form alone does not say.

mod oauth;

use std::collections::{BTreeMap, BTreeSet};

use bosa_auth_core::ConnectorName;
use toml::Spanned;
use url::Url;

use crate::credential::{Credential, CredentialKind};
use crate::declaration::{CredentialDeclaration, Declaration, VariableDeclaration};
use crate::endpoint::{Endpoint, VARIABLE_NAME, is_variable_name};
use crate::host::is_label;
use crate::problem::{Findings, Place, Problem, Problems};
use crate::provider::{IdentitySource, OAuth, Origin, Provider, Variable};
use crate::schema;

/// Reads a connector file.
///
/// # Errors
/// Every problem with its place.
pub(crate) fn parse(
    name: &ConnectorName,
    origin: Origin,
    text: &str,
) -> Result<Provider, Problems> {
    let path = origin.path(name);
    let declaration: Declaration = toml::from_str(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        Problems(vec![Problem {
            path: path.clone(),
            place: Some(Place::of(text, start)),
            reason: error.message().trim().replace('\n', ", "),
        }])
    })?;
    let mut findings = Findings::default();
    let provider = check(name, origin, declaration, &mut findings);
    match (provider, findings.into_problems(&path, text)) {
        (Some(provider), None) => Ok(provider),
        (_, Some(problems)) => Err(problems),
        // A part that is missing without a finding would be a fault of the checks.
        (None, None) => Err(Problems(vec![Problem {
            path,
            place: None,
            reason: "cannot be used".to_owned(),
        }])),
    }
}

fn check(
    name: &ConnectorName,
    origin: Origin,
    declared: Declaration,
    findings: &mut Findings,
) -> Option<Provider> {
    let title_at = declared.title.span();
    if declared.oauth.is_none() && declared.credentials.is_empty() {
        findings.add(
            title_at,
            "declares neither [oauth] nor [[credentials]], so that nothing could be stored",
        );
    }
    let documentation = documentation(declared.documentation, findings);
    let declared_variables: BTreeSet<String> = declared.variables.keys().cloned().collect();
    let has_oauth = declared.oauth.is_some();
    let oauth = declared
        .oauth
        .and_then(|oauth| oauth::check(oauth, &declared_variables, &origin, findings));
    if oauth.is_some() || !has_oauth {
        let used = oauth.as_ref().map(used_variables).unwrap_or_default();
        for (name, variable) in &declared.variables {
            if !used.contains(name.as_str()) {
                findings.add(
                    variable.span(),
                    format!("the variable {name} is in no address"),
                );
            }
        }
    }
    let provider = Provider {
        name: name.clone(),
        title: text("title", declared.title, findings),
        documentation,
        oauth,
        variables: variables(declared.variables, findings),
        credentials: credentials(declared.credentials, findings),
        origin,
    };
    (provider.oauth.is_some() == has_oauth).then_some(provider)
}

/// A text for people: one line that is not empty.
fn text(key: &str, declared: Spanned<String>, findings: &mut Findings) -> String {
    let text = declared.get_ref();
    if text.trim().is_empty() {
        findings.add(declared.span(), format!("{key}: is empty"));
    } else if text.chars().any(char::is_control) {
        findings.add(
            declared.span(),
            format!("{key}: holds a control character or more than one line"),
        );
    }
    declared.into_inner()
}

fn documentation(declared: Spanned<Vec<Spanned<String>>>, findings: &mut Findings) -> Vec<String> {
    if declared.get_ref().is_empty() {
        findings.add(declared.span(), "documentation: names at least one page");
    }
    let pages = declared.into_inner();
    for page in &pages {
        let is_page = Url::parse(page.get_ref())
            .is_ok_and(|url| matches!(url.scheme(), "https" | "http") && url.has_host());
        if !is_page {
            findings.add(page.span(), "documentation: is not an address of a page");
        }
    }
    pages.into_iter().map(Spanned::into_inner).collect()
}

fn used_variables(oauth: &OAuth) -> BTreeSet<&str> {
    let identity = match &oauth.identity.source {
        IdentitySource::Endpoint(endpoint) => Some(endpoint),
        IdentitySource::IdToken | IdentitySource::TokenResponse => None,
    };
    [
        Some(&oauth.authorization_endpoint),
        Some(&oauth.token_endpoint),
        oauth.revocation_endpoint.as_ref(),
        oauth.issuer.as_ref(),
        oauth.discovery.as_ref(),
        identity,
    ]
    .into_iter()
    .flatten()
    .flat_map(Endpoint::variables)
    .collect()
}

fn variables(
    declared: BTreeMap<String, Spanned<VariableDeclaration>>,
    findings: &mut Findings,
) -> BTreeMap<String, Variable> {
    declared
        .into_iter()
        .map(|(name, variable)| {
            if !is_variable_name(&name) {
                findings.add(
                    variable.span(),
                    format!("a variable is named {VARIABLE_NAME}"),
                );
            }
            let variable = variable.into_inner();
            if !is_label(variable.example.get_ref()) {
                findings.add(
                    variable.example.span(),
                    "example: is not one label of a host name (letters, digits and hyphens)",
                );
            }
            let checked = Variable {
                description: text("description", variable.description, findings),
                example: variable.example.into_inner(),
            };
            (name, checked)
        })
        .collect()
}

fn credentials(
    declared: Vec<Spanned<CredentialDeclaration>>,
    findings: &mut Findings,
) -> Vec<Credential> {
    let mut kinds = BTreeSet::new();
    declared
        .into_iter()
        .map(|credential| {
            let at = credential.span();
            let credential = credential.into_inner();
            let kind = credential.kind;
            if !kinds.insert(kind) {
                findings.add(
                    at.clone(),
                    format!("there is already a credential of kind {}", kind.name()),
                );
            }
            if credential.schema.is_some() != (kind == CredentialKind::Custom) {
                findings.add(
                    at,
                    "schema: belongs to credentials of kind custom, each of which has one",
                );
            }
            Credential {
                kind,
                title: text("title", credential.title, findings),
                description: text("description", credential.description, findings),
                schema: credential
                    .schema
                    .map(|declared| schema::check(declared, findings)),
            }
        })
        .collect()
}
