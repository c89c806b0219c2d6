//! The handle on one instance of the system.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use bosa_auth_connect::{Catalogue, Outbound};
use bosa_auth_core::vault::RootKeyring;
use bosa_auth_core::{
    Actor, AuditAction, AuditEvent, ClientId, Clock, Entropy, InstanceId, NodeId, OperationId,
    Secret, SystemClock, SystemEntropy,
};
use bosa_auth_store::instance::InstanceRow;
use bosa_auth_store::{Db, DbOptions, Store, migrate};
use uuid::Uuid;

use crate::active_keys::ActiveRootKey;
use crate::detached::Detached;
use crate::digest_keys::DigestKeys;
use crate::error::{Error, Result};
use crate::feed_poll::FeedPoll;
use crate::hasher::Hasher;
use crate::idempotency::Idempotency;
use crate::instance::{self, KeyPlace};
use crate::key_files::{KeyDirectory, MASTER_KEY};
use crate::last_used::LastUsed;
use crate::login_audit::LoginAudit;
use crate::maintenance::Maintenance;
use crate::memory::Memory;
use crate::principal::Operator;
use crate::public_url::PublicUrl;
use crate::refresh::Refreshes;
use crate::settings::{AuthenticationDbSettings, Configuration, MasterKeys, Settings};
use crate::signing_keys::SigningKeys;
use crate::throttle::Throttle;

/// A handle on one instance of the authentication system, cheap to clone.
///
/// Two handles that were opened separately are independent; only what they remember of verified
/// credentials is shared when they are on the same database, so that what one revokes is revoked for
/// both at once.
#[derive(Debug, Clone)]
pub struct Auth {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) store: Store,
    pub(crate) settings: Settings,
    pub(crate) instance: InstanceRow,
    pub(crate) node_id: NodeId,
    pub(crate) root_keys: RootKeyring,
    pub(crate) active_root_key: ActiveRootKey,
    pub(crate) digest_keys: DigestKeys,
    pub(crate) signing_keys: SigningKeys,
    pub(crate) hasher: Hasher,
    pub(crate) throttle: Throttle,
    pub(crate) last_used: LastUsed,
    pub(crate) logins: LoginAudit,
    pub(crate) maintenance: Maintenance,
    pub(crate) memory: Memory,
    pub(crate) feed_poll: FeedPoll,
    /// Replaced as a whole when the user's own files are read again.
    pub(crate) connectors: ArcSwap<Catalogue>,
    pub(crate) outbound: Outbound,
    pub(crate) refreshes: Refreshes,
    pub(crate) detached: Detached,
    /// Where this process listens on loopback, once it does.
    loopback_url: OnceLock<PublicUrl>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    master_keys: MasterKeys,
    description: Description,
}

/// Whether opening may create what is not there yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// Creates the data directory, the keys, the database and its schema.
    Create,
    /// Only opens what is there; the error names what was looked for.
    Existing,
}

/// Where an instance keeps its things, for people.
#[derive(Debug)]
pub struct Description {
    /// The database, without its password.
    pub database: String,
    /// Where generated keys lie; `None` on PostgreSQL and in memory.
    pub key_directory: Option<PathBuf>,
    /// Where the generated master key lies, when there is one.
    pub master_key_path: Option<PathBuf>,
    /// The master key that this very start has generated.
    pub generated_master_key: Option<Secret>,
}

impl Auth {
    /// Opens an independent instance; nothing global is touched.
    ///
    /// A program that stays calls [`Auth::start_maintenance`] next.
    ///
    /// # Errors
    /// `Configuration`: a setting cannot be used, or a key is missing or wrong.
    /// `DatabaseUnavailable`: the database cannot be reached.
    pub async fn open(settings: AuthenticationDbSettings) -> Result<Self> {
        Self::open_configured(&settings.gather()?, OpenMode::Create).await
    }

    /// Opens an instance from a whole configuration.
    ///
    /// # Errors
    /// As [`Auth::open`].
    pub async fn open_configured(configuration: &Configuration, mode: OpenMode) -> Result<Self> {
        Self::open_with(
            configuration,
            mode,
            Arc::new(SystemClock),
            Arc::new(SystemEntropy),
        )
        .await
    }

