//! Restoring an archive into an empty database.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bosa_auth_core::token::SigningKey;
use bosa_auth_core::{
    Actor, AuditAction, AuditEvent, Clock, Entropy, Form, InstanceId, OperationId, SystemClock,
    SystemEntropy, Timestamp,
};
use bosa_auth_store::{
    DatabaseUrl, Db, Param, Store, Tx, api_keys, archive, audit, clients, grants, instance,
    migrate, signing_keys,
};
use uuid::Uuid;

use super::Progress;
use super::read::{CheckedArchive, check};
use crate::auth::{OpenMode, db_options, key_place};
use crate::error::{Error, Result};
use crate::instance::{
    KeyPlace, check_canaries, configured_or_kept_root_keys, configured_or_kept_signing_key,
};
use crate::key_files::sync_directory;
use crate::settings::{Configuration, Settings};

const TOKENS: &str = "bosa_tokens";

/// What a restore does beyond reading the archive.
#[derive(Debug, Clone, Copy, Default)]
pub struct RestoreOptions {
    /// Ends every API key, because keys that were revoked after the backup are valid again.
    pub revoke_keys: bool,
}

/// What was restored.
#[derive(Debug, Clone)]
pub struct RestoreReport {
    /// How many rows.
    pub rows: u64,
    /// Whether the archive was made by a move, so that every session goes on.
    pub keeps_sessions: bool,
    /// When the archive was made.
    pub made_at: String,
    /// How many API keys were ended.
    pub revoked_keys: u64,
    /// How many accounts have a refresh token that may have been used since, so that it is not known
    /// whether they still work.
    pub unverified_accounts: u64,
    /// Keys that signed restored tokens but are not configured here: those tokens are refused.
    pub missing_signing_keys: Vec<String>,
}

/// Reads an archive into a database that holds no instance yet.
///
/// The archive of a copy is older than the last revocations: everyone is signed out, while keys,
/// users and secrets that were ended since are valid again. The archive of a move keeps every token
/// and account.
///
/// # Errors
/// `Configuration`: the archive is damaged, the database is not empty, or a root key that the
/// archive needs is missing or wrong; nothing is written then.
pub async fn restore(
    configuration: &Configuration,
    path: &Path,
    options: RestoreOptions,
    progress: Progress,
) -> Result<RestoreReport> {
    let mut settings = Settings::resolve(configuration)?;
    let archive = check(path)?;
    let place = key_place(&settings, OpenMode::Create)?;
    if matches!(place, KeyPlace::Memory) {
        return Err(Error::configuration(
            "a backup cannot be restored into memory; name a file or PostgreSQL",
        ));
    }
    let (clock, entropy) = (SystemClock, SystemEntropy);
    let target = Target::prepare(&settings, &entropy)?;
    let job = Arc::new(Job {
        archive,
        options,
        progress,
        instance: InstanceId::generate(clock.now(), &entropy)?,
        mark: Uuid::from(OperationId::generate(clock.now(), &entropy)?),
        event: AuditEvent {
            id: OperationId::generate(clock.now(), &entropy)?,
            at: clock.now(),
            actor: Actor::Operator,
            action: AuditAction::InstanceRestore,
            client_id: None,
            subject: None,
            detail: None,
        },
        rows: AtomicU64::new(0),
        done: Mutex::default(),
    });
    let result = fill(&target, &mut settings, &place, &job).await;
    match result {
        Ok(report) => target.put_in_place().map(|()| report),
        Err(error) => {
            target.discard();
            Err(error)
        }
    }
}

async fn fill(
    target: &Target,
    settings: &mut Settings,
    place: &KeyPlace,
    job: &Arc<Job>,
) -> Result<RestoreReport> {
    let root_keys = configured_or_kept_root_keys(settings, place)?;
    let signing_key = configured_or_kept_signing_key(settings, place)?;
    let db = Db::open(&target.url, db_options(settings)).await?;
    let filled = async {
        let store = Store::new(db.clone());
        let is_migrated = !migrate::status(&db).await?.applied.is_empty();
        // Before its schema is touched; the transaction looks once more.
        if is_migrated && instance::load(&store).await?.is_some() {
            return Err(not_empty());
        }
        migrate::up(&db, SystemClock.now()).await?;
        let running = job.clone();
        let root_keys = Arc::new(root_keys);
        let done = store
            .write(move |tx| {
                let (job, root_keys) = (running.clone(), root_keys.clone());
                Box::pin(async move {
                    let done = job.import(tx).await?;
                    let instance = instance::load(&mut *tx).await?;
                    let instance =
                        instance.ok_or_else(|| Error::internal("the instance was not restored"))?;
                    check_canaries(&mut *tx, &root_keys, &instance).await?;
                    Ok::<_, Error>(done)
                })
            })
            .await?;
        let generated = signing_keys::list(&store)
            .await?
            .into_iter()
            .map(|row| row.kid);
        let known: HashSet<String> = generated
            .chain(configured_kids(settings, signing_key.as_ref()))
            .collect();
        let used = done.kids.iter().cloned();
        let mut missing: Vec<String> = used.filter(|kid| !known.contains(kid)).collect();
        missing.sort_unstable();
        Ok::<_, Error>((done, missing))
    }
    .await;
    db.close().await;
    let (done, missing_signing_keys) = filled?;
    Ok(RestoreReport {
        rows: job.rows.load(Ordering::Relaxed),
        keeps_sessions: job.archive.header.moved,
        made_at: job.archive.header.created_at.clone(),
        revoked_keys: done.revoked_keys,
        unverified_accounts: done.unverified_accounts,
        missing_signing_keys,
    })
}

