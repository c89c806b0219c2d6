//! Writing an archive.

use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bosa_auth_core::AuditAction;
use bosa_auth_store::archive::{self, ArchiveTable};
use bosa_auth_store::changes::{self, ChangeKind};
use bosa_auth_store::instance::{self, InstanceRow, InstanceState};
use bosa_auth_store::{BoxFuture, StoreError, Tx, audit, leases, migrate, root_keys};
use sha2::{Digest as _, Sha256};

use super::format::{FORMAT, Header, Line, VERSION, to_json};
use super::{BackupMode, BackupReport, Progress};
use crate::error::{Error, Result};
use crate::key_files::sync_directory;
use crate::memory::{Change, Outcome};
use crate::principal::Operator;

const PAGE: u32 = 1000;

impl Operator {
    /// Writes everything but the keys into an archive that either database can be restored from.
    ///
    /// With [`BackupMode::Move`] the source is closed in the transaction that reads it: a failure
    /// leaves it open and removes the archive.
    ///
    /// # Errors
    /// `Configuration`: the file exists or cannot be written. `DatabaseUnavailable`.
    ///
    /// # Security
    /// The archive holds digests, hashes and sealed values. Keep the root keys elsewhere.
    pub async fn backup(
        &self,
        path: &Path,
        mode: BackupMode,
        progress: Progress,
    ) -> Result<BackupReport> {
        let inner = &self.auth.inner;
        let target = path.to_path_buf();
        if target.exists() {
            return Err(Error::configuration(format!(
                "{} exists already; name another file",
                target.display()
            )));
        }
        let schema = migrate::status(inner.store.db())
            .await?
            .applied
            .last()
            .map_or(0, |step| step.version);
        let job = Arc::new(Job {
            temporary: partial(&target),
            target,
            mode,
            schema,
            event: inner.event(
                &self.actor,
                match mode {
                    BackupMode::Copy => AuditAction::InstanceBackup,
                    BackupMode::Move => AuditAction::InstanceBackupMove,
                },
                None,
                None,
                None,
            )?,
            mark: inner.new_mark()?,
            progress,
            is_placed: AtomicBool::new(false),
            written: Mutex::default(),
        });
        let running = job.clone();
        let written = match mode {
            BackupMode::Copy => {
                self.record_copy(&job).await?;
                inner
                    .store
                    .snapshot(move |tx| {
                        let job = running.clone();
                        Box::pin(async move { job.write(tx).await })
                    })
                    .await
            }
            BackupMode::Move => {
                let store = inner.store.clone();
                let close = async move {
                    store
                        .exclusive_write(move |tx| {
                            let job = running.clone();
                            Box::pin(
                                async move { job.close_and_write(tx).await.map(Outcome::Changed) },
                            )
                        })
                        .await
                };
                inner.forgetting(THE_INSTANCE, close).await
            }
        };
        match written {
            Ok(report) if mode == BackupMode::Copy => job.put_in_place().map(|()| report),
            Ok(report) => Ok(report),
            Err(error) => self.after_failure(&job, error).await,
        }
    }

    /// Records a copy before anything is read: what reads on one state of the whole cannot write.
    async fn record_copy(&self, job: &Job) -> Result<()> {
        let event = job.event.clone();
        let recorded = self
            .auth
            .inner
            .store
            .write(move |tx| -> BoxFuture<'_, Result<bool, StoreError>> {
                let event = event.clone();
                Box::pin(async move { audit::record(tx, &event).await })
            })
            .await;
        match recorded {
            // One that was moved takes no record any more, but may be copied.
            Ok(_) | Err(StoreError::Moved) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes what was written, unless the source was closed by a commit whose answer was lost.
    async fn after_failure(&self, job: &Job, error: Error) -> Result<BackupReport> {
        drop(fs::remove_file(&job.temporary));
        if job.mode == BackupMode::Copy || !job.is_placed.load(Ordering::SeqCst) {
            return Err(error);
        }
        let closed = self.is_closed_by(job).await;
        let mut written = job.written.lock().unwrap_or_else(PoisonError::into_inner);
        match (closed, written.take()) {
            (Ok(true), Some(report)) => Ok(report),
            (Ok(false), _) => {
                drop(fs::remove_file(&job.target));
                Err(error)
            }
            _ => Err(Error::configuration(format!(
                "whether the database was closed is unknown; {} is kept: restore it only if the source says that it was moved",
                job.target.display()
            ))),
        }
    }

    /// Whether this backup has closed the source. Takes the lock that closing holds: only that waits
    /// for an attempt that is still committing, which a reading statement does not see.
    async fn is_closed_by(&self, job: &Job) -> Result<bool, StoreError> {
        let store = &self.auth.inner.store;
        let open = store.exclusive_write(|_| -> BoxFuture<'_, Result<(), StoreError>> {
            Box::pin(async { Ok(()) })
        });
        match open.await {
            Ok(()) => Ok(false),
            Err(StoreError::Moved) => audit::is_recorded(store, job.event.id).await,
            Err(error) => Err(error),
        }
    }
}

/// What a move ends: everything.
const THE_INSTANCE: Change = Change::of_instance(ChangeKind::Instance);

