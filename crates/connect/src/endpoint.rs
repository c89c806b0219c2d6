//! Addresses of a provider, which may hold variables as whole labels of their host.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Serialize, Serializer};
use url::Url;

use crate::host::{HostPattern, Hosts, is_label, is_loopback};

/// Values of a connector's variables, by name.
pub type Variables = BTreeMap<String, String>;

/// What stands for every variable when a declaration is checked.
const SAMPLE: &str = "a";

/// Why the address of a provider cannot be made.
///
/// # Security
/// The message names the variable and never quotes its value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// A variable has no value.
    #[error("the variable {name} has no value")]
    MissingVariable {
        /// The variable.
        name: String,
    },
    /// A value was given for a variable that the connector does not declare.
    #[error("the connector has no variable {name}")]
    UnknownVariable {
        /// The variable.
        name: String,
    },
    /// A value is not one label of a host name.
    #[error(
        "the variable {name} is 1 to 63 letters, digits and hyphens, without a hyphen at an end"
    )]
    NotALabel {
        /// The variable.
        name: String,
    },
    /// The address leads somewhere else than the connector's file allows.
    #[error("the address leads to a host that the connector does not declare")]
    ForeignHost,
}

/// An address whose host may hold `{variable}` in place of whole labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Up to the host, for example `https://`.
    before: String,
    host: Vec<Label>,
    /// From the port or the path on.
    after: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Label {
    Text(String),
    Variable(String),
}

impl Endpoint {
    /// Reads an address.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        // The parser of addresses drops white space and escapes the rest; here it is refused.
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("an address is ASCII text without white space".to_owned());
        }
        let scheme = ["https://", "http://"]
            .into_iter()
            .find(|scheme| text.starts_with(scheme))
            .ok_or("an address begins with https://")?;
        let rest = text.get(scheme.len()..).unwrap_or_default();
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        if authority.contains('@') {
            return Err("an address holds no user".to_owned());
        }
        if path.contains('#') {
            return Err("an address holds no fragment".to_owned());
        }
        if path.contains(['{', '}']) {
            return Err(ONLY_IN_HOST.to_owned());
        }
        // The last colon separates the port, unless it is one of an IPv6 address in brackets.
        let host_end = match authority.rfind(':') {
            Some(at) if !authority.ends_with(']') => at,
            _ => authority.len(),
        };
        let (host, port) = authority.split_at(host_end);
        let endpoint = Self {
            before: scheme.to_owned(),
            host: labels(host)?,
            after: format!("{port}{path}"),
        };
        endpoint.check_sample()?;
        Ok(endpoint)
    }

    /// The names of the variables in the host.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.host.iter().filter_map(|label| match label {
            Label::Text(_) => None,
            Label::Variable(name) => Some(name.as_str()),
        })
    }

    /// Whether the address is one of this machine, over HTTP without TLS.
    pub(crate) fn is_plain(&self) -> bool {
        self.before == "http://"
    }

    /// Whether the host is this machine's own.
    pub(crate) fn is_loopback(&self) -> bool {
        Url::parse(&self.sample())
            .is_ok_and(|url| url.host().is_some_and(|host| is_loopback(&host)))
    }

    /// Whether every value of the variables leaves the host below one of the declared names.
    pub(crate) fn is_covered_by(&self, hosts: &Hosts) -> bool {
        let fixed = self.variables().next().is_none();
        let host = self.host_with(|_| Some(SAMPLE)).unwrap_or_default();
        hosts.patterns().iter().any(|pattern| match pattern {
            HostPattern::Exact(_) => fixed && pattern.matches(&host),
            HostPattern::Below(suffix) => {
                // The labels of the suffix must be text, so that no value can change them.
                let depth = suffix.split('.').count();
                let tail = self.host.iter().rev().take(depth);
                pattern.matches(&host)
                    && tail
                        .into_iter()
                        .all(|label| matches!(label, Label::Text(_)))
            }
        })
    }

    /// The address with its variables filled in, as it is written.
    ///
    /// # Errors
    /// [`EndpointError`] when a variable has no value or one that is not a label.
    pub fn text(&self, variables: &Variables) -> Result<String, EndpointError> {
        for name in self.variables() {
            match variables.get(name) {
                None => {
                    return Err(EndpointError::MissingVariable {
                        name: name.to_owned(),
                    });
                }
                Some(value) if !is_label(value) => {
                    return Err(EndpointError::NotALabel {
                        name: name.to_owned(),
                    });
                }
                Some(_) => {}
            }
        }
        let value = |name: &str| variables.get(name).map(String::as_str);
        let host = self.host_with(value).ok_or(EndpointError::ForeignHost)?;
        Ok(format!("{}{host}{}", self.before, self.after))
    }

    /// The address with its variables filled in.
    ///
    /// # Errors
    /// [`EndpointError`] when a variable has no value or one that is not a label, and when the parsed
    /// address leads to another host than the text says or than `hosts` allows.
    pub(crate) fn resolve(
        &self,
        hosts: &Hosts,
        variables: &Variables,
    ) -> Result<Url, EndpointError> {
        let text = self.text(variables)?;
        let url = Url::parse(&text).map_err(|_| EndpointError::ForeignHost)?;
        let value = |name: &str| variables.get(name).map(String::as_str);
        let host = self
            .host_with(value)
            .unwrap_or_default()
            .to_ascii_lowercase();
        if url.host_str() == Some(host.as_str()) && hosts.allow(&url) {
            Ok(url)
        } else {
            Err(EndpointError::ForeignHost)
        }
    }

    fn host_with<'a>(&'a self, value: impl Fn(&'a str) -> Option<&'a str>) -> Option<String> {
        let labels: Option<Vec<&str>> = self
            .host
            .iter()
            .map(|label| match label {
                Label::Text(text) => Some(text.as_str()),
                Label::Variable(name) => value(name),
            })
            .collect();
        labels.map(|labels| labels.join("."))
    }

    fn sample(&self) -> String {
        let host = self.host_with(|_| Some(SAMPLE)).unwrap_or_default();
        format!("{}{host}{}", self.before, self.after)
    }

    fn check_sample(&self) -> Result<(), String> {
        let url = Url::parse(&self.sample()).map_err(|error| error.to_string())?;
        let host = self.host_with(|_| Some(SAMPLE)).unwrap_or_default();
        if url.host_str() == Some(host.as_str()) {
            Ok(())
        } else {
            Err("the host is written in lower case, as a name or an IP address".to_owned())
        }
    }
}