fn not_empty() -> Error {
    Error::configuration("the database already holds an instance; restore into an empty one")
}

fn configured_kids(settings: &Settings, signing_key: Option<&SigningKey>) -> Vec<String> {
    signing_key
        .into_iter()
        .chain(&settings.previous_keys)
        .map(|key| key.kid().to_owned())
        .collect()
}

/// One restore. Its transaction may run more than once.
struct Job {
    archive: CheckedArchive,
    options: RestoreOptions,
    progress: Progress,
    instance: InstanceId,
    mark: Uuid,
    event: AuditEvent,
    rows: AtomicU64,
    /// What the latest attempt has done.
    done: Mutex<Done>,
}

/// What was done beside reading the rows.
#[derive(Clone, Default)]
struct Done {
    revoked_keys: u64,
    unverified_accounts: u64,
    /// The `kid` of every token that may still be live.
    kids: HashSet<String>,
}

impl Job {
    async fn import(&self, tx: &mut Tx) -> Result<Done> {
        if let Some(existing) = instance::load(&mut *tx).await? {
            // An earlier attempt of this very restore whose answer was lost.
            if existing.id != self.instance {
                return Err(not_empty());
            }
            return Ok(self
                .done
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone());
        }
        let keeps_sessions = self.archive.header.moved;
        let mut kids = HashSet::new();
        let mut rows = self.archive.rows()?;
        let mut count = 0;
        while let Some((table, row)) = rows.next_row()? {
            if keeps_sessions && table.name() == TOKENS {
                kids.extend(live_kid(table, &row, self.event.at));
            }
            archive::import(tx, table, row).await?;
            count += 1;
            if count % 1000 == 0 {
                (self.progress)(count);
            }
        }
        self.rows.store(count, Ordering::Relaxed);
        archive::adopt_instance(tx, self.instance, self.mark, self.event.at).await?;
        let mut unverified_accounts = 0;
        if !keeps_sessions {
            clients::end_all_tokens(tx, self.event.at).await?;
            unverified_accounts = grants::mark_unverified(tx, self.event.at).await?;
        }
        let revoked_keys = match self.options.revoke_keys {
            true => api_keys::revoke_all(tx, self.event.at).await?,
            false => 0,
        };
        audit::record(tx, &self.event).await?;
        let done = Done {
            revoked_keys,
            unverified_accounts,
            kids,
        };
        *self.done.lock().unwrap_or_else(PoisonError::into_inner) = done.clone();
        Ok(done)
    }
}

/// The key of a token that has not ended yet.
fn live_kid(table: &archive::ArchiveTable, row: &[Param], now: Timestamp) -> Option<String> {
    let value = |name: &str| {
        let index = table
            .columns()
            .iter()
            .position(|(column, _)| *column == name)?;
        row.get(index)
    };
    let expired = matches!(value("expires_at"), Some(Param::Int(Some(end))) if *end <= bosa_auth_core::to_micros(now));
    let revoked = matches!(value("revoked_at"), Some(Param::Int(Some(_))));
    // The row of an imported one does not know its key.
    let imported =
        matches!(value("form"), Some(Param::Text(Some(form))) if form == Form::Imported.as_str());
    match value("signing_key_id") {
        Some(Param::Text(Some(kid))) if !expired && !revoked && !imported => Some(kid.clone()),
        _ => None,
    }
}

/// Where the rows go. An SQLite file is filled under another name and linked into place, so that it
/// is there whole or not at all.
struct Target {
    url: DatabaseUrl,
    file: Option<(PathBuf, PathBuf)>,
}

impl Target {
    fn prepare(settings: &Settings, entropy: &dyn Entropy) -> Result<Self> {
        let Some(file) = settings.database.sqlite_path() else {
            return Ok(Self {
                url: settings.database.clone(),
                file: None,
            });
        };
        for path in with_companions(file) {
            if path.exists() {
                return Err(Error::configuration(format!(
                    "{} exists already; restore into an empty place",
                    path.display()
                )));
            }
        }
        let mut suffix = [0u8; 4];
        entropy.fill(&mut suffix)?;
        let mut name = file.as_os_str().to_owned();
        name.push(format!(".restoring-{:08x}", u32::from_be_bytes(suffix)));
        let temporary = PathBuf::from(name);
        Ok(Self {
            url: DatabaseUrl::sqlite_file(temporary.clone()),
            file: Some((temporary, file.to_path_buf())),
        })
    }

    fn put_in_place(&self) -> Result<()> {
        let Some((temporary, file)) = &self.file else {
            return Ok(());
        };
        let [_, wal, shm] = with_companions(temporary);
        if wal.exists() || shm.exists() {
            self.discard();
            return Err(Error::internal(
                "the restored database was not closed cleanly",
            ));
        }
        let linked = fs::hard_link(temporary, file);
        self.discard();
        linked.map_err(|error| {
            Error::configuration(format!("cannot create {}: {error}", file.display()))
        })?;
        sync_directory(file.parent().unwrap_or_else(|| Path::new(".")))
    }

    fn discard(&self) {
        if let Some((temporary, _)) = &self.file {
            for path in with_companions(temporary) {
                drop(fs::remove_file(path));
            }
        }
    }
}

/// A database file, its write-ahead log and its shared memory.
fn with_companions(file: &Path) -> [PathBuf; 3] {
    ["", "-wal", "-shm"].map(|suffix| {
        let mut name = file.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    })
}
