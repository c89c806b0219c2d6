use std::collections::BTreeSet;

use bosa_auth_store::statements;
use bosa_auth_testkit::TestDatabase;
use tokio_postgres::types::Type;

#[tokio::test]
async fn every_statement_is_understood_by_sqlite() {
    let db = TestDatabase::sqlite().await.migrated().await;
    let path = db.url();
    let connection = rusqlite::Connection::open(path.sqlite_path().unwrap()).unwrap();
    for (name, sql) in statements() {
        if let Err(error) = connection.prepare(sql) {
            panic!("{name}: {error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_statement_is_understood_by_postgresql() {
    let db = TestDatabase::postgres().await.migrated().await;
    let rows = db
        .db()
        .read("select current_database()::text", vec![])
        .await
        .unwrap();
    let name: String = rows[0].get(0).unwrap();
    let mut config: tokio_postgres::Config = std::env::var("BOSA_AUTH_TEST_POSTGRES_URL")
        .unwrap()
        .parse()
        .unwrap();
    config.dbname(&name);
    let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let ours = [Type::BOOL, Type::INT8, Type::TEXT, Type::BYTEA, Type::UUID];
    for (name, sql) in statements() {
        let prepared = match client.prepare(sql).await {
            Ok(prepared) => prepared,
            Err(error) => panic!("{name}: {error:?}"),
        };
        for parameter in prepared.params() {
            assert!(ours.contains(parameter), "{name} wants a {parameter}");
        }
    }
}

/// Tables whose rows grow with the use of the system.
const LARGE: [&str; 14] = [
    "bosa_clients",
    "bosa_api_keys",
    "bosa_users",
    "bosa_tokens",
    "bosa_integrations",
    "bosa_integration_sets",
    "bosa_integration_grants",
    "bosa_refresh_leases",
    "bosa_connect_states",
    "bosa_connector_settings",
    "bosa_data_keys",
    "bosa_import_markers",
    "bosa_audit_events",
    "bosa_idempotency",
];

#[tokio::test]
async fn no_statement_reads_a_large_table_from_end_to_end() {
    // What is asked for once, by an operator or by a restore.
    let closed = [
        "counts::COUNTS",
        "counts::IMPORTED",
        "api_keys::REVOKE_ALL",
        "clients::END_ALL_TOKENS",
        "data_keys::AGES",
        "data_keys::CLIENTS_UNDER",
        "grants::MARK_UNVERIFIED",
        "leases::DOUBT_SENT",
        "rekey::NEWEST_KEY",
        "rekey::REMAINING",
        "rekey::FINISH",
    ];
    let db = TestDatabase::sqlite().await.migrated().await;
    let path = db.url();
    let connection = rusqlite::Connection::open(path.sqlite_path().unwrap()).unwrap();
    for (name, sql) in statements() {
        let short = name.trim_start_matches("bosa_auth_store::");
        let mut plan = connection
            .prepare(&format!("explain query plan {sql}"))
            .unwrap();
        let mut rows = plan.raw_query();
        while let Some(row) = rows.next().unwrap() {
            let step: String = row.get(3).unwrap();
            let mut words = step.split(' ');
            let scans = words.next() == Some("SCAN");
            let alias = words.next().unwrap_or_default();
            let large = LARGE
                .iter()
                .any(|table| alias == *table || sql.contains(&format!("{table} {alias} ")));
            // A partial index holds only what is asked for.
            let partial = step.contains("_deleting") || step.contains("_one_");
            let allowed = closed.contains(&short) || partial;
            assert!(!(scans && large) || allowed, "{name}: {step}");
            let page = ["integrations::PAGE", "integrations::PAGE_AT"].contains(&short);
            let of_accounts = "SEARCH a USING INDEX";
            let by_page = "(client_id=? AND user_id=? AND id>?)";
            let of_their_grants = "SEARCH g USING INDEX";
            let by_account = "(client_id=? AND integration_id=?)";
            let fine = step.starts_with(of_accounts) && step.contains(by_page)
                || step.starts_with(of_their_grants) && step.contains(by_account);
            assert!(!page || fine, "{name}: {step}");
        }
    }
}

#[test]
fn every_conflict_clause_names_its_target() {
    for (name, sql) in statements() {
        for (position, _) in sql.match_indices("on conflict") {
            let rest = &sql[position + "on conflict".len()..];
            assert!(rest.starts_with(" ("), "{name}: a bare conflict clause");
        }
    }
}

#[test]
fn statements_are_written_in_the_common_dialect() {
    let mut names = BTreeSet::new();
    for (name, sql) in statements() {
        assert!(names.insert(name), "{name} is there twice");
        assert_eq!(sql, sql.to_lowercase(), "{name} is not lowercase");
        for forbidden in [
            "now()",
            "select *",
            "returning *",
            "?",
            "for update",
            "::",
            "current_timestamp",
        ] {
            assert!(!sql.contains(forbidden), "{name} has {forbidden}");
        }
        assert!(!sql.contains("  "), "{name} has a gap");
    }
}

#[test]
fn placeholders_of_a_statement_have_no_gap() {
    for (name, sql) in statements() {
        let used: BTreeSet<usize> = sql
            .split('$')
            .skip(1)
            .map(|rest| {
                let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
                digits.parse().unwrap()
            })
            .collect();
        assert_eq!(
            used.last().copied().unwrap_or(0),
            used.len(),
            "{name}: {used:?}"
        );
    }
}

#[test]
fn statements_on_tenant_tables_bind_a_client_or_are_on_the_closed_list() {
    let tenant_tables = [
        "bosa_api_keys",
        "bosa_users",
        "bosa_tokens",
        "bosa_integration",
        "bosa_data_keys",
        "bosa_refresh_leases",
        "bosa_connect_states",
        "bosa_connector_settings",
    ];
    let closed = [
        "api_keys::FIND_WITH_CLIENT",
        "api_keys::TOUCH",
        "api_keys::REVOKE_ALL",
        "users::FIND_ANY",
        "tokens::FIND_ANY",
        "tokens::PRUNE",
        "connect_states::FIND_PAGE",
        "connect_states::CONSUME",
        "connect_states::PRUNE",
        "grants::DUE",
        "grants::UNCOMPLETED",
        "grants::MARK_UNVERIFIED",
        "import_markers::UNCHANGED",
        "import_markers::LIVE",
        "leases::DOUBT_SENT",
        "rekey::NEWEST_KEY",
        "rekey::REMAINING",
        "rekey::FINISH",
        "data_keys::AGES",
        "data_keys::CLIENTS_BEFORE",
        "data_keys::CLIENTS_UNDER",
        "digest_keys::USAGE",
        "digest_key_end::API_KEYS",
        "digest_key_end::USERS",
        "digest_key_end::FREE_API_KEYS",
        "digest_key_end::FREE_USERS",
        "digest_key_end::END_API_KEYS",
        "digest_key_end::END_USERS",
        "digest_key_end::END_CONNECTIONS",
        "digest_key_end::COMPLETIONS",
        "root_keys::USAGE",
        "counts::COUNTS",
        "counts::IMPORTED",
    ];
    for (name, sql) in statements() {
        let short = name.trim_start_matches("bosa_auth_store::");
        let on_tenant_data = tenant_tables.iter().any(|table| sql.contains(table));
        if on_tenant_data && !closed.contains(&short) {
            let binds = sql.contains("client_id = $1")
                || sql.contains("c.id = $1")
                || sql.contains("(client_id, ")
                    && (sql.contains("values ($1, ") || sql.contains("select $1, "));
            assert!(binds, "{name} binds no client");
        }
    }
}
