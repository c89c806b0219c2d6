//! Users: create, find, list, change, delete, and what each change does to tokens.

use bosa_auth::{Error, NewUser, PageRequest, Secret, UserId, UserModel, UserUpdate};
use bosa_auth_testkit::on_every_database;

use crate::support::{Client, World, check_page_requests, code, counts, limit, walk};

const CHOSEN: &str = "correct horse battery staple";

fn renamed(identifier: &str) -> UserUpdate {
    UserUpdate {
        identifier: Some(identifier.to_owned()),
        is_active: None,
    }
}

fn active(is_active: bool) -> UserUpdate {
    UserUpdate {
        identifier: None,
        is_active: Some(is_active),
    }
}

async fn login(world: &World, client: &Client, identifier: &str, secret: &str) -> &'static str {
    code(
        world
            .auth
            .authenticate_user_service()
            .authenticate_user(&client.key, identifier, secret)
            .await,
    )
}

/// Two tokens of the user, by login and without.
async fn tokens(world: &World, client: &Client, user: &UserModel) -> [String; 2] {
    let login = world.auth.authenticate_user_service();
    let logged_in = login
        .authenticate_user(&client.key, &user.identifier, user.secret.expose())
        .await
        .unwrap();
    [
        logged_in.token.expose().to_owned(),
        world.token(client, user).await,
    ]
}

async fn check_all(world: &World, client: &Client, tokens: &[String], expected: &str) {
    for token in tokens {
        assert_eq!(code(world.verify(client, token).await), expected);
    }
}

