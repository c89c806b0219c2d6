//! What lies in the database: nothing in the clear, and nothing that opens in another place.

use bosa_auth::{
    AuthStatus, ClientId, IdempotencyKey, IntegrationId, NewIntegration, NewUser,
    ThirdPartyIntegrationAuth, UserId,
};
use bosa_auth_core::ApiKeyId;
use bosa_auth_store::{Param, StoreError};
use bosa_auth_testkit::{TestDatabase, on_every_database};

use crate::dump::dump;
use crate::support::{Client, MASTER_KEY, ROOT_KEYS, SIGNING_KEY, World, code, open};

const CHOSEN: &str = "a chosen secret that must not lie anywhere";
const MARKED: &str = "gho_marked-credential-of-a-third-party";

async fn execute(db: &TestDatabase, sql: &'static str, params: Vec<Param>) {
    let changed = db
        .db()
        .write(move |tx| {
            let params = params.clone();
            Box::pin(async move { tx.execute(sql, params).await })
        })
        .await
        .unwrap_or_else(|error: StoreError| panic!("{error}"));
    assert_eq!(changed, 1, "{sql}");
}

async fn bytes(db: &TestDatabase, sql: &'static str, params: Vec<Param>) -> Vec<u8> {
    db.db().read(sql, params).await.unwrap()[0].get(0).unwrap()
}

async fn store(
    world: &World,
    client: &Client,
    user: UserId,
    name: &str,
    secret: &str,
) -> IntegrationId {
    let new = ThirdPartyIntegrationAuth::new(
        client.model.id,
        user,
        "github",
        name,
        secret.into(),
        vec![],
    );
    world
        .auth
        .third_party_integration_service()
        .create_integration(new)
        .await
        .unwrap()
        .id
        .unwrap()
}

async fn sealed(db: &TestDatabase, id: IntegrationId) -> Vec<u8> {
    bytes(
        db,
        "select sealed from bosa_integrations where id = $1",
        vec![id.into()],
    )
    .await
}

async fn write_sealed(db: &TestDatabase, id: IntegrationId, sealed: Vec<u8>) {
    execute(
        db,
        "update bosa_integrations set sealed = $2 where id = $1",
        vec![id.into(), sealed.into()],
    )
    .await;
}

/// The account is refused as unreadable, is marked in the list, and the other one is unaffected.
async fn check_unreadable(
    world: &World,
    client: ClientId,
    user: UserId,
    name: &str,
    other: &str,
    why: &str,
) {
    let service = world.auth.third_party_integration_service();
    assert_eq!(
        code(
            service
                .get_integration_for(client, user, "github", name)
                .await
        ),
        "unreadable",
        "{why}"
    );
    let all = service.get_integrations(client, user).await.unwrap();
    for account in all {
        let is_it = account.user_identifier == name;
        assert_eq!(
            account.auth_status == AuthStatus::Unreadable,
            is_it,
            "{why}"
        );
        assert_eq!(account.auth_string.is_empty(), is_it, "{why}");
    }
    assert_eq!(
        code(
            service
                .get_integration_for(client, user, "github", other)
                .await
        ),
        "accepted",
        "{why}"
    );
    assert!(
        service
            .has_integration(client, user, "github")
            .await
            .unwrap()
    );
}

