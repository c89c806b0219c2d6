//! Filling a database on PostgreSQL with `copy`, through `psql`.

use std::collections::HashMap;
use std::io::{BufWriter, Write};
use std::process::{Command, Stdio};

use uuid::Uuid;

use crate::Outcome;
use crate::fill::{Line, MOVED, Sink, TABLES, Table, Value};

/// No triggers, and so no checks of foreign keys.
const UNCHECKED: &str = "set session_replication_role = replica";

pub(crate) struct Postgres {
    url: String,
    /// The rows that the library wrote, as `copy` takes them.
    real: HashMap<Uuid, String>,
    /// The texts of the indexes that are to be made again.
    indexes: Vec<String>,
}

/// Gives up durability while the database is filled.
pub(crate) fn loosen(url: &str) -> Outcome<()> {
    for setting in [
        "fsync = off",
        "synchronous_commit = off",
        "full_page_writes = off",
        "max_wal_size = '8GB'",
    ] {
        psql(url, &[&format!("alter system set {setting}")])?;
    }
    psql(url, &["select pg_reload_conf()"]).map(drop)
}

/// As a database that must lose nothing.
fn tighten(url: &str) -> Outcome<()> {
    for setting in [
        "fsync = on",
        "synchronous_commit = on",
        "full_page_writes = on",
        "max_wal_size = '1GB'",
    ] {
        psql(url, &[&format!("alter system set {setting}")])?;
    }
    psql(url, &["select pg_reload_conf()"]).map(drop)
}

impl Postgres {
    pub(crate) fn open(url: &str) -> Outcome<Self> {
        let mut real = HashMap::new();
        for Table { name, columns } in MOVED {
            let rows = psql(
                url,
                &[&format!("copy (select {columns} from {name}) to stdout")],
            )?;
            for row in rows.lines() {
                let id = row.split('\t').nth(1).ok_or("a row without an id")?;
                real.insert(id.parse()?, row.to_owned());
            }
        }
        let tables = TABLES.map(|table| format!("'{table}'")).join(", ");
        let found = psql(
            url,
            &[&format!(
                "select indexname, indexdef from pg_indexes where tablename in ({tables}) \
                 and indexname not in (select conname from pg_constraint)"
            )],
        )?;
        let mut indexes = Vec::new();
        for line in found.lines() {
            let (name, text) = line.split_once('|').ok_or("an index without a text")?;
            psql(url, &[&format!("drop index {name}")])?;
            indexes.push(text.to_owned());
        }
        for Table { name, .. } in MOVED.iter().rev() {
            psql(url, &[UNCHECKED, &format!("delete from {name}")])?;
            psql(url, &[&format!("vacuum {name}")])?;
        }
        Ok(Self {
            url: url.to_owned(),
            real,
            indexes,
        })
    }

    pub(crate) fn finish(self) -> Outcome<()> {
        for text in &self.indexes {
            psql(&self.url, &["set maintenance_work_mem = '1GB'", text])?;
        }
        psql(&self.url, &["vacuum (analyze)"])?;
        psql(&self.url, &["checkpoint"])?;
        tighten(&self.url)?;
        psql(&self.url, &["checkpoint"]).map(drop)
    }
}

impl Sink for Postgres {
    fn fill(
        &mut self,
        table: &Table,
        lines: &mut dyn Iterator<Item = Outcome<Line>>,
    ) -> Outcome<()> {
        let Table { name, columns } = table;
        let copy = format!("copy {name} ({columns}) from stdin");
        let mut child = command(&self.url, &[UNCHECKED, &copy])
            .stdin(Stdio::piped())
            .spawn()?;
        let mut out = BufWriter::with_capacity(1 << 20, child.stdin.take().ok_or("no input")?);
        for line in lines {
            match line? {
                Line::Real(id) => {
                    let row = self
                        .real
                        .get(&id)
                        .ok_or_else(|| format!("no row in {name}"))?;
                    out.write_all(row.as_bytes())?;
                }
                Line::Made(values) => write_line(&mut out, &values)?,
            }
            out.write_all(b"\n")?;
        }
        out.flush()?;
        drop(out);
        match child.wait()?.success() {
            true => Ok(()),
            false => Err(format!("{name} could not be filled").into()),
        }
    }
}

fn write_line(out: &mut impl Write, values: &[Value]) -> std::io::Result<()> {
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            out.write_all(b"\t")?;
        }
        match value {
            Value::Null => out.write_all(b"\\N")?,
            Value::Uuid(id) => {
                let mut text = [0; 36];
                out.write_all(id.hyphenated().encode_lower(&mut text).as_bytes())?;
            }
            Value::Int(value) => write!(out, "{value}")?,
            Value::Bool(value) => out.write_all(if *value { b"t" } else { b"f" })?,
            // No text of ours holds what `copy` wants escaped, but for the backslash.
            Value::Text(text) => out.write_all(text.replace('\\', "\\\\").as_bytes())?,
            Value::Bytes(bytes) => {
                out.write_all(b"\\\\x")?;
                for byte in bytes {
                    write!(out, "{byte:02x}")?;
                }
            }
        }
    }
    Ok(())
}

/// In MiB.
pub(crate) fn size(url: &str) -> Outcome<f64> {
    let bytes = psql(url, &["select pg_database_size(current_database())"])?;
    Ok(bytes.trim().parse::<f64>()? / 1_048_576.0)
}

/// Runs the statements in one session, each in a transaction of its own, and returns what they print.
fn psql(url: &str, statements: &[&str]) -> Outcome<String> {
    let output = command(url, statements)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout)?),
        false => Err(format!("psql failed: {}", statements.join("; ")).into()),
    }
}

fn command(url: &str, statements: &[&str]) -> Command {
    let mut command = Command::new("psql");
    command.args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1"]);
    for statement in statements {
        command.args(["-c", statement]);
    }
    command.arg(url);
    command
}
