//! Finds what an argument names: a client or a user, by its name or its id.

use bosa_auth::{ClientModel, ErrorKind, Operator, Result, Tenant, UserId, UserModel};

/// Finds a client; an id wins over an equal name.
///
/// # Errors
/// `NotFound`: there is no such client.
pub(crate) async fn client(operator: &Operator, text: &str) -> Result<ClientModel> {
    operator.find_client_named(text).await
}

/// Acts for a client.
///
/// # Errors
/// `NotFound`: there is no such client.
pub(crate) async fn tenant(operator: &Operator, text: &str) -> Result<Tenant> {
    let client = client(operator, text).await?;
    operator.tenant(client.id).await
}

/// Finds a user of a client; an id wins over an equal identifier.
///
/// # Errors
/// `NotFound`: the client has no such user.
pub(crate) async fn user(tenant: &Tenant, text: &str) -> Result<UserModel> {
    if let Ok(id) = text.parse::<UserId>() {
        match tenant.find_user(id).await {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            found => return found,
        }
    }
    tenant.find_user_by_identifier(text).await
}
