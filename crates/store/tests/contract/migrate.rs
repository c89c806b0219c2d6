//! Migrations on both databases.

use bosa_auth_core::Timestamp;
use bosa_auth_store::{
    Db, DbOptions, StoreError,
    migrate::{self, Migration},
    params,
};
use bosa_auth_testkit::on_every_database;

type Outcome<T = ()> = Result<T, StoreError>;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

on_every_database! {
    async fn an_empty_database_has_everything_pending(db: TestDatabase) -> Outcome {
        let status = migrate::status_with(db.db(), &[FIRST, SECOND]).await?;
        assert!(status.applied.is_empty());
        assert_eq!(status.pending, [(1, "init"), (2, "names")]);
        Ok(())
    }

    async fn pending_migrations_are_applied_once(db: TestDatabase) -> Outcome {
        let db = db.db();
        migrate::up_with(db, &[FIRST], NOW).await?;
        let status = migrate::up_with(db, &[FIRST, SECOND], NOW).await?;
        assert_eq!(status, migrate::up_with(db, &[FIRST, SECOND], NOW).await?);
        assert!(status.pending.is_empty());
        let versions: Vec<_> = status.applied.iter().map(|applied| applied.version).collect();
        assert_eq!(versions, [1, 2]);
        assert!(status.applied.iter().all(|applied| applied.applied_at == NOW));
        assert!(db.read("select id, name from item", params![]).await?.is_empty());
        Ok(())
    }

    async fn a_broken_migration_leaves_nothing_behind(db: TestDatabase) -> Outcome {
        let db = db.db();
        migrate::up_with(db, &[FIRST], NOW).await?;
        assert!(migrate::up_with(db, &[FIRST, SECOND, BROKEN], NOW).await.is_err());
        let status = migrate::status_with(db, &[FIRST, SECOND]).await?;
        assert_eq!(status.pending, [(2, "names")]);
        assert!(db.read("select id from other", params![]).await.is_err());
        Ok(())
    }

    async fn an_edited_migration_is_refused(db: TestDatabase) -> Outcome {
        migrate::up_with(db.db(), &[FIRST], NOW).await?;
        let error = migrate::up_with(db.db(), &[EDITED, SECOND], NOW).await.unwrap_err();
        assert!(matches!(error, StoreError::Migration(_)), "{error:?}");
        Ok(())
    }

    async fn a_newer_database_is_refused(db: TestDatabase) -> Outcome {
        migrate::up_with(db.db(), &[FIRST, SECOND], NOW).await?;
        for result in [
            migrate::status_with(db.db(), &[FIRST]).await,
            migrate::up_with(db.db(), &[FIRST], NOW).await,
        ] {
            let error = result.unwrap_err();
            assert!(error.to_string().contains("newer"), "{error}");
        }
        Ok(())
    }

    async fn the_programs_own_migrations_apply(db: TestDatabase) -> Outcome {
        assert!(!migrate::status(db.db()).await?.pending.is_empty());
        let db = db.migrated().await;
        assert!(migrate::status(db.db()).await?.pending.is_empty());
        Ok(())
    }

    async fn ten_that_start_at_once_all_come_up(db: TestDatabase) -> Outcome {
        let starts: Vec<_> = (0..10)
            .map(|_| {
                let url = db.url();
                tokio::spawn(async move {
                    let db = Db::open(&url, DbOptions::default()).await?;
                    migrate::up_with(&db, &[FIRST, SECOND], NOW).await
                })
            })
            .collect();
        for start in starts {
            assert_eq!(start.await.unwrap()?.applied.len(), 2);
        }
        Ok(())
    }
}

const FIRST: Migration = Migration {
    version: 1,
    name: "init",
    sql_sqlite: "create table item (id integer primary key) strict;",
    sql_postgres: "create table item (id bigint primary key);",
};

const SECOND: Migration = Migration {
    version: 2,
    name: "names",
    sql_sqlite: "alter table item add column name text; create index item_name on item (name);",
    sql_postgres: "alter table item add column name text; create index item_name on item (name);",
};

const BROKEN: Migration = Migration {
    version: 3,
    name: "broken",
    sql_sqlite: "create table other (id integer primary key); select nonsense;",
    sql_postgres: "create table other (id bigint primary key); select nonsense;",
};

const EDITED: Migration = Migration {
    sql_sqlite: "create table item (id integer primary key, extra text) strict;",
    sql_postgres: "create table item (id bigint primary key, extra text);",
    ..FIRST
};
