//! What is done in the name of one client.

mod authenticate;
mod current_user;
mod integrations;
mod login;
pub(crate) mod tokens;
mod users;

pub(crate) use authenticate::is_live;
pub(crate) use integrations::{
    check_scopes, describe, describe_with, is_active, model, new_account, open_credential,
    open_refresh_token, scopes_text,
};
pub(crate) use tokens::{IMPORTED_KEY, IMPORTED_KEY_OWN_END};
pub(crate) use users::is_storable;
