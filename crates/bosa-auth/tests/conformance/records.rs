//! What an act leaves behind: its audit row, and a row of the feed when it narrows what is valid.

use std::collections::HashSet;

use bosa_auth::{
    ClientUpdate, IntegrationUpdate, NewApiKey, NewConnectorSettings, NewUser, RetireDigestKey,
    SecretChange, ThirdPartyIntegrationAuth, UserUpdate,
};
use bosa_auth_testkit::{TestDatabase, on_every_database};

use crate::dump::dump;
use crate::support::{MASTER_KEY, ROOT_KEYS, SIGNING_KEY, World};

/// Audit actions and feed kinds since the last call.
#[derive(Default)]
struct Seen {
    audit: usize,
    feed: HashSet<String>,
}

impl Seen {
    async fn next(&mut self, db: &TestDatabase) -> (Vec<String>, Vec<String>) {
        let audit = column(db, "select action from bosa_audit_events order by at, id").await;
        let audit = audit[std::mem::replace(&mut self.audit, audit.len())..].to_vec();
        let feed = column(db, FEED).await.into_iter();
        let new = feed.filter(|change| self.feed.insert(change.clone()));
        let kinds =
            new.filter_map(|change| change.rsplit_once(' ').map(|(_, kind)| kind.to_owned()));
        (audit, kinds.collect())
    }
}

const FEED: &str = "select cast(part as text) || '/' || cast(seq as text) || ' ' || kind \
    from bosa_changes order by part, seq";

async fn column(db: &TestDatabase, sql: &'static str) -> Vec<String> {
    let rows = db.db().read(sql, vec![]).await.unwrap();
    rows.iter().map(|row| row.get(0).unwrap()).collect()
}

