//! How results look: the `data` of the matching HTTP route.

use std::collections::BTreeMap;

use bosa_auth::{
    ApiKeyModel, ClientModel, ConnectorSettings, Secret, ThirdPartyIntegrationAuth, Timestamp,
    TokenInfo, TokenModel, UserComplete, UserModel, VerifiedToken,
};
use serde::{Serialize, Serializer};

/// A credential that is the result of the verb; it is written to standard output only.
#[derive(Debug)]
pub(crate) struct Shown(Secret);

impl Shown {
    /// The secret, unless it is empty, which stands for "not shown".
    pub(crate) fn unless_empty(secret: Secret) -> Option<Self> {
        (!secret.is_empty()).then_some(Self(secret))
    }
}

impl From<Secret> for Shown {
    fn from(secret: Secret) -> Self {
        Self(secret)
    }
}

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose())
    }
}

/// A moment as RFC 3339 text in UTC.
pub(crate) fn time(moment: Timestamp) -> String {
    moment.to_string()
}

/// A client.
#[derive(Debug, Serialize)]
pub(crate) struct ClientView {
    id: String,
    name: String,
    api_key: Option<Shown>,
    is_active: bool,
    can_get_integrations: bool,
    created_at: String,
}

impl ClientView {
    pub(crate) const FIELDS: [&'static str; 6] = [
        "id",
        "name",
        "api_key",
        "is_active",
        "can_get_integrations",
        "created_at",
    ];
    pub(crate) const COLUMNS: [&'static str; 5] = [
        "name",
        "id",
        "is_active",
        "can_get_integrations",
        "created_at",
    ];
}

impl From<ClientModel> for ClientView {
    fn from(model: ClientModel) -> Self {
        Self {
            id: model.id.to_string(),
            name: model.name,
            api_key: Shown::unless_empty(model.api_key),
            is_active: model.is_active,
            can_get_integrations: model.can_get_integrations,
            created_at: time(model.created_at),
        }
    }
}

/// An API key.
#[derive(Debug, Serialize)]
pub(crate) struct ApiKeyView {
    id: String,
    client_id: String,
    api_key: Option<Shown>,
    preview: String,
    scopes: Vec<&'static str>,
    expires_at: Option<i64>,
    last_used_at: Option<String>,
    revoked_at: Option<String>,
    created_at: String,
}

impl ApiKeyView {
    pub(crate) const FIELDS: [&'static str; 6] = [
        "id",
        "api_key",
        "preview",
        "scopes",
        "expires_at",
        "created_at",
    ];
    pub(crate) const COLUMNS: [&'static str; 7] = [
        "id",
        "preview",
        "created_at",
        "last_used_at",
        "expires_at",
        "revoked_at",
        "scopes",
    ];
}

impl From<ApiKeyModel> for ApiKeyView {
    fn from(model: ApiKeyModel) -> Self {
        Self {
            id: model.id.to_string(),
            client_id: model.client_id.to_string(),
            api_key: Shown::unless_empty(model.api_key),
            preview: model.preview,
            scopes: model.scopes.iter().map(|scope| scope.as_str()).collect(),
            expires_at: model.expires_at.map(Timestamp::as_second),
            last_used_at: model.last_used_at.map(time),
            revoked_at: model.revoked_at.map(time),
            created_at: time(model.created_at),
        }
    }
}

/// A user.
#[derive(Debug, Serialize)]
pub(crate) struct UserView {
    id: String,
    client_id: String,
    identifier: String,
    secret: Option<Shown>,
    secret_preview: String,
    is_active: bool,
    created_at: String,
}

impl UserView {
    pub(crate) const FIELDS: [&'static str; 6] = [
        "id",
        "identifier",
        "secret",
        "secret_preview",
        "is_active",
        "created_at",
    ];
    pub(crate) const COLUMNS: [&'static str; 5] = [
        "identifier",
        "id",
        "secret_preview",
        "is_active",
        "created_at",
    ];
}

impl From<UserModel> for UserView {
    fn from(model: UserModel) -> Self {
        Self {
            id: model.id.to_string(),
            client_id: model.client_id.to_string(),
            identifier: model.identifier,
            secret: Shown::unless_empty(model.secret),
            secret_preview: model.secret_preview,
            is_active: model.is_active,
            created_at: time(model.created_at),
        }
    }
}

/// A user with its integrations.
#[derive(Debug, Serialize)]
pub(crate) struct UserCompleteView {
    #[serde(flatten)]
    user: UserView,
    pub(crate) integrations: Vec<IntegrationView>,
}

impl From<UserModel> for UserCompleteView {
    /// A user that was just made.
    fn from(model: UserModel) -> Self {
        Self {
            user: model.into(),
            integrations: Vec::new(),
        }
    }
}

impl From<UserComplete> for UserCompleteView {
    fn from(model: UserComplete) -> Self {
        Self {
            user: model.user.into(),
            integrations: model.integrations.into_iter().map(Into::into).collect(),
        }
    }
}

/// A token that was issued.
#[derive(Debug, Serialize)]
pub(crate) struct TokenView {
    id: String,
    token: Shown,
    token_type: &'static str,
    expires_at: i64,
    user_id: String,
    client_id: String,
}

