//! Every operation of a client and of a user, to be tried with ids and texts of any kind.

use bosa_auth::{
    ConfiguredIntegration, CurrentUser, Error, IntegrationUpdate, NewConnectorSettings,
    NewIntegration, NewUser, PageRequest, Scope, Tenant, ThirdPartyIntegrationAuth, TokenId,
    UserId, UserUpdate,
};

use crate::support::code;

/// What the operations are aimed at.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) user_id: UserId,
    pub(crate) identifier: String,
    pub(crate) secret: String,
    pub(crate) token: String,
    pub(crate) token_id: TokenId,
    pub(crate) connector: String,
    pub(crate) account: String,
}

/// An operation, the scope that it needs, and the code of its outcome.
pub(crate) type Outcome = (&'static str, Scope, &'static str);

/// Tries every operation of a client that acts on a user that is there already, the deletions last.
pub(crate) async fn on_target(tenant: &Tenant, target: &Target) -> Vec<Outcome> {
    let (user, connector) = (target.user_id, target.connector.as_str());
    let account = target.account.as_str();
    let page = PageRequest::default;
    let suspend = || UserUpdate {
        identifier: None,
        is_active: Some(true),
    };
    let update = || IntegrationUpdate {
        auth_string: Some("changed".into()),
        auth_scopes: None,
    };
    let new = ThirdPartyIntegrationAuth::new(
        tenant.client().id,
        user,
        connector,
        format!("{account}."),
        "stored".into(),
        vec![],
    );
    let replacing = NewIntegration {
        connector: connector.to_owned(),
        user_identifier: account.to_owned(),
        auth_string: "replaced".into(),
        auth_scopes: vec![],
        replace_duplicate: true,
    };
    let chosen = "a newly chosen secret";
    vec![
        done(
            "get_user",
            Scope::UsersRead,
            code(tenant.get_user(user).await),
        ),
        done(
            "get_user_by_identifier",
            Scope::UsersRead,
            code(tenant.get_user_by_identifier(&target.identifier).await),
        ),
        done(
            "find_user",
            Scope::UsersRead,
            code(tenant.find_user(user).await),
        ),
        done(
            "find_user_by_identifier",
            Scope::UsersRead,
            code(tenant.find_user_by_identifier(&target.identifier).await),
        ),
        done(
            "get_user_complete",
            Scope::UsersRead,
            code(tenant.get_user_complete(user).await),
        ),
        done(
            "find_user_complete",
            Scope::UsersRead,
            code(tenant.find_user_complete(user).await),
        ),
        done(
            "list_tokens",
            Scope::UsersRead,
            code(tenant.list_tokens(user, page()).await),
        ),
        done(
            "verify_token",
            Scope::TokensVerify,
            code(tenant.verify_token(&target.token).await),
        ),
        done(
            "list_integrations",
            Scope::IntegrationsRead,
            code(tenant.list_integrations(user, None, page()).await),
        ),
        done(
            "list_integrations of one connector",
            Scope::IntegrationsRead,
            code(
                tenant
                    .list_integrations(user, Some(connector), page())
                    .await,
            ),
        ),
        done(
            "has_integration",
            Scope::IntegrationsRead,
            answer(tenant.has_integration(user, connector).await),
        ),
        done(
            "get_integrations",
            Scope::IntegrationsCredentials,
            some(
                tenant
                    .get_integrations(user, None)
                    .await
                    .map(|all| all.into_iter().next()),
            ),
        ),
        done(
            "get_specific_integration",
            Scope::IntegrationsCredentials,
            some(
                tenant
                    .get_specific_or_default_integration(user, connector, Some(account))
                    .await,
            ),
        ),
        done(
            "get_default_integration",
            Scope::IntegrationsCredentials,
            some(
                tenant
                    .get_specific_or_default_integration(user, connector, None)
                    .await,
            ),
        ),
        done(
            "create_integration",
            Scope::IntegrationsWrite,
            code(tenant.create_integration(new).await),
        ),
        done(
            "add_integration",
            Scope::IntegrationsWrite,
            code(tenant.add_integration(user, replacing).await),
        ),
        done(
            "configure_integration",
            Scope::IntegrationsWrite,
            code(tenant.configure_integration(user, bearer(target)).await),
        ),
        done(
            "set_selected_integration",
            Scope::IntegrationsWrite,
            code(
                tenant
                    .set_selected_integration(user, connector, account)
                    .await,
            ),
        ),
        done(
            "update_integration_auth",
            Scope::IntegrationsWrite,
            code(
                tenant
                    .update_integration_auth(user, connector, account, update())
                    .await,
            ),
        ),
        done(
            "only_account",
            Scope::IntegrationsWrite,
            some_or_ambiguous(tenant.only_account(user, connector).await),
        ),
        done(
            "delete_integration",
            Scope::IntegrationsWrite,
            answer(
                tenant
                    .delete_integration(user, connector, Some(account))
                    .await,
            ),
        ),
        done(
            "delete_only_integration",
            Scope::IntegrationsWrite,
            answer(tenant.delete_integration(user, connector, None).await),
        ),
        done(
            "authenticate_user",
            Scope::TokensIssue,
            code(
                tenant
                    .authenticate_user(&target.identifier, &target.secret)
                    .await,
            ),
        ),
        done(
            "create_token",
            Scope::UsersCredentials,
            code(tenant.create_token(user).await),
        ),
        done(
            "revoke_token",
            Scope::TokensRevoke,
            answer(tenant.revoke_token(&target.token).await),
        ),
        done(
            "revoke_token_by_id",
            Scope::TokensRevoke,
            answer(tenant.revoke_token_by_id(user, target.token_id).await),
        ),
        done(
            "revoke_all_tokens",
            Scope::TokensRevoke,
            code(tenant.revoke_all_tokens(user).await),
        ),
        done(
            "update_user",
            Scope::UsersWrite,
            code(tenant.update_user(user, suspend()).await),
        ),
        done(
            "change_user_secret",
            Scope::UsersWrite,
            code(
                tenant
                    .change_user_secret(
                        &target.identifier,
                        target.secret.as_str().into(),
                        chosen.into(),
                    )
                    .await,
            ),
        ),
        done(
            "reset_user_secret",
            Scope::UsersCredentials,
            code(tenant.reset_user_secret(user).await),
        ),
        done(
            "delete_user",
            Scope::UsersWrite,
            code(tenant.delete_user(user).await),
        ),
    ]
}

