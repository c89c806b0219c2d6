//! Backups that either database can read: `backup`, `backup --move` and `restore`.
//!
//! An archive is text, one JSON value a line: a header, then for each carried table its columns and
//! its rows, then a trailer with the number of lines and their SHA-256, so that a truncated or
//! edited archive is refused before anything is written. It holds what the database holds (digests,
//! hashes, sealed values) and no key; the header lists the root keys that are needed.

mod format;
mod read;
mod restore;
mod write;

use std::path::PathBuf;
use std::sync::Arc;

pub use restore::{RestoreOptions, RestoreReport, restore};

/// Whether the source goes on after a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackupMode {
    /// The source goes on. What the archive restores to has nobody signed in.
    Copy,
    /// The source is closed for good in the transaction that reads it. What the archive restores to
    /// has every token and account.
    Move,
}

/// What was written.
#[derive(Debug, Clone)]
pub struct BackupReport {
    /// Where the archive lies.
    pub path: PathBuf,
    /// How many rows it holds.
    pub rows: u64,
    /// The ids of the root keys that its restore needs.
    pub root_keys: Vec<String>,
}

/// Called with the number of rows so far.
pub type Progress = Arc<dyn Fn(u64) + Send + Sync>;
