//! Everything that a database holds, as text.

use std::collections::BTreeMap;

use bosa_auth_store::Dialect;
use bosa_auth_testkit::TestDatabase;

/// The rows of every table, each as one text in which bytes are hexadecimal digits.
pub(crate) async fn dump(db: &TestDatabase) -> BTreeMap<String, Vec<String>> {
    let tables = match db.db().dialect() {
        Dialect::Sqlite => "select name from sqlite_master where type = 'table'",
        Dialect::Postgres => {
            "select table_name::text from information_schema.tables where table_schema = 'public'"
        }
    };
    let mut dump = BTreeMap::new();
    for table in texts(db, tables).await {
        let expression = match db.db().dialect() {
            Dialect::Postgres => "t::text".to_owned(),
            Dialect::Sqlite => {
                let sql = format!("select name from pragma_table_info('{table}')");
                let columns = texts(db, leak(sql)).await;
                columns
                    .iter()
                    .map(|name| format!("quote(\"{name}\")"))
                    .collect::<Vec<_>>()
                    .join(" || ',' || ")
            }
        };
        let mut rows = texts(db, leak(format!("select {expression} from {table} t"))).await;
        rows.sort();
        dump.insert(table, rows);
    }
    assert!(dump.contains_key("bosa_users"));
    dump
}

/// The tables that differ.
pub(crate) fn changed(
    before: &BTreeMap<String, Vec<String>>,
    after: &BTreeMap<String, Vec<String>>,
) -> Vec<String> {
    let names = before
        .keys()
        .chain(after.keys())
        .collect::<std::collections::BTreeSet<_>>();
    names
        .into_iter()
        .filter(|name| before.get(*name) != after.get(*name))
        .cloned()
        .collect()
}

async fn texts(db: &TestDatabase, sql: &'static str) -> Vec<String> {
    let rows = db.db().read(sql, vec![]).await.unwrap();
    rows.iter().map(|row| row.get(0).unwrap()).collect()
}

/// Statements are constants everywhere else.
fn leak(sql: String) -> &'static str {
    Box::leak(sql.into_boxed_str())
}
