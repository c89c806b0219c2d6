//! The click: the user leaves our page for the provider.

use std::sync::Arc;

use bosa_auth_connect::{
    AuthorizationRequest, CodeVerifier, authorization_url, random_text, scopes_asked,
};
use bosa_auth_core::{ConnectorName, DigestKey, Secret};
use bosa_auth_store::{ClientTx, Departure, KeyedDigest, StoreError};
use subtle::ConstantTimeEq as _;

use super::cookie::{connection_cookie, page_name};
use super::digests::{Kind, stored};
use super::page::{find, form_token};
use super::verifier::seal_verifier;
use super::{BrowserCookie, BrowserCookies, NO_CONNECTION, is_secret};
use crate::auth::Auth;
use crate::error::{Error, Result};

/// The way to the provider.
#[derive(Debug)]
pub struct ConnectDeparture {
    /// Where the browser goes now.
    ///
    /// # Security
    /// It holds the state.
    pub location: Secret,
    /// What the browser must have when it comes back.
    pub cookie: BrowserCookie,
}

impl Auth {
    /// Leaves the page of a connection for the provider: the page is used up.
    ///
    /// `form_token` is what the page's form carried. Without the cookie that the page has given to
    /// the same browser it is worth nothing, so that no other site can make a browser click.
    ///
    /// # Errors
    /// `NotFound` as [`connect_page`](Self::connect_page) says. `InvalidInput`: the form does not come
    /// from our page in this browser; the page stays as it is.
    pub async fn leave_connect_page(
        &self,
        secret: &str,
        form_token: &str,
        cookies: &BrowserCookies,
    ) -> Result<ConnectDeparture> {
        let inner = self.inner.clone();
        let found = find(&inner, secret).await?;
        let public_url = inner.public_url()?;
        let cookie = cookies.get(&page_name(public_url));
        if !is_clicked(&found.key, secret, form_token, cookie) {
            return Err(Error::invalid("form", "does not come from the page itself"));
        }
        let row = found.row;
        let client_id = row.client_id;
        let connector = ConnectorName::stored(row.connector.clone());
        let client = self.oauth_client(Some(client_id), &connector).await?;
        let oauth = client.oauth()?;
        let entropy = inner.entropy.as_ref();
        let (state, cookie) = (random_text(entropy)?, random_text(entropy)?);
        let verifier = CodeVerifier::generate(entropy)?;
        let location = authorization_url(
            oauth,
            &AuthorizationRequest {
                client_id: &client.credentials.client_id,
                redirect_uri: &public_url.redirect_uri(&connector),
                state: &state,
                verifier: &verifier,
                scopes: &client.scopes,
                variables: &client.variables,
            },
        )
        .map_err(Error::internal)?;
        let scopes = scopes_asked(oauth, &client.scopes);
        let (key_id, key) = inner.digest_keys.active();
        let departure = Departure {
            state: KeyedDigest {
                digest: stored(&Kind::State.digest(&key, &[state.expose()])),
                key_id,
            },
            cookie_digest: stored(&Kind::Cookie.digest(&key, &[state.expose(), cookie.expose()])),
            verifier: seal_verifier(&inner, &row, &verifier).await?,
            auth_scopes: serde_json::to_string(scopes).map_err(Error::internal)?,
        };
        let now = inner.clock.now();
        let leaving = Arc::new((found.digest, departure));
        let left = inner.store.write(move |tx| {
            let leaving = leaving.clone();
            Box::pin(async move {
                let (page, departure) = leaving.as_ref();
                let mut scope = ClientTx::new(tx, client_id);
                scope.depart(page, departure, now).await
            })
        });
        match left.await {
            Ok(true) => {}
            Ok(false) => return Err(NO_CONNECTION),
            // The data key was replaced at this moment.
            Err(StoreError::ForeignKey) => {
                return Box::pin(self.leave_connect_page(secret, form_token, cookies)).await;
            }
            Err(error) => return Err(error.into()),
        }
        Ok(ConnectDeparture {
            location: Secret::new(location.into()),
            cookie: connection_cookie(public_url, state.expose(), cookie),
        })
    }
}

/// Whether a form comes from our page in a browser with its cookie.
fn is_clicked(key: &DigestKey, secret: &str, token: &str, cookie: Option<&str>) -> bool {
    cookie.is_some_and(|cookie| {
        let expected = form_token(key, secret, cookie);
        is_secret(cookie) && expected.expose().as_bytes().ct_eq(token.as_bytes()).into()
    })
}
