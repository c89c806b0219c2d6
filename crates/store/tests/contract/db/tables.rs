//! The tables and statements the tests share.

use bosa_auth_store::{BoxFuture, Db, Dialect, StoreError, Tx, params};

pub(crate) type Outcome<T = ()> = Result<T, StoreError>;

pub(crate) async fn with_items(db: &Db) -> Outcome {
    create(db, ITEMS_SQLITE, ITEMS_POSTGRES).await
}

pub(crate) async fn create(db: &Db, sqlite: &'static str, postgres: &'static str) -> Outcome {
    db.write(move |tx| -> BoxFuture<'_, Outcome> {
        Box::pin(async move {
            let sql = match tx.dialect() {
                Dialect::Sqlite => sqlite,
                Dialect::Postgres => postgres,
            };
            tx.batch(sql).await
        })
    })
    .await
}

/// A write of one row.
pub(crate) fn insert(
    id: i64,
    name: impl Into<String>,
) -> impl for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Outcome> {
    let name = name.into();
    move |tx| {
        let name = name.clone();
        Box::pin(async move {
            tx.execute(INSERT, params![id, name]).await?;
            Ok(())
        })
    }
}

/// A write of one statement without parameters.
pub(crate) fn statement(
    sql: &'static str,
) -> impl for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Outcome> {
    move |tx| {
        Box::pin(async move {
            tx.execute(sql, params![]).await?;
            Ok(())
        })
    }
}

pub(crate) async fn count(db: &Db) -> Outcome<i64> {
    number(db, "select count(*) from item").await
}

pub(crate) async fn sum(db: &Db) -> Outcome<i64> {
    number(db, "select cast(sum(n) as bigint) from item").await
}

async fn number(db: &Db, sql: &'static str) -> Outcome<i64> {
    let row = db.read_opt(sql, params![]).await?;
    row.expect("one row").get(0)
}

pub(crate) const INSERT: &str = "insert into item (id, name) values ($1, $2)";

pub(crate) const INSERT_ONCE: &str =
    "insert into item (id, name) values ($1, $2) on conflict (id) do nothing";

pub(crate) const INCREMENT: &str = "update item set n = n + 1";

const ITEMS_SQLITE: &str = "
create table item (
    id integer primary key, name text not null unique, n integer not null default 0
) strict;
create table part (id integer primary key, item integer not null references item (id)) strict;";

const ITEMS_POSTGRES: &str = "
create table item (id bigint primary key, name text not null unique, n bigint not null default 0);
create table part (id bigint primary key, item bigint not null references item (id));";