impl TokenView {
    pub(crate) const FIELDS: [&'static str; 5] =
        ["token", "token_type", "id", "user_id", "expires_at"];
}

impl From<TokenModel> for TokenView {
    fn from(model: TokenModel) -> Self {
        Self {
            id: model.id.to_string(),
            token: model.token.into(),
            token_type: model.token_type,
            expires_at: model.expires_at,
            user_id: model.user_id.to_string(),
            client_id: model.client_id.to_string(),
        }
    }
}

/// What a verification says.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum VerificationView {
    /// The token counts.
    Valid {
        valid: bool,
        user_id: String,
        identifier: String,
        expires_at: i64,
    },
    /// It does not, for this reason.
    Invalid { valid: bool, code: &'static str },
}

impl VerificationView {
    pub(crate) const FIELDS: [&'static str; 5] =
        ["valid", "code", "user_id", "identifier", "expires_at"];

    pub(crate) fn invalid(code: &'static str) -> Self {
        VerificationView::Invalid { valid: false, code }
    }
}

impl From<VerifiedToken> for VerificationView {
    fn from(token: VerifiedToken) -> Self {
        VerificationView::Valid {
            valid: true,
            user_id: token.user_id.to_string(),
            identifier: token.identifier,
            expires_at: token.expires_at,
        }
    }
}

/// A token in a list.
#[derive(Debug, Serialize)]
pub(crate) struct TokenInfoView {
    id: String,
    user_id: String,
    issued_at: String,
    expires_at: i64,
    revoked_at: Option<String>,
    is_active: bool,
}

impl TokenInfoView {
    pub(crate) const COLUMNS: [&'static str; 5] =
        ["id", "issued_at", "expires_at", "revoked_at", "is_active"];
}

impl From<TokenInfo> for TokenInfoView {
    fn from(token: TokenInfo) -> Self {
        Self {
            id: token.id.to_string(),
            user_id: token.user_id.to_string(),
            issued_at: time(token.issued_at),
            expires_at: token.expires_at,
            revoked_at: token.revoked_at.map(time),
            is_active: token.is_active,
        }
    }
}

/// An account at a third party.
#[derive(Debug, Serialize)]
pub(crate) struct IntegrationView {
    id: Option<String>,
    client_id: String,
    user_id: String,
    connector: String,
    user_identifier: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_string: Option<Shown>,
    auth_scopes: Vec<String>,
    selected: bool,
    auth_status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_status_reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_status_since: Option<String>,
    created_at: Option<String>,
}

impl IntegrationView {
    pub(crate) const FIELDS: [&'static str; 10] = [
        "id",
        "connector",
        "user_identifier",
        "auth_string",
        "auth_scopes",
        "selected",
        "auth_status",
        "auth_status_reason",
        "auth_status_since",
        "created_at",
    ];
    pub(crate) const COLUMNS: [&'static str; 7] = [
        "connector",
        "user_identifier",
        "selected",
        "auth_status",
        "created_at",
        "auth_scopes",
        "auth_status_reason",
    ];

    /// The account without its credential.
    pub(crate) fn without_credential(mut model: ThirdPartyIntegrationAuth) -> Self {
        model.auth_string = Secret::default();
        model.into()
    }
}

impl From<ThirdPartyIntegrationAuth> for IntegrationView {
    fn from(model: ThirdPartyIntegrationAuth) -> Self {
        Self {
            id: model.id.map(|id| id.to_string()),
            client_id: model.client_id.to_string(),
            user_id: model.user_id.to_string(),
            connector: model.connector,
            user_identifier: model.user_identifier,
            auth_string: Shown::unless_empty(model.auth_string),
            auth_scopes: model.auth_scopes,
            selected: model.selected,
            auth_status: model.auth_status.as_str(),
            auth_status_reason: model.auth_status_reason,
            auth_status_since: model.auth_status_since.map(time),
            created_at: model.created_at.map(time),
        }
    }
}

/// Whether something is no longer there because of this call.
#[derive(Debug, Serialize)]
pub(crate) struct DeletedView {
    deleted: bool,
}

impl DeletedView {
    pub(crate) const FIELDS: [&'static str; 1] = ["deleted"];
    pub(crate) const DONE: Self = Self { deleted: true };
}

/// Whether something was ended by this call.
#[derive(Debug, Serialize)]
pub(crate) struct RevokedView {
    pub(crate) revoked: bool,
}

impl RevokedView {
    pub(crate) const FIELDS: [&'static str; 1] = ["revoked"];
}

/// The settings of a connector.
#[derive(Debug, Serialize)]
pub(crate) struct ConnectorSettingsView {
    connector: String,
    client_id: Option<String>,
    has_client_secret: bool,
    scopes: Vec<String>,
    return_addresses: Vec<String>,
    variables: BTreeMap<String, String>,
    require_completion: bool,
    created_at: String,
    updated_at: String,
}

impl ConnectorSettingsView {
    pub(crate) const FIELDS: [&'static str; 7] = [
        "connector",
        "client_id",
        "has_client_secret",
        "scopes",
        "return_addresses",
        "variables",
        "require_completion",
    ];
}

impl From<ConnectorSettings> for ConnectorSettingsView {
    fn from(settings: ConnectorSettings) -> Self {
        Self {
            connector: settings.connector,
            client_id: settings.client_id,
            has_client_secret: settings.has_client_secret,
            scopes: settings.scopes,
            return_addresses: settings.return_addresses,
            variables: settings.variables,
            require_completion: settings.require_completion,
            created_at: time(settings.created_at),
            updated_at: time(settings.updated_at),
        }
    }
}
