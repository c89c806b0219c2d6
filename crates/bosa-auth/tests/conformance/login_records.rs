//! What logins leave behind.

use bosa_auth::Error;
use bosa_auth_testkit::on_every_database;

use crate::support::World;

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
