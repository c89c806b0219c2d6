//! Everything that ends what was valid.

use bosa_auth::{ApiKeyId, Auth, ClientId, ClientUpdate, PageRequest, UserId, UserUpdate};

/// Every act that narrows what is valid.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Act {
    RevokeToken,
    SignOut,
    Reset,
    Rename,
    SuspendUser,
    DeleteUser,
    SuspendClient,
    SignOutClient,
    DeleteClient,
    RevokeKey,
    RotateKey,
}

impl Act {
    pub(crate) const ALL: [Self; 11] = [
        Self::RevokeToken,
        Self::SignOut,
        Self::Reset,
        Self::Rename,
        Self::SuspendUser,
        Self::DeleteUser,
        Self::SuspendClient,
        Self::SignOutClient,
        Self::DeleteClient,
        Self::RevokeKey,
        Self::RotateKey,
    ];

    pub(crate) async fn run(self, auth: &Auth, client: ClientId, user: UserId, token: &str) {
        let tenant = auth.operator().tenant(client).await.unwrap();
        let update_user = async |identifier: Option<&str>, is_active| {
            let identifier = identifier.map(str::to_owned);
            let update = UserUpdate {
                identifier,
                is_active,
            };
            tenant.update_user(user, update).await.map(drop)
        };
        let update_client = async |is_active, sign_out| {
            let update = ClientUpdate {
                is_active,
                sign_out,
                ..ClientUpdate::default()
            };
            auth.operator()
                .update_client(client, update)
                .await
                .map(drop)
        };
        let done = match self {
            Self::RevokeToken => tenant.revoke_token(token).await.map(|done| assert!(done)),
            Self::SignOut => tenant.revoke_all_tokens(user).await,
            Self::Reset => tenant.reset_user_secret(user).await.map(drop),
            Self::Rename => update_user(Some("another"), None).await,
            Self::SuspendUser => update_user(None, Some(false)).await,
            Self::DeleteUser => tenant.delete_user(user).await,
            Self::SuspendClient => update_client(Some(false), false).await,
            Self::SignOutClient => update_client(None, true).await,
            Self::DeleteClient => auth.operator().delete_client(client).await,
            Self::RevokeKey => {
                let key = only_key(auth, client).await;
                auth.operator().revoke_api_key(client, key).await.map(drop)
            }
            Self::RotateKey => {
                let key = only_key(auth, client).await;
                auth.operator()
                    .rotate_api_key(client, key, 0)
                    .await
                    .map(drop)
            }
        };
        done.unwrap();
    }
}

async fn only_key(auth: &Auth, client: ClientId) -> ApiKeyId {
    let keys = auth
        .operator()
        .list_api_keys(client, PageRequest::default())
        .await;
    keys.unwrap().items.first().unwrap().id
}
