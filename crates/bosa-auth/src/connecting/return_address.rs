//! Where the browser goes when a connection has ended.

use bosa_auth_core::{ClientId, ConnectorName};
use url::Url;

use crate::auth::Inner;
use crate::connector_settings::{OAuthClient, return_address};
use crate::error::{Error, Result};
use crate::public_url::{is_callback_path, is_loopback};

const FIELD: &str = "callback_url";

/// The address to return to, as it is kept; `None` for a plain page of ours.
///
/// # Errors
/// `InvalidInput` when the client may not send browsers there, with the command that allows it.
pub(super) fn checked(
    inner: &Inner,
    client_id: ClientId,
    connector: &ConnectorName,
    client: &OAuthClient,
    callback_url: Option<&str>,
) -> Result<Option<String>> {
    let Some(text) = callback_url else {
        return plain_page(client);
    };
    // Public clients send the address of the callback as they know it, under whatever host. No
    // browser is ever sent there.
    if Url::parse(text).is_ok_and(|url| is_callback_path(url.path(), connector)) {
        return plain_page(client);
    }
    let url = return_address(text).map_err(|reason| Error::invalid(FIELD, reason))?;
    let is_here =
        inner.public_url()?.is_loopback() && url.host().is_some_and(|host| is_loopback(&host));
    let is_listed = || {
        let mut addresses = client.return_addresses.iter();
        addresses.any(|address| address == url.as_str())
    };
    if is_here || is_listed() {
        return Ok(Some(url.into()));
    }
    Err(Error::invalid(
        FIELD,
        format!(
            "is not an address that browsers may be sent to; allow it with bosa-auth connector set \
             {connector} --client {client_id} --return-address URL, or in return_addresses of PUT \
             /connectors/{connector}/settings"
        ),
    ))
}

/// # Errors
/// `InvalidInput` when nobody could carry the code that the client waits for.
fn plain_page(client: &OAuthClient) -> Result<Option<String>> {
    if client.require_completion {
        let reason = "must be an address of the application, because connections are completed with \
                      the code that the browser brings there";
        return Err(Error::invalid(FIELD, reason));
    }
    Ok(None)
}
