//! `vault verify`: what was moved or edited is named, and nothing else.

use bosa_auth::{AuthStatus, VaultReport};
use bosa_auth_testkit::{TestDatabase, on_every_database};

use super::cells::{Cell, bytes, edits, execute};
use super::filled::{Server, new_id, set_shared_secret};
use super::rekey::filled;
use crate::support::{Client, World, code};

async fn verified(world: &World) -> VaultReport {
    world.auth.operator().vault_verify(|_| ()).await.unwrap()
}

/// Every column that holds a sealed value, of two users of one client and one of another.
async fn cells(db: &TestDatabase, world: &World, servers: &mut Vec<Server>) -> Vec<Cell> {
    let ours = servers[0].client;
    let acme = world.auth.operator().find_client(ours).await.unwrap();
    let acme = Client {
        key: String::new(),
        model: acme,
    };
    let bob = world.auth.operator().tenant(ours).await.unwrap();
    let new = bosa_auth::NewUser {
        identifier: "bob".to_owned(),
        secret: None,
    };
    let bob = bob.create_user(new).await.unwrap().resource.id;
    let mut bob = Server::new(db, acme.model.id, bob).await;
    assert!(
        bob.connect("first", "access of bob", Some("refresh of bob"))
            .await
    );
    servers.push(bob);
    let mut cells = Vec::new();
    for server in servers.iter_mut() {
        cells.push(Cell::credential(server, "first").await);
        cells.push(Cell::refresh_token(server, "first").await);
        let id = new_id();
        assert!(server.depart(id, "another verifier").await);
        cells.push(Cell::verifier(server, id));
    }
    cells.push(Cell::credential(&servers[0], "second").await);
    cells.push(Cell::secret(&servers[0]));
    cells.push(Cell::secret(&servers[1]));
    set_shared_secret(db, "google", "another secret of the deployment's app").await;
    cells.push(Cell::shared_secret("slack"));
    cells.push(Cell::shared_secret("google"));
    cells
}

on_every_database! {
    async fn a_value_that_was_moved_is_named_wherever_it_came_from(db: TestDatabase) {
        let (world, mut servers) = filled(&db).await;
        let cells = cells(&db, &world, &mut servers).await;
        let whole = verified(&world).await;
        assert_eq!(whole.unreadable, Vec::<String>::new());
        for target in &cells {
            let good = target.read(&db).await;
            for source in cells.iter().filter(|source| source.name != target.name) {
                let (sealed, key) = source.read(&db).await;
                // A key of somebody else's is refused by the database itself.
                let key = if source.client == target.client { key } else { good.1 };
                target.write(&db, (sealed, key)).await;
                let report = verified(&world).await;
                assert_eq!(report.unreadable, std::slice::from_ref(&target.name), "from {}", source.name);
                assert_eq!(report.readable, whole.readable - 1);
            }
            target.write(&db, good).await;
        }
        assert_eq!(verified(&world).await, whole);
    }

    async fn a_value_that_was_edited_is_named(db: TestDatabase) {
        let (world, mut servers) = filled(&db).await;
        let cells = cells(&db, &world, &mut servers).await;
        let whole = verified(&world).await;
        for cell in &cells {
            let good = cell.read(&db).await;
            for sealed in edits(&good.0) {
                cell.write(&db, (sealed, good.1)).await;
                assert_eq!(verified(&world).await.unreadable, std::slice::from_ref(&cell.name));
            }
            cell.write(&db, good).await;
        }
        assert_eq!(verified(&world).await, whole);
    }

    async fn accounts_with_exchanged_values_are_refused_and_never_mixed_up(db: TestDatabase) {
        let (world, mut servers) = filled(&db).await;
        let cells = cells(&db, &world, &mut servers).await;
        let bob = servers.pop().unwrap();
        // Two users of one client have an account of the same name.
        let (ours, theirs) = (&cells[0], &cells[6]);
        assert!(ours.name.starts_with("credential") && theirs.name.contains(&bob.user.to_string()));
        let values = (ours.read(&db).await, theirs.read(&db).await);
        ours.write(&db, values.1).await;
        theirs.write(&db, values.0).await;
        let mut names = [ours.name.clone(), theirs.name.clone()];
        let mut unreadable = verified(&world).await.unreadable;
        names.sort();
        unreadable.sort();
        assert_eq!(unreadable, names);
        let service = world.auth.third_party_integration_service();
        for user in [servers[0].user, bob.user] {
            let read = service.get_integration_for(bob.client, user, "github", "first");
            assert_eq!(code(read.await), "unreadable");
            let all = service.get_integrations(bob.client, user).await.unwrap();
            let first = all.iter().find(|account| account.user_identifier == "first").unwrap();
            assert!(first.auth_status == AuthStatus::Unreadable && first.auth_string.is_empty());
        }
        let other = service.get_integration_for(bob.client, servers[0].user, "github", "second");
        assert_eq!(other.await.unwrap().unwrap().auth_string.expose(), "access 2");
    }

    async fn a_key_that_was_edited_is_named_with_all_that_lies_under_it(db: TestDatabase) {
        let (world, servers) = filled(&db).await;
        world.auth.operator().rotate_signing_key(None).await.unwrap();
        let whole = verified(&world).await;
        assert_eq!(whole.unreadable, Vec::<String>::new());
        let client = servers[0].client;
        let cases = [
            ("select sealed from bosa_digest_keys", "update bosa_digest_keys set sealed = $1", "digest key", 1),
            ("select sealed from bosa_signing_keys", "update bosa_signing_keys set sealed = $1", "signing key", 1),
            ("select sealed from bosa_connector_keys", "update bosa_connector_keys set sealed = $1", "connector key", 2),
        ];
        for (read, write, name, count) in cases {
            let good = bytes(&db, read).await;
            for sealed in edits(&good) {
                execute(&db, write, vec![sealed.into()]).await;
                let report = verified(&world).await;
                assert_eq!(report.unreadable.len(), count, "{:?}", report.unreadable);
                assert!(report.unreadable[0].starts_with(name), "{:?}", report.unreadable);
            }
            execute(&db, write, vec![good.into()]).await;
        }
        let sql = "update bosa_data_keys set sealed = $2 where client_id = $1";
        execute(&db, sql, vec![client.into(), vec![1; 73].into()]).await;
        let report = verified(&world).await;
        // The key, two credentials, one refresh token, one secret, one verifier and what was stored.
        assert_eq!(report.unreadable.len(), 7, "{:?}", report.unreadable);
        let of_client = format!("client {client}");
        assert!(report.unreadable.iter().all(|name| name.ends_with(&of_client)));
        // Somebody else's key does not open in this place either.
        let foreign = "update bosa_data_keys set sealed = (select sealed from bosa_data_keys where client_id = $2) \
            where client_id = $1";
        execute(&db, foreign, vec![client.into(), servers[1].client.into()]).await;
        assert_eq!(verified(&world).await.unreadable.len(), 7);
    }
}
