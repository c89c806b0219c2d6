//! Operations by the names that they have in the API reference.
//!
//! Where the library has a method of its own for an optional argument, the argument decides.

use bosa_auth::{
    Auth, ClientUpdate, IntegrationUpdate, NewApiKey, Result, Scope, ScopeSet,
    ThirdPartyIntegrationAuth, UserUpdate,
};
use serde_json::Value;

use super::arguments::Arguments;
use super::plain::Plain;

/// Calls an operation and gives its result as plain data.
pub(super) async fn call(auth: &Auth, operation: &str, with: &mut Arguments) -> Result<Value> {
    match operation {
        "create_client" | "update_client" | "delete_client" | "create_api_key"
        | "list_api_keys" | "rotate_api_key" | "revoke_api_key" => {
            change_clients(auth, operation, with).await
        }
        "verify_client_api_key"
        | "is_api_key_valid"
        | "get_client_by_api_key"
        | "get_client_by_id"
        | "get_client_list"
        | "find_client"
        | "find_client_by_name" => find_clients(auth, operation, with).await,
        "create_user" | "update_user" | "delete_user" | "reset_user_secret"
        | "change_user_secret" => change_users(auth, operation, with).await,
        "get_user"
        | "get_user_by_identifier"
        | "get_user_complete"
        | "list_users"
        | "find_user"
        | "find_user_by_identifier" => find_users(auth, operation, with).await,
        "authenticate_user"
        | "create_token"
        | "list_tokens"
        | "verify_token_and_get_user_id"
        | "verify_token"
        | "revoke_token"
        | "revoke_all_tokens" => tokens(auth, operation, with).await,
        _ => integrations(auth, operation, with).await,
    }
}

async fn change_clients(auth: &Auth, operation: &str, with: &mut Arguments) -> Result<Value> {
    let service = auth.create_client_service();
    if operation == "create_client" {
        return service
            .create_client(&with.text("name"))
            .await
            .map(Plain::plain);
    }
    let client = with.id("client_id");
    match operation {
        "update_client" => {
            let update = ClientUpdate {
                name: with.optional("name"),
                is_active: with.optional("is_active"),
                can_get_integrations: with.optional("can_get_integrations"),
                sign_out: with.optional("sign_out").unwrap_or(false),
            };
            service
                .update_client(client, update)
                .await
                .map(Plain::plain)
        }
        "delete_client" => service.delete_client(client).await.map(Plain::plain),
        "create_api_key" => {
            let scopes: Option<Vec<Scope>> = with.optional("scopes");
            let key = NewApiKey {
                scopes: scopes.map(ScopeSet::from_iter),
                expires_at: with.time("expires_at"),
            };
            service.create_api_key(client, key).await.map(Plain::plain)
        }
        "list_api_keys" => {
            let page = with.page();
            service.list_api_keys(client, page).await.map(Plain::plain)
        }
        "rotate_api_key" => {
            let (key, overlap) = (with.id("key_id"), with.take("overlap_seconds"));
            service
                .rotate_api_key(client, key, overlap)
                .await
                .map(Plain::plain)
        }
        _ => {
            let key = with.id("key_id");
            service.revoke_api_key(client, key).await.map(Plain::plain)
        }
    }
}

async fn find_clients(auth: &Auth, operation: &str, with: &mut Arguments) -> Result<Value> {
    let (verify, aware) = (auth.verify_client_service(), auth.client_aware_service());
    match operation {
        "verify_client_api_key" => {
            let key = with.text("api_key");
            verify.verify_client_api_key(&key).await.map(Plain::plain)
        }
        "is_api_key_valid" => {
            let key = with.text("api_key");
            verify.is_api_key_valid(&key).await.map(Plain::plain)
        }
        "get_client_by_api_key" => {
            let key = with.text("api_key");
            aware.get_client_by_api_key(&key).await.map(Plain::plain)
        }
        "get_client_by_id" => {
            let client = with.id("client_id");
            aware.get_client_by_id(client).await.map(Plain::plain)
        }
        "get_client_list" => aware.get_client_list(with.page()).await.map(Plain::plain),
        "find_client" => {
            let client = with.id("client_id");
            aware.find_client(client).await.map(Plain::plain)
        }
        _ => {
            let name = with.text("name");
            aware.find_client_by_name(&name).await.map(Plain::plain)
        }
    }
}

async fn change_users(auth: &Auth, operation: &str, with: &mut Arguments) -> Result<Value> {
    let service = auth.create_user_service();
    let key = with.text("client_api_key");
    match operation {
        "create_user" => {
            let identifier = with.text("identifier");
            match with.optional::<String>("secret") {
                None => service.create_user(&key, &identifier).await,
                Some(secret) => {
                    service
                        .create_user_with_secret(&key, &identifier, secret.into())
                        .await
                }
            }
            .map(Plain::plain)
        }
        "update_user" => {
            let user = with.id("user_id");
            let update = UserUpdate {
                identifier: with.optional("identifier"),
                is_active: with.optional("is_active"),
            };
            service
                .update_user(&key, user, update)
                .await
                .map(Plain::plain)
        }
        "delete_user" => {
            let user = with.id("user_id");
            service.delete_user(&key, user).await.map(Plain::plain)
        }
        "reset_user_secret" => {
            let user = with.id("user_id");
            service
                .reset_user_secret(&key, user)
                .await
                .map(Plain::plain)
        }
        _ => {
            let identifier = with.text("identifier");
            let (current, new) = (with.text("current_secret"), with.text("new_secret"));
            service
                .change_user_secret(&key, &identifier, current.into(), new.into())
                .await
                .map(Plain::plain)
        }
    }
}

