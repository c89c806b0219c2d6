//! The whole way of a newcomer, once.

use bosa_auth::{Error, Secret, ThirdPartyIntegrationAuth};
use bosa_auth_testkit::on_every_database;

use crate::support::World;

on_every_database! {
    async fn a_client_a_user_a_token_and_an_integration_work_together(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        assert!(client.key.starts_with("sk-client-"));
        let verified =
            world.auth.verify_client_service().verify_client_api_key(&client.key).await.unwrap();
        assert_eq!(verified.id, client.model.id);
        assert!(verified.api_key.is_empty());

        let user = world.user(&client, "ana@example.com").await;
        assert!(user.secret.expose().starts_with("sk-user-"));
        let token = world
            .auth
            .authenticate_user_service()
            .authenticate_user(&client.key, "ana@example.com", user.secret.expose())
            .await
            .unwrap();
        assert_eq!(world.verify(&client, token.token.expose()).await.unwrap(), user.id.as_uuid());

        let integrations = world.auth.third_party_integration_service();
        let stored = integrations
            .create_integration(ThirdPartyIntegrationAuth::new(
                client.model.id,
                user.id,
                "github",
                "octocat",
                Secret::from("gho_secret"),
                vec!["repo".to_owned()],
            ))
            .await
            .unwrap();
        assert!(stored.selected);
        let read = integrations.get_integration(client.model.id, user.id, "github").await.unwrap().unwrap();
        assert_eq!(read.auth_string.expose(), "gho_secret");
        assert_eq!(read.auth_scopes, ["repo"]);
        assert!(integrations.has_integration(client.model.id, user.id, "github").await.unwrap());
        assert!(integrations.delete_integration(client.model.id, user.id, "github").await.unwrap());
        assert!(integrations.get_integration(client.model.id, user.id, "github").await.unwrap().is_none());

        let revoke = world.auth.revoke_token_service();
        assert!(revoke.revoke_token(&client.key, token.token.expose()).await.unwrap());
        assert!(!revoke.revoke_token(&client.key, token.token.expose()).await.unwrap());
        assert!(matches!(world.verify(&client, token.token.expose()).await, Err(Error::RevokedToken)));
    }
}

on_every_database! {
    async fn logins_and_refusals_are_recorded_without_what_the_caller_sent(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let user = world.user(&client, "ana").await;
        let login = world.auth.authenticate_user_service();
        login.authenticate_user(&client.key, "ana", user.secret.expose()).await.unwrap();
        let wrong = login.authenticate_user(&client.key, "my-secret-in-the-wrong-field", "guess").await;
        assert!(matches!(wrong, Err(Error::Unauthorized)));
        world.auth.run_maintenance().await.unwrap();
        let rows = db.db().read(LOGINS, Vec::new()).await.unwrap();
        let rows: Vec<(String, Option<uuid::Uuid>, Option<String>)> =
            rows.iter().map(|row| (row.get(0).unwrap(), row.get(1).unwrap(), row.get(2).unwrap())).collect();
        assert_eq!(
            rows,
            [
                ("login.accept".to_owned(), Some(user.id.as_uuid()), None),
                ("login.refuse".to_owned(), None, Some(r#"{"code":"unauthorized"}"#.to_owned())),
            ]
        );
    }
}

const LOGINS: &str = "select action, subject, detail from bosa_audit_events where action like 'login.%' order by action";
