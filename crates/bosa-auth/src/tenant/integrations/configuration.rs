//! Credentials that are made of fields: an API key, a user name and its password, a bearer token, or
//! fields of the connector's own.

use std::collections::BTreeMap;

use bosa_auth_connect::{CredentialKind, Provider, Schema};
use bosa_auth_core::{ConnectorName, Secret, Timestamp};
use serde_json::{Map, Value, json};

use super::sealed::LONGEST_AUTH_STRING;
use crate::auth::Auth;
use crate::connecting::ImportedTokens;
use crate::error::{Error, Result, Violation};
use crate::model::{ConfiguredIntegration, NewIntegration};

/// The kind of an account that was connected elsewhere.
pub(super) const OAUTH: &str = "oauth";
const DEFAULT_ACCOUNT: &str = "default";
/// Longest part of a field's name that an error repeats, in characters.
const LONGEST_NAME: usize = 64;

impl Auth {
    /// Makes of a kind and its fields what is stored.
    ///
    /// # Errors
    /// `InvalidInput`: the kind is none, the connector does not take it, or a field is missing or
    /// malformed.
    pub(super) fn read_configuration(&self, new: ConfiguredIntegration) -> Result<NewIntegration> {
        let connector = ConnectorName::parse(&new.connector)?;
        let declared = match self.declared(&connector) {
            Ok(provider) => Some(provider),
            Err(Error::NotFound { .. }) => None,
            Err(error) => return Err(error),
        };
        let kind = kind(&new.auth_type, declared.as_deref())?;
        let mut fields = Fields::parse(&new.configuration)?;
        let name = fields.text("user_identifier", "configuration.user_identifier")?;
        let auth_scopes = fields.auth_scopes()?;
        let given = match kind {
            CredentialKind::ApiKey => Given::text(fields.api_key()?),
            CredentialKind::Basic => fields.basic()?,
            CredentialKind::Bearer => Given::text(fields.bearer()?),
            CredentialKind::Custom => {
                let schema = declared.as_deref().and_then(custom_schema);
                Given::text(fields.custom(schema)?)
            }
        };
        if kind != CredentialKind::Custom {
            fields.finish(kind.name())?;
        }
        Ok(NewIntegration {
            connector: new.connector,
            user_identifier: name.unwrap_or(given.account),
            auth_string: given.auth_string,
            auth_scopes,
            replace_duplicate: new.replace_duplicate,
        })
    }
}

/// Reads the tokens of an account that was connected elsewhere.
///
/// # Errors
/// `InvalidInput`: a field is missing or malformed.
pub(super) fn read_tokens(new: &ConfiguredIntegration) -> Result<ImportedTokens> {
    let mut fields = Fields::parse(&new.configuration)?;
    let import = ImportedTokens {
        access_token: fields.token("access_token", "configuration.access_token")?,
        refresh_token: match fields.0.contains_key("refresh_token") {
            true => Some(fields.token("refresh_token", "configuration.refresh_token")?),
            false => None,
        },
        expires_at: fields.expires_at()?,
        subject: fields.text("subject", "configuration.subject")?,
        user_identifier: fields.text("user_identifier", "configuration.user_identifier")?,
        auth_scopes: fields.auth_scopes()?,
        replace_duplicate: new.replace_duplicate,
    };
    if import.subject.as_deref() == Some("") {
        return Err(Error::invalid("configuration.subject", "is empty"));
    }
    fields.finish(OAUTH)?;
    Ok(import)
}

/// The kind of a name, if the connector takes it.
fn kind(name: &str, declared: Option<&Provider>) -> Result<CredentialKind> {
    let Some(kind) = CredentialKind::of_name(name) else {
        let all = CredentialKind::ALL.map(CredentialKind::name).join(", ");
        let all = format!("{all}, {OAUTH}");
        let reason = format!("must be one of {all}");
        return Err(Error::invalid("auth_type", reason));
    };
    let Some(provider) = declared else {
        return Ok(kind);
    };
    let custom = CredentialKind::Custom.name();
    if kind == CredentialKind::Custom || provider.takes().any(|taken| taken == kind.name()) {
        return Ok(kind);
    }
    let mut takes: Vec<_> = provider.takes().filter(|taken| *taken != custom).collect();
    takes.push(custom);
    let reason = format!(
        "{} is not among what {} takes: {}",
        kind.name(),
        provider.name.as_str(),
        takes.join(", ")
    );
    Err(Error::invalid("auth_type", reason))
}

fn custom_schema(provider: &Provider) -> Option<&Schema> {
    let credentials = provider.credentials.iter();
    credentials
        .filter(|credential| credential.kind == CredentialKind::Custom)
        .find_map(|credential| credential.schema.as_ref())
}

/// A credential, and what its account is called unless it is given a name.
struct Given {
    auth_string: Secret,
    account: String,
}

impl Given {
    fn text(auth_string: Secret) -> Self {
        Self {
            auth_string,
            account: DEFAULT_ACCOUNT.to_owned(),
        }
    }
}

/// The fields that were not taken yet.
struct Fields(Map<String, Value>);

impl Fields {
    fn parse(configuration: &Secret) -> Result<Self> {
        // What a parser says of a text may quote it.
        let fields = serde_json::from_str(configuration.expose());
        fields
            .map(Self)
            .map_err(|_| Error::invalid("configuration", "must be a JSON object"))
    }