/// One backup. Its transaction may run more than once.
struct Job {
    target: PathBuf,
    temporary: PathBuf,
    mode: BackupMode,
    schema: u32,
    event: bosa_auth_core::AuditEvent,
    mark: uuid::Uuid,
    progress: Progress,
    /// Whether the archive has its name: what lies there is ours.
    is_placed: AtomicBool,
    /// What the latest attempt has written.
    written: Mutex<Option<BackupReport>>,
}

impl Job {
    async fn close_and_write(&self, tx: &mut Tx) -> Result<BackupReport> {
        if self.is_placed.swap(false, Ordering::SeqCst) {
            // Left by an attempt of this very backup that was rolled back.
            drop(fs::remove_file(&self.target));
        }
        audit::record(tx, &self.event).await?;
        instance::set_state(
            tx,
            InstanceState::Moved,
            Some(&self.target.display().to_string()),
        )
        .await?;
        changes::append(
            tx,
            self.mark,
            ChangeKind::Instance,
            None,
            None,
            self.event.at,
        );
        // A refresh that is under way comes back to a closed door.
        leases::doubt_sent(tx, self.event.at).await?;
        let report = self.write(tx).await?;
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        *written = Some(report.clone());
        self.put_in_place()?;
        Ok(report)
    }

    async fn write(&self, tx: &mut Tx) -> Result<BackupReport> {
        let Some(instance) = instance::load(&mut *tx).await? else {
            return Err(Error::configuration("the database holds no instance"));
        };
        let canaries = root_keys::canaries(&mut *tx).await?;
        let root_keys: Vec<String> = canaries
            .into_iter()
            .map(|canary| canary.root_key_id)
            .collect();
        let mut archive = Archive::create(&self.temporary)?;
        archive.line(&self.header(&instance, &root_keys))?;
        let mut rows = 0;
        for table in archive::tables().iter().filter(|table| table.is_carried()) {
            rows = self.write_table(tx, table, &mut archive, rows).await?;
        }
        archive.finish()?;
        Ok(BackupReport {
            path: self.target.clone(),
            rows,
            root_keys,
        })
    }

    async fn write_table(
        &self,
        tx: &mut Tx,
        table: &'static ArchiveTable,
        archive: &mut Archive,
        mut rows: u64,
    ) -> Result<u64> {
        let columns = table
            .columns()
            .iter()
            .map(|(name, _)| (*name).to_owned())
            .collect();
        archive.line(&Line::Table {
            table: table.name().to_owned(),
            columns,
        })?;
        let mut after = None;
        loop {
            let page = archive::export(&mut *tx, table, after.take(), PAGE).await?;
            for row in &page {
                archive.line(&Line::Row(row.iter().map(to_json).collect()))?;
            }
            rows += page.len() as u64;
            (self.progress)(rows);
            match page.last() {
                Some(last) if page.len() as u64 == u64::from(PAGE) => after = Some(table.key(last)),
                _ => return Ok(rows),
            }
        }
    }

    fn header(&self, instance: &InstanceRow, root_keys: &[String]) -> Header {
        Header {
            format: FORMAT.to_owned(),
            version: VERSION,
            schema: self.schema,
            moved: self.mode == BackupMode::Move,
            instance: instance.id.to_string(),
            created_at: self.event.at.to_string(),
            root_keys: root_keys.to_vec(),
        }
    }

    /// Gives the finished archive its name, without overwriting anything.
    fn put_in_place(&self) -> Result<()> {
        let linked = fs::hard_link(&self.temporary, &self.target);
        drop(fs::remove_file(&self.temporary));
        linked.map_err(|error| failed(&self.target, &error))?;
        self.is_placed.store(true, Ordering::SeqCst);
        sync_directory(self.target.parent().unwrap_or_else(|| Path::new(".")))
    }
}

/// A file that is being written, with the digest of its lines.
struct Archive {
    path: PathBuf,
    file: BufWriter<File>,
    digest: Sha256,
    lines: u64,
}

impl Archive {
    fn create(path: &Path) -> Result<Self> {
        // Left by an earlier attempt, or by a process that was killed: never written through.
        drop(fs::remove_file(path));
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(|error| failed(path, &error))?;
        Ok(Self {
            path: path.to_path_buf(),
            file: BufWriter::new(file),
            digest: Sha256::new(),
            lines: 0,
        })
    }

    fn line(&mut self, value: &impl serde::Serialize) -> Result<()> {
        let mut text = serde_json::to_string(value).map_err(Error::internal)?;
        text.push('\n');
        self.digest.update(text.as_bytes());
        self.lines += 1;
        self.file
            .write_all(text.as_bytes())
            .map_err(|error| failed(&self.path, &error))
    }

    fn finish(mut self) -> Result<()> {
        let sha256 = hex(&self.digest.clone().finalize());
        let lines = self.lines;
        self.line(&Line::Trailer { lines, sha256 })?;
        let path = self.path;
        let file = self
            .file
            .into_inner()
            .map_err(|error| failed(&path, error.error()))?;
        file.sync_all().map_err(|error| failed(&path, &error))
    }
}

fn partial(target: &Path) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    name.push(".partial");
    PathBuf::from(name)
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn failed(path: &Path, error: &std::io::Error) -> Error {
    Error::configuration(format!("cannot write {}: {error}", path.display()))
}
