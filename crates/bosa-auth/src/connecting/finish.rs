//! The end: the browser comes back from the provider.

use bosa_auth_connect::OAuth;
use bosa_auth_core::{Actor, ConnectorName, Secret};
use bosa_auth_store::{ConnectReturn, connect_states};
use url::Url;

use super::completion::CompletionSecret;
use super::cookie::{connection_name, without_connection_cookie};
use super::digests::{Kind, learn_keys, under_every_key};
use super::exchange::{check_issuer, exchange};
use super::store::{Storing, store};
use super::verifier::open_verifier;
use super::{BrowserCookie, BrowserCookies, ConnectFailure, is_secret, owner};
use crate::auth::{Auth, Inner};
use crate::error::{Error, Result};
use crate::idempotency::Idempotency;

/// What the browser brings back from a provider.
#[derive(Debug, Default)]
pub struct ProviderAnswer {
    /// `state`.
    pub state: Option<Secret>,
    /// `code`.
    pub code: Option<Secret>,
    /// `error`.
    pub error: Option<String>,
    /// `error_description`.
    pub error_description: Option<String>,
    /// `iss` (RFC 9207).
    pub issuer: Option<String>,
}

/// Where a browser that comes back is.
#[derive(Debug)]
pub enum ConnectLanding {
    /// It brings nothing of a provider: somebody looks at the address.
    Nothing,
    /// It brings nothing that a connection of this browser waits for. Nothing of what it brings may
    /// be shown.
    Unusable,
    /// Its connection has ended.
    Ended(Box<ConnectEnd>),
}

/// How a connection ended.
#[derive(Debug)]
pub struct ConnectEnd {
    /// The third party, by its name for people.
    pub connector_title: String,
    /// The account, or why there is none.
    pub outcome: Result<ConnectedAccount, ConnectFailure>,
    /// Where the browser goes with the outcome; `None` for a plain page.
    ///
    /// # Security
    /// It can hold the code that completes the connection.
    pub return_to: Option<Secret>,
    /// What removes the cookie of this connection.
    pub cookie: BrowserCookie,
}

/// An account that was connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectedAccount {
    /// The connector.
    pub connector: String,
    /// The account's name.
    pub user_identifier: String,
}

impl Auth {
    /// Ends a connection with what the browser brings back from the provider.
    ///
    /// The state is used up first, whatever follows. The work goes on when the caller goes away, and
    /// [`close`](Self::close) waits for it.
    ///
    /// # Errors
    /// `DatabaseUnavailable`, `Unreadable`, `Configuration`, `Internal`.
    pub async fn finish_connection(
        &self,
        connector: &str,
        answer: ProviderAnswer,
        cookies: &BrowserCookies,
    ) -> Result<ConnectLanding> {
        let Some(state) = answer.state.as_ref() else {
            let is_nothing = answer.code.is_none() && answer.error.is_none();
            return Ok(match is_nothing {
                true => ConnectLanding::Nothing,
                false => ConnectLanding::Unusable,
            });
        };
        let Ok(connector) = ConnectorName::parse(connector) else {
            return Ok(ConnectLanding::Unusable);
        };
        if !is_secret(state.expose()) {
            return Ok(ConnectLanding::Unusable);
        }
        let public_url = self.inner.public_url()?;
        let cookie = cookies.get(&connection_name(public_url, state.expose()));
        let cookie = cookie.map(Secret::from).unwrap_or_default();
        let auth = self.clone();
        let work = async move { auth.finish(&connector, &answer, &cookie).await };
        self.inner.detached.run(work).await?
    }

