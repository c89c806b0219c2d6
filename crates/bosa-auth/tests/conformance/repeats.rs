//! A write whose answer was lost is carried out once more with the same ids, secrets and operation:
//! it changes nothing and answers as the first attempt did.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bosa_auth::{
    Auth, ClientUpdate, Entropy, Error, IdempotencyKey, ManualClock, NewApiKey,
    NewConnectorSettings, NewUser, SecretChange, ThirdPartyIntegrationAuth, Timestamp, UserUpdate,
};
use bosa_auth_core::EntropyError;
use bosa_auth_testkit::{TestDatabase, on_every_database};

use crate::dump::{changed, dump};
use crate::support::open_with;

/// Bytes that can be drawn once more.
#[derive(Debug, Default)]
struct Rewindable(AtomicU64);

impl Entropy for Rewindable {
    fn fill(&self, buf: &mut [u8]) -> Result<(), EntropyError> {
        for chunk in buf.chunks_mut(8) {
            let number = self.0.fetch_add(1, Ordering::SeqCst) + 1;
            // Distinct for distinct numbers, and no two alike in any position that ids keep.
            let block = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
        Ok(())
    }
}

struct Repeating {
    auth: Auth,
    entropy: Arc<Rewindable>,
}

impl Repeating {
    async fn new(db: &TestDatabase) -> Self {
        let clock = ManualClock::new("2026-01-02T03:04:05Z".parse::<Timestamp>().unwrap());
        let entropy = Arc::new(Rewindable::default());
        let auth = open_with(db, &[], &clock, entropy.clone()).await.unwrap();
        Self { auth, entropy }
    }
}

/// Does something, then the same with the same randomness and at the same time.
macro_rules! twice {
    ($world:ident, $db:ident, $act:expr, $shown:expr) => {{
        let start = $world.entropy.0.load(Ordering::SeqCst);
        let first = $act.await;
        let end = $world.entropy.0.load(Ordering::SeqCst);
        let before = dump(&$db).await;
        $world.entropy.0.store(start, Ordering::SeqCst);
        let again = $act.await;
        $world.entropy.0.store(end, Ordering::SeqCst);
        let (shown, what) = ($shown, stringify!($act));
        assert_eq!(shown(&first), shown(&again), "{what}");
        assert_eq!(
            changed(&before, &dump(&$db).await),
            Vec::<String>::new(),
            "{what}"
        );
        first
    }};
}

fn answer<T: std::fmt::Debug>(result: &Result<T, Error>) -> String {
    format!("{result:?}")
}

on_every_database! {
    async fn every_write_answers_the_second_time_as_the_first(db: TestDatabase) {
        let world = Repeating::new(&db).await;
        let operator = world.auth.operator();
        let with_key = |result: &Result<bosa_auth::Created<bosa_auth::ClientModel>, Error>| {
            let made = result.as_ref().unwrap();
            assert!(!made.replayed && !made.resource.api_key.is_empty());
            (made.resource.id, made.resource.api_key.expose().to_owned())
        };
        let client = twice!(world, db, operator.create_client("acme"), with_key).unwrap().resource;
        let id = client.id;

        let with_text = |result: &Result<bosa_auth::Created<bosa_auth::ApiKeyModel>, Error>| {
            let made = result.as_ref().unwrap();
            assert!(!made.replayed && !made.resource.api_key.is_empty());
            (made.resource.id, made.resource.api_key.expose().to_owned())
        };
        let key = twice!(world, db, operator.create_api_key(id, NewApiKey::default()), with_text).unwrap().resource;
        let key = twice!(world, db, operator.rotate_api_key(id, key.id, 3600), with_text).unwrap().resource;
        let key = twice!(world, db, operator.rotate_api_key(id, key.id, 0), with_text).unwrap().resource;
        assert!(twice!(world, db, operator.revoke_api_key(id, key.id), answer).unwrap());
        assert!(!twice!(world, db, operator.revoke_api_key(id, key.id), answer).unwrap());

        let shown = |result: &Result<bosa_auth::DigestKeyInfo, Error>| result.as_ref().unwrap().id.clone();
        twice!(world, db, operator.rotate_digest_key(), shown).unwrap();
        let shown = |result: &Result<bosa_auth::RootKeyInfo, Error>| result.as_ref().unwrap().id.clone();
        twice!(world, db, operator.activate_root_key("k1"), shown).unwrap();

        let tenant = operator.tenant(id).await.unwrap();
        let new = || NewUser { identifier: "ana".into(), secret: None };
        let with_secret = |user: &bosa_auth::UserModel| (user.id, user.secret.expose().to_owned());
        let made = |result: &Result<bosa_auth::Created<bosa_auth::UserModel>, Error>| {
            let made = result.as_ref().unwrap();
            assert!(!made.replayed);
            with_secret(&made.resource)
        };
        let user = twice!(world, db, tenant.create_user(new()), made).unwrap().resource;
        let rename = || UserUpdate { identifier: Some("bob".into()), is_active: None };
        twice!(world, db, tenant.update_user(user.id, rename()), answer).unwrap();
        let suspend = || UserUpdate { identifier: None, is_active: Some(false) };
        twice!(world, db, tenant.update_user(user.id, suspend()), answer).unwrap();
        let resume = || UserUpdate { identifier: None, is_active: Some(true) };
        twice!(world, db, tenant.update_user(user.id, resume()), answer).unwrap();
        let reset = |result: &Result<bosa_auth::UserModel, Error>| with_secret(result.as_ref().unwrap());
        twice!(world, db, tenant.reset_user_secret(user.id), reset).unwrap();
        twice!(world, db, tenant.revoke_all_tokens(user.id), answer).unwrap();

        let issued = |result: &Result<bosa_auth::Created<bosa_auth::TokenModel>, Error>| {
            let made = result.as_ref().unwrap();
            assert!(!made.replayed);
            (made.resource.id, made.resource.token.expose().to_owned())
        };
        let token = twice!(world, db, tenant.create_token(user.id), issued).unwrap().resource;
        assert!(twice!(world, db, tenant.revoke_token_by_id(user.id, token.id), answer).unwrap());
        assert!(!twice!(world, db, tenant.revoke_token_by_id(user.id, token.id), answer).unwrap());

        let account = |name: &str| ThirdPartyIntegrationAuth::new(id, user.id, "github", name, "x".into(), vec![]);
        twice!(world, db, tenant.create_integration(account("one")), answer).unwrap();
        twice!(world, db, tenant.create_integration(account("two")), answer).unwrap();
        twice!(world, db, tenant.set_selected_integration(user.id, "github", "two"), answer).unwrap();
        assert!(twice!(world, db, tenant.delete_integration(user.id, "github", Some("two")), answer).unwrap());
        assert!(!twice!(world, db, tenant.delete_integration(user.id, "github", Some("two")), answer).unwrap());
        assert!(twice!(world, db, tenant.delete_integration(user.id, "github", None), answer).unwrap());

        let settings = |secret: &str| NewConnectorSettings {
            client_id: Some("a".into()),
            client_secret: SecretChange::Replace(secret.into()),
            ..Default::default()
        };
        for secret in ["first", "second"] {
            let settings = settings(secret);
            twice!(world, db, tenant.set_connector_settings("github", &settings), answer).unwrap();
            twice!(world, db, operator.set_connector_settings("github", &settings), answer).unwrap();
        }
        twice!(world, db, tenant.unset_connector_settings("github"), answer).unwrap();
        twice!(world, db, operator.unset_connector_settings("github"), answer).unwrap();

        let update = || ClientUpdate { name: Some("other".into()), is_active: Some(false), sign_out: true, ..Default::default() };
        twice!(world, db, operator.update_client(id, update()), answer).unwrap();
        twice!(world, db, tenant.delete_user(user.id), answer).unwrap();
        twice!(world, db, operator.delete_client(id), answer).unwrap();
    }

    async fn a_revocation_that_ended_nothing_leaves_no_record(db: TestDatabase) {
        let world = Repeating::new(&db).await;
        let operator = world.auth.operator();
        let client = operator.create_client("acme").await.unwrap().resource;
        let key = operator.create_api_key(client.id, NewApiKey::default()).await.unwrap().resource;
        assert!(operator.revoke_api_key(client.id, key.id).await.unwrap());
        let before = dump(&db).await;
        assert!(!operator.revoke_api_key(client.id, key.id).await.unwrap());
        assert_eq!(changed(&before, &dump(&db).await), Vec::<String>::new());
    }

    async fn what_is_refused_leaves_no_record(db: TestDatabase) {
        let world = Repeating::new(&db).await;
        let operator = world.auth.operator();
        let client = operator.create_client("acme").await.unwrap().resource;
        let tenant = operator.tenant(client.id).await.unwrap();
        let new = || NewUser { identifier: "ana".into(), secret: None };
        let user = tenant.create_user(new()).await.unwrap().resource.id;
        let account = |user| ThirdPartyIntegrationAuth::new(client.id, user, "github", "one", "x".into(), vec![]);
        tenant.create_integration(account(user)).await.unwrap();
        let bob = NewUser { identifier: "bob".into(), secret: None };
        let gone = tenant.create_user(bob).await.unwrap().resource.id;
        tenant.delete_user(gone).await.unwrap();

        let before = dump(&db).await;
        let rename = UserUpdate { identifier: Some("ana".into()), is_active: None };
        let refusals = [
            operator.create_client("acme").await.err(),
            tenant.create_user(new()).await.err(),
            tenant.create_integration(account(user)).await.err(),
            tenant.create_integration(account(gone)).await.err(),
            tenant.set_selected_integration(user, "github", "two").await.err(),
            tenant.create_token(gone).await.err(),
            tenant.update_user(gone, rename).await.err(),
            tenant.reset_user_secret(gone).await.err(),
            tenant.revoke_all_tokens(gone).await.err(),
            tenant.delete_user(gone).await.err(),
        ];
        let refusals: Vec<_> = refusals.iter().flatten().map(Error::code).collect();
        assert_eq!(
            refusals,
            [
                "client_already_exists", "user_already_exists", "integration_already_exists",
                "unauthorized", "not_found", "unauthorized", "not_found", "not_found", "not_found", "not_found",
            ]
        );
        assert!(!tenant.delete_integration(user, "github", Some("two")).await.unwrap());
        assert!(!tenant.delete_integration(user, "gitlab", None).await.unwrap());
        assert_eq!(changed(&before, &dump(&db).await), Vec::<String>::new());
    }

    async fn a_replayed_request_writes_nothing(db: TestDatabase) {
        let world = Repeating::new(&db).await;
        let operator = world.auth.operator();
        let client = operator.create_client("acme").await.unwrap().resource;
        let keyed = async |route| {
            let key = IdempotencyKey::new("once", route, "{}").unwrap();
            operator.tenant(client.id).await.unwrap().with_idempotency(key)
        };
        let new = |name: &str| NewUser { identifier: name.into(), secret: None };
        let user = keyed("users").await.create_user(new("ana")).await.unwrap().resource.id;
        let token = keyed("tokens").await.create_token(user).await.unwrap().resource.id;
        let account = |name| ThirdPartyIntegrationAuth::new(client.id, user, "github", name, "x".into(), vec![]);
        let kept = keyed("accounts").await.create_integration(account("one")).await.unwrap().resource.id;

        let before = dump(&db).await;
        let again = keyed("users").await.create_user(new("bob")).await.unwrap();
        assert!(again.replayed && again.resource.id == user);
        let again = keyed("tokens").await.create_token(user).await.unwrap();
        assert!(again.replayed && again.resource.id == token);
        let again = keyed("accounts").await.create_integration(account("two")).await.unwrap();
        assert!(again.replayed && again.resource.id == kept);
        let other = IdempotencyKey::new("once", "users", "another body").unwrap();
        let tenant = operator.tenant(client.id).await.unwrap().with_idempotency(other);
        let mismatch = tenant.create_user(new("cid")).await;
        assert!(matches!(mismatch, Err(Error::IdempotencyMismatch)), "{mismatch:?}");
        assert_eq!(changed(&before, &dump(&db).await), Vec::<String>::new());
    }
}
