//! What the services take and give.

use bosa_auth_core::{
    ApiKeyId, AuthStatus, ClientId, IntegrationId, ScopeSet, Secret, Timestamp, TokenId, UserId,
};

/// A client: one tenant of the system.
#[derive(Debug)]
pub struct ClientModel {
    /// The client's id.
    pub id: ClientId,
    /// The client's name, unique in the system.
    pub name: String,
    /// The client key. Filled only in the result of the call that made the client; empty elsewhere.
    pub api_key: Secret,
    /// False while the client is suspended.
    pub is_active: bool,
    /// When the client was made.
    pub created_at: Timestamp,
    /// Kept from the original system and shown; it limits nothing.
    pub can_get_integrations: bool,
}

/// A user of one client.
#[derive(Debug)]
pub struct UserModel {
    /// The user's id.
    pub id: UserId,
    /// The client that the user belongs to.
    pub client_id: ClientId,
    /// The name that the client gave the user, for example an e-mail address.
    pub identifier: String,
    /// The secret. Filled only in the result of the call that made it; empty elsewhere.
    pub secret: Secret,
    /// `sk-user-...` and the last eight characters, or `chosen` for a chosen secret.
    pub secret_preview: String,
    /// False while the user is suspended.
    pub is_active: bool,
    /// When the user was made.
    pub created_at: Timestamp,
}

/// A user together with the integrations that it has.
#[derive(Debug)]
pub struct UserComplete {
    /// The user; its `secret` is empty.
    pub user: UserModel,
    /// The user's integrations; each `auth_string` is empty.
    pub integrations: Vec<ThirdPartyIntegrationAuth>,
}

/// A token as it is handed to its user.
#[derive(Debug)]
pub struct TokenModel {
    /// The token's text, a JWT.
    pub token: Secret,
    /// Always `bearer`.
    pub token_type: &'static str,
    /// When the token ends, in seconds since the epoch.
    pub expires_at: i64,
    /// The token's id, its `jti`.
    pub id: TokenId,
    /// The user that the token speaks for.
    pub user_id: UserId,
    /// The client of that user.
    pub client_id: ClientId,
}

/// What a valid token says, read from its row.
#[derive(Debug, Clone)]
pub struct VerifiedToken {
    /// The token's id, its `jti`.
    pub id: TokenId,
    /// The user that the token speaks for.
    pub user_id: UserId,
    /// The client of that user.
    pub client_id: ClientId,
    /// The user's identifier today.
    pub identifier: String,
    /// When the token ends, in seconds since the epoch: its lifetime or its idle end, the earlier.
    pub expires_at: i64,
}

/// A token as it is listed, without its text.
#[derive(Debug, Clone)]
pub struct TokenInfo {
    /// The token's id, its `jti`.
    pub id: TokenId,
    /// The user that the token speaks for.
    pub user_id: UserId,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// When it ends, in seconds since the epoch.
    pub expires_at: i64,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
    /// Whether a verification now would accept it.
    pub is_active: bool,
}

/// One account of a user at a third party.
#[derive(Debug)]
pub struct ThirdPartyIntegrationAuth {
    /// The integration's id; ignored on creation.
    pub id: Option<IntegrationId>,
    /// The client of the user.
    pub client_id: ClientId,
    /// The user that the account belongs to.
    pub user_id: UserId,
    /// The kind of third party, for example `github`.
    pub connector: String,
    /// The credential at the third party.
    pub auth_string: Secret,
    /// The account's name at the third party.
    pub user_identifier: String,
    /// What the credential permits there.
    pub auth_scopes: Vec<String>,
    /// Whether this is the default account of its connector; ignored on creation.
    pub selected: bool,
    /// Whether the credential can be used; ignored on creation.
    pub auth_status: AuthStatus,
    /// Why the account must be connected again, where that is known and it must; ignored on creation.
    pub auth_status_reason: Option<String>,
    /// Since when the account must be connected again, if it must; ignored on creation.
    pub auth_status_since: Option<Timestamp>,
    /// When it was stored; ignored on creation.
    pub created_at: Option<Timestamp>,
}

impl ThirdPartyIntegrationAuth {
    /// A new account to be stored by
    /// [`create_integration`](crate::service::ThirdPartyIntegrationService::create_integration).
    pub fn new(
        client_id: impl Into<ClientId>,
        user_id: impl Into<UserId>,
        connector: impl Into<String>,
        user_identifier: impl Into<String>,
        auth_string: Secret,
        auth_scopes: Vec<String>,
    ) -> Self {
        Self {
            id: None,
            client_id: client_id.into(),
            user_id: user_id.into(),
            connector: connector.into(),
            auth_string,
            user_identifier: user_identifier.into(),
            auth_scopes,
            selected: false,
            auth_status: AuthStatus::Active,
            auth_status_reason: None,
            auth_status_since: None,
            created_at: None,
        }
    }
}

