use std::collections::{BTreeMap, BTreeSet};

use bosa_auth_store::{Db, Row, params};
use bosa_auth_testkit::TestDatabase;

/// What both databases must agree on, of one table.
#[derive(Debug, Default, PartialEq, Eq)]
struct Table {
    /// Name, type in SQLite's words, and whether null is allowed, in order.
    columns: Vec<(String, String, bool)>,
    primary_key: Vec<String>,
    /// Columns of unique indexes and whether they cover only a part of the rows.
    unique: BTreeSet<(Vec<String>, bool)>,
    /// Columns of the other indexes.
    indexes: BTreeSet<Vec<String>>,
    /// Columns, the table they refer to and its columns, and what a deletion there does.
    foreign_keys: BTreeSet<(Vec<String>, String, Vec<String>, bool)>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_databases_have_the_same_tables_columns_and_keys() {
    let sqlite = TestDatabase::sqlite().await.migrated().await;
    let postgres = TestDatabase::postgres().await.migrated().await;
    let left = sqlite_tables(sqlite.db()).await;
    let right = postgres_tables(postgres.db()).await;
    let names = |tables: &BTreeMap<String, Table>| tables.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&left), names(&right));
    assert!(left.len() >= 23);
    for (name, table) in &left {
        assert_eq!(table, &right[name], "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn text_that_is_ordered_or_unique_sorts_by_its_bytes() {
    let postgres = TestDatabase::postgres().await.migrated().await;
    let rows = read(postgres.db(), POSTGRES_COLLATIONS).await;
    let others: Vec<String> = rows.iter().map(|row| text(row, 0)).collect();
    assert!(others.is_empty(), "without collate \"C\": {others:?}");
}

#[tokio::test]
async fn tables_of_sqlite_are_strict() {
    let sqlite = TestDatabase::sqlite().await.migrated().await;
    let rows = read(sqlite.db(), SQLITE_NOT_STRICT).await;
    let others: Vec<String> = rows.iter().map(|row| text(row, 0)).collect();
    assert!(others.is_empty(), "not strict: {others:?}");
}

async fn read(db: &Db, sql: &'static str) -> Vec<Row> {
    db.read(sql, params![]).await.unwrap()
}

fn text(row: &Row, index: usize) -> String {
    row.get(index).unwrap()
}

fn list(row: &Row, index: usize) -> Vec<String> {
    text(row, index).split(',').map(str::to_owned).collect()
}

async fn sqlite_tables(db: &Db) -> BTreeMap<String, Table> {
    tables(
        db,
        SQLITE_COLUMNS,
        SQLITE_PRIMARY,
        SQLITE_INDEXES,
        SQLITE_FOREIGN,
    )
    .await
}

async fn postgres_tables(db: &Db) -> BTreeMap<String, Table> {
    tables(
        db,
        POSTGRES_COLUMNS,
        POSTGRES_PRIMARY,
        POSTGRES_INDEXES,
        POSTGRES_FOREIGN,
    )
    .await
}

async fn tables(
    db: &Db,
    columns: &'static str,
    primary: &'static str,
    indexes: &'static str,
    foreign: &'static str,
) -> BTreeMap<String, Table> {
    let mut tables: BTreeMap<String, Table> = BTreeMap::new();
    for row in read(db, columns).await {
        let kind = match text(&row, 2).as_str() {
            "bigint" | "boolean" => "integer".to_owned(),
            "bytea" | "uuid" => "blob".to_owned(),
            other => other.to_owned(),
        };
        let column = (text(&row, 1), kind, row.get::<bool>(3).unwrap());
        tables
            .entry(text(&row, 0))
            .or_default()
            .columns
            .push(column);
    }
    for row in read(db, primary).await {
        tables.entry(text(&row, 0)).or_default().primary_key = list(&row, 1);
    }
    for row in read(db, indexes).await {
        let table = tables.entry(text(&row, 0)).or_default();
        match row.get::<bool>(2).unwrap() {
            true => table.unique.insert((list(&row, 1), row.get(3).unwrap())),
            false => table.indexes.insert(list(&row, 1)),
        };
    }
    for row in read(db, foreign).await {
        let key = (
            list(&row, 1),
            text(&row, 2),
            list(&row, 3),
            row.get(4).unwrap(),
        );
        tables
            .entry(text(&row, 0))
            .or_default()
            .foreign_keys
            .insert(key);
    }
    tables
}

const SQLITE_NOT_STRICT: &str = "select name from pragma_table_list \
    where name like 'bosa!_%' escape '!' and type = 'table' and strict = 0";

const SQLITE_COLUMNS: &str = "select t.name, c.name, lower(c.type), c.\"notnull\" = 0 \
    from sqlite_schema t, pragma_table_info(t.name) c \
    where t.type = 'table' and t.name like 'bosa!_%' escape '!' order by t.name, c.cid";

const SQLITE_PRIMARY: &str = "select name, group_concat(part) from ( \
    select t.name as name, c.name as part from sqlite_schema t, pragma_table_info(t.name) c \
    where t.type = 'table' and t.name like 'bosa!_%' escape '!' and c.pk > 0 \
    order by t.name, c.pk) group by name";

const SQLITE_INDEXES: &str = "select name, group_concat(part), \"unique\", partial from ( \
    select t.name as name, l.name as index_name, i.name as part, l.\"unique\" as \"unique\", l.partial as partial \
    from sqlite_schema t, pragma_index_list(t.name) l, pragma_index_info(l.name) i \
    where t.type = 'table' and t.name like 'bosa!_%' escape '!' and l.origin <> 'pk' \
    order by t.name, l.name, i.seqno) group by name, index_name";

const SQLITE_FOREIGN: &str = "select name, group_concat(part), other, group_concat(other_part), \
    max(on_delete) = 'CASCADE' from ( \
    select t.name as name, f.id as id, f.\"from\" as part, f.\"table\" as other, f.\"to\" as other_part, \
    f.on_delete as on_delete from sqlite_schema t, pragma_foreign_key_list(t.name) f \
    where t.type = 'table' and t.name like 'bosa!_%' escape '!' order by t.name, f.id, f.seq) \
    group by name, id, other";

const POSTGRES_COLLATIONS: &str = "select c.relname || '.' || a.attname from pg_attribute a \
    join pg_class c on c.oid = a.attrelid join pg_collation l on l.oid = a.attcollation \
    where c.relname like 'bosa!_%' escape '!' and c.relname <> 'bosa_schema_migrations' \
    and c.relkind = 'r' and a.attnum > 0 and l.collname <> 'C'";

const POSTGRES_COLUMNS: &str = "select table_name::text, column_name::text, data_type::text, \
    is_nullable = 'YES' from information_schema.columns \
    where table_name like 'bosa!_%' escape '!' order by table_name, ordinal_position";

const POSTGRES_PRIMARY: &str = "select r.relname::text, string_agg(a.attname, ',' order by k.position) \
    from pg_index i join pg_class r on r.oid = i.indrelid \
    cross join lateral unnest(i.indkey) with ordinality as k (number, position) \
    join pg_attribute a on a.attrelid = r.oid and a.attnum = k.number \
    where r.relname like 'bosa!_%' escape '!' and i.indisprimary group by r.relname";

const POSTGRES_INDEXES: &str = "select r.relname::text, string_agg(a.attname, ',' order by k.position), \
    i.indisunique, i.indpred is not null \
    from pg_index i join pg_class r on r.oid = i.indrelid \
    cross join lateral unnest(i.indkey) with ordinality as k (number, position) \
    join pg_attribute a on a.attrelid = r.oid and a.attnum = k.number \
    where r.relname like 'bosa!_%' escape '!' and not i.indisprimary \
    group by r.relname, i.indexrelid, i.indisunique, i.indpred is not null";

const POSTGRES_FOREIGN: &str = "select r.relname::text, string_agg(a.attname, ',' order by k.position), \
    o.relname::text, string_agg(b.attname, ',' order by k.position), f.confdeltype = 'c' \
    from pg_constraint f join pg_class r on r.oid = f.conrelid join pg_class o on o.oid = f.confrelid \
    cross join lateral unnest(f.conkey, f.confkey) with ordinality as k (own, other, position) \
    join pg_attribute a on a.attrelid = r.oid and a.attnum = k.own \
    join pg_attribute b on b.attrelid = o.oid and b.attnum = k.other \
    where f.contype = 'f' and r.relname like 'bosa!_%' escape '!' \
    group by r.relname, f.oid, o.relname, f.confdeltype";
