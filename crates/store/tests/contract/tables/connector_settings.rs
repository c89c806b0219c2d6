use bosa_auth_store::{
    ClientTx, ConnectorSettingsChange, ConnectorSettingsRow, SealedChange, Store, StoreError,
    clients, shared_connector_settings,
};
use bosa_auth_testkit::on_every_database;

use super::connected::{
    CONNECTOR_KEY, connected, connector_key, new_settings, sealed, sealed_under,
};
use super::world::{Tenant, at, data_key, id, two_clients};

async fn set(
    store: &Store,
    tenant: &Tenant,
    connector: &'static str,
    change: ConnectorSettingsChange,
) -> Result<bool, StoreError> {
    write!(store, [tenant, change] tx => {
        ClientTx::new(tx, tenant.client).set_connector_settings(connector, &change).await
    })
}

fn next(version: i64, secret: SealedChange) -> ConnectorSettingsChange {
    ConnectorSettingsChange {
        version: Some(version),
        settings: format!(r#"{{"after":{version}}}"#),
        secret,
        at: at(9),
    }
}

on_every_database! {
    async fn settings_come_back_with_the_key_that_opens_their_secret(db: TestDatabase) {
        let (_db, store, ours, _) = connected(db).await;
        let mut scope = store.client(ours.client);
        let found = scope.connector_settings("github").await.unwrap().unwrap();
        let expected = ConnectorSettingsRow {
            connector: "github".to_owned(),
            settings: r#"{"client_id":"app"}"#.to_owned(),
            secret: Some(sealed(&ours, 0x62)),
            version: 1,
            created_at: at(1),
            updated_at: at(1),
        };
        assert_eq!(found.settings, expected);
        assert_eq!(found.key, Some(data_key(ours.data_key)));
        assert_eq!(scope.all_connector_settings().await, Ok(vec![found]));
        for connector in ["", "Github", "slack"] {
            assert_eq!(scope.connector_settings(connector).await, Ok(None));
        }
    }

    async fn settings_without_a_secret_have_no_key(db: TestDatabase) {
        let (_db, store, ours, _) = two_clients(db).await;
        assert_eq!(set(&store, &ours, "github", new_settings(None)).await, Ok(true));
        let found = store.client(ours.client).connector_settings("github").await.unwrap().unwrap();
        assert_eq!((found.settings.secret, found.key), (None, None));
    }

    async fn settings_change_only_from_the_version_that_was_read(db: TestDatabase) {
        let (_db, store, ours, _) = connected(db).await;
        let again = new_settings(None);
        assert_eq!(set(&store, &ours, "github", again).await, Ok(false), "they are there already");
        assert_eq!(set(&store, &ours, "github", next(1, SealedChange::Keep)).await, Ok(true));
        assert_eq!(set(&store, &ours, "github", next(1, SealedChange::Remove)).await, Ok(false));
        assert_eq!(set(&store, &ours, "slack", next(1, SealedChange::Keep)).await, Ok(false));
        let found = store.client(ours.client).connector_settings("github").await.unwrap().unwrap();
        let kept = found.settings;
        assert_eq!((kept.version, kept.settings.as_str()), (2, r#"{"after":1}"#));
        assert_eq!((kept.secret, kept.updated_at), (Some(sealed(&ours, 0x62)), at(9)));
    }

    async fn a_secret_is_kept_replaced_or_removed(db: TestDatabase) {
        let (_db, store, ours, _) = connected(db).await;
        let other = sealed(&ours, 0x77);
        let changes = [
            (SealedChange::Replace(other.clone()), Some(other.clone())),
            (SealedChange::Keep, Some(other)),
            (SealedChange::Remove, None),
            (SealedChange::Keep, None),
        ];
        for (version, (change, expected)) in (1..).zip(changes) {
            assert_eq!(set(&store, &ours, "github", next(version, change)).await, Ok(true));
            let found = store.client(ours.client).connector_settings("github").await;
            assert_eq!(found.unwrap().unwrap().settings.secret, expected);
        }
    }

    async fn changes_at_once_from_one_version_succeed_once(db: TestDatabase) {
        let (_db, store, ours, _) = connected(db).await;
        let tasks: Vec<_> = (0..6)
            .map(|_| {
                let (store, ours) = (store.clone(), ours.clone());
                tokio::spawn(async move {
                    set(&store, &ours, "github", next(1, SealedChange::Keep)).await
                })
            })
            .collect();
        let mut done = 0;
        for task in tasks {
            done += usize::from(task.await.unwrap().unwrap());
        }
        assert_eq!(done, 1);
    }

    async fn a_secret_needs_a_data_key_of_the_same_client(db: TestDatabase) {
        let (_db, store, ours, theirs) = two_clients(db).await;
        for key in [theirs.data_key, id(0x4711)] {
            let foreign = new_settings(Some(sealed_under(key, 1)));
            assert_eq!(set(&store, &ours, "github", foreign).await, Err(StoreError::ForeignKey));
        }
    }

    async fn settings_are_removed_once(db: TestDatabase) {
        let (_db, store, ours, _) = connected(db).await;
        for expected in [true, false] {
            let removed = write!(store, [ours] tx => {
                ClientTx::new(tx, ours.client).unset_connector_settings("github").await
            });
            assert_eq!(removed, Ok(expected));
        }
        assert_eq!(store.client(ours.client).all_connector_settings().await, Ok(vec![]));
    }

    async fn a_client_that_is_being_deleted_gets_no_settings(db: TestDatabase) {
        let (_db, store, ours, _) = two_clients(db).await;
        let begun = write!(store, [ours] tx => clients::begin_deletion(tx, ours.client, at(5)).await);
        assert_eq!(begun, Ok(true));
        assert_eq!(set(&store, &ours, "github", new_settings(None)).await, Ok(false));
    }

    async fn settings_of_the_deployment_have_versions_too(db: TestDatabase) {
        let (_db, store, ours, _) = connected(db).await;
        let found = shared_connector_settings::find(&store, "slack").await.unwrap().unwrap();
        assert_eq!(found.settings.secret, Some(sealed_under(id(CONNECTOR_KEY), 0x61)));
        assert_eq!(found.key, Some(connector_key(CONNECTOR_KEY)));
        assert_eq!(shared_connector_settings::list(&store).await, Ok(vec![found]));
        let both = (
            shared_connector_settings::reading("slack"),
            store.client(ours.client).connector_settings_reading("slack"),
        );
        let (shared, own) = store.together(both).await.unwrap();
        assert_eq!((shared.is_some(), own), (true, None));
        let outcomes = write!(store, [] tx => {
            let mut outcomes = Vec::new();
            for change in [new_settings(None), next(1, SealedChange::Keep), next(1, SealedChange::Keep)] {
                outcomes.push(shared_connector_settings::set(tx, "slack", &change).await?);
            }
            let secret = SealedChange::Replace(sealed_under(id(CONNECTOR_KEY), 0x78));
            outcomes.push(shared_connector_settings::set(tx, "slack", &next(2, secret)).await?);
            Ok(outcomes)
        });
        assert_eq!(outcomes, Ok(vec![false, true, false, true]));
        let found = shared_connector_settings::find(&store, "slack").await.unwrap().unwrap();
        assert_eq!(found.settings.secret, Some(sealed_under(id(CONNECTOR_KEY), 0x78)));
        for expected in [true, false] {
            let removed = write!(store, [] tx => shared_connector_settings::unset(tx, "slack").await);
            assert_eq!(removed, Ok(expected));
        }
        assert_eq!(shared_connector_settings::find(&store, "slack").await, Ok(None));
    }
}
