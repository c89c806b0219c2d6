//! What each operation asks of the database: statements, and on PostgreSQL round trips.
//!
//! `statements.txt` holds the record. An operation that comes to need more fails the test, which
//! shows the difference; `BOSA_AUTH_RECORD_STATEMENTS=1` writes the record anew.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex};

use bosa_auth::{
    ClientUpdate, IdempotencyKey, IntegrationUpdate, ManualClock, NewApiKey, NewUser, PageRequest,
    Tenant, ThirdPartyIntegrationAuth, Timestamp,
};
use bosa_auth_testkit::{Line, TestDatabase};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

use crate::isolation::target;
use crate::operations::{of_client, of_user, on_target};
use crate::support::{Client, World, open_apart_at};

const RECORD: &str = "tests/conformance/statements.txt";

/// On one thread, so that what is sent together leaves together, and without anything in the
/// background.
#[tokio::test]
async fn no_operation_costs_postgresql_more_round_trips_than_recorded() {
    let database = TestDatabase::postgres().await;
    let line = Arc::new(Line::to(&database).await);
    let world = world(line.address()).await;
    let counted = Arc::clone(&line);
    let journal = every_operation(&world, move || counted.trips()).await;
    for entry in &journal {
        assert_eq!(entry.sent.len(), entry.trips as usize, "{entry:?}");
    }
    let found: String = journal.iter().map(Entry::with_trips).collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(RECORD);
    if std::env::var_os("BOSA_AUTH_RECORD_STATEMENTS").is_some() {
        std::fs::write(&path, &found).unwrap();
    }
    let recorded = std::fs::read_to_string(&path).unwrap();
    assert_same(&recorded, &found);
}

/// SQLite runs the same statements, one after the other.
#[tokio::test]
async fn no_operation_costs_sqlite_more_statements_than_recorded() {
    let database = TestDatabase::sqlite().await;
    let world = world(&database.address()).await;
    let journal = every_operation(&world, || 0).await;
    let found: String = journal.iter().map(Entry::in_order).collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(RECORD);
    let recorded = std::fs::read_to_string(path).unwrap();
    let mut flat = String::new();
    for entry in recorded.split_inclusive("\n\n") {
        let mut lines = entry.lines().filter(|line| !line.is_empty());
        let header = lines.next().unwrap_or_default();
        let name = header.rsplit_once(": ").map_or(header, |(name, _)| name);
        writeln!(flat, "{name}").unwrap();
        for statement in lines.flat_map(|line| line.trim().split(", ")) {
            writeln!(flat, "    {statement}").unwrap();
        }
    }
    assert_same(&flat, &found);
}

#[tokio::test]
async fn no_operation_costs_more_statements_for_more_rows() {
    for database in [TestDatabase::sqlite().await, TestDatabase::postgres().await] {
        let world = world(&database.address()).await;
        let one = with_rows(&world, 1).await;
        let twenty = with_rows(&world, 20).await;
        let text =
            |journal: Vec<Entry>| -> String { journal.iter().map(Entry::with_trips).collect() };
        assert_same(&text(one), &text(twenty));
    }
}

async fn world(address: &str) -> World {
    let clock = ManualClock::new("2026-01-02T03:04:05Z".parse::<Timestamp>().unwrap());
    let auth = open_apart_at(address, &clock).await.unwrap();
    auth.poll_changes().await.unwrap();
    World { auth, clock }
}

/// Runs an operation that succeeds, and tells where it ends.
macro_rules! op {
    ($name:expr, $operation:expr) => {{
        let done = $operation.await.unwrap();
        tracing::trace!(target: "operation", "{}", $name);
        done
    }};
}

fn section(title: &str) {
    tracing::trace!(target: "section", "{title}");
}

