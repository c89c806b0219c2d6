//! A valid request for every route, so that tests can walk the whole table.

use bosa_auth_http::{Caller, Route};
use serde_json::{Value, json};

use crate::app::{Call, Client, MASTER_KEY, TestApp, User, text};

/// A secret that a browser could have, of a connection that is not there.
const UNKNOWN: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// What the paths and bodies of the walk refer to.
pub(crate) struct Scene {
    pub(crate) client: Client,
    pub(crate) user: User,
    /// An API key of the client that nobody uses.
    pub(crate) spare_key_id: String,
    /// Makes names that are not taken.
    pub(crate) unique: String,
}

impl Scene {
    /// A client with a user that has two accounts at `github`.
    pub(crate) async fn new(app: &TestApp, name: &str) -> Self {
        let client = app.client(name).await;
        let user = app.user(&client, &format!("{name}@walk.test")).await;
        app.github(&user, "first", "credential-of-first").await;
        app.github(&user, "second", "credential-of-second").await;
        let settings = json!({ "client_id": "walker", "client_secret": "secret-of-the-walker" });
        let put = app
            .call("PUT", "/connectors/github/settings")
            .json(settings);
        put.key(&client.key).send().await.data();
        let keys = format!("/clients/{}/api-keys", client.id);
        let spare = app
            .post(&keys, json!({}))
            .key(MASTER_KEY)
            .send()
            .await
            .data();
        let spare_key_id = text(&spare["id"]);
        Self {
            client,
            user,
            spare_key_id,
            unique: name.to_owned(),
        }
    }

    /// The path of a route with this scene's ids in it, and its query where one is needed.
    pub(crate) fn path(&self, route: &Route) -> String {
        let id = if route.path.starts_with("/clients") {
            &self.client.id
        } else {
            &self.user.id
        };
        let path = route
            .path
            .replace("{id}", id)
            .replace("{key_id}", &self.spare_key_id)
            .replace("{connector}", "github")
            .replace("{user_identifier}", "second")
            .replace("{secret}", UNKNOWN);
        if route.path.ends_with("-callback") {
            return format!("{path}?code=c&state={UNKNOWN}");
        }
        if route.path.ends_with("/integrations/{connector}") {
            return format!("{path}?user_identifier=second");
        }
        path
    }

    /// The body of a route, if it takes one.
    pub(crate) fn body(&self, route: &Route) -> Option<Value> {
        let body = match (route.method.as_str(), route.path) {
            ("POST", "/clients") => json!({ "name": format!("{}-new", self.unique) }),
            ("PATCH", "/clients/{id}") => json!({ "can_get_integrations": true }),
            ("POST", "/clients/{id}/api-keys") => json!({ "scopes": ["users:read"] }),
            ("POST", "/clients/{id}/api-keys/{key_id}/rotate") => json!({ "overlap_seconds": 60 }),
            ("POST", "/users" | "/clients/register-user") => {
                json!({ "identifier": format!("new@{}.test", self.unique) })
            }
            ("PATCH", "/users/{id}") => json!({ "is_active": true }),
            ("POST", "/auth/tokens" | "/clients/oauth-token") => {
                json!({ "identifier": self.user.identifier, "secret": self.user.secret })
            }
            ("POST", "/auth/tokens/verify" | "/auth/tokens/revoke") => {
                json!({ "token": self.user.token })
            }
            ("POST", "/users/{id}/integrations") => json!({
                "connector": "slack",
                "user_identifier": format!("slack-{}", self.unique),
                "auth_string": "credential-of-slack",
            }),
            ("PATCH", "/users/{id}/integrations/{connector}") => json!({ "auth_scopes": ["repo"] }),
            ("PUT", "/users/me/secret") => json!({
                "current_secret": self.user.secret,
                "new_secret": "a secret that was chosen by hand",
            }),
            ("POST", "/connectors/{connector}/integrations") => json!({
                "auth_type": "custom",
                "configuration": { "user_identifier": "third", "auth_string": "credential-of-third" },
            }),
            ("PUT", "/connectors/{connector}/settings") => json!({
                "client_id": "walker",
                "client_secret": "secret-of-the-walker",
                "return_addresses": ["https://walk.test/done"],
            }),
            ("POST", "/connectors/{connector}/integrations/{user_identifier}") => {
                json!({ "selected": true })
            }
            _ => return None,
        };
        Some(body)
    }

    /// A request without any credential.
    pub(crate) fn bare(&self, app: &TestApp, route: &Route) -> Call {
        let call = app.call(route.method.as_str(), &self.path(route));
        let named =
            route.path == "/connectors/{connector}/integrations" && route.method == "DELETE";
        let call = if named {
            call.header("x-integration", "second")
        } else {
            call
        };
        match self.body(route) {
            Some(body) => call.json(body),
            None => call,
        }
    }

    /// A request with the given client key and, where a user calls, with the user's token.
    pub(crate) fn with_key(&self, app: &TestApp, route: &Route, key: &str) -> Call {
        let call = self.bare(app, route);
        match route.caller {
            Caller::Anyone | Caller::Browser => call,
            Caller::MasterKey => call.key(MASTER_KEY),
            Caller::Client | Caller::ClientOrMasterKey | Caller::MaybeClient => call.key(key),
            Caller::User | Caller::MaybeUser => call.key(key).token(&self.user.token),
        }
    }

    /// A request that succeeds.
    pub(crate) fn good(&self, app: &TestApp, route: &Route) -> Call {
        self.with_key(app, route, &self.client.key)
    }
}
