//! Filling a SQLite file: without a journal, and with indexes made at the end.

use std::path::Path;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ToSql, params_from_iter};

use crate::Outcome;
use crate::fill::{Line, MOVED, Sink, TABLES, Table, Value};

pub(crate) struct Sqlite {
    connection: Connection,
    /// The texts of the indexes that are to be made again.
    indexes: Vec<String>,
}

impl Sqlite {
    pub(crate) fn open(url: &str) -> Outcome<Self> {
        let connection = Connection::open(path(url)?)?;
        for (pragma, value) in [
            ("locking_mode", "exclusive"),
            ("journal_mode", "delete"),
            ("journal_mode", "off"),
            ("synchronous", "off"),
            ("foreign_keys", "off"),
            ("cache_size", "-1000000"),
            ("temp_store", "file"),
        ] {
            connection
                .pragma_update_and_check(None, pragma, value, |_| Ok(()))
                .or_else(no_row)?;
        }
        let mut sink = Self {
            connection,
            indexes: Vec::new(),
        };
        sink.drop_indexes()?;
        for table in MOVED {
            let Table { name, .. } = table;
            sink.connection.execute_batch(&format!(
                "create temp table real_{name} as select * from {name}; \
                 create index temp.real_{name}_id on real_{name} (id); \
                 delete from {name};"
            ))?;
        }
        Ok(sink)
    }

    fn drop_indexes(&mut self) -> Outcome<()> {
        let mut statement = self.connection.prepare(
            "select tbl_name, name, sql from sqlite_master where type = 'index' and sql is not null",
        )?;
        let found = statement
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
            .collect::<Result<Vec<(String, String, String)>, _>>()?;
        drop(statement);
        for (table, name, text) in found {
            if TABLES.contains(&table.as_str()) {
                self.connection
                    .execute_batch(&format!("drop index {name}"))?;
                self.indexes.push(text);
            }
        }
        Ok(())
    }

    pub(crate) fn finish(self) -> Outcome<()> {
        let file = self.connection.path().ok_or("no SQLite file")?.to_owned();
        for text in &self.indexes {
            self.connection
                .execute_batch(text)
                .map_err(|error| format!("{text}: {error}"))?;
        }
        self.connection
            .execute_batch("pragma journal_mode = wal;")?;
        self.connection.close().map_err(|(_, error)| error)?;
        // Until now nothing has waited for the disk.
        std::fs::File::open(file)?.sync_all()?;
        Ok(())
    }
}

impl Sink for Sqlite {
    fn fill(
        &mut self,
        table: &Table,
        lines: &mut dyn Iterator<Item = Outcome<Line>>,
    ) -> Outcome<()> {
        let Table { name, columns } = table;
        let transaction = self.connection.transaction()?;
        {
            let places = vec!["?"; columns.split(',').count()].join(", ");
            let mut made = transaction
                .prepare(&format!("insert into {name} ({columns}) values ({places})"))?;
            let mut real = match MOVED.iter().any(|moved| moved.name == *name) {
                true => Some(transaction.prepare(&format!(
                    "insert into {name} ({columns}) select {columns} from real_{name} where id = ?"
                ))?),
                false => None,
            };
            for line in lines {
                let written = match (line?, real.as_mut()) {
                    (Line::Made(values), _) => made.execute(params_from_iter(&values))?,
                    (Line::Real(id), Some(real)) => real.execute([id])?,
                    (Line::Real(_), None) => 0,
                };
                if written != 1 {
                    return Err(format!("a row of {name} is missing").into());
                }
            }
        }
        transaction.commit()?;
        Ok(())
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Uuid(id) => ValueRef::Blob(id.as_bytes()),
            Self::Int(value) => ValueRef::Integer(*value),
            Self::Bool(value) => ValueRef::Integer(i64::from(*value)),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

/// In MiB.
#[expect(clippy::cast_precision_loss, reason = "a size needs three digits")]
pub(crate) fn size(url: &str) -> Outcome<f64> {
    Ok(std::fs::metadata(path(url)?)?.len() as f64 / 1_048_576.0)
}

fn path(url: &str) -> Outcome<&Path> {
    Ok(Path::new(
        url.strip_prefix("sqlite:///").ok_or("no SQLite file")?,
    ))
}

/// Some pragmas answer nothing.
fn no_row(error: rusqlite::Error) -> rusqlite::Result<()> {
    match error {
        rusqlite::Error::QueryReturnedNoRows => Ok(()),
        error => Err(error),
    }
}