on_every_database! {
    async fn no_secret_lies_in_the_database_in_the_clear(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let tenant = world.tenant(&client).await;
        let ana = world.user(&client, "ana").await;
        world.user_with_secret(&client, "bob", CHOSEN).await;
        let token = world.auth.authenticate_user_service().authenticate_user(&client.key, "ana", ana.secret.expose()).await.unwrap();
        world.auth.authenticate_user_service().authenticate_user(&client.key, "bob", CHOSEN).await.unwrap();
        store(&world, &client, ana.id, "octocat", MARKED).await;
        let current = world.auth.current_user(None, token.token.expose()).await.unwrap();
        let key = IdempotencyKey::new("a-marked-idempotency-key", "integrations", "a marked request body").unwrap();
        current
            .with_idempotency(key)
            .create_integration(NewIntegration {
                connector: "github".into(),
                user_identifier: "octocat".into(),
                auth_string: format!("{MARKED} again").as_str().into(),
                auth_scopes: vec![],
                replace_duplicate: true,
            })
            .await
            .unwrap();
        let reset = tenant.reset_user_secret(ana.id).await.unwrap();
        let key = IdempotencyKey::new("another-marked-key", "users", "{}").unwrap();
        let idempotent = world.tenant(&client).await.with_idempotency(key);
        let made = idempotent.create_user(NewUser { identifier: "cid".into(), secret: None }).await.unwrap().resource;
        tenant.revoke_token(token.token.expose()).await.unwrap();
        world.auth.operator().rotate_signing_key(None).await.unwrap();
        let again = tenant.create_token(ana.id).await.unwrap().resource;
        world.auth.run_maintenance().await.unwrap();

        let tail = |text: &str| text[text.len() - 49..].to_owned();
        let last = |token: &str| token.rsplit('.').next().unwrap().to_owned();
        let mut secrets = vec![
            client.key.clone(), tail(&client.key),
            tail(ana.secret.expose()), tail(reset.secret.expose()), tail(made.secret.expose()),
            CHOSEN.to_owned(), MARKED.to_owned(),
            last(token.token.expose()), last(again.token.expose()),
            "a-marked-idempotency-key".to_owned(), "another-marked-key".to_owned(), "a marked request body".to_owned(),
            SIGNING_KEY.to_owned(), MASTER_KEY.to_owned(), ROOT_KEYS[3..].to_owned(),
        ];
        // Of a secret only its last eight characters are shown.
        secrets.extend([ana.secret.expose(), made.secret.expose(), &client.key].map(|text| tail(text)[..41].to_owned()));
        let dump = dump(&db).await;
        assert!(dump.len() >= 16);
        for (table, rows) in &dump {
            for row in rows {
                let lower = row.to_lowercase();
                for secret in &secrets {
                    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
                    assert!(!row.contains(secret.as_str()) && !lower.contains(&hex), "a secret lies in {table}");
                }
            }
        }
        if let Some(directory) = db.directory() {
            for entry in std::fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                let content = std::fs::read(&path).unwrap();
                for secret in &secrets {
                    let found = content.windows(secret.len()).any(|window| window == secret.as_bytes());
                    assert!(!found, "a secret lies in {path:?}");
                }
            }
        }
    }

    async fn an_edited_or_truncated_value_is_unreadable_and_harms_no_other(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let user = world.user(&client, "ana").await.id;
        let edited = store(&world, &client, user, "edited", MARKED).await;
        store(&world, &client, user, "other", MARKED).await;
        let good = sealed(&db, edited).await;
        let mut broken = Vec::new();
        for position in 0..good.len() {
            // Every byte of the head, and some of the rest.
            if position < 48 || position % 7 == 0 || position + 16 >= good.len() {
                let mut bytes = good.clone();
                bytes[position] ^= 1;
                broken.push((format!("byte {position}"), bytes));
            }
        }
        for length in [0, 1, 17, 41, good.len() - 1] {
            broken.push((format!("cut to {length}"), good[..length].to_vec()));
        }
        broken.push(("extended".to_owned(), [good.as_slice(), &[0]].concat()));
        broken.push(("zeros".to_owned(), vec![0; good.len()]));
        for (why, bytes) in broken {
            write_sealed(&db, edited, bytes).await;
            check_unreadable(&world, client.model.id, user, "edited", "other", &why).await;
        }
        write_sealed(&db, edited, good).await;
        let read = world.auth.third_party_integration_service().get_integration_for(client.model.id, user, "github", "edited").await;
        assert_eq!(read.unwrap().unwrap().auth_string.expose(), MARKED);
        // It can be deleted or stored again without being readable.
        write_sealed(&db, edited, vec![1, 2, 3]).await;
        let update = bosa_auth::IntegrationUpdate { auth_string: Some("stored again".into()), auth_scopes: None };
        let service = world.auth.third_party_integration_service();
        service.update_integration_auth(client.model.id, user, "github", "edited", update).await.unwrap();
        assert_eq!(code(service.get_integration_for(client.model.id, user, "github", "edited").await), "accepted");
        write_sealed(&db, edited, vec![1, 2, 3]).await;
        assert!(service.delete_integration_for(client.model.id, user, "github", "edited").await.unwrap());
    }

    async fn a_value_in_another_row_is_unreadable(db: TestDatabase) {
        let world = World::new(&db).await;
        let (client, foreign) = (world.client("acme").await, world.client("foreign").await);
        let (ana, bob, eve) = (world.user(&client, "ana").await.id, world.user(&client, "bob").await.id, world.user(&foreign, "eve").await.id);
        let target = store(&world, &client, ana, "target", "mine").await;
        store(&world, &client, ana, "other", "mine too").await;
        let sources = [
            store(&world, &client, ana, "third", MARKED).await,
            store(&world, &client, bob, "target", MARKED).await,
            store(&world, &foreign, eve, "target", MARKED).await,
        ];
        for source in sources {
            write_sealed(&db, target, sealed(&db, source).await).await;
            check_unreadable(&world, client.model.id, ana, "target", "other", "moved").await;
        }
    }

    async fn a_row_that_was_renamed_is_unreadable(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let ana = world.user(&client, "ana").await.id;
        let id = store(&world, &client, ana, "target", MARKED).await;
        store(&world, &client, ana, "other", MARKED).await;
        let sql = "update bosa_integrations set user_identifier = $2 where id = $1";
        execute(&db, sql, vec![id.into(), "renamed".into()]).await;
        check_unreadable(&world, client.model.id, ana, "renamed", "other", "renamed").await;
        execute(&db, sql, vec![id.into(), "target".into()]).await;
        let new_id = IntegrationId::from(uuid::Uuid::from_u128(7));
        execute(&db, "update bosa_integrations set id = $2 where id = $1", vec![id.into(), new_id.into()]).await;
        check_unreadable(&world, client.model.id, ana, "target", "other", "another id").await;
    }

    async fn a_data_key_that_was_edited_or_exchanged_opens_nothing(db: TestDatabase) {
        let world = World::new(&db).await;
        let (client, foreign) = (world.client("acme").await, world.client("foreign").await);
        let user = world.user(&client, "ana").await.id;
        store(&world, &client, user, "octocat", MARKED).await;
        let read = "select sealed from bosa_data_keys where client_id = $1";
        let write = "update bosa_data_keys set sealed = $2 where client_id = $1";
        let good = bytes(&db, read, vec![client.model.id.into()]).await;
        let other = bytes(&db, read, vec![foreign.model.id.into()]).await;
        let mut edited = good.clone();
        edited[good.len() / 2] ^= 1;
        let service = world.auth.third_party_integration_service();
        for bytes in [other, edited, vec![], vec![0; good.len()], good[..good.len() - 1].to_vec()] {
            execute(&db, write, vec![client.model.id.into(), bytes.into()]).await;
            assert_eq!(code(service.get_integration(client.model.id, user, "github").await), "unreadable");
            let all = service.get_integrations(client.model.id, user).await.unwrap();
            assert!(all.len() == 1 && all[0].auth_status == AuthStatus::Unreadable && all[0].auth_string.is_empty());
            let new = ThirdPartyIntegrationAuth::new(client.model.id, user, "gitlab", "x", "y".into(), vec![]);
            assert_eq!(code(service.create_integration(new).await), "unreadable");
        }
        execute(&db, write, vec![client.model.id.into(), good.into()]).await;
        assert_eq!(code(service.get_integration(client.model.id, user, "github").await), "accepted");
    }

    async fn a_digest_in_another_row_verifies_nothing(db: TestDatabase) {
        let world = World::new(&db).await;
        let (client, other) = (world.client("acme").await, world.client("other").await);
        let id_of = |key: &str| -> ApiKeyId {
            bosa_auth_core::PresentedClientKey::parse(key).unwrap().id().into()
        };
        let (victim, attacker) = (id_of(&client.key), id_of(&other.key));
        let digest = bytes(&db, "select digest from bosa_api_keys where id = $1", vec![attacker.into()]).await;
        execute(&db, "update bosa_api_keys set digest = $2 where id = $1", vec![victim.into(), digest.into()]).await;
        let spliced = other.key.replacen(other.key.split('.').next().unwrap(), client.key.split('.').next().unwrap(), 1);
        for key in [&client.key, &spliced] {
            assert_eq!(code(world.auth.authenticate_client(key).await), "invalid_client");
        }
        assert_eq!(code(world.auth.authenticate_client(&other.key).await), "accepted");

        let (ana, bob) = (world.user(&other, "ana").await, world.user(&other, "bob").await);
        let digest = bytes(&db, "select digest from bosa_users where id = $1", vec![bob.id.into()]).await;
        execute(&db, "update bosa_users set digest = $2 where id = $1", vec![ana.id.into(), digest.into()]).await;
        let service = world.auth.authenticate_user_service();
        for secret in [ana.secret.expose(), bob.secret.expose()] {
            assert_eq!(code(service.authenticate_user(&other.key, "ana", secret).await), "unauthorized");
        }
        assert_eq!(code(service.authenticate_user(&other.key, "bob", bob.secret.expose()).await), "accepted");
    }

    async fn a_row_that_takes_the_other_form_refuses_this_one(db: TestDatabase) {
        // The row changes behind the system's back, which the change feed does not tell.
        let world = World::with(&db, &[("BOSA_AUTH_STALENESS_MS", "0")]).await;
        let client = world.client("acme").await;
        let user = world.user(&client, "ana").await;
        execute(&db, "update bosa_users set secret_kind = 'imported' where id = $1", vec![user.id.into()]).await;
        let service = world.auth.authenticate_user_service();
        assert_eq!(code(service.authenticate_user(&client.key, "ana", user.secret.expose()).await), "unauthorized");
        execute(&db, "update bosa_api_keys set form = 'imported' where client_id = $1", vec![client.model.id.into()]).await;
        assert_eq!(code(world.auth.authenticate_client(&client.key).await), "invalid_client");
    }

    async fn an_edited_digest_key_or_signing_key_is_unreadable(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let user = world.user(&client, "ana").await;
        world.auth.operator().rotate_signing_key(None).await.unwrap();
        let token = world.token(&client, &user).await;
        let good = bytes(&db, "select sealed from bosa_signing_keys", vec![]).await;
        let mut edited = good.clone();
        *edited.last_mut().unwrap() ^= 1;
        execute(&db, "update bosa_signing_keys set sealed = $1", vec![edited.into()]).await;
        let opened = open(&db, &[], &world.clock).await;
        let outcome = match opened {
            Ok(auth) => code(auth.verify_token_service().verify_token(&client.key, &token).await),
            Err(error) => error.code(),
        };
        assert_eq!(outcome, "unreadable");
        execute(&db, "update bosa_signing_keys set sealed = $1", vec![good.into()]).await;
        let mut edited = bytes(&db, "select sealed from bosa_digest_keys", vec![]).await;
        *edited.last_mut().unwrap() ^= 1;
        execute(&db, "update bosa_digest_keys set sealed = $1", vec![edited.into()]).await;
        assert_eq!(code(open(&db, &[], &world.clock).await), "unreadable");
    }

    async fn values_of_a_deleted_client_are_overwritten(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let user = world.user(&client, "ana").await.id;
        let id = store(&world, &client, user, "octocat", MARKED).await;
        let key = bytes(&db, "select sealed from bosa_data_keys where client_id = $1", vec![client.model.id.into()]).await;
        let value = sealed(&db, id).await;
        world.auth.create_client_service().delete_client(client.model.id).await.unwrap();
        let dump = dump(&db).await;
        for bytes in [key, value] {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            assert!(dump.values().flatten().all(|row| !row.to_lowercase().contains(&hex)));
        }
        assert_eq!((dump["bosa_data_keys"].len(), dump["bosa_integrations"].len()), (0, 0));
    }
}