async fn every_operation(
    world: &World,
    trips: impl Fn() -> u32 + Send + Sync + 'static,
) -> Vec<Entry> {
    let auth = &world.auth;
    let client = world.client("acme").await;
    let tenant = world.tenant(&client).await;
    let first = target(world, &client, "ana").await;
    let second = target(world, &client, "bob").await;
    let third = target(world, &client, "cid").await;
    for token in [&first.token, &second.token, &third.token] {
        tenant.verify_token(token).await.unwrap();
    }
    let unknown = tenant.create_token(third.user_id).await.unwrap().resource;
    let journal = Journal::start(trips);

    section("client");
    op!("authenticate_client", auth.authenticate_client(&client.key));
    of_client(&tenant, "new").await;
    on_target(&tenant, &first).await;

    section("user");
    let current = op!(
        "current_user",
        auth.current_user(Some(&client.key), &second.token)
    );
    of_user(&current, &second).await;

    section("without memory");
    op!(
        "verify_token that was not verified before",
        tenant.verify_token(unknown.token.expose())
    );
    op!(
        "revoke_token_by_id",
        tenant.revoke_token_by_id(third.user_id, unknown.id)
    );
    let key = NewApiKey {
        scopes: None,
        expires_at: None,
    };
    let operator = auth.operator();
    let key = op!(
        "operator: create_api_key",
        operator.create_api_key(client.model.id, key)
    )
    .resource;
    op!(
        "authenticate_client that was not authenticated before",
        auth.authenticate_client(key.api_key.expose())
    );
    let wrong = tenant
        .authenticate_user(&third.identifier, &first.secret)
        .await;
    assert!(wrong.is_err());
    tracing::trace!(target: "operation", "authenticate_user with a wrong secret");
    op!(
        "authenticate_user_without_client",
        auth.authenticate_user_without_client(&third.identifier, &third.secret, None)
    );

    section("idempotency keys");
    let keyed = async |route| {
        let key = IdempotencyKey::new("once", route, "{}").unwrap();
        auth.authenticate_client(&client.key)
            .await
            .unwrap()
            .with_idempotency(key)
    };
    let dan = || NewUser {
        identifier: "dan".into(),
        secret: None,
    };
    op!("create_user", keyed("users").await.create_user(dan()));
    let again = op!("create_user again", keyed("users").await.create_user(dan()));
    assert!(again.replayed);
    op!(
        "create_token",
        keyed("tokens").await.create_token(third.user_id)
    );
    op!(
        "create_token again",
        keyed("tokens").await.create_token(third.user_id)
    );
    let account = |name: &str| {
        let (client, user) = (client.model.id, third.user_id);
        ThirdPartyIntegrationAuth::new(client, user, "gitlab", name, "x".into(), vec![])
    };
    op!(
        "create_integration",
        keyed("accounts").await.create_integration(account("a"))
    );
    op!(
        "create_integration again",
        keyed("accounts").await.create_integration(account("a"))
    );

    section("services without a client key");
    let (client_id, user_id) = (client.model.id, third.user_id);
    op!(
        "create_token",
        auth.create_token_service().create_token(user_id, client_id)
    );
    let service = auth.third_party_integration_service();
    op!(
        "create_integration",
        service.create_integration(account("b"))
    );
    op!(
        "get_integration",
        service.get_integration(client_id, user_id, "gitlab")
    );
    op!(
        "get_integrations",
        service.get_integrations(client_id, user_id)
    );
    op!(
        "has_integration",
        service.has_integration(client_id, user_id, "gitlab")
    );
    op!(
        "set_selected_integration",
        service.set_selected_integration(client_id, user_id, "gitlab", "b")
    );
    let update = IntegrationUpdate {
        auth_string: Some("y".into()),
        auth_scopes: None,
    };
    op!(
        "update_integration_auth",
        service.update_integration_auth(client_id, user_id, "gitlab", "b", update)
    );
    op!(
        "delete_integration",
        service.delete_integration_for(client_id, user_id, "gitlab", "b")
    );

    section("operator");
    op!("find_client", operator.find_client(client_id));
    op!("find_client_by_name", operator.find_client_by_name("acme"));
    op!(
        "get_client_list",
        operator.get_client_list(PageRequest::default())
    );
    let other = op!("create_client", operator.create_client("other")).resource;
    let update = ClientUpdate {
        sign_out: true,
        ..Default::default()
    };
    op!("update_client", operator.update_client(other.id, update));
    op!(
        "list_api_keys",
        operator.list_api_keys(client_id, PageRequest::default())
    );
    let next = op!(
        "rotate_api_key",
        operator.rotate_api_key(client_id, key.id, 60)
    )
    .resource;
    let last = op!(
        "rotate_api_key at once",
        operator.rotate_api_key(client_id, next.id, 0)
    )
    .resource;
    op!(
        "revoke_api_key",
        operator.revoke_api_key(client_id, last.id)
    );
    op!(
        "delete_client with its users",
        operator.delete_client(client_id)
    );
    op!("signing_keys", operator.signing_keys());
    let kid = op!("rotate_signing_key", operator.rotate_signing_key(None)).kid;
    op!(
        "rotate_signing_key again",
        operator.rotate_signing_key(None)
    );
    op!("retire_signing_key", operator.retire_signing_key(&kid));
    op!("vault_status", operator.vault_status());
    op!("maintenance", auth.run_maintenance());
    journal.end()
}