    /// Opens an instance that takes its time and its randomness from the caller.
    ///
    /// # Errors
    /// As [`Auth::open`].
    ///
    /// # Security
    /// Every key and secret is made from `entropy`: anything but the system's is for tests.
    pub async fn open_with(
        configuration: &Configuration,
        mode: OpenMode,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self> {
        let auth = Self::open_without_hint(configuration, mode, clock, entropy).await?;
        auth.inner.hint_at_import().await;
        Ok(auth)
    }

    /// As [`Auth::open_with`], without saying that something could be imported.
    pub(crate) async fn open_without_hint(
        configuration: &Configuration,
        mode: OpenMode,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self> {
        let auth = Self::assemble(configuration, mode, clock, entropy, Memory::joined).await?;
        auth.inner.poll_and_report().await;
        auth.start_feed();
        Ok(auth)
    }

    /// Opens an instance as another process would, for tests: it shares nothing with other handles
    /// and learns of their acts only by [`poll_changes`](Self::poll_changes).
    ///
    /// # Errors
    /// As [`Auth::open`].
    #[doc(hidden)]
    pub async fn open_apart(
        configuration: &Configuration,
        mode: OpenMode,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self> {
        let alone = |settings: &Settings, _: &Db, _, clock: &_| Memory::alone(settings, clock);
        Self::assemble(configuration, mode, clock, entropy, alone).await
    }

    async fn assemble(
        configuration: &Configuration,
        mode: OpenMode,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        memory: impl FnOnce(&Settings, &Db, InstanceId, &Arc<dyn Clock>) -> Memory,
    ) -> Result<Self> {
        for warning in configuration.warnings() {
            tracing::warn!("{warning}");
        }
        let mut settings = Settings::resolve(configuration)?;
        let place = key_place(&settings, mode)?;
        let db = Db::open(&settings.database, db_options(&settings)).await?;
        prepare_schema(&db, &mut settings, &place, mode, clock.as_ref()).await?;
        let store = Store::new(db);
        let custody = instance::establish(
            &store,
            &mut settings,
            &place,
            mode,
            clock.as_ref(),
            entropy.as_ref(),
        )
        .await?;
        crate::import::left::check_memory(&store, &settings, clock.now()).await?;
        let active_root_key = custody.instance.active_root_key.clone();
        let digest_keys = DigestKeys::load(
            &store,
            &custody.root_keys,
            &active_root_key,
            clock.now(),
            entropy.as_ref(),
        )
        .await?;
        let signing_keys = SigningKeys::new(
            custody.signing_key,
            std::mem::take(&mut settings.previous_keys),
            std::mem::take(&mut settings.imported_keys),
        );
        let hasher = Hasher::start(
            settings.argon2_cost,
            settings.argon2_memory_mib,
            clock.clone(),
            entropy.clone(),
        )?;
        let description = describe(&settings, &place, custody.generated_master_key);
        let memory = memory(&settings, store.db(), custody.instance.id, &clock);
        let feed_poll = FeedPoll::open(&settings, store.db()).await?;
        let inner = Arc::new(Inner {
            memory,
            feed_poll,
            node_id: NodeId::generate(clock.now(), entropy.as_ref())?,
            throttle: Throttle::new(clock.clone()),
            last_used: LastUsed::default(),
            logins: LoginAudit::default(),
            maintenance: Maintenance::default(),
            instance: custody.instance,
            root_keys: custody.root_keys,
            master_keys: custody.master_keys,
            store,
            connectors: ArcSwap::from_pointee(std::mem::take(&mut settings.connectors)),
            outbound: settings.outbound.clone(),
            refreshes: Refreshes::default(),
            detached: Detached::default(),
            loopback_url: OnceLock::new(),
            settings,
            active_root_key: ActiveRootKey::new(active_root_key, custody.root_key_directory),
            digest_keys,
            signing_keys,
            hasher,
            clock,
            entropy,
            description,
        });
        Ok(Self { inner })
    }

    /// Replaces the generated master key of an instance on SQLite; servers that run go on with the
    /// former one until they are started again.
    ///
    /// # Errors
    /// `Configuration`: master keys are configured or the database is not SQLite, or the file cannot
    /// be written.
    pub fn replace_master_key(configuration: &Configuration) -> Result<Secret> {
        let settings = Settings::resolve(configuration)?;
        if settings.master_keys.is_some() {
            return Err(Error::configuration(
                "BOSA_WHITELISTED_KEYS is set; change the master keys there",
            ));
        }
        let place = key_place(&settings, OpenMode::Existing)?;
        instance::replace_master_key(&place, &SystemEntropy)
    }

    /// The authority over every client, for the program that embeds the library.
    ///
    /// # Security
    /// No credential is asked for.
    #[must_use]
    pub fn operator(&self) -> Operator {
        Operator {
            auth: self.clone(),
            actor: Actor::Operator,
            idempotency: Idempotency::default(),
        }
    }

    /// Verifies a master key.
    ///
    /// # Errors
    /// `InvalidClient`: it is not one of the configured master keys, or none is configured.
    pub fn verify_master_key(&self, presented: &str) -> Result<Operator> {
        if self.inner.master_keys.contains(presented) {
            Ok(Operator {
                auth: self.clone(),
                actor: Actor::MasterKey,
                idempotency: Idempotency::default(),
            })
        } else {
            Err(Error::InvalidClient)
        }
    }

    /// Whether any master key is configured.
    #[must_use]
    pub fn has_master_key(&self) -> bool {
        !self.inner.master_keys.is_empty()
    }

    /// Whether a user's token must come with its client's key (`BOSA_AUTH_REQUIRE_CLIENT_KEY`).
    #[must_use]
    pub fn requires_client_key(&self) -> bool {
        self.inner.settings.require_client_key
    }

    /// Says where this process listens. Without `BOSA_AUTH_PUBLIC_URL`, browsers are sent there if it
    /// is loopback.
    pub fn listens_on(&self, address: SocketAddr) {
        if let Some(url) = PublicUrl::of_loopback(address) {
            let _the_first_counts = self.inner.loopback_url.set(url);
        }
    }

    /// Where this instance keeps its things.
    #[must_use]
    pub fn description(&self) -> &Description {
        &self.inner.description
    }

    /// The clock of this instance.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.inner.clock
    }

    /// The randomness of this instance.
    #[must_use]
    pub fn entropy(&self) -> &Arc<dyn Entropy> {
        &self.inner.entropy
    }

    /// Waits for accounts that are being connected or refreshed, writes what is still to be written,
    /// and closes the database.
    ///
    /// # Errors
    /// `DatabaseUnavailable`: some last-used times or records of logins could not be written; the instance is closed.
    /// `Configuration`: it belongs to the parent of this process.
    pub async fn close(&self) -> Result<()> {
        self.inner.memory.process().check()?;
        self.close_refreshes();
        self.inner.detached.finished().await;
        self.inner.feed_poll.stop().await;
        self.inner.maintenance.stop().await;
        self.finish_refreshes().await;
        let written = self.inner.write_waiting().await;
        self.inner.store.db().close().await;
        written
    }
}

impl Inner {
    /// The audit event of an act that begins now; its id names the operation.
    pub(crate) fn event(
        &self,
        actor: &Actor,
        action: AuditAction,
        client_id: Option<ClientId>,
        subject: Option<Uuid>,
        detail: Option<String>,
    ) -> Result<AuditEvent> {
        let at = self.clock.now();
        let id = OperationId::generate(at, self.entropy.as_ref())?;
        Ok(AuditEvent {
            id,
            at,
            actor: *actor,
            action,
            client_id,
            subject,
            detail,
        })
    }

    /// Where browsers reach this server: where the configuration says, else where it listens.
    ///
    /// # Errors
    /// `Configuration`: neither is known or usable, with what to set.
    pub(crate) fn public_url(&self) -> Result<&PublicUrl> {
        let known = self.settings.public_url.as_ref();
        let known = known.or_else(|| self.loopback_url.get());
        let known = known.or(self.settings.loopback_url.as_ref());
        known.ok_or_else(|| {
            Error::configuration(
                "set BOSA_AUTH_PUBLIC_URL to the URL under which browsers reach this server; \
                 without it accounts are connected on loopback only",
            )
        })
    }

    /// A value that tells this position of the change feed from any other.
    pub(crate) fn new_mark(&self) -> Result<Uuid> {
        Ok(OperationId::generate(self.clock.now(), self.entropy.as_ref())?.as_uuid())
    }
}

pub(crate) fn db_options(settings: &Settings) -> DbOptions {
    DbOptions {
        pool_size: settings.pool_size,
        ..Default::default()
    }
}

/// Finds, and in `Create` mode makes, the place of the generated keys.
pub(crate) fn key_place(settings: &Settings, mode: OpenMode) -> Result<KeyPlace> {
    if !settings.database.is_sqlite() {
        return Ok(KeyPlace::Nowhere);
    }
    let (Some(path), Some(file)) = (settings.key_dir.clone(), settings.database.sqlite_path())
    else {
        return Ok(KeyPlace::Memory);
    };
    match mode {
        OpenMode::Create => KeyDirectory::create(path).map(KeyPlace::Directory),
        OpenMode::Existing if file.exists() => {
            Ok(KeyPlace::Directory(KeyDirectory::existing(path)))
        }
        OpenMode::Existing => Err(Error::configuration(format!(
            "there is no database at {}; run bosa-auth init or bosa-auth serve first, or name another with --data-dir or --database-url",
            file.display()
        ))),
    }
}

/// Brings the schema to this version; when there is data already, only with its keys at hand.
pub(crate) async fn prepare_schema(
    db: &Db,
    settings: &mut Settings,
    place: &KeyPlace,
    mode: OpenMode,
    clock: &dyn Clock,
) -> Result<()> {
    let status = migrate::status(db).await?;
    if status.pending.is_empty() {
        return Ok(());
    }
    if mode == OpenMode::Existing {
        return Err(Error::configuration(if status.applied.is_empty() {
            "the database is empty; run bosa-auth init first"
        } else {
            "the database has an older schema; run bosa-auth migrate up"
        }));
    }
    if !status.applied.is_empty() {
        instance::check_before_migration(&Store::new(db.clone()), settings, place).await?;
    }
    migrate::up(db, clock.now()).await?;
    Ok(())
}

fn describe(
    settings: &Settings,
    place: &KeyPlace,
    generated_master_key: Option<Secret>,
) -> Description {
    let directory = match place {
        KeyPlace::Directory(directory) => Some(directory),
        KeyPlace::Memory | KeyPlace::Nowhere => None,
    };
    Description {
        database: settings.database.to_string(),
        key_directory: directory.and(settings.key_dir.clone()),
        master_key_path: directory
            .map(|directory| directory.path_of(MASTER_KEY))
            .filter(|path| path.exists()),
        generated_master_key,
    }
}