async fn find_users(auth: &Auth, operation: &str, with: &mut Arguments) -> Result<Value> {
    let service = auth.get_user_service();
    if operation == "get_user_complete" {
        let (key, user) = (with.text("api_key"), with.id("user_id"));
        return service
            .get_user_complete(&key, user)
            .await
            .map(Plain::plain);
    }
    let key = with.text("client_api_key");
    match operation {
        "get_user" => {
            let user = with.id("user_id");
            service.get_user(&key, user).await.map(Plain::plain)
        }
        "get_user_by_identifier" => {
            let identifier = with.text("identifier");
            service
                .get_user_by_identifier(&key, &identifier)
                .await
                .map(Plain::plain)
        }
        "list_users" => service
            .list_users(&key, with.page())
            .await
            .map(Plain::plain),
        "find_user" => {
            let user = with.id("user_id");
            service.find_user(&key, user).await.map(Plain::plain)
        }
        _ => {
            let identifier = with.text("identifier");
            service
                .find_user_by_identifier(&key, &identifier)
                .await
                .map(Plain::plain)
        }
    }
}

async fn tokens(auth: &Auth, operation: &str, with: &mut Arguments) -> Result<Value> {
    let (create, verify) = (auth.create_token_service(), auth.verify_token_service());
    let revoke = auth.revoke_token_service();
    if operation == "create_token" {
        let (user, client) = (with.id("user_id"), with.id("client_id"));
        return create.create_token(user, client).await.map(Plain::plain);
    }
    let key = with.text("client_api_key");
    match operation {
        "authenticate_user" => {
            let (identifier, secret) = (with.text("identifier"), with.text("secret"));
            let service = auth.authenticate_user_service();
            service
                .authenticate_user(&key, &identifier, &secret)
                .await
                .map(Plain::plain)
        }
        "list_tokens" => {
            let (user, page) = (with.id("user_id"), with.page());
            create.list_tokens(&key, user, page).await.map(Plain::plain)
        }
        "verify_token_and_get_user_id" => {
            let token = with.text("token");
            verify
                .verify_token_and_get_user_id(&key, &token)
                .await
                .map(Plain::plain)
        }
        "verify_token" => {
            let token = with.text("token");
            verify.verify_token(&key, &token).await.map(Plain::plain)
        }
        "revoke_token" => {
            let token = with.text("token");
            revoke.revoke_token(&key, &token).await.map(Plain::plain)
        }
        _ => {
            let user = with.id("user_id");
            revoke.revoke_all_tokens(&key, user).await.map(Plain::plain)
        }
    }
}

async fn integrations(auth: &Auth, operation: &str, with: &mut Arguments) -> Result<Value> {
    let service = auth.third_party_integration_service();
    if operation == "create_integration" {
        let new = new_integration(Arguments::new(with.take("integration")));
        return service.create_integration(new).await.map(Plain::plain);
    }
    let (client, user) = (with.id("client_id"), with.id("user_id"));
    if operation == "get_integrations" {
        return match with.optional::<String>("connector") {
            None => service.get_integrations(client, user).await,
            Some(connector) => service.get_integrations_for(client, user, &connector).await,
        }
        .map(Plain::plain);
    }
    let connector = with.text("connector");
    let account: Option<String> = with.optional("user_identifier");
    match (operation, account.as_deref()) {
        ("get_integration", None) => service
            .get_integration(client, user, &connector)
            .await
            .map(Plain::plain),
        ("get_integration", Some(account)) => service
            .get_integration_for(client, user, &connector, account)
            .await
            .map(Plain::plain),
        ("get_specific_or_default_integration", account) => service
            .get_specific_or_default_integration(client, user, &connector, account)
            .await
            .map(Plain::plain),
        ("has_integration", None) => service
            .has_integration(client, user, &connector)
            .await
            .map(Plain::plain),
        ("delete_integration", None) => service
            .delete_integration(client, user, &connector)
            .await
            .map(Plain::plain),
        ("delete_integration", Some(account)) => service
            .delete_integration_for(client, user, &connector, account)
            .await
            .map(Plain::plain),
        ("set_selected_integration", Some(account)) => service
            .set_selected_integration(client, user, &connector, account)
            .await
            .map(Plain::plain),
        ("update_integration_auth", Some(account)) => {
            let update = IntegrationUpdate {
                auth_string: with.optional::<String>("auth_string").map(Into::into),
                auth_scopes: with.optional("auth_scopes"),
            };
            service
                .update_integration_auth(client, user, &connector, account, update)
                .await
                .map(Plain::plain)
        }
        _ => panic!("there is no operation {operation} with these arguments"),
    }
}

fn new_integration(mut fields: Arguments) -> ThirdPartyIntegrationAuth {
    let mut new = ThirdPartyIntegrationAuth::new(
        fields.id("client_id"),
        fields.id("user_id"),
        fields.text("connector"),
        fields.text("user_identifier"),
        fields.text("auth_string").into(),
        fields.take("auth_scopes"),
    );
    new.id = fields.optional::<uuid::Uuid>("id").map(Into::into);
    new.selected = fields.optional("selected").unwrap_or(false);
    new.created_at = fields.time("created_at");
    fields.assert_all_taken("an integration");
    new
}