/// Tries the operations of a client that need no user.
pub(crate) async fn of_client(tenant: &Tenant, identifier: &str) -> Vec<Outcome> {
    let generated = NewUser {
        identifier: format!("{identifier} 1"),
        secret: None,
    };
    let chosen = NewUser {
        identifier: format!("{identifier} 2"),
        secret: Some("a newly chosen secret".into()),
    };
    vec![
        done(
            "list_users",
            Scope::UsersRead,
            code(tenant.list_users(PageRequest::default()).await),
        ),
        done(
            "create_user",
            Scope::UsersWrite,
            code(tenant.create_user(generated).await),
        ),
        done(
            "create_user with a secret",
            Scope::UsersWrite,
            code(tenant.create_user(chosen).await),
        ),
    ]
}

/// Tries every operation of a client on settings of connectors.
pub(crate) async fn of_connectors(tenant: &Tenant) -> Vec<Outcome> {
    let settings = NewConnectorSettings {
        return_addresses: vec!["https://app.test/done".to_owned()],
        ..NewConnectorSettings::default()
    };
    vec![
        done(
            "set_connector_settings",
            Scope::ConnectorsManage,
            code(tenant.set_connector_settings("slack", &settings).await),
        ),
        done(
            "connector_settings",
            Scope::ConnectorsManage,
            code(tenant.connector_settings("slack").await),
        ),
        done(
            "check_connector",
            Scope::ConnectorsManage,
            code(tenant.check_connector("zoom").await),
        ),
        done(
            "unset_connector_settings",
            Scope::ConnectorsManage,
            code(tenant.unset_connector_settings("slack").await),
        ),
    ]
}

/// Tries every operation of a user.
pub(crate) async fn of_user(user: &CurrentUser, target: &Target) -> Vec<Outcome> {
    let (connector, account) = (target.connector.as_str(), target.account.as_str());
    let new = NewIntegration {
        connector: connector.to_owned(),
        user_identifier: format!("{account}."),
        auth_string: "stored".into(),
        auth_scopes: vec![],
        replace_duplicate: true,
    };
    let chosen = "a newly chosen secret";
    vec![
        done("profile", Scope::UsersRead, code(user.profile().await)),
        done(
            "has_integration",
            Scope::IntegrationsRead,
            answer(user.has_integration(connector).await),
        ),
        done(
            "get_integration",
            Scope::IntegrationsCredentials,
            code(user.get_integration(connector, Some(account)).await),
        ),
        done(
            "create_integration",
            Scope::IntegrationsWrite,
            code(user.create_integration(new).await),
        ),
        done(
            "configure_integration",
            Scope::IntegrationsWrite,
            code(user.configure_integration(bearer(target)).await),
        ),
        done(
            "select_integration",
            Scope::IntegrationsWrite,
            code(user.select_integration(connector, account).await),
        ),
        done(
            "delete_integration",
            Scope::IntegrationsWrite,
            code(user.delete_integration(connector, Some(account)).await),
        ),
        done(
            "change_secret",
            Scope::UsersWrite,
            code(
                user.change_secret(target.secret.as_str().into(), chosen.into())
                    .await,
            ),
        ),
    ]
}

fn bearer(target: &Target) -> ConfiguredIntegration {
    let fields = serde_json::json!({ "token": "configured", "user_identifier": target.account });
    ConfiguredIntegration {
        connector: target.connector.clone(),
        auth_type: "bearer".to_owned(),
        configuration: fields.to_string().into(),
        replace_duplicate: true,
    }
}

/// An operation that has ended. Whoever listens at the level `trace` is told where it does.
fn done(name: &'static str, scope: Scope, outcome: &'static str) -> Outcome {
    tracing::trace!(target: "operation", "{name}");
    (name, scope, outcome)
}

fn answer(result: Result<bool, Error>) -> &'static str {
    match result {
        Ok(true) => "true",
        Ok(false) => "false",
        Err(error) => error.code(),
    }
}

/// The target has several accounts by then, which is an answer too.
fn some_or_ambiguous<T>(result: Result<Option<T>, Error>) -> &'static str {
    match result {
        Err(Error::AmbiguousAccount { .. }) => "true",
        result => some(result),
    }
}

fn some<T>(result: Result<Option<T>, Error>) -> &'static str {
    answer(result.map(|found| found.is_some()))
}
