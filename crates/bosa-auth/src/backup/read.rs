//! Reading an archive, twice: first to see that it is whole, then row by row.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Lines};
use std::path::{Path, PathBuf};

use bosa_auth_store::Param;
use bosa_auth_store::archive::{self, ArchiveTable};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::format::{FORMAT, Header, Line, VERSION, from_json};
use super::write::hex;
use crate::error::{Error, Result};

/// An archive that was found whole.
#[derive(Debug, Clone)]
pub(super) struct CheckedArchive {
    pub(super) path: PathBuf,
    pub(super) header: Header,
}

/// Reads a whole archive and compares it with its trailer.
///
/// # Errors
/// `Configuration`: the file cannot be read, is no archive, is of a newer version, or was cut or
/// edited.
pub(super) fn check(path: &Path) -> Result<CheckedArchive> {
    let mut digest = Sha256::new();
    let mut header = None;
    for (lines, line) in open(path)?.enumerate() {
        let line = line.map_err(|error| unreadable(path, &error.to_string()))?;
        if header.is_none() {
            header = Some(check_header(path, &line)?);
        } else if let Ok(Line::Trailer {
            lines: expected,
            sha256,
        }) = serde_json::from_str(&line)
        {
            return if expected == lines as u64 && sha256 == hex(&digest.finalize()) {
                header
                    .map(|header| CheckedArchive {
                        path: path.to_path_buf(),
                        header,
                    })
                    .ok_or_else(|| damaged(path))
            } else {
                Err(damaged(path))
            };
        }
        digest.update(line.as_bytes());
        digest.update(b"\n");
    }
    Err(damaged(path))
}

/// The rows of a checked archive.
pub(super) struct Rows {
    path: PathBuf,
    lines: Lines<BufReader<File>>,
    table: Option<&'static ArchiveTable>,
}

impl CheckedArchive {
    pub(super) fn rows(&self) -> Result<Rows> {
        let mut lines = open(&self.path)?;
        drop(lines.next());
        Ok(Rows {
            path: self.path.clone(),
            lines,
            table: None,
        })
    }
}

impl Rows {
    /// The next row and its table; `None` after the last one.
    pub(super) fn next_row(&mut self) -> Result<Option<(&'static ArchiveTable, Vec<Param>)>> {
        loop {
            let Some(line) = self.lines.next() else {
                return Err(damaged(&self.path));
            };
            let line = line.map_err(|error| unreadable(&self.path, &error.to_string()))?;
            match serde_json::from_str(&line).map_err(|_| damaged(&self.path))? {
                Line::Trailer { .. } => return Ok(None),
                Line::Table { table, columns } => self.table = Some(self.known(&table, &columns)?),
                Line::Row(values) => {
                    let table = self.table.ok_or_else(|| damaged(&self.path))?;
                    return Ok(Some((table, self.typed(table, &values)?)));
                }
            }
        }
    }

    fn known(&self, name: &str, columns: &[String]) -> Result<&'static ArchiveTable> {
        archive::table(name)
            .filter(|table| table.is_carried())
            .filter(|table| {
                table
                    .columns()
                    .iter()
                    .map(|(name, _)| *name)
                    .eq(columns.iter().map(String::as_str))
            })
            .ok_or_else(|| {
                unreadable(
                    &self.path,
                    &format!("the table {name} is not as this version of bosa-auth has it"),
                )
            })
    }

    fn typed(&self, table: &ArchiveTable, values: &[Value]) -> Result<Vec<Param>> {
        let columns = table.columns();
        if columns.len() != values.len() {
            return Err(damaged(&self.path));
        }
        let typed = columns
            .iter()
            .zip(values)
            .map(|((_, kind), value)| from_json(*kind, value));
        typed
            .collect::<Option<_>>()
            .ok_or_else(|| damaged(&self.path))
    }
}

fn check_header(path: &Path, line: &str) -> Result<Header> {
    let header: Header =
        serde_json::from_str(line).map_err(|_| unreadable(path, "it is no backup of bosa-auth"))?;
    if header.format != FORMAT {
        return Err(unreadable(path, "it is no backup of bosa-auth"));
    }
    if header.version > VERSION {
        return Err(unreadable(
            path,
            "it was made by a newer version of bosa-auth",
        ));
    }
    Ok(header)
}

fn open(path: &Path) -> Result<Lines<BufReader<File>>> {
    let file = File::open(path).map_err(|error| unreadable(path, &error.to_string()))?;
    Ok(BufReader::new(file).lines())
}

fn damaged(path: &Path) -> Error {
    unreadable(path, "it is damaged: it was cut or edited")
}

fn unreadable(path: &Path, reason: &str) -> Error {
    Error::configuration(format!("cannot restore {}: {reason}", path.display()))
}