    /// Takes a text that may be absent.
    fn text(&mut self, name: &str, field: &'static str) -> Result<Option<String>> {
        match self.0.remove(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Error::invalid(field, "must be a string")),
        }
    }

    /// Takes a text that must be there.
    fn secret(&mut self, name: &str, field: &'static str) -> Result<Secret> {
        let text = self.text(name, field)?;
        let text = text.ok_or_else(|| Error::invalid(field, "is missing"))?;
        Ok(Secret::new(text))
    }

    fn auth_scopes(&mut self) -> Result<Vec<String>> {
        let Some(scopes) = self.0.remove("auth_scopes") else {
            return Ok(Vec::new());
        };
        serde_json::from_value(scopes)
            .map_err(|_| Error::invalid("configuration.auth_scopes", "must be a list of strings"))
    }

    fn api_key(&mut self) -> Result<Secret> {
        let field = "configuration.api_key";
        let key = self.secret("api_key", field)?;
        not_empty(&key, field)?;
        Ok(key)
    }

    fn bearer(&mut self) -> Result<Secret> {
        self.token("token", "configuration.token")
    }

    /// A token is sent in a header (RFC 6750 §2.1), which holds no control characters.
    fn token(&mut self, name: &str, field: &'static str) -> Result<Secret> {
        let token = self.secret(name, field)?;
        not_empty(&token, field)?;
        no_control_characters(token.expose(), field)?;
        if token.expose().len() > LONGEST_AUTH_STRING {
            return Err(Error::invalid(field, "is longer than 65536 bytes"));
        }
        Ok(token)
    }

    /// Takes a time in seconds since the epoch, which may be absent.
    fn expires_at(&mut self) -> Result<Option<Timestamp>> {
        let Some(value) = self.0.remove("expires_at") else {
            return Ok(None);
        };
        let end = value
            .as_i64()
            .and_then(|seconds| Timestamp::from_second(seconds).ok());
        let reason = "must be a whole number of seconds since the epoch";
        end.map(Some)
            .ok_or_else(|| Error::invalid("configuration.expires_at", reason))
    }

    /// A user name and its password, as RFC 7617 §2 allows them. Where one of the two is empty, as
    /// with providers that take a key in place of a name, the account is not called after the other.
    fn basic(&mut self) -> Result<Given> {
        let (name_field, password_field) = ("configuration.username", "configuration.password");
        let username = self.secret("username", name_field)?;
        let password = self.secret("password", password_field)?;
        no_control_characters(username.expose(), name_field)?;
        no_control_characters(password.expose(), password_field)?;
        if username.expose().contains(':') {
            return Err(Error::invalid(name_field, "must not contain a colon"));
        }
        if password.is_empty() {
            not_empty(&username, name_field)?;
        }
        let pair = json!({ "password": password.expose(), "username": username.expose() });
        let has_both = !username.is_empty() && !password.is_empty();
        let account = match has_both {
            true => username.expose(),
            false => DEFAULT_ACCOUNT,
        };
        Ok(Given {
            auth_string: Secret::new(pair.to_string()),
            account: account.to_owned(),
        })
    }

    fn custom(&mut self, schema: Option<&Schema>) -> Result<Secret> {
        if let Some(text) = self.text("auth_string", "configuration.auth_string")? {
            return Ok(Secret::new(text));
        }
        let violations: Vec<_> = schema
            .map(|schema| schema.violations(&self.0))
            .unwrap_or_default()
            .into_iter()
            .map(|violation| Violation {
                pointer: pointer(&violation.field),
                reason: violation.reason,
            })
            .collect();
        if !violations.is_empty() {
            let what = "does not fit what the connector declares";
            return Err(Error::violated("configuration", what, violations));
        }
        let rest = Value::Object(std::mem::take(&mut self.0));
        Ok(Secret::new(sorted(rest).to_string()))
    }

    /// Refuses what was not taken.
    fn finish(self, kind: &str) -> Result<()> {
        let reason = format!("is not a field of {kind}");
        let violations: Vec<_> = self
            .0
            .keys()
            .map(|name| Violation {
                pointer: pointer(name),
                reason: reason.clone(),
            })
            .collect();
        if violations.is_empty() {
            return Ok(());
        }
        let what = "has fields that do not belong to it";
        Err(Error::violated("configuration", what, violations))
    }
}

fn not_empty(text: &Secret, field: &'static str) -> Result<()> {
    match text.is_empty() {
        true => Err(Error::invalid(field, "is empty")),
        false => Ok(()),
    }
}

fn no_control_characters(text: &str, field: &'static str) -> Result<()> {
    match text.chars().any(char::is_control) {
        true => {
            let reason = "must not contain control characters, such as a newline";
            Err(Error::invalid(field, reason))
        }
        false => Ok(()),
    }
}

/// The JSON pointer of a member, its name shortened and made fit for a message.
fn pointer(name: &str) -> String {
    let mut pointer = "/".to_owned();
    for character in name.chars().take(LONGEST_NAME) {
        match character {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            control if control.is_control() => pointer.extend(control.escape_unicode()),
            other => pointer.push(other),
        }
    }
    pointer
}

/// The keys of every level sorted, however the map keeps them.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let members: BTreeMap<_, _> = members.into_iter().collect();
            let members = members.into_iter();
            Value::Object(members.map(|(name, value)| (name, sorted(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}
