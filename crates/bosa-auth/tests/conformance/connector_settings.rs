//! The OAuth clients that clients and the deployment have at providers.

use bosa_auth::{Error, NewConnectorSettings, SecretChange};
use bosa_auth_store::Store;
use bosa_auth_testkit::{TestDatabase, on_every_database};

use crate::dump::{changed, dump};
use crate::support::{World, code, open_apart};

const SECRET: &str = "the-secret-of-the-oauth-client";

fn new(client_id: &str, secret: &str) -> NewConnectorSettings {
    NewConnectorSettings {
        client_id: Some(client_id.to_owned()),
        client_secret: SecretChange::Replace(secret.into()),
        ..NewConnectorSettings::default()
    }
}

fn field<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    match result {
        Err(Error::InvalidInput { field, reason, .. }) => format!("{field} {reason}"),
        other => panic!("{other:?}"),
    }
}

async fn run(db: &TestDatabase, sql: String) {
    let sql: &'static str = Box::leak(sql.into_boxed_str());
    let store = Store::new(db.db().clone());
    let changed = store.write(move |tx| Box::pin(async move { tx.execute(sql, vec![]).await }));
    assert_eq!(changed.await.unwrap(), 1, "{sql}");
}

on_every_database! {
    async fn settings_are_stored_shown_without_the_secret_and_removed(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let tenant = world.tenant(&client).await;
        assert_eq!(code(tenant.connector_settings("github").await), "not_found");
        let mut settings = new("Iv1.abc", SECRET);
        settings.scopes = vec!["repo".to_owned()];
        settings.return_addresses = vec!["https://app.acme.test/done".to_owned()];
        settings.require_completion = true;
        let stored = tenant.set_connector_settings("github", &settings).await.unwrap();
        assert_eq!(stored, tenant.connector_settings("github").await.unwrap());
        assert_eq!(stored.client_id.as_deref(), Some("Iv1.abc"));
        assert!(stored.has_client_secret && stored.require_completion);
        assert_eq!(stored.scopes, ["repo"]);
        assert_eq!(stored.return_addresses, ["https://app.acme.test/done"]);
        assert!(!format!("{stored:?} {settings:?}").contains(SECRET));
        // Nothing of the database holds it as text.
        let rows = dump(&db).await;
        assert!(rows.values().flatten().all(|row| !row.contains(SECRET)));
        tenant.unset_connector_settings("github").await.unwrap();
        assert_eq!(code(tenant.connector_settings("github").await), "not_found");
        assert_eq!(code(tenant.unset_connector_settings("github").await), "not_found");
    }

    async fn the_secret_stays_with_its_own_oauth_client_only(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let tenant = world.tenant(&client).await;
        tenant.set_connector_settings("github", &new("first", SECRET)).await.unwrap();
        let without = |client_id: &str| NewConnectorSettings {
            client_id: Some(client_id.to_owned()),
            scopes: vec!["gist".to_owned()],
            ..NewConnectorSettings::default()
        };
        let kept = tenant.set_connector_settings("github", &without("first")).await.unwrap();
        assert!(kept.has_client_secret);
        assert_eq!(kept.scopes, ["gist"]);
        let refused = tenant.set_connector_settings("github", &without("second")).await;
        assert_eq!(field(refused), "client_secret is missing");
        assert_eq!(tenant.connector_settings("github").await.unwrap(), kept);
        let removed = NewConnectorSettings { client_secret: SecretChange::Remove, ..without("first") };
        assert_eq!(field(tenant.set_connector_settings("github", &removed).await), "client_secret is missing");
        // Without an OAuth client of its own, a client may still have addresses of its own.
        let addresses = NewConnectorSettings {
            return_addresses: vec!["https://app.acme.test".to_owned()],
            ..NewConnectorSettings::default()
        };
        let stored = tenant.set_connector_settings("github", &addresses).await.unwrap();
        assert_eq!((stored.client_id, stored.has_client_secret), (None, false));
    }

    async fn bad_settings_are_refused_by_field_and_change_nothing(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let tenant = world.tenant(&client).await;
        let before = dump(&db).await;
        let with = |change: fn(&mut NewConnectorSettings)| {
            let mut settings = new("Iv1.abc", SECRET);
            change(&mut settings);
            settings
        };
        let cases = [
            ("github", with(|s| s.client_id = Some(String::new())), "client_id"),
            ("github", with(|s| s.client_id = Some("a\nb".to_owned())), "client_id"),
            ("github", with(|s| s.client_id = None), "client_secret"),
            ("github", with(|s| s.client_secret = SecretChange::Keep), "client_secret"),
            ("github", with(|s| s.client_secret = SecretChange::Replace("".into())), "client_secret"),
            ("github", with(|s| s.scopes = vec![String::new()]), "scopes"),
            ("github", with(|s| s.return_addresses = vec!["http://app.acme.test".to_owned()]), "return_addresses"),
            ("github", with(|s| s.return_addresses = vec!["javascript:alert(1)".to_owned()]), "return_addresses"),
            ("github", with(|s| { s.variables.insert("subdomain".to_owned(), "acme".to_owned()); }), "variables"),
            ("zendesk", with(|_| {}), "variables"),
            ("zendesk", with(|s| { s.variables.insert("subdomain".to_owned(), "evil.test/".to_owned()); }), "variables"),
            ("zendesk", with(|s| { s.variables.insert("subdomain".to_owned(), "acme.evil".to_owned()); }), "variables"),
            ("openai", with(|_| {}), "connector"),
            ("NO SUCH", with(|_| {}), "connector"),
        ];
        for (connector, settings, expected) in cases {
            for refused in [
                tenant.set_connector_settings(connector, &settings).await,
                world.auth.operator().set_connector_settings(connector, &settings).await,
            ] {
                let refused = field(refused);
                assert!(refused.starts_with(expected), "{connector}: {refused}");
                assert!(!refused.contains(SECRET) && !refused.contains("evil"), "{refused}");
            }
        }
        assert_eq!(code(tenant.set_connector_settings("unheard-of", &new("a", "b")).await), "not_found");
        assert_eq!(changed(&before, &dump(&db).await), Vec::<String>::new());
    }

    async fn a_second_client_neither_sees_nor_changes_settings(db: TestDatabase) {
        let world = World::new(&db).await;
        let (first, second) = (world.client("first").await, world.client("second").await);
        let (first, second) = (world.tenant(&first).await, world.tenant(&second).await);
        first.set_connector_settings("github", &new("first", SECRET)).await.unwrap();
        let before = dump(&db).await;
        assert_eq!(code(second.connector_settings("github").await), "not_found");
        assert_eq!(code(second.unset_connector_settings("github").await), "not_found");
        assert_eq!(code(world.auth.operator().connector_settings("github").await), "not_found");
        assert_eq!(changed(&before, &dump(&db).await), Vec::<String>::new());
        // Its own beside them, and the deployment's, are others.
        second.set_connector_settings("github", &new("second", "another")).await.unwrap();
        world.auth.operator().set_connector_settings("github", &new("all", "shared")).await.unwrap();
        let ids = [
            first.connector_settings("github").await.unwrap().client_id,
            second.connector_settings("github").await.unwrap().client_id,
            world.auth.operator().connector_settings("github").await.unwrap().client_id,
        ];
        assert_eq!(ids.map(Option::unwrap), ["first", "second", "all"]);
    }

    async fn settings_stored_at_one_moment_are_those_of_one_caller(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let other = open_apart(&db, &[], &world.clock).await.unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..12 {
            let auth = if number % 2 == 0 { world.auth.clone() } else { other.clone() };
            let id = client.model.id;
            tasks.spawn(async move {
                let tenant = auth.operator().tenant(id).await.unwrap();
                let name = format!("client-{number}");
                tenant.set_connector_settings("github", &new(&name, &name)).await.unwrap();
                let all = new(&name, &name);
                auth.operator().set_connector_settings("github", &all).await.unwrap();
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
        // The secret that is stored opens: it belongs to the settings beside it.
        let tenant = world.tenant(&client).await;
        let settings = tenant.connector_settings("github").await.unwrap();
        assert!(settings.has_client_secret);
        let keys = db.db().read("select count(*) from bosa_connector_keys", vec![]).await.unwrap();
        assert_eq!(keys[0].get::<i64>(0).unwrap(), 1);
        other.close().await.unwrap();
    }

    async fn a_secret_that_was_moved_or_edited_is_unreadable(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let tenant = world.tenant(&client).await;
        let operator = world.auth.operator();
        // No connection leaves this machine: nothing opens.
        for connector in ["github", "gitlab"] {
            tenant.set_connector_settings(connector, &new("own", connector)).await.unwrap();
            operator.set_connector_settings(connector, &new("all", connector)).await.unwrap();
        }
        for table in ["bosa_connector_settings", "bosa_shared_connector_settings"] {
            let swap = format!("update {table} set sealed = (select s.sealed from {table} s \
                where s.connector = 'gitlab') where connector = 'github'");
            run(&db, swap).await;
        }
        assert_eq!(code(tenant.check_connector("github").await), "unreadable");
        assert_eq!(code(operator.check_connector("github").await), "unreadable");
    }

    async fn a_connector_without_an_oauth_client_says_how_to_set_one(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let tenant = world.tenant(&client).await;
        let refused = field(tenant.check_connector("github").await);
        assert!(refused.contains("bosa-auth connector set github"), "{refused}");
        assert!(refused.contains("PUT /connectors/github/settings"), "{refused}");
        assert_eq!(field(tenant.check_connector("openai").await), "connector takes no accounts by OAuth");
        assert_eq!(code(tenant.check_connector("unheard-of").await), "not_found");
    }
}
