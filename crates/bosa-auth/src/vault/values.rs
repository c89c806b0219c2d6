//! Values in the places that they are sealed for.

use std::fmt;

use bosa_auth_core::vault::{DataKey, ValueContext, ValuePurpose, open_value, seal_value};
use bosa_auth_core::{ClientId, Entropy, Secret, SecretBytes};
use bosa_auth_store::{ConnectStateRow, IntegrationRow, Opaque, Sealed};

use crate::error::{Error, Result};

/// Where a sealed value belongs, and as what: it opens nowhere else, and as nothing else.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    purpose: ValuePurpose,
    context: ValueContext<'a>,
}

impl<'a> Place<'a> {
    /// What an account authenticates with: a stored text, or an access token.
    pub(crate) fn credential(account: &'a IntegrationRow) -> Self {
        Self {
            purpose: ValuePurpose::IntegrationAuth,
            context: of_account(account),
        }
    }

    /// The refresh token of an account.
    pub(crate) fn refresh_token(account: &'a IntegrationRow) -> Self {
        Self {
            purpose: ValuePurpose::RefreshToken,
            context: of_account(account),
        }
    }

    /// The OAuth client secret of a connector: a client's own, or without an owner the deployment's.
    pub(crate) fn connector_secret(owner: Option<ClientId>, connector: &'a str) -> Self {
        Self {
            purpose: ValuePurpose::ConnectorSecret,
            context: ValueContext::connector_secret(owner, connector),
        }
    }

    /// The code verifier of a connection that was begun.
    pub(crate) fn code_verifier(connection: &'a ConnectStateRow) -> Self {
        Self {
            purpose: ValuePurpose::CodeVerifier,
            context: ValueContext {
                client_id: connection.client_id,
                user_id: connection.user_id,
                row_id: connection.id,
                connector: &connection.connector,
                account: "",
            },
        }
    }

    /// Seals a value for this place.
    ///
    /// # Errors
    /// `Internal`: there is no randomness.
    pub(crate) fn seal(
        &self,
        key: &DataKey,
        plain: &[u8],
        entropy: &dyn Entropy,
    ) -> Result<Sealed> {
        let bytes = seal_value(key, self.purpose, &self.context, plain, entropy);
        Ok(Sealed {
            bytes: bytes.map_err(Error::internal)?.into(),
            key_id: key.id(),
        })
    }

    /// As [`seal`](Self::seal), for a value that is text.
    ///
    /// # Errors
    /// As [`seal`](Self::seal).
    pub(crate) fn seal_text(
        &self,
        key: &DataKey,
        plain: &Secret,
        entropy: &dyn Entropy,
    ) -> Result<Sealed> {
        self.seal(key, plain.expose().as_bytes(), entropy)
    }

    /// Opens what was sealed for this place.
    ///
    /// # Errors
    /// `Unreadable`: it was moved, edited or truncated.
    pub(crate) fn open(&self, key: &DataKey, sealed: &Opaque) -> Result<SecretBytes> {
        open_value(key, self.purpose, &self.context, sealed).map_err(|_| Error::Unreadable {
            what: self.name().to_owned(),
        })
    }

    /// As [`open`](Self::open), for a value that is text.
    ///
    /// # Errors
    /// As [`open`](Self::open); also when it is no text.
    pub(crate) fn open_text(&self, key: &DataKey, sealed: &Opaque) -> Result<Secret> {
        let plain = self.open(key, sealed)?;
        let text = std::str::from_utf8(plain.expose()).map_err(|_| Error::Unreadable {
            what: self.name().to_owned(),
        })?;
        Ok(Secret::from(text))
    }

    /// What it is, for people.
    pub(crate) const fn name(&self) -> &'static str {
        match self.purpose {
            ValuePurpose::IntegrationAuth => "the credential of an integration",
            ValuePurpose::RefreshToken => "the refresh token of an integration",
            ValuePurpose::ConnectorSecret => "the secret of an OAuth client",
            ValuePurpose::CodeVerifier => "the code verifier of a connection",
        }
    }
}

/// The full name, without anything that is secret or personal.
impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = &self.context;
        let connector = place.connector;
        match self.purpose {
            ValuePurpose::ConnectorSecret if place.client_id.as_uuid().is_nil() => {
                return write!(f, "connector secret of {connector}, deployment");
            }
            ValuePurpose::ConnectorSecret => write!(f, "connector secret of {connector}")?,
            _ => {
                let (what, row) = match self.purpose {
                    ValuePurpose::RefreshToken => ("refresh token", "integration"),
                    ValuePurpose::CodeVerifier => ("code verifier", "connection"),
                    _ => ("credential", "integration"),
                };
                write!(f, "{what} of {row} {} at {connector}", place.row_id)?;
                write!(f, ", user {}", place.user_id)?;
            }
        }
        write!(f, ", client {}", place.client_id)
    }
}

fn of_account(account: &IntegrationRow) -> ValueContext<'_> {
    ValueContext {
        client_id: account.client_id,
        user_id: account.user_id,
        row_id: account.id,
        connector: &account.connector,
        account: &account.user_identifier,
    }
}
