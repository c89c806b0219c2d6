//! Results and refusals as plain data.

use bosa_auth::{
    ApiKeyModel, ClientModel, Error, Page, ThirdPartyIntegrationAuth, Timestamp, TokenInfo,
    TokenModel, UserComplete, UserModel, VerifiedToken,
};
use serde_json::{Value, json};

/// What an operation gives back, as a scenario sees it.
pub(super) trait Plain {
    fn plain(self) -> Value;
}

impl Plain for () {
    fn plain(self) -> Value {
        Value::Null
    }
}

impl Plain for bool {
    fn plain(self) -> Value {
        self.into()
    }
}

impl Plain for uuid::Uuid {
    fn plain(self) -> Value {
        self.to_string().into()
    }
}

impl<T: Plain> Plain for Option<T> {
    fn plain(self) -> Value {
        self.map_or(Value::Null, Plain::plain)
    }
}

impl<T: Plain> Plain for Vec<T> {
    fn plain(self) -> Value {
        self.into_iter().map(Plain::plain).collect()
    }
}

impl<T: Plain> Plain for Page<T> {
    fn plain(self) -> Value {
        json!({ "items": self.items.plain(), "next_cursor": self.next_cursor })
    }
}

impl Plain for ClientModel {
    fn plain(self) -> Value {
        json!({
            "id": self.id.to_string(),
            "name": self.name,
            "api_key": self.api_key.expose(),
            "is_active": self.is_active,
            "created_at": self.created_at.to_string(),
            "can_get_integrations": self.can_get_integrations,
        })
    }
}

impl Plain for ApiKeyModel {
    fn plain(self) -> Value {
        json!({
            "id": self.id.to_string(),
            "client_id": self.client_id.to_string(),
            "api_key": self.api_key.expose(),
            "preview": self.preview,
            "scopes": self.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>(),
            "expires_at": time(self.expires_at),
            "last_used_at": time(self.last_used_at),
            "revoked_at": time(self.revoked_at),
            "created_at": self.created_at.to_string(),
        })
    }
}

impl Plain for UserModel {
    fn plain(self) -> Value {
        json!({
            "id": self.id.to_string(),
            "client_id": self.client_id.to_string(),
            "identifier": self.identifier,
            "secret": self.secret.expose(),
            "secret_preview": self.secret_preview,
            "is_active": self.is_active,
            "created_at": self.created_at.to_string(),
        })
    }
}

/// The user's own fields and its integrations, side by side.
impl Plain for UserComplete {
    fn plain(self) -> Value {
        let mut complete = self.user.plain();
        complete["integrations"] = self.integrations.plain();
        complete
    }
}

impl Plain for TokenModel {
    fn plain(self) -> Value {
        json!({
            "token": self.token.expose(),
            "token_type": self.token_type,
            "expires_at": self.expires_at,
            "id": self.id.to_string(),
            "user_id": self.user_id.to_string(),
            "client_id": self.client_id.to_string(),
        })
    }
}

impl Plain for VerifiedToken {
    fn plain(self) -> Value {
        json!({
            "id": self.id.to_string(),
            "user_id": self.user_id.to_string(),
            "client_id": self.client_id.to_string(),
            "identifier": self.identifier,
            "expires_at": self.expires_at,
        })
    }
}

impl Plain for TokenInfo {
    fn plain(self) -> Value {
        json!({
            "id": self.id.to_string(),
            "user_id": self.user_id.to_string(),
            "issued_at": self.issued_at.to_string(),
            "expires_at": self.expires_at,
            "revoked_at": time(self.revoked_at),
            "is_active": self.is_active,
        })
    }
}

impl Plain for ThirdPartyIntegrationAuth {
    fn plain(self) -> Value {
        json!({
            "id": self.id.map(|id| id.to_string()),
            "client_id": self.client_id.to_string(),
            "user_id": self.user_id.to_string(),
            "connector": self.connector,
            "auth_string": self.auth_string.expose(),
            "user_identifier": self.user_identifier,
            "auth_scopes": self.auth_scopes,
            "selected": self.selected,
            "auth_status": self.auth_status.as_str(),
            "created_at": time(self.created_at),
        })
    }
}

/// What a refusal tells programs beside its code.
pub(super) fn details(error: &Error) -> Value {
    match error {
        Error::InvalidInput { field, .. } => json!({ "field": field }),
        Error::PermissionDenied { scope } => json!({ "scope": scope.as_str() }),
        Error::AmbiguousAccount {
            connector,
            accounts,
        } => json!({ "connector": connector, "accounts": accounts }),
        _ => json!({}),
    }
}

fn time(time: Option<Timestamp>) -> Option<String> {
    time.map(|time| time.to_string())
}