    async fn finish(
        &self,
        connector: &ConnectorName,
        answer: &ProviderAnswer,
        cookie: &Secret,
    ) -> Result<ConnectLanding> {
        let inner = &self.inner;
        let state = answer.state.as_ref().map_or("", Secret::expose);
        let Some(returned) = consume(inner, state).await? else {
            return Ok(ConnectLanding::Unusable);
        };
        let is_same_browser = is_same_browser(inner, &returned, state, cookie).await?;
        if !is_same_browser || returned.row.connector != connector.as_str() {
            return Ok(ConnectLanding::Unusable);
        }
        let title = self
            .declared(connector)
            .map(|provider| provider.title.clone());
        let outcome = self.conclude(connector, &returned, answer).await;
        let outcome = outcome.unwrap_or_else(|error| {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "a connection could not be finished"
            );
            Err(ConnectFailure::NotStored)
        });
        let (outcome, code) = match outcome {
            Ok((account, code)) => (Ok(account), code),
            Err(failure) => (Err(failure), None),
        };
        let return_to = returned.row.return_address.as_deref();
        let return_to =
            return_to.map(|address| with_outcome(address, connector, &outcome, code.as_ref()));
        Ok(ConnectLanding::Ended(Box::new(ConnectEnd {
            connector_title: title.unwrap_or_else(|_| connector.as_str().to_owned()),
            outcome,
            return_to: return_to.transpose()?,
            cookie: without_connection_cookie(inner.public_url()?, state),
        })))
    }

    /// From the state, which is this browser's, to the account and the code that completes it.
    async fn conclude(
        &self,
        connector: &ConnectorName,
        returned: &ConnectReturn,
        answer: &ProviderAnswer,
    ) -> Result<Result<(ConnectedAccount, Option<Secret>), ConnectFailure>> {
        let inner = &self.inner;
        let row = &returned.row;
        if inner.clock.now() >= row.expires_at {
            return Ok(Err(ConnectFailure::Expired));
        }
        if owner(inner, row).await?.is_none() {
            return Ok(Err(ConnectFailure::NotAllowed));
        }
        let client = match self.oauth_client(Some(row.client_id), connector).await {
            Ok(client) => client,
            // Its settings or its file were removed meanwhile.
            Err(Error::InvalidInput { .. } | Error::NotFound { .. }) => {
                return Ok(Err(ConnectFailure::NotAllowed));
            }
            Err(error) => return Err(error),
        };
        let oauth: &OAuth = client.oauth()?;
        if let Err(failure) = check_issuer(&client, oauth, answer.issuer.as_deref()) {
            return Ok(Err(failure));
        }
        if let Some(code) = &answer.error {
            return Ok(Err(ConnectFailure::Provider {
                code: code.clone(),
                description: answer.error_description.clone(),
            }));
        }
        let code = answer.code.as_ref().filter(|code| !code.is_empty());
        let Some(code) = code else {
            return Ok(Err(ConnectFailure::NoCode));
        };
        let verifier = open_verifier(inner, returned).await?;
        let redirect_uri = inner.public_url()?.redirect_uri(connector);
        let granted = match exchange(inner, &client, &redirect_uri, code, &verifier).await? {
            Ok(granted) => granted,
            Err(failure) => return Ok(Err(failure)),
        };
        let completion = client
            .require_completion
            .then(|| CompletionSecret::generate(inner));
        let completion = completion.transpose()?;
        let storing = Storing {
            state: row,
            asked_scopes: &returned.auth_scopes,
            client: &client,
            granted: &granted,
            completion: completion.as_ref(),
            actor: Actor::User(row.user_id),
            idempotency: &Idempotency::default(),
        };
        let stored = store(self, &storing).await?;
        Ok(stored.map(|stored| {
            let row = stored.resource;
            let code = completion.map(|completion| completion.code(row.id));
            let account = ConnectedAccount {
                connector: row.connector,
                user_identifier: row.user_identifier,
            };
            (account, code)
        }))
    }
}

/// Takes out the connection of a state, which is then used up.
async fn consume(inner: &Inner, state: &str) -> Result<Option<ConnectReturn>> {
    match take_out(inner, state).await? {
        Some(returned) => Ok(Some(returned)),
        // Another process may have sent the browser away under a key that is not known here yet.
        None if learn_keys(inner).await? => take_out(inner, state).await,
        None => Ok(None),
    }
}

async fn take_out(inner: &Inner, state: &str) -> Result<Option<ConnectReturn>> {
    let digests = under_every_key(inner, Kind::State, state);
    let taken = inner.store.write(move |tx| {
        let digests = digests.clone();
        Box::pin(async move {
            for (_, _, digest) in &digests {
                if let Some(returned) = connect_states::consume(tx, digest).await? {
                    return Ok(Some(returned));
                }
            }
            Ok::<_, Error>(None)
        })
    });
    taken.await
}

async fn is_same_browser(
    inner: &Inner,
    returned: &ConnectReturn,
    state: &str,
    cookie: &Secret,
) -> Result<bool> {
    let expected = &returned.cookie;
    let keys = &inner.digest_keys;
    let key = keys
        .get(expected.key_id, &inner.store, &inner.root_keys)
        .await?;
    let digest = Kind::Cookie.digest(&key, &[state, cookie.expose()]);
    Ok(digest.matches(&expected.digest))
}

/// The address to return to, with what became of the connection in its query.
fn with_outcome(
    address: &str,
    connector: &ConnectorName,
    outcome: &Result<ConnectedAccount, ConnectFailure>,
    completion_code: Option<&Secret>,
) -> Result<Secret> {
    let mut url = Url::parse(address).map_err(Error::internal)?;
    let mut query = url.query_pairs_mut();
    match outcome {
        Ok(account) => query
            .append_pair("status", "success")
            .append_pair("connector", connector.as_str())
            .append_pair("user_identifier", &account.user_identifier),
        Err(failure) => query
            .append_pair("status", "error")
            .append_pair("connector", connector.as_str())
            .append_pair("error", failure.code()),
    };
    if let Some(code) = completion_code {
        query.append_pair("completion_code", code.expose());
    }
    drop(query);
    Ok(Secret::new(url.into()))
}
