//! The main job: a client, a user, a token, an integration.

use bosa_auth_testkit::on_every_database;
use serde_json::json;

use crate::app::{MASTER_KEY, TestApp, text};

on_every_database! {
    async fn a_client_a_user_a_token_and_an_integration_from_first_to_last(db: TestDatabase) {
        let app = TestApp::new(&db).await;
        let created = app.post("/clients", json!({ "name": "Acme" })).key(MASTER_KEY).send().await;
        let client = created.data();
        let key = text(&client["api_key"]);
        assert!(key.starts_with("sk-client-"));
        assert_eq!(created.body["meta"], json!(null));

        let user = app.post("/users", json!({ "identifier": "ana@acme.test" })).key(&key).send().await.data();
        let secret = text(&user["secret"]);
        assert_eq!(user["client_id"], client["id"]);
        assert_eq!(user["integrations"], json!([]));

        let login = json!({ "identifier": "ana@acme.test", "secret": secret });
        let token = app.post("/auth/tokens", login.clone()).key(&key).send().await.data();
        assert_eq!(token["expires_at"], "2026-02-01T03:04:05.000000");
        assert_eq!(token["is_revoked"], false);
        assert_eq!(token["token_type"], "bearer");
        let token = text(&token["token"]);
        app.post("/clients/oauth-token", login).send().await.data();

        let verified = app.post("/auth/tokens/verify", json!({ "token": token })).key(&key).send().await.data();
        assert_eq!(verified, json!({
            "valid": true,
            "user_id": user["id"],
            "identifier": "ana@acme.test",
            "expires_at": 1_769_915_045,
        }));

        let custom = json!({
            "auth_type": "custom",
            "configuration": { "user_identifier": "octocat", "auth_string": "gho_x", "auth_scopes": ["repo"] },
        });
        let stored = app.post("/connectors/github/integrations", custom).token(&token).key(&key).send().await.data();
        assert_eq!(stored["selected"], true);
        assert!(stored.get("auth_string").is_none());
        let shown = app.get("/connectors/github/integrations/octocat").token(&token).send().await.data();
        assert_eq!(shown["auth_string"], "gho_x");
        assert_eq!(shown["auth_scopes"], json!(["repo"]));

        let me = app.get("/users/me").token(&token).key(&key).send().await.data();
        assert_eq!(me["secret"], json!(null));
        assert_eq!(me["integrations"][0]["user_identifier"], "octocat");
        assert!(me["integrations"][0].get("auth_string").is_none());

        let revoked = app.post("/auth/tokens/revoke", json!({ "token": token })).key(&key).send().await.data();
        assert_eq!(revoked, json!({ "revoked": true }));
        let verified = app.post("/auth/tokens/verify", json!({ "token": token })).key(&key).send().await.data();
        assert_eq!(verified, json!({ "valid": false, "code": "revoked_token" }));
        let refused = app.get("/users/me").token(&token).send().await;
        assert_eq!(refused.refusal(401), "revoked_token");
    }
}
