//! What happens at the same moment.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bosa_auth::{
    ApiKeyId, Auth, ClientUpdate, Clock as _, Error, IdempotencyKey, IntegrationUpdate, NewUser,
    PageRequest, ThirdPartyIntegrationAuth, TokenId, UserId, UserUpdate,
};
use bosa_auth_store::{ClientTx, Dialect, Store, StoreError, TokenIssue, UserWithClient};
use bosa_auth_testkit::{TestDatabase, on_every_database};
use tokio::task::JoinSet;

use crate::support::{Client, World, code};

const CHOSEN: &str = "correct horse battery staple";

/// Runs a future so many times at once and collects what each gives.
async fn at_once<T: Send + 'static, F>(times: usize, make: impl Fn(usize) -> F) -> Vec<T>
where
    F: Future<Output = T> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    for number in 0..times {
        tasks.spawn(make(number));
    }
    tasks.join_all().await
}

/// The acts that end all tokens of a user for good.
#[derive(Debug, Clone, Copy)]
enum Narrowing {
    Reset,
    Change,
    Rename,
    SuspendAndResume,
    Suspend,
    SignOut,
    SignOutClient,
    DeleteUser,
    DeleteClient,
}

impl Narrowing {
    /// Those that leave the user's row in place.
    const KEEPING: [Self; 7] = [
        Self::Reset,
        Self::Change,
        Self::Rename,
        Self::SuspendAndResume,
        Self::Suspend,
        Self::SignOut,
        Self::SignOutClient,
    ];

    async fn act(self, auth: &Auth, client: &Client, user: UserId, secret: &str) {
        let tenant = auth.operator().tenant(client.model.id).await.unwrap();
        let state = |is_active| UserUpdate {
            identifier: None,
            is_active: Some(is_active),
        };
        match self {
            Self::Reset => drop(tenant.reset_user_secret(user).await.unwrap()),
            Self::Change => {
                let identifier = tenant.find_user(user).await.unwrap().identifier;
                drop(
                    tenant
                        .change_user_secret(&identifier, secret.into(), CHOSEN.into())
                        .await
                        .unwrap(),
                );
            }
            Self::Rename => {
                let identifier = Some(format!("renamed {user}"));
                drop(
                    tenant
                        .update_user(
                            user,
                            UserUpdate {
                                identifier,
                                is_active: None,
                            },
                        )
                        .await
                        .unwrap(),
                );
            }
            Self::SuspendAndResume => {
                tenant.update_user(user, state(false)).await.unwrap();
                tenant.update_user(user, state(true)).await.unwrap();
            }
            Self::Suspend => drop(tenant.update_user(user, state(false)).await.unwrap()),
            Self::SignOut => tenant.revoke_all_tokens(user).await.unwrap(),
            Self::SignOutClient => {
                let update = ClientUpdate {
                    sign_out: true,
                    ..Default::default()
                };
                drop(
                    auth.operator()
                        .update_client(client.model.id, update)
                        .await
                        .unwrap(),
                );
            }
            Self::DeleteUser => tenant.delete_user(user).await.unwrap(),
            Self::DeleteClient => auth
                .operator()
                .delete_client(client.model.id)
                .await
                .unwrap(),
        }
    }
}

/// What a login inserts after it has read the user with its secret.
fn issue(world: &World, found: &UserWithClient) -> TokenIssue {
    let now = world.clock.now();
    TokenIssue {
        id: TokenId::generate(now, world.auth.entropy().as_ref()).unwrap(),
        user_id: found.user.id,
        signing_key_id: "any".to_owned(),
        client_generation: found.client.generation,
        user_generation: found.user.generation,
        secret_version: Some(found.user.secret_version),
        issued_at: now,
        expires_at: now + std::time::Duration::from_secs(60),
        idle_end: None,
    }
}

async fn insert(store: &Store, client: &Client, token: TokenIssue) -> bool {
    let client_id = client.model.id;
    store
        .write(move |tx| {
            let token = token.clone();
            Box::pin(async move { ClientTx::new(tx, client_id).issue_token(&token).await })
        })
        .await
        .unwrap_or_else(|error: StoreError| panic!("{error}"))
}