/// Everything that works on several rows, with so many of each.
async fn with_rows(world: &World, rows: u32) -> Vec<Entry> {
    let client = world.client(&format!("client of {rows}")).await;
    let tenant = world.tenant(&client).await;
    let users = [
        furnished(world, &client, &tenant, rows, 0).await,
        furnished(world, &client, &tenant, rows, 1).await,
    ];
    for number in 2..=rows {
        world.user(&client, &format!("user {number}")).await;
    }
    let operator = world.auth.operator();
    for _ in 1..rows {
        let key = NewApiKey {
            scopes: None,
            expires_at: None,
        };
        operator.create_api_key(client.model.id, key).await.unwrap();
    }
    let page = PageRequest::default;
    let [user, other] = users;
    let journal = Journal::start(|| 0);
    op!("list_users", tenant.list_users(page()));
    op!("list_tokens", tenant.list_tokens(user, page()));
    op!(
        "list_integrations",
        tenant.list_integrations(user, None, page())
    );
    op!(
        "list_integrations of one connector",
        tenant.list_integrations(user, Some("github"), page())
    );
    op!("get_integrations", tenant.get_integrations(user, None));
    op!("find_user_complete", tenant.find_user_complete(user));
    op!(
        "set_selected_integration",
        tenant.set_selected_integration(user, "github", "account 0")
    );
    op!(
        "delete_integration",
        tenant.delete_integration(user, "github", Some("account 0"))
    );
    op!(
        "list_api_keys",
        operator.list_api_keys(client.model.id, page())
    );
    op!("revoke_all_tokens", tenant.revoke_all_tokens(user));
    op!("reset_user_secret", tenant.reset_user_secret(user));
    op!("delete_user", tenant.delete_user(other));
    op!("delete_client", operator.delete_client(client.model.id));
    journal.end()
}

/// A user with so many tokens, connectors and accounts.
async fn furnished(
    world: &World,
    client: &Client,
    tenant: &Tenant,
    rows: u32,
    number: u32,
) -> bosa_auth::UserId {
    let user = world.user(client, &format!("owner {number}")).await;
    for row in 0..rows {
        tenant.create_token(user.id).await.unwrap();
        for (connector, account) in [
            ("github".to_owned(), format!("account {row}")),
            (format!("c{row}"), "x".to_owned()),
        ] {
            let account = ThirdPartyIntegrationAuth::new(
                client.model.id,
                user.id,
                &connector,
                &account,
                "x".into(),
                vec![],
            );
            tenant.create_integration(account).await.unwrap();
        }
    }
    user.id
}

/// What one operation has sent.
#[derive(Debug, Default)]
struct Entry {
    name: String,
    is_section: bool,
    /// What left together.
    sent: Vec<Vec<String>>,
    trips: u32,
}