const ONLY_IN_HOST: &str =
    "a variable stands only as a whole label of the host: https://{name}.example.com";

fn labels(host: &str) -> Result<Vec<Label>, String> {
    if host.starts_with('[') {
        return Ok(vec![Label::Text(host.to_owned())]);
    }
    host.split('.')
        .map(|label| {
            let variable = label
                .strip_prefix('{')
                .and_then(|rest| rest.strip_suffix('}'));
            match variable {
                Some(name) if is_variable_name(name) => Ok(Label::Variable(name.to_owned())),
                Some(_) => Err(format!("a variable is named {VARIABLE_NAME}")),
                None if label.contains(['{', '}']) => Err(ONLY_IN_HOST.to_owned()),
                None if is_label(label) => Ok(Label::Text(label.to_owned())),
                None => Err("the host is not a host name".to_owned()),
            }
        })
        .collect()
}

/// The form of a variable's name, for people.
pub(crate) const VARIABLE_NAME: &str =
    "with lower-case letters, digits and _, beginning with a letter, at most 32 characters";

/// Whether a text is the name of a variable.
pub(crate) fn is_variable_name(text: &str) -> bool {
    let inner = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
    text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.len() <= 32
        && text.bytes().all(inner)
}

impl fmt::Display for Endpoint {
    /// As it is written in the file.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.before)?;
        for (index, label) in self.host.iter().enumerate() {
            if index > 0 {
                formatter.write_str(".")?;
            }
            match label {
                Label::Text(text) => formatter.write_str(text)?,
                Label::Variable(name) => write!(formatter, "{{{name}}}")?,
            }
        }
        formatter.write_str(&self.after)
    }
}

impl Serialize for Endpoint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests;