on_every_database! {
    async fn a_revoked_token_is_refused_by_every_later_verification(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let user = world.user(&client, "ana").await;
        for round in 0..15 {
            let token: Arc<str> = world.token(&client, &user).await.into();
            let tenant = Arc::new(world.tenant(&client).await);
            let revoked = Arc::new(AtomicBool::new(false));
            let mut tasks = JoinSet::new();
            for _ in 0..6 {
                let (token, tenant, revoked) = (token.clone(), tenant.clone(), revoked.clone());
                tasks.spawn(async move {
                    loop {
                        let started_later = revoked.load(Ordering::SeqCst);
                        match tenant.verify_token(&token).await {
                            Ok(_) => assert!(!started_later, "accepted after its revocation"),
                            Err(error) => break assert_eq!(error.code(), "revoked_token"),
                        }
                    }
                });
            }
            tokio::task::yield_now().await;
            assert!(tenant.revoke_token(&token).await.unwrap(), "{round}");
            revoked.store(true, Ordering::SeqCst);
            assert_eq!(code(tenant.verify_token(&token).await), "revoked_token");
            tasks.join_all().await;
        }
    }

    async fn only_one_of_many_revocations_is_true(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let user = world.user(&client, "ana").await;
        for _ in 0..5 {
            let token: Arc<str> = world.token(&client, &user).await.into();
            let tenant = Arc::new(world.tenant(&client).await);
            let revoked = at_once(6, |_| {
                let (tenant, token) = (tenant.clone(), token.clone());
                async move { tenant.revoke_token(&token).await.unwrap() }
            })
            .await;
            assert_eq!(revoked.iter().filter(|revoked| **revoked).count(), 1);
        }
    }

    async fn a_login_that_read_before_a_narrowing_inserts_nothing_after_it(db: TestDatabase) {
        let world = World::new(&db).await;
        let store = Store::new(db.db().clone());
        for narrowing in Narrowing::KEEPING.into_iter().chain([Narrowing::DeleteUser, Narrowing::DeleteClient]) {
            let client = world.client(&format!("{narrowing:?}")).await;
            let user = world.user(&client, "ana").await;
            let found = store.client(client.model.id).user(user.id).await.unwrap().unwrap();
            assert!(insert(&store, &client, issue(&world, &found)).await);
            narrowing.act(&world.auth, &client, user.id, user.secret.expose()).await;
            assert!(!insert(&store, &client, issue(&world, &found)).await, "{narrowing:?}");
        }
    }

    async fn a_login_that_inserts_during_a_narrowing_gives_a_token_that_is_not_valid(db: TestDatabase) {
        // SQLite has one writer at a time: there a login is before or after, never during.
        if db.db().dialect() == Dialect::Sqlite {
            return;
        }
        let world = World::new(&db).await;
        let store = Store::new(db.db().clone());
        // A new identifier changes a key of the user's row, and so waits for the insert's lock on it.
        let during = Narrowing::KEEPING.into_iter().filter(|narrowing| !matches!(narrowing, Narrowing::Rename));
        for narrowing in during {
            let client = Arc::new(world.client(&format!("{narrowing:?}")).await);
            let user = world.user(&client, "ana").await;
            let found = store.client(client.model.id).user(user.id).await.unwrap().unwrap();
            let token = issue(&world, &found);
            let (id, user_id, secret) = (token.id, user.id, Arc::<str>::from(user.secret.expose()));
            let (auth, narrowed) = (world.auth.clone(), client.clone());
            let inserted = store
                .write(move |tx| {
                    let (token, auth, client, secret) = (token.clone(), auth.clone(), narrowed.clone(), secret.clone());
                    Box::pin(async move {
                        let inserted = ClientTx::new(tx, client.model.id).issue_token(&token).await?;
                        narrowing.act(&auth, &client, user_id, &secret).await;
                        Ok(inserted)
                    })
                })
                .await
                .unwrap_or_else(|error: StoreError| panic!("{error}"));
            assert!(inserted);
            let page = world.auth.operator().tenant(client.model.id).await.unwrap();
            let page = page.list_tokens(user_id, PageRequest::default()).await.unwrap();
            let token = page.items.iter().find(|token| token.id == id).unwrap();
            assert!(!token.is_active, "{narrowing:?}");
        }
    }

    async fn a_login_that_races_a_narrowing_never_leaves_a_valid_token(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = Arc::new(world.client("acme").await);
        let mut accepted = 0;
        for round in 0..24 {
            let narrowing = [Narrowing::Reset, Narrowing::Suspend, Narrowing::Rename, Narrowing::DeleteUser][round % 4];
            let user = world.user(&client, &format!("user {round}")).await;
            let secret: Arc<str> = user.secret.expose().into();
            let logins = at_once(4, |_| {
                let (auth, client, identifier, secret) = (world.auth.clone(), client.clone(), user.identifier.clone(), secret.clone());
                async move {
                    let service = auth.authenticate_user_service();
                    service.authenticate_user(&client.key, &identifier, &secret).await
                }
            });
            let (logins, ()) = tokio::join!(logins, narrowing.act(&world.auth, &client, user.id, &secret));
            for login in logins {
                match login {
                    Ok(token) => {
                        accepted += 1;
                        let verified = world.verify(&client, token.token.expose()).await;
                        assert!(["revoked_token", "invalid_token"].contains(&code(verified)), "{narrowing:?}");
                    }
                    Err(error) => assert_eq!(error.code(), "unauthorized", "{narrowing:?}"),
                }
            }
        }
        println!("{accepted} logins were faster");
    }

    async fn a_hash_that_is_renewed_never_brings_an_old_secret_back(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = Arc::new(world.client("acme").await);
        let stronger = world.another(&db, &[("BOSA_AUTH_ARGON2_COST", "20480,2,1")]).await;
        for round in 0..4 {
            let user = world.user_with_secret(&client, &format!("user {round}"), CHOSEN).await;
            let login = stronger.authenticate_user_service();
            let (_, reset) = tokio::join!(
                login.authenticate_user(&client.key, &user.identifier, CHOSEN),
                async { world.tenant(&client).await.reset_user_secret(user.id).await.unwrap() }
            );
            assert_eq!(code(login.authenticate_user(&client.key, &user.identifier, CHOSEN).await), "unauthorized");
            assert_eq!(code(login.authenticate_user(&client.key, &user.identifier, reset.secret.expose()).await), "accepted");
        }
    }

    async fn one_current_secret_is_changed_once(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = Arc::new(world.client("acme").await);
        let user = world.user(&client, "ana").await;
        let secret: Arc<str> = user.secret.expose().into();
        let changed = at_once(4, |number| {
            let (auth, client, secret) = (world.auth.clone(), client.clone(), secret.clone());
            async move {
                let new = format!("the new secret number {number}");
                let service = auth.create_user_service();
                let changed = service.change_user_secret(&client.key, "ana", (&*secret).into(), new.as_str().into()).await;
                changed.map(|_| new)
            }
        })
        .await;
        let new: Vec<_> = changed.iter().filter_map(|changed| changed.as_ref().ok()).collect();
        assert_eq!(new.len(), 1);
        assert!(changed.iter().filter_map(|changed| changed.as_ref().err()).all(|error| matches!(error, Error::Unauthorized)));
        let service = world.auth.authenticate_user_service();
        assert_eq!(code(service.authenticate_user(&client.key, "ana", new[0]).await), "accepted");
    }

    async fn accounts_created_at_once_have_one_default(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        for round in 0..8 {
            let user = world.user(&client, &format!("user {round}")).await;
            let (client_id, user_id) = (client.model.id, user.id);
            let stored = at_once(4, |number| {
                let service = world.auth.third_party_integration_service();
                let new = ThirdPartyIntegrationAuth::new(client_id, user_id, "github", format!("account {number}"), "x".into(), vec![]);
                async move { service.create_integration(new).await.unwrap().selected }
            })
            .await;
            assert_eq!(stored.iter().filter(|selected| **selected).count(), 1);
            let all = world.auth.third_party_integration_service().get_integrations(client_id, user_id).await.unwrap();
            assert_eq!((all.len(), all.iter().filter(|account| account.selected).count()), (4, 1));
        }
    }

    async fn changes_of_accounts_at_once_keep_one_default_and_lose_nothing(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let user = world.user(&client, "ana").await;
        let (c, u) = (client.model.id, user.id);
        let service = world.auth.third_party_integration_service();
        for _ in 0..4 {
            for number in 0..4 {
                let new = ThirdPartyIntegrationAuth::new(c, u, "github", format!("{number}"), "x".into(), vec![]);
                service.create_integration(new).await.unwrap();
            }
            let outcomes = at_once(8, |number| {
                let service = service.clone();
                async move {
                    let name = format!("{}", number % 4);
                    match number {
                        0 | 1 => code(service.delete_integration_for(c, u, "github", &name).await),
                        2..=4 => code(service.set_selected_integration(c, u, "github", &name).await),
                        _ => {
                            let update = IntegrationUpdate { auth_string: Some("y".into()), auth_scopes: None };
                            code(service.update_integration_auth(c, u, "github", &name, update).await)
                        }
                    }
                }
            })
            .await;
            assert!(outcomes.iter().all(|outcome| ["accepted", "not_found"].contains(outcome)), "{outcomes:?}");
            let all = service.get_integrations(c, u).await.unwrap();
            assert_eq!((all.len(), all.iter().filter(|account| account.selected).count()), (2, 1));
            assert!(all.iter().find(|account| account.user_identifier == "2").unwrap().auth_string.expose() == "y");
            for account in all {
                assert!(service.delete_integration_for(c, u, "github", &account.user_identifier).await.unwrap());
            }
        }
    }

    async fn an_account_deleted_at_once_is_deleted_by_one(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let user = world.user(&client, "ana").await;
        let tenant = world.tenant(&client).await;
        for name in [Some("one"), None] {
            let account = ThirdPartyIntegrationAuth::new(client.model.id, user.id, "github", "one", "x".into(), vec![]);
            tenant.create_integration(account).await.unwrap();
            let deleted = at_once(8, |_| {
                let (auth, client, user) = (world.auth.clone(), client.model.id, user.id);
                async move {
                    let tenant = auth.operator().tenant(client).await.unwrap();
                    tenant.delete_integration(user, "github", name).await.unwrap()
                }
            })
            .await;
            assert_eq!(deleted.iter().filter(|deleted| **deleted).count(), 1);
        }
        let sql = "select 1 from bosa_audit_events where action = 'integration.delete'";
        assert_eq!(db.db().read(sql, vec![]).await.unwrap().len(), 2);
    }

    async fn of_two_creations_of_one_name_at_once_one_succeeds(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let another = world.another(&db, &[]).await;
        for round in 0..5 {
            let clients = at_once(6, |number| {
                let auth = if number % 2 == 0 { world.auth.clone() } else { another.clone() };
                async move { code(auth.create_client_service().create_client(&format!("client {round}")).await) }
            })
            .await;
            check_one(&clients, "client_already_exists");
            let users = at_once(6, |number| {
                let auth = if number % 2 == 0 { world.auth.clone() } else { another.clone() };
                let key = client.key.clone();
                async move { code(auth.create_user_service().create_user(&key, &format!("user {round}")).await) }
            })
            .await;
            check_one(&users, "user_already_exists");
        }
    }

    async fn a_rename_and_a_creation_of_one_name_at_once_do_not_both_succeed(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        for round in 0..8 {
            let user = world.user(&client, &format!("old {round}")).await;
            let name = format!("new {round}");
            let users = world.auth.create_user_service();
            let update = UserUpdate { identifier: Some(name.clone()), is_active: None };
            let (renamed, created) = tokio::join!(users.update_user(&client.key, user.id, update), users.create_user(&client.key, &name));
            let outcomes = [code(renamed), code(created)];
            check_one(&outcomes, "user_already_exists");
        }
    }

    async fn a_key_rotated_at_once_has_one_successor(db: TestDatabase) {
        let world = World::new(&db).await;
        let another = world.another(&db, &[]).await;
        for round in 0..5 {
            let client = world.client(&format!("client {round}")).await;
            let id = client.model.id;
            let old = only_key(&world, &client).await;
            let outcomes = at_once(6, |number| {
                let auth = if number % 2 == 0 { world.auth.clone() } else { another.clone() };
                async move { code(auth.create_client_service().rotate_api_key(id, old, 0).await) }
            })
            .await;
            check_one(&outcomes, "not_found");
            assert!(!world.auth.verify_client_service().is_api_key_valid(&client.key).await.unwrap());
        }
    }

    async fn a_key_is_not_rotated_while_it_is_revoked(db: TestDatabase) {
        let world = World::new(&db).await;
        for round in 0..8 {
            let client = world.client(&format!("client {round}")).await;
            let old = only_key(&world, &client).await;
            let keys = world.auth.create_client_service();
            let (rotated, revoked) = tokio::join!(keys.rotate_api_key(client.model.id, old, 3600), keys.revoke_api_key(client.model.id, old));
            assert!(revoked.unwrap());
            assert!(["accepted", "not_found"].contains(&code(rotated)));
            assert!(!world.auth.verify_client_service().is_api_key_valid(&client.key).await.unwrap());
        }
    }

    async fn parallel_requests_with_one_idempotency_key_make_one_thing(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = Arc::new(world.client("acme").await);
        let another = world.another(&db, &[]).await;
        for round in 0..5 {
            let made = at_once(6, |number| {
                let auth = if number % 2 == 0 { world.auth.clone() } else { another.clone() };
                let client = client.clone();
                async move {
                    let key = IdempotencyKey::new(&format!("key {round}").replace(' ', "-"), "users", "{}").unwrap();
                    let tenant = auth.authenticate_client(&client.key).await.unwrap().with_idempotency(key);
                    let user = NewUser { identifier: format!("user {round}"), secret: None };
                    tenant.create_user(user).await.unwrap()
                }
            })
            .await;
            assert_eq!(made.iter().map(|made| made.resource.id).collect::<BTreeSet<_>>().len(), 1);
            assert_eq!(made.iter().filter(|made| !made.replayed).count(), 1);
            assert_eq!(made.iter().filter(|made| !made.resource.secret.is_empty()).count(), 1);
        }
    }

    async fn a_signing_key_retired_at_once_is_retired_by_one(db: TestDatabase) {
        let world = World::new(&db).await;
        let operator = world.auth.operator();
        let old = operator.rotate_signing_key(None).await.unwrap();
        operator.rotate_signing_key(None).await.unwrap();
        let auth = world.auth.clone();
        let outcomes = at_once(6, move |_| {
            let (auth, kid) = (auth.clone(), old.kid.clone());
            async move { code(auth.operator().retire_signing_key(&kid).await) }
        })
        .await;
        check_one(&outcomes, "not_found");
    }

    async fn signing_keys_rotated_at_once_leave_one_that_signs(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let user = world.user(&client, "ana").await;
        let rotated = at_once(4, |_| {
            let auth = world.auth.clone();
            async move { code(auth.operator().rotate_signing_key(None).await) }
        })
        .await;
        assert!(rotated.iter().all(|outcome| *outcome == "accepted"), "{rotated:?}");
        let keys = world.auth.operator().signing_keys().await.unwrap();
        assert_eq!(keys.iter().filter(|key| key.signs).count(), 1);
        let token = world.token(&client, &user).await;
        assert_eq!(code(world.verify(&client, &token).await), "accepted");
    }

    async fn writes_that_race_the_deletion_of_their_client_leave_nothing_behind(db: TestDatabase) {
        let world = World::new(&db).await;
        for round in 0..6 {
            let client = Arc::new(world.client(&format!("client {round}")).await);
            let user = world.user(&client, "ana").await.id;
            let id = client.model.id;
            let tenant = Arc::new(world.tenant(&client).await);
            let writes = at_once(8, |number| {
                let (tenant, auth) = (tenant.clone(), world.auth.clone());
                async move {
                    match number % 4 {
                        0 => code(tenant.create_user(NewUser { identifier: format!("user {number}"), secret: None }).await),
                        1 => code(auth.create_client_service().create_api_key(id, Default::default()).await),
                        2 => code(tenant.create_token(user).await),
                        _ => {
                            let new = ThirdPartyIntegrationAuth::new(id, user, "github", format!("{number}"), "x".into(), vec![]);
                            code(tenant.create_integration(new).await)
                        }
                    }
                }
            });
            let (outcomes, deleted) = tokio::join!(writes, async { world.auth.operator().delete_client(id).await });
            assert_eq!(code(deleted), "accepted");
            let expected = ["accepted", "invalid_client", "unauthorized", "not_found", "unreadable"];
            assert!(outcomes.iter().all(|outcome| expected.contains(outcome)), "{outcomes:?}");
            let counts = crate::support::counts(&db).await;
            assert_eq!((counts.clients, counts.users, counts.api_keys, counts.tokens, counts.integrations), (0, 0, 0, 0, 0));
        }
    }

    async fn a_caller_that_goes_away_leaves_all_or_nothing(db: TestDatabase) {
        let world = World::new(&db).await;
        let mut finished = 0;
        for patience in 0..60 {
            let operator = world.auth.operator();
            let name = format!("client {patience}");
            tokio::select! {
                biased;
                made = operator.create_client(&name) => { made.unwrap(); finished += 1; }
                () = yields(patience * 4) => {}
            }
            let task = tokio::spawn({
                let (operator, name) = (world.auth.operator(), format!("task {patience}"));
                async move { operator.create_client(&name).await.map(drop) }
            });
            yields(patience * 4).await;
            task.abort();
            drop(task.await);
        }
        println!("{finished} calls were faster than their callers");
        world.client("afterwards").await;
        // Each row of a client came with its key and its data key, whenever one looks.
        let sql = "select count(*) from bosa_clients c where \
            (select count(*) from bosa_api_keys k where k.client_id = c.id) <> 1 \
            or (select count(*) from bosa_data_keys k where k.client_id = c.id) <> 1";
        let rows = db.db().read(sql, vec![]).await.unwrap();
        assert_eq!(rows[0].get::<i64>(0).unwrap(), 0);
        for patience in 0..60 {
            for name in [format!("client {patience}"), format!("task {patience}")] {
                let made = code(world.auth.operator().create_client(&name).await);
                assert!(["accepted", "client_already_exists"].contains(&made));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_cut_while_writing_never_doubles_a_write_or_blames_its_caller() {
    let db = TestDatabase::postgres().await;
    let world = World::new(&db).await;
    let client = world.client("acme").await;
    let tenant = Arc::new(world.tenant(&client).await);
    let stop = Arc::new(AtomicBool::new(false));
    let killer = tokio::spawn({
        let (db, stop) = (db.db().clone(), stop.clone());
        async move {
            let mut cut = 0;
            while !stop.load(Ordering::SeqCst) {
                for kill in [CUT_COMMITS, CUT_COMMITS, CUT_COMMITS, CUT_ONE] {
                    cut += db.read(kill, vec![]).await.map_or(0, |rows| rows.len());
                }
            }
            cut
        }
    });
    let mut results = Vec::new();
    for round in 0..12 {
        let made = at_once(6, |number| {
            let tenant = tenant.clone();
            async move {
                let identifier = format!("user {round} {number}");
                let user = NewUser {
                    identifier: identifier.clone(),
                    secret: None,
                };
                (identifier, tenant.create_user(user).await)
            }
        });
        results.extend(made.await);
    }
    stop.store(true, Ordering::SeqCst);
    let cut = killer.await.unwrap();
    assert!(cut > 0);
    let mut failed = 0;
    for (identifier, result) in &results {
        match result {
            Ok(made) => {
                let found = retried(|| tenant.find_user_by_identifier(identifier)).await;
                assert_eq!(found.id, made.resource.id);
                let secret = made.resource.secret.expose();
                drop(retried(|| tenant.authenticate_user(identifier, secret)).await);
            }
            Err(error) => {
                failed += 1;
                assert_eq!(error.code(), "database_unavailable", "{identifier}");
            }
        }
    }
    println!(
        "{cut} connections cut, {failed} of {} calls failed",
        results.len()
    );
}

/// Repeats a call whose pooled connection was among those cut.
async fn retried<T, F: Future<Output = Result<T, Error>>>(call: impl Fn() -> F) -> T {
    for _ in 0..20 {
        match call().await {
            Err(Error::DatabaseUnavailable(_)) => {}
            result => return result.unwrap(),
        }
    }
    call().await.unwrap()
}

async fn only_key(world: &World, client: &Client) -> ApiKeyId {
    let keys = world.auth.create_client_service();
    keys.list_api_keys(client.model.id, PageRequest::default())
        .await
        .unwrap()
        .items[0]
        .id
}

#[track_caller]
fn check_one(outcomes: &[&str], refusal: &str) {
    assert_eq!(
        outcomes
            .iter()
            .filter(|outcome| **outcome == "accepted")
            .count(),
        1,
        "{outcomes:?}"
    );
    assert_eq!(
        outcomes
            .iter()
            .filter(|outcome| **outcome == refusal)
            .count(),
        outcomes.len() - 1,
        "{outcomes:?}"
    );
}

async fn yields(times: u32) {
    for _ in 0..times {
        tokio::task::yield_now().await;
    }
}

const CUT_COMMITS: &str = "select pg_terminate_backend(pid) from pg_stat_activity \
    where datname = current_database() and pid <> pg_backend_pid() and lower(query) like 'commit%' and state = 'active'";
const CUT_ONE: &str = "select pg_terminate_backend(pid) from (select pid from pg_stat_activity \
    where datname = current_database() and pid <> pg_backend_pid() and state <> 'idle' limit 1) p";
