//! Our page, which says what a click gives to whom.

use std::sync::Arc;

use bosa_auth_connect::{random_text, scopes_asked};
use bosa_auth_core::{ConnectorName, DigestKey, Secret};
use bosa_auth_store::users::UserWithClient;
use bosa_auth_store::{ConnectStateRow, Opaque, connect_states};

use super::cookie::{page_cookie, page_name};
use super::digests::{Kind, learn_keys, under_every_key};
use super::{BrowserCookie, BrowserCookies, NO_CONNECTION, is_secret, owner};
use crate::auth::{Auth, Inner};
use crate::error::Result;

/// What the page of a connection shows.
#[derive(Debug)]
pub struct ConnectPage {
    /// The client that will have the account.
    pub client_name: String,
    /// Its user that will be able to use it.
    pub user_identifier: String,
    /// The third party, by its name for people.
    pub connector_title: String,
    /// What the provider is asked to permit.
    pub scopes: Vec<String>,
    /// What the page's form sends back.
    pub form_token: Secret,
    /// What the browser must have when it does.
    pub cookie: BrowserCookie,
}

/// A connection whose user has not left for the provider.
pub(super) struct FoundPage {
    pub(super) row: ConnectStateRow,
    pub(super) digest: Opaque,
    pub(super) key: Arc<DigestKey>,
    pub(super) owner: UserWithClient,
}

impl Auth {
    /// The page of a connection, by the secret in its address. It stays as it is: looking changes
    /// nothing.
    ///
    /// # Errors
    /// `NotFound`: there is none, it was used or has ended, or the client, the user or the API key is
    /// not in force any more.
    pub async fn connect_page(
        &self,
        secret: &str,
        cookies: &BrowserCookies,
    ) -> Result<ConnectPage> {
        let inner = &self.inner;
        let found = find(inner, secret).await?;
        let public_url = inner.public_url()?;
        let name = page_name(public_url);
        // The same one for all pages that are open.
        let value = match cookies.get(&name).filter(|value| is_secret(value)) {
            Some(value) => Secret::from(value),
            None => random_text(inner.entropy.as_ref())?,
        };
        let connector = ConnectorName::stored(found.row.connector);
        let client_id = found.row.client_id;
        let client = self.oauth_client(Some(client_id), &connector).await?;
        let scopes = scopes_asked(client.oauth()?, &client.scopes).to_vec();
        Ok(ConnectPage {
            client_name: found.owner.client.name,
            user_identifier: found.owner.user.identifier,
            connector_title: client.provider().title.clone(),
            scopes,
            form_token: form_token(&found.key, secret, value.expose()),
            cookie: page_cookie(public_url, value),
        })
    }
}

/// # Errors
/// `NotFound` when the page is not one that a user can leave now.
pub(super) async fn find(inner: &Inner, secret: &str) -> Result<FoundPage> {
    if !is_secret(secret) {
        return Err(NO_CONNECTION);
    }
    let found = match look_up(inner, secret).await? {
        Some(found) => Some(found),
        // Another process may have begun it under a key that is not known here yet.
        None if learn_keys(inner).await? => look_up(inner, secret).await?,
        None => None,
    };
    let (row, digest, key) = found.ok_or(NO_CONNECTION)?;
    let owner = owner(inner, &row).await?.ok_or(NO_CONNECTION)?;
    Ok(FoundPage {
        row,
        digest,
        key,
        owner,
    })
}

async fn look_up(
    inner: &Inner,
    secret: &str,
) -> Result<Option<(ConnectStateRow, Opaque, Arc<DigestKey>)>> {
    for (_, key, digest) in under_every_key(inner, Kind::Page, secret) {
        if let Some(row) = connect_states::find_page(&inner.store, &digest).await? {
            return Ok(Some((row, digest, key)));
        }
    }
    Ok(None)
}

/// What the form of a page carries in a browser with this cookie.
pub(super) fn form_token(key: &DigestKey, secret: &str, cookie: &str) -> Secret {
    let digest = Kind::Form.digest(key, &[secret, cookie]);
    let hexadecimal = digest.as_bytes().iter().map(|byte| format!("{byte:02x}"));
    Secret::new(hexadecimal.collect())
}