on_every_database! {
    async fn a_generated_secret_is_in_the_result_of_the_creation_and_nowhere_else(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let user = world.user(&client, "ana@example.com").await;
        let secret = user.secret.expose();
        assert!(secret.starts_with("sk-user-"));
        assert_eq!(user.secret_preview, format!("sk-user-...{}", &secret[secret.len() - 8..]));
        assert!(user.is_active && user.client_id == client.model.id);
        assert_eq!(user.created_at, bosa_auth::Clock::now(&world.clock));
        let (get, key) = (world.auth.get_user_service(), &client.key);
        let found = [
            get.get_user(key, user.id).await.unwrap(),
            get.get_user_by_identifier(key, "ana@example.com").await.unwrap(),
            get.get_user_complete(key, user.id).await.unwrap().user,
            get.find_user(key, user.id).await.unwrap(),
            get.find_user_by_identifier(key, "ana@example.com").await.unwrap(),
            get.list_users(key, PageRequest::default()).await.unwrap().items.remove(0),
            world.auth.create_user_service().update_user(key, user.id, UserUpdate::default()).await.unwrap(),
        ];
        for found in found {
            assert!(found.secret.is_empty());
            assert_eq!((found.id, &found.identifier, &found.secret_preview), (user.id, &user.identifier, &user.secret_preview));
            assert_eq!((found.created_at, found.is_active), (user.created_at, true));
        }
        assert!(!format!("{user:?}").contains(secret));
    }

    async fn an_identifier_is_unique_in_its_client_after_nfc(db: TestDatabase) {
        let world = World::new(&db).await;
        let (client, other) = (world.client("acme").await, world.client("other").await);
        let users = world.auth.create_user_service();
        let composed = users.create_user(&client.key, "jos\u{e9}").await.unwrap();
        let before = counts(&db).await;
        for same in ["jos\u{e9}", "jose\u{301}"] {
            assert_eq!(code(users.create_user(&client.key, same).await), "user_already_exists");
        }
        assert_eq!(counts(&db).await, before);
        let found = world.auth.get_user_service().get_user_by_identifier(&client.key, "jose\u{301}").await.unwrap();
        assert_eq!((found.id, found.identifier.as_str()), (composed.id, "jos\u{e9}"));
        assert_eq!(login(&world, &client, "jose\u{301}", composed.secret.expose()).await, "accepted");
        // Compared exactly: case, spaces and look-alikes tell users apart.
        for different in ["José", "jose", " jos\u{e9}", "jos\u{e9} ", "j\u{43e}s\u{e9}", "j\u{ff4f}s\u{e9}"] {
            assert_eq!(code(users.create_user(&client.key, different).await), "accepted", "{different:?}");
        }
        assert_eq!(code(users.create_user(&other.key, "jos\u{e9}").await), "accepted");
    }

    async fn an_identifier_has_1_to_320_characters_without_control_characters(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let users = world.auth.create_user_service();
        for wrong in ["", "a\u{0}", "a\nb", "\u{1b}[0m", "a\u{9f}", &"é".repeat(321), &"x".repeat(100_000)] {
            let refused = users.create_user(&client.key, wrong).await;
            assert!(matches!(refused, Err(Error::InvalidInput { field: "identifier", .. })));
        }
        for right in ["a", " ", "'; drop table bosa_users; --", "\u{1f600}", &"\u{1f600}".repeat(320)] {
            let user = users.create_user(&client.key, right).await.unwrap();
            assert_eq!(user.identifier, right);
            let found = world.auth.get_user_service().get_user_by_identifier(&client.key, right).await.unwrap();
            assert_eq!(found.id, user.id);
        }
        assert_eq!(counts(&db).await.users, 5);
    }

    async fn an_unknown_user_is_unauthorized_to_getters_and_not_found_to_finders(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        world.user(&client, "ana").await;
        let (get, key) = (world.auth.get_user_service(), &client.key);
        let unknown = UserId::from(uuid::Uuid::nil());
        assert_eq!(code(get.get_user(key, unknown).await), "unauthorized");
        assert_eq!(code(get.get_user_complete(key, unknown).await), "unauthorized");
        assert_eq!(code(get.find_user(key, unknown).await), "not_found");
        for name in ["", "ANA", "ana ", "a\u{0}na", "' or 1=1 --", "аna"] {
            assert_eq!(code(get.get_user_by_identifier(key, name).await), "unauthorized", "{name:?}");
            assert_eq!(code(get.find_user_by_identifier(key, name).await), "not_found", "{name:?}");
        }
        let users = world.auth.create_user_service();
        assert_eq!(code(users.update_user(key, unknown, active(false)).await), "not_found");
        assert_eq!(code(users.delete_user(key, unknown).await), "not_found");
        assert_eq!(code(users.reset_user_secret(key, unknown).await), "not_found");
        assert_eq!(code(world.auth.revoke_token_service().revoke_all_tokens(key, unknown).await), "not_found");
        let listed = world.auth.create_token_service().list_tokens(key, unknown, PageRequest::default()).await;
        assert_eq!(code(listed), "not_found");
    }

    async fn a_chosen_secret_has_15_to_256_characters_and_is_never_shown(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let users = world.auth.create_user_service();
        for wrong in ["", "short", "14 characters!", "sk-user-looks-generated", "sk-0123456789abcdef", "fifteen\u{0}characters", &"x".repeat(257)] {
            let refused = users.create_user_with_secret(&client.key, "ana", wrong.into()).await;
            assert!(matches!(refused, Err(Error::InvalidInput { field: "secret", .. })), "{wrong:?}");
        }
        assert_eq!(counts(&db).await.users, 0);
        let user = users.create_user_with_secret(&client.key, "ana", CHOSEN.into()).await.unwrap();
        assert!(user.secret.is_empty());
        assert_eq!(user.secret_preview, "chosen");
        assert_eq!(login(&world, &client, "ana", CHOSEN).await, "accepted");
        assert_eq!(login(&world, &client, "ana", "Correct horse battery staple").await, "unauthorized");
        let exact = "\u{e9}".repeat(15);
        users.create_user_with_secret(&client.key, "bob", exact.as_str().into()).await.unwrap();
        assert_eq!(login(&world, &client, "bob", &exact).await, "accepted");
        assert_eq!(login(&world, &client, "bob", &"e\u{301}".repeat(15)).await, "unauthorized");
    }

    async fn a_reset_secret_replaces_the_old_one_and_ends_all_tokens(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let user = world.user(&client, "ana").await;
        let bob = world.user(&client, "bob").await;
        let (ended, kept) = (tokens(&world, &client, &user).await, tokens(&world, &client, &bob).await);
        let reset = world.auth.create_user_service().reset_user_secret(&client.key, user.id).await.unwrap();
        let secret = reset.secret.expose();
        assert_ne!(secret, user.secret.expose());
        assert_eq!(reset.secret_preview, format!("sk-user-...{}", &secret[secret.len() - 8..]));
        check_all(&world, &client, &ended, "revoked_token").await;
        check_all(&world, &client, &kept, "accepted").await;
        assert_eq!(login(&world, &client, "ana", user.secret.expose()).await, "unauthorized");
        assert_eq!(login(&world, &client, "ana", secret).await, "accepted");
        let shown = world.auth.get_user_service().get_user(&client.key, user.id).await.unwrap();
        assert_eq!(shown.secret_preview, reset.secret_preview);
    }

    async fn a_reset_turns_a_chosen_secret_into_a_generated_one(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let user = world.user_with_secret(&client, "ana", CHOSEN).await;
        let reset = world.auth.create_user_service().reset_user_secret(&client.key, user.id).await.unwrap();
        assert_eq!(login(&world, &client, "ana", CHOSEN).await, "unauthorized");
        assert_eq!(login(&world, &client, "ana", reset.secret.expose()).await, "accepted");
    }

    async fn a_changed_secret_needs_the_current_one_and_ends_all_tokens(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let user = world.user(&client, "ana").await;
        let ended = tokens(&world, &client, &user).await;
        let users = world.auth.create_user_service();
        let change = async |current: &str, new: &str| {
            users.change_user_secret(&client.key, "ana", current.into(), new.into()).await
        };
        assert_eq!(code(change("wrong but long enough", CHOSEN).await), "unauthorized");
        assert_eq!(code(change(user.secret.expose(), "short").await), "invalid_input");
        let refused = change(user.secret.expose(), user.secret.expose()).await;
        assert!(matches!(refused, Err(Error::InvalidInput { field: "new_secret", .. })));
        check_all(&world, &client, &ended, "accepted").await;

        let changed = change(user.secret.expose(), CHOSEN).await.unwrap();
        assert_eq!((changed.secret_preview.as_str(), changed.secret.is_empty()), ("chosen", true));
        check_all(&world, &client, &ended, "revoked_token").await;
        assert_eq!(login(&world, &client, "ana", user.secret.expose()).await, "unauthorized");
        assert_eq!(login(&world, &client, "ana", CHOSEN).await, "accepted");
        assert_eq!(code(change(CHOSEN, "another chosen secret").await), "accepted");
        assert_eq!(login(&world, &client, "ana", CHOSEN).await, "unauthorized");
        let unknown = users.change_user_secret(&client.key, "nobody", CHOSEN.into(), CHOSEN.into()).await;
        assert_eq!(code(unknown), "unauthorized");
    }

    async fn a_changed_identifier_ends_all_tokens_and_leaves_the_secret_valid(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let user = world.user(&client, "ana").await;
        world.user(&client, "bob").await;
        let ended = tokens(&world, &client, &user).await;
        let users = world.auth.create_user_service();
        assert_eq!(code(users.update_user(&client.key, user.id, renamed("bob")).await), "user_already_exists");
        assert_eq!(code(users.update_user(&client.key, user.id, renamed("")).await), "invalid_input");
        assert_eq!(code(users.update_user(&client.key, user.id, renamed("ana")).await), "accepted");
        check_all(&world, &client, &ended, "accepted").await;
        let updated = users.update_user(&client.key, user.id, renamed("ann\u{65}\u{301}")).await.unwrap();
        assert_eq!(updated.identifier, "ann\u{e9}");
        check_all(&world, &client, &ended, "revoked_token").await;
        assert_eq!(login(&world, &client, "ana", user.secret.expose()).await, "unauthorized");
        assert_eq!(login(&world, &client, "ann\u{e9}", user.secret.expose()).await, "accepted");
        assert_eq!(code(users.create_user(&client.key, "ana").await), "accepted");
    }

    async fn a_suspended_user_is_refused_and_its_tokens_stay_ended_after_it_resumes(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let user = world.user(&client, "ana").await;
        let ended = tokens(&world, &client, &user).await;
        let users = world.auth.create_user_service();
        assert!(!users.update_user(&client.key, user.id, active(false)).await.unwrap().is_active);
        check_all(&world, &client, &ended, "revoked_token").await;
        assert_eq!(login(&world, &client, "ana", user.secret.expose()).await, "unauthorized");
        let create = world.auth.create_token_service();
        assert_eq!(code(create.create_token(user.id, client.model.id).await), "unauthorized");
        assert_eq!(code(world.auth.current_user(None, &ended[0]).await), "revoked_token");
        let change = users.change_user_secret(&client.key, "ana", Secret::from(user.secret.expose()), CHOSEN.into()).await;
        assert_eq!(code(change), "unauthorized");
        let integrations = world.auth.third_party_integration_service();
        let (client_id, id) = (client.model.id, user.id);
        assert_eq!(code(integrations.get_integration(client_id, id, "github").await), "unauthorized");
        assert_eq!(code(integrations.get_integrations(client_id, id).await), "unauthorized");
        assert_eq!(code(integrations.has_integration(client_id, id, "github").await), "unauthorized");
        assert_eq!(code(integrations.delete_integration(client_id, id, "github").await), "unauthorized");
        let get = world.auth.get_user_service();
        assert!(!get.get_user(&client.key, id).await.unwrap().is_active);
        assert!(!get.get_user_by_identifier(&client.key, "ana").await.unwrap().is_active);
        assert!(!get.find_user(&client.key, id).await.unwrap().is_active);
        assert!(!get.get_user_complete(&client.key, id).await.unwrap().user.is_active);

        assert!(users.update_user(&client.key, user.id, active(true)).await.unwrap().is_active);
        check_all(&world, &client, &ended, "revoked_token").await;
        assert_eq!(login(&world, &client, "ana", user.secret.expose()).await, "accepted");
    }

    async fn suspending_twice_ends_nothing_twice(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let user = world.user(&client, "ana").await;
        let users = world.auth.create_user_service();
        let kept = tokens(&world, &client, &user).await;
        users.update_user(&client.key, user.id, active(true)).await.unwrap();
        check_all(&world, &client, &kept, "accepted").await;
        for _ in 0..2 {
            users.update_user(&client.key, user.id, active(false)).await.unwrap();
        }
        users.update_user(&client.key, user.id, active(true)).await.unwrap();
        let kept = tokens(&world, &client, &user).await;
        check_all(&world, &client, &kept, "accepted").await;
    }

    async fn signing_out_ends_all_tokens_of_one_user_for_good(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let (user, bob) = (world.user(&client, "ana").await, world.user(&client, "bob").await);
        let (ended, kept) = (tokens(&world, &client, &user).await, tokens(&world, &client, &bob).await);
        world.auth.revoke_token_service().revoke_all_tokens(&client.key, user.id).await.unwrap();
        check_all(&world, &client, &ended, "revoked_token").await;
        check_all(&world, &client, &kept, "accepted").await;
        assert_eq!(login(&world, &client, "ana", user.secret.expose()).await, "accepted");
    }

    async fn a_deleted_user_is_gone_with_tokens_and_integrations(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let before = counts(&db).await;
        let user = world.user(&client, "ana").await;
        let ended = tokens(&world, &client, &user).await;
        let new = bosa_auth::ThirdPartyIntegrationAuth::new(client.model.id, user.id, "github", "octocat", "s".into(), vec![]);
        world.auth.third_party_integration_service().create_integration(new).await.unwrap();
        world.auth.create_user_service().delete_user(&client.key, user.id).await.unwrap();
        let after = counts(&db).await;
        assert_eq!((after.users, after.tokens, after.integrations), (before.users, before.tokens, before.integrations));
        check_all(&world, &client, &ended, "invalid_token").await;
        assert_eq!(login(&world, &client, "ana", user.secret.expose()).await, "unauthorized");
        assert_eq!(code(world.auth.create_user_service().delete_user(&client.key, user.id).await), "not_found");
        let again = world.user(&client, "ana").await;
        assert_ne!(again.id, user.id);
        assert_eq!(login(&world, &client, "ana", user.secret.expose()).await, "unauthorized");
    }

    async fn a_complete_user_has_its_integrations_without_credentials(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let user = world.user(&client, "ana").await;
        let integrations = world.auth.third_party_integration_service();
        for account in ["one", "two"] {
            let new = bosa_auth::ThirdPartyIntegrationAuth::new(client.model.id, user.id, "github", account, "hidden".into(), vec!["repo".into()]);
            integrations.create_integration(new).await.unwrap();
        }
        let complete = world.auth.get_user_service().get_user_complete(&client.key, user.id).await.unwrap();
        assert_eq!(complete.integrations.len(), 2);
        assert!(complete.integrations.iter().all(|account| account.auth_string.is_empty() && account.auth_scopes == ["repo"]));
        assert_eq!(complete.integrations.iter().filter(|account| account.selected).count(), 1);
    }

    async fn a_list_of_users_is_walked_page_by_page(db: TestDatabase) {
        let world = World::new(&db).await;
        let (client, other) = (world.client("acme").await, world.client("other").await);
        world.user(&other, "eve").await;
        let mut made = Vec::new();
        for number in 0..101 {
            made.push(world.user(&client, &format!("user {number}")).await.id);
        }
        made.sort();
        let get = world.auth.get_user_service();
        for size in [1, 50, 100] {
            let walked = walk(size, |user: &UserModel| user.id, |request| get.list_users(&client.key, request)).await;
            assert_eq!(walked, made, "{size}");
        }
        let first = get.list_users(&client.key, PageRequest::default()).await.unwrap();
        assert_eq!(first.items.len(), 100);
        check_page_requests(|request| get.list_users(&client.key, request)).await;
        // A cursor of another list names a place there is nothing at: it shows nothing foreign.
        let mut request = limit(100);
        request.cursor = get.list_users(&client.key, limit(1)).await.unwrap().next_cursor;
        let foreign = get.list_users(&other.key, request).await.unwrap();
        assert!(foreign.items.iter().all(|user| user.client_id == other.model.id));
    }

    async fn a_client_key_that_is_not_valid_is_refused_by_every_user_method(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let user = world.user(&client, "ana").await;
        let (auth, key, id) = (&world.auth, "sk-client-nonsense", user.id);
        let users = auth.create_user_service();
        let get = auth.get_user_service();
        let refused = [
            code(users.create_user(key, "bob").await),
            code(users.create_user_with_secret(key, "bob", CHOSEN.into()).await),
            code(users.update_user(key, id, active(false)).await),
            code(users.delete_user(key, id).await),
            code(users.reset_user_secret(key, id).await),
            code(users.change_user_secret(key, "ana", CHOSEN.into(), CHOSEN.into()).await),
            code(get.get_user(key, id).await),
            code(get.get_user_by_identifier(key, "ana").await),
            code(get.get_user_complete(key, id).await),
            code(get.list_users(key, PageRequest::default()).await),
            code(get.find_user(key, id).await),
            code(get.find_user_by_identifier(key, "ana").await),
            code(auth.authenticate_user_service().authenticate_user(key, "ana", user.secret.expose()).await),
            code(auth.create_token_service().list_tokens(key, id, PageRequest::default()).await),
            code(auth.verify_token_service().verify_token(key, "x").await),
            code(auth.revoke_token_service().revoke_token(key, "x").await),
            code(auth.revoke_token_service().revoke_all_tokens(key, id).await),
        ];
        assert!(refused.iter().all(|code| *code == "invalid_client"), "{refused:?}");
    }

    async fn a_tenant_creates_users_with_both_kinds_of_secret(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let tenant = world.tenant(&client).await;
        let new = NewUser { identifier: "ana".to_owned(), secret: None };
        assert!(tenant.create_user(new).await.unwrap().resource.secret_preview.starts_with("sk-user-..."));
        let new = NewUser { identifier: "bob".to_owned(), secret: Some(CHOSEN.into()) };
        assert_eq!(tenant.create_user(new).await.unwrap().resource.secret_preview, "chosen");
    }
}
