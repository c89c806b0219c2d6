//! Which account the tokens belong to: a new one, or one that is there.

use bosa_auth_connect::AccountIdentity;
use bosa_auth_core::{AccountName, AuthStatus};
use bosa_auth_store::integrations::IntegrationRow;

use super::ConnectFailure;

/// Where the tokens go.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A new account.
    New(AccountName),
    /// One that is there, under the name that it has.
    Existing(Box<IntegrationRow>),
}

/// Chooses among the accounts that the user has at the connector.
///
/// The same account at the provider is the same here, whatever it is called there now: its tokens
/// are replaced without being asked, since the provider may have ended the former ones. Never does a
/// name lead to another account.
///
/// # Errors
/// `OtherAccount` or `AlreadyExists` when the name is taken; `UnknownIdentity` when the provider
/// gives no name that can be one.
pub(super) fn target(
    accounts: impl Iterator<Item = IntegrationRow>,
    identity: &AccountIdentity,
    replaces: bool,
) -> Result<Target, ConnectFailure> {
    let name = name_of(identity)?;
    let mut of_that_name = None;
    for account in accounts {
        if account.subject.as_deref() == Some(identity.subject.as_str()) {
            return Ok(Target::Existing(Box::new(account)));
        }
        if account.user_identifier == name.as_str() {
            of_that_name = Some(account);
        }
    }
    let Some(account) = of_that_name else {
        return Ok(Target::New(name));
    };
    let user_identifier = account.user_identifier.clone();
    match (&account.subject, account.auth_status) {
        (Some(_), _) => Err(ConnectFailure::OtherAccount { user_identifier }),
        (None, AuthStatus::NeedsReauth | AuthStatus::Unverified) => {
            Ok(Target::Existing(Box::new(account)))
        }
        (None, _) if replaces => Ok(Target::Existing(Box::new(account))),
        (None, _) => Err(ConnectFailure::AlreadyExists { user_identifier }),
    }
}

/// The name of a new account: the label, or the subject when that cannot be a name.
fn name_of(identity: &AccountIdentity) -> Result<AccountName, ConnectFailure> {
    AccountName::parse(&identity.label)
        .or_else(|_| AccountName::parse(&identity.subject))
        .map_err(|_| {
            let reason = "the provider gives it a name that cannot be stored";
            ConnectFailure::UnknownIdentity(reason.to_owned())
        })
}