/// An API key of a client, without its text.
#[derive(Debug)]
pub struct ApiKeyModel {
    /// The key's id.
    pub id: ApiKeyId,
    /// The client that the key belongs to.
    pub client_id: ClientId,
    /// The key's text. Filled only in the result of the call that made it; empty elsewhere.
    pub api_key: Secret,
    /// `sk-client-...` and the last eight characters.
    pub preview: String,
    /// What the key may do.
    pub scopes: ScopeSet,
    /// When the key ends, if it does.
    pub expires_at: Option<Timestamp>,
    /// When the key was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// When the key was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
    /// When the key was made.
    pub created_at: Timestamp,
}

/// One page of a list.
#[derive(Debug)]
pub struct Page<T> {
    /// The items, at most `limit` of them.
    pub items: Vec<T>,
    /// What to pass to get the next page; `None` on the last one.
    pub next_cursor: Option<String>,
}

/// Which page of a list is wanted.
#[derive(Debug, Clone, Default)]
pub struct PageRequest {
    /// How many items, 1 to 100; 100 when absent.
    pub limit: Option<u32>,
    /// The `next_cursor` of the page before; absent for the first page.
    pub cursor: Option<String>,
}

/// A new user.
#[derive(Debug, Default)]
pub struct NewUser {
    /// The name that the client gives the user: 1 to 320 characters, unique in the client.
    pub identifier: String,
    /// A secret chosen by the user, 15 to 256 characters; absent: one is generated.
    pub secret: Option<Secret>,
}

/// A change of a client; what is `None` stays as it is.
#[derive(Debug, Clone, Default)]
pub struct ClientUpdate {
    /// The new name.
    pub name: Option<String>,
    /// False suspends the client, true resumes it.
    pub is_active: Option<bool>,
    /// The flag kept from the original system.
    pub can_get_integrations: Option<bool>,
    /// Whether every token of the client's users ends for good.
    pub sign_out: bool,
}

/// A change of a user; what is `None` stays as it is.
#[derive(Debug, Clone, Default)]
pub struct UserUpdate {
    /// The new identifier. Ends all tokens of the user.
    pub identifier: Option<String>,
    /// False suspends the user and ends all its tokens, true resumes it.
    pub is_active: Option<bool>,
}

/// A new API key.
#[derive(Debug, Clone, Default)]
pub struct NewApiKey {
    /// What the key may do; everything when absent.
    pub scopes: Option<ScopeSet>,
    /// When the key ends; never when absent.
    pub expires_at: Option<Timestamp>,
}

/// The result of a call that creates something and may carry an idempotency key.
#[derive(Debug)]
pub struct Created<T> {
    /// What was created. On a replay it comes without its credential.
    pub resource: T,
    /// Whether an earlier call with the same idempotency key had created it already.
    pub replayed: bool,
}

/// A change of an integration; what is `None` stays as it is.
#[derive(Debug, Default)]
pub struct IntegrationUpdate {
    /// The new credential.
    pub auth_string: Option<Secret>,
    /// The new list of permissions.
    pub auth_scopes: Option<Vec<String>>,
}

/// An account of a user, to be stored with a credential that is kept as it is.
#[derive(Debug)]
pub struct NewIntegration {
    /// The kind of third party, for example `github`.
    pub connector: String,
    /// The account's name at the third party.
    pub user_identifier: String,
    /// The credential at the third party.
    pub auth_string: Secret,
    /// What the credential permits there.
    pub auth_scopes: Vec<String>,
    /// Whether an account of this name may be there already, and then gets the new credential.
    pub replace_duplicate: bool,
}

/// An account of a user, to be stored with a credential that is made of fields.
#[derive(Debug)]
pub struct ConfiguredIntegration {
    /// The kind of third party, for example `github`.
    pub connector: String,
    /// What the credential is made of: `api_key`, `basic`, `bearer`, `custom` or `oauth`.
    pub auth_type: String,
    /// The fields, as the text of a JSON object. For every kind, `user_identifier` is the account's
    /// name (absent: `default`, or for `basic` the user name) and `auth_scopes` a list of what the
    /// credential permits (absent: nothing).
    ///
    /// - `api_key`: `api_key`, which is stored as it is.
    /// - `basic`: `username` and `password`, stored as JSON with exactly these two members.
    /// - `bearer`: `token`, which is stored as it is.
    /// - `custom`: `auth_string`, which is stored as it is; or, without it, any other members,
    ///   stored as JSON with sorted keys.
    /// - `oauth`: tokens that the connector's OAuth client was given elsewhere, to be refreshed here
    ///   from now on: `access_token`, `refresh_token` (absent: none), `expires_at` in seconds since
    ///   the epoch (absent: what the connector declares), and `subject`, the account's immutable
    ///   identifier at the provider, where the provider cannot be asked for it.
    pub configuration: Secret,
    /// Whether an account of this name may be there already, and then gets the new credential.
    pub replace_duplicate: bool,
}