on_every_database! {
    async fn every_administrative_act_is_recorded_and_narrowing_ones_are_announced(db: TestDatabase) {
        let both = format!("{ROOT_KEYS},{}", ROOT_KEYS.replace("k1:AAEC", "k2:AQEC"));
        let world = World::with(&db, &[("BOSA_AUTH_ROOT_KEYS", &both)]).await;
        let mut seen = Seen::default();
        seen.next(&db).await;
        let operator = world.auth.operator();
        macro_rules! leaves {
            ($act:expr, $action:literal, $($kind:literal)?) => {{
                // A moment for each act, so that their rows have an order.
                world.clock.advance(std::time::Duration::from_secs(1));
                let result = $act.await.unwrap();
                let (audit, feed) = seen.next(&db).await;
                assert_eq!(audit, [$action], "{}", stringify!($act));
                let kinds: &[&str] = &[$($kind)?];
                assert_eq!(feed.len(), kinds.len(), "{} announced {feed:?}", stringify!($act));
                result
            }};
        }
        let client = leaves!(operator.create_client("acme"), "client.create",).resource;
        let id = client.id;
        let key = leaves!(operator.create_api_key(id, NewApiKey::default()), "api_key.create",).resource;
        let key = leaves!(operator.rotate_api_key(id, key.id, 0), "api_key.rotate", "api_key").resource;
        leaves!(operator.revoke_api_key(id, key.id), "api_key.revoke", "api_key");
        let tenant = world.auth.authenticate_client(client.api_key.expose()).await.unwrap();
        let user = NewUser { identifier: "ana".into(), secret: None };
        let user = leaves!(tenant.create_user(user), "user.create",).resource;
        let token = leaves!(tenant.create_token(user.id), "token.issue",).resource;
        leaves!(tenant.revoke_token(token.token.expose()), "token.revoke", "token");
        let account = || ThirdPartyIntegrationAuth::new(id, user.id, "github", "octocat", "x".into(), vec![]);
        leaves!(tenant.create_integration(account()), "integration.create",);
        leaves!(tenant.set_selected_integration(user.id, "github", "octocat"), "integration.select",);
        let update = IntegrationUpdate { auth_string: Some("y".into()), auth_scopes: None };
        leaves!(tenant.update_integration_auth(user.id, "github", "octocat", update), "integration.update",);
        leaves!(tenant.delete_integration(user.id, "github", None), "integration.delete",);
        let settings = NewConnectorSettings { client_id: Some("a".into()), client_secret: SecretChange::Replace("b".into()), ..Default::default() };
        leaves!(tenant.set_connector_settings("github", &settings), "connector.set",);
        leaves!(tenant.unset_connector_settings("github"), "connector.unset",);
        leaves!(operator.set_connector_settings("github", &settings), "connector.set",);
        leaves!(operator.unset_connector_settings("github"), "connector.unset",);
        leaves!(tenant.revoke_all_tokens(user.id), "user.sign_out", "user");
        let suspend = |is_active| UserUpdate { identifier: None, is_active: Some(is_active) };
        leaves!(tenant.update_user(user.id, suspend(false)), "user.update", "user");
        leaves!(tenant.update_user(user.id, suspend(true)), "user.update",);
        let rename = UserUpdate { identifier: Some("bob".into()), is_active: None };
        leaves!(tenant.update_user(user.id, rename), "user.update", "user");
        let secret = leaves!(tenant.reset_user_secret(user.id), "user.reset_secret", "user").secret;
        leaves!(tenant.change_user_secret("bob", secret, "a newly chosen secret".into()), "user.change_secret", "user");
        leaves!(tenant.delete_user(user.id), "user.delete", "user");
        let suspend = |is_active| ClientUpdate { is_active: Some(is_active), ..Default::default() };
        leaves!(operator.update_client(id, suspend(false)), "client.update", "client");
        leaves!(operator.update_client(id, suspend(true)), "client.update",);
        let sign_out = ClientUpdate { sign_out: true, ..Default::default() };
        leaves!(operator.update_client(id, sign_out), "client.update", "client");
        leaves!(operator.delete_client(id), "client.delete", "client");
        let key = leaves!(operator.rotate_signing_key(None), "signing_key.rotate",);
        leaves!(operator.rotate_signing_key(None), "signing_key.rotate",);
        leaves!(operator.retire_signing_key(&key.kid), "signing_key.retire", "signing_key");
        let former = operator.digest_keys().await.unwrap().remove(0).id;
        leaves!(operator.rotate_digest_key(), "digest_key.rotate", "digest_key");
        leaves!(operator.retire_digest_key(&former, RetireDigestKey::Unused), "digest_key.retire", "digest_key");
        leaves!(operator.activate_root_key("k2"), "root_key.activate", "root_key");
        leaves!(operator.activate_root_key("k1"), "root_key.activate", "root_key");
        leaves!(operator.retire_root_key("k2"), "root_key.retire", "root_key");
    }

    async fn a_record_names_who_acted(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        world.clock.advance(std::time::Duration::from_secs(1));
        let by_master = world.auth.verify_master_key(MASTER_KEY).unwrap();
        by_master.create_client("other").await.unwrap();
        world.clock.advance(std::time::Duration::from_secs(1));
        let user = world.user(&client, "ana").await;
        world.clock.advance(std::time::Duration::from_secs(1));
        let token = world.token(&client, &user).await;
        world.clock.advance(std::time::Duration::from_secs(1));
        let current = world.auth.current_user(Some(&client.key), &token).await.unwrap();
        current.change_secret(user.secret.expose().into(), "a newly chosen secret".into()).await.unwrap();
        let kinds = column(&db, "select actor_kind from bosa_audit_events order by at").await;
        assert_eq!(kinds, ["operator", "master_key", "api_key", "operator", "user"]);
    }

    async fn reading_verifying_and_logging_in_announce_nothing(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let user = world.user(&client, "ana").await;
        let before = dump(&db).await;
        let tenant = world.tenant(&client).await;
        let token = tenant.authenticate_user("ana", user.secret.expose()).await.unwrap();
        tenant.verify_token(token.token.expose()).await.unwrap();
        tenant.list_users(Default::default()).await.unwrap();
        tenant.get_integrations(user.id, None).await.unwrap();
        assert!(!tenant.revoke_token("nonsense").await.unwrap());
        let after = dump(&db).await;
        assert_eq!(crate::dump::changed(&before, &after), ["bosa_tokens"]);
    }

    async fn no_secret_shows_in_debug_output(db: TestDatabase) {
        let world = World::new(&db).await;
        let client = world.client("acme").await;
        let tenant = world.tenant(&client).await;
        let user = NewUser { identifier: "ana".into(), secret: Some("a newly chosen secret".into()) };
        let shown = format!("{user:?}");
        tenant.create_user(user).await.unwrap();
        let key = bosa_auth::IdempotencyKey::new("a-marked-key", "users", "a marked body").unwrap();
        let shown = format!("{shown} {:?} {tenant:?} {:?} {key:?}", world.auth, world.auth.operator());
        for secret in [SIGNING_KEY, MASTER_KEY, &crate::support::ROOT_KEYS[3..], &client.key, "a newly chosen secret", "a-marked-key", "a marked body"] {
            assert!(!shown.contains(secret), "{secret} shows");
        }
        let bytes = "[0, 1, 2, 3, 4, 5";
        assert!(!shown.contains(bytes), "the root key shows as numbers");
    }
}
