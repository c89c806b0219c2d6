//! What is bound and what comes back.

use bosa_auth_core::{ClientId, Timestamp};
use bosa_auth_store::{BoxFuture, StoreError, params};
use bosa_auth_testkit::on_every_database;
use uuid::Uuid;

use super::tables::{Outcome, create};

const ID: Uuid = Uuid::from_u128(0x0192_f0c0_0000_7000_8000_0000_0000_0001);
const TEXT: &str = "n\u{e4}me \u{1F511}'; -- $1";

on_every_database! {
    async fn values_bound_out_of_order_keep_their_places(db: TestDatabase) -> Outcome {
        let row = db.db().read_opt("select $2, $1", params!["one", "two"]).await?.unwrap();
        assert_eq!(row.get::<String>(0)?, "two");
        assert_eq!(row.get::<String>(1)?, "one");
        Ok(())
    }

    async fn a_dollar_inside_a_literal_stays(db: TestDatabase) -> Outcome {
        let sql = "select 'it''s $2', $1 -- not $3\n";
        let row = db.db().read_opt(sql, params!["one"]).await?.unwrap();
        assert_eq!(row.get::<String>(0)?, "it's $2");
        assert_eq!(row.get::<String>(1)?, "one");
        Ok(())
    }

    async fn every_type_comes_back_as_it_was(db: TestDatabase) -> Outcome {
        let db = db.db();
        create(db, TYPES_SQLITE, TYPES_POSTGRES).await?;
        let time: Timestamp = "2026-11-25T12:00:00.123456Z".parse().unwrap();
        let client = ClientId::from(ID);
        db.write(move |tx| -> BoxFuture<'_, Outcome> {
            Box::pin(async move {
                let bytes = vec![0_u8, 255, 39];
                let full = params![1_i64, true, i64::MIN, TEXT, bytes, client, time];
                tx.execute(INSERT_TYPES, full).await?;
                let null = params![
                    2_i64, None::<bool>, None::<i64>, None::<&str>, None::<Vec<u8>>,
                    None::<Uuid>, None::<Timestamp>,
                ];
                tx.execute(INSERT_TYPES, null).await?;
                Ok(())
            })
        })
        .await?;
        let rows = db.read(SELECT_TYPES, params![]).await?;
        let [full, null] = rows.as_slice() else { panic!("two rows") };
        assert!(full.get::<bool>(1)?);
        assert_eq!(full.get::<i64>(2)?, i64::MIN);
        assert_eq!(full.get::<String>(3)?, TEXT);
        assert_eq!(full.get::<Vec<u8>>(4)?, [0, 255, 39]);
        assert_eq!(full.get::<Uuid>(5)?, ID);
        assert_eq!(full.get::<ClientId>(5)?, client);
        assert_eq!(full.get::<Timestamp>(6)?, time);
        assert_eq!(full.get::<Option<bool>>(1)?, Some(true));
        assert_eq!(null.get::<Option<bool>>(1)?, None);
        assert_eq!(null.get::<Option<i64>>(2)?, None);
        assert_eq!(null.get::<Option<String>>(3)?, None);
        assert_eq!(null.get::<Option<Vec<u8>>>(4)?, None);
        assert_eq!(null.get::<Option<ClientId>>(5)?, None);
        assert_eq!(null.get::<Option<Timestamp>>(6)?, None);
        Ok(())
    }

    async fn a_value_of_another_type_is_unreadable(db: TestDatabase) -> Outcome {
        let sql = "select $1, $2, cast(null as text)";
        let row = db.db().read_opt(sql, params!["text", i64::MAX]).await?.unwrap();
        assert!(unreadable(row.get::<i64>(0)));
        assert!(unreadable(row.get::<Uuid>(0)));
        assert!(unreadable(row.get::<Option<bool>>(0)));
        assert!(unreadable(row.get::<Timestamp>(1)), "out of range");
        assert!(unreadable(row.get::<String>(2)), "null");
        assert!(unreadable(row.get::<String>(3)), "no such column");
        assert_eq!(row.get::<Option<String>>(2)?, None);
        Ok(())
    }
}

fn unreadable<T>(result: Outcome<T>) -> bool {
    matches!(result, Err(StoreError::Unreadable { .. }))
}

const INSERT_TYPES: &str =
    "insert into kind (id, b, i, t, y, u, at) values ($1, $2, $3, $4, $5, $6, $7)";

const SELECT_TYPES: &str = "select id, b, i, t, y, u, at from kind order by id";

const TYPES_SQLITE: &str = "
create table kind (
    id integer primary key, b integer, i integer, t text, y blob, u blob, at integer
) strict";

const TYPES_POSTGRES: &str = "
create table kind (
    id bigint primary key, b boolean, i bigint, t text, y bytea, u uuid, at bigint
)";