impl Entry {
    fn with_trips(&self) -> String {
        if self.is_section {
            return format!("# {}\n\n", self.name);
        }
        let trips = self.sent.len();
        let mut text = format!(
            "{}: {trips} round trip{}\n",
            self.name,
            if trips == 1 { "" } else { "s" }
        );
        for sent in &self.sent {
            writeln!(text, "    {}", sent.join(", ")).unwrap();
        }
        text + "\n"
    }

    fn in_order(&self) -> String {
        let mark = if self.is_section { "# " } else { "" };
        let mut text = format!("{mark}{}\n", self.name);
        for statement in self.sent.iter().flatten() {
            writeln!(text, "    {statement}").unwrap();
        }
        text
    }
}

/// Listens to this thread.
struct Journal {
    entries: Arc<Mutex<Vec<Entry>>>,
    _listening: tracing::subscriber::DefaultGuard,
}

impl Journal {
    fn start(trips: impl Fn() -> u32 + Send + Sync + 'static) -> Self {
        let listener = Listener {
            entries: Arc::default(),
            current: Mutex::default(),
            before: Mutex::new(trips()),
            trips: Box::new(trips),
        };
        let entries = Arc::clone(&listener.entries);
        let subscriber = tracing_subscriber::registry().with(listener);
        Self {
            entries,
            _listening: tracing::subscriber::set_default(subscriber),
        }
    }

    fn end(self) -> Vec<Entry> {
        std::mem::take(&mut *self.entries.lock().unwrap())
    }
}

struct Listener {
    entries: Arc<Mutex<Vec<Entry>>>,
    current: Mutex<Vec<Vec<String>>>,
    before: Mutex<u32>,
    trips: Box<dyn Fn() -> u32 + Send + Sync>,
}

impl<S: Subscriber> Layer<S> for Listener {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut message = Message::default();
        event.record(&mut message);
        let mut current = self.current.lock().unwrap();
        match event.metadata().target() {
            "bosa_auth_store::sent" => current.push(names(&message.0)),
            "section" => self.entries.lock().unwrap().push(Entry {
                name: message.0,
                is_section: true,
                ..Entry::default()
            }),
            "operation" => {
                let trips = (self.trips)();
                let before = std::mem::replace(&mut *self.before.lock().unwrap(), trips);
                self.entries.lock().unwrap().push(Entry {
                    name: message.0,
                    is_section: false,
                    sent: std::mem::take(&mut current),
                    trips: trips - before,
                });
            }
            _ => {}
        }
    }
}

#[derive(Default)]
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

/// The names of statements; of those around a single read nothing is told, nor of locks that
/// SQLite holds anyway.
fn names(sent: &str) -> Vec<String> {
    let lines: Vec<&str> = sent.lines().collect();
    let lines = match &lines[..] {
        ["begin read only", reads @ .., "commit"] => reads,
        lines => lines,
    };
    lines.iter().filter_map(|sql| name(sql)).collect()
}

fn name(sql: &str) -> Option<String> {
    let known = bosa_auth_store::statements()
        .into_iter()
        .find(|(_, text)| *text == sql);
    match (known, sql) {
        (Some((name, _)), _) => Some(name.trim_start_matches("bosa_auth_store::").to_owned()),
        (None, "begin immediate") => Some("begin".to_owned()),
        (None, "select pg_advisory_xact_lock_shared($1)") => None,
        (None, other) => Some(other.to_owned()),
    }
}

#[track_caller]
fn assert_same(recorded: &str, found: &str) {
    if recorded == found {
        return;
    }
    let (old, new): (Vec<_>, Vec<_>) = (recorded.lines().collect(), found.lines().collect());
    let same = old
        .iter()
        .zip(&new)
        .take_while(|(old, new)| old == new)
        .count();
    let start = (0..=same.min(new.len().saturating_sub(1)))
        .rev()
        .find(|&line| !new[line].starts_with(' '))
        .unwrap_or_default();
    let part = |lines: &[&str]| {
        lines
            .iter()
            .skip(start)
            .take(12)
            .copied()
            .collect::<Vec<_>>()
            .join("\n")
    };
    panic!(
        "recorded:\n{}\n\nfound:\n{}\n\nall of it:\n{found}",
        part(&old),
        part(&new)
    );
}
