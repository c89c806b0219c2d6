//! What an instance stands on: its root keys, and the proof that they are the right ones.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bosa_auth_core::token::SigningKey;
use bosa_auth_core::vault::{RootKey, RootKeyId, RootKeyring, open_canary, seal_canary};
use bosa_auth_core::{Clock, Entropy, InstanceId, Secret};
use bosa_auth_store::instance::{self, InstanceRow, InstanceState};
use bosa_auth_store::root_keys::{self, CanaryRow, RootKeyUse};
use bosa_auth_store::{Opaque, Source, Store};
use uuid::Uuid;

use crate::auth::OpenMode;
use crate::error::{Error, Result};
use crate::key_files::{KeyDirectory, MASTER_KEY, ROOT_KEYS, SIGNING_KEY};
use crate::settings::{MasterKeys, Settings, how_to_make};
use crate::signing_keys::generate_configured;

const FIRST_ROOT_KEY: &str = "k1";

/// The keys outside the database that an instance runs on.
#[derive(Debug)]
pub(crate) struct Custody {
    pub(crate) instance: InstanceRow,
    pub(crate) root_keys: RootKeyring,
    /// Where the root keys lie, unless they are configured or in memory.
    pub(crate) root_key_directory: Option<KeyDirectory>,
    pub(crate) signing_key: Option<SigningKey>,
    pub(crate) master_keys: MasterKeys,
    /// A master key that this start generated.
    pub(crate) generated_master_key: Option<Secret>,
}

/// Where generated keys may be kept.
#[derive(Debug)]
pub(crate) enum KeyPlace {
    Directory(KeyDirectory),
    /// For an in-memory database.
    Memory,
    /// PostgreSQL: keys must be configured.
    Nowhere,
}

impl KeyPlace {
    pub(crate) fn read(&self, name: &str) -> Result<Option<Secret>> {
        match self {
            KeyPlace::Directory(directory) => directory.read(name),
            KeyPlace::Memory | KeyPlace::Nowhere => Ok(None),
        }
    }

    fn keep(&self, name: &str, content: Secret, entropy: &dyn Entropy) -> Result<Secret> {
        match self {
            KeyPlace::Directory(directory) => directory.create_once(name, &content, entropy),
            KeyPlace::Memory | KeyPlace::Nowhere => Ok(content),
        }
    }

    /// Reads the text of the root keys' file.
    pub(crate) fn parse_root_keys(&self, text: &Secret) -> Result<RootKeyring> {
        RootKeyring::parse(text)
            .map_err(|error| Error::configuration(format!("{}: {error}", self.names(ROOT_KEYS))))
    }

    fn names(&self, name: &str) -> String {
        match self {
            KeyPlace::Directory(directory) => directory.path_of(name).display().to_string(),
            KeyPlace::Memory | KeyPlace::Nowhere => name.to_owned(),
        }
    }
}

/// Opens the instance of the database, or in `Create` mode makes it when there is none yet.
///
/// The canaries come first: no key is made beside a database that is not this one's.
///
/// # Errors
/// `Configuration`: there is no instance, a key is missing or wrong, or the instance was moved
/// elsewhere.
pub(crate) async fn establish(
    store: &Store,
    settings: &mut Settings,
    place: &KeyPlace,
    mode: OpenMode,
    clock: &dyn Clock,
    entropy: &dyn Entropy,
) -> Result<Custody> {
    let existing = instance::load(store).await?;
    if existing.is_none() && mode == OpenMode::Existing {
        return Err(Error::configuration(
            "the database has its schema but holds no instance; run bosa-auth init first",
        ));
    }
    let root_key_directory = match place {
        KeyPlace::Directory(directory) if settings.root_keys.is_none() => Some(directory.clone()),
        _ => None,
    };
    let root_keys = match (settings.root_keys.take(), place.read(ROOT_KEYS)?) {
        (Some(configured), _) => configured,
        (None, Some(file)) => place.parse_root_keys(&file)?,
        (None, None) if existing.is_some() => return Err(missing_root_keys(place)),
        (None, None) => generate_root_keys(place, entropy)?,
    };
    if let Some(instance) = &existing {
        check_custody(store, &root_keys, instance).await?;
    }
    let signing_key = match settings.signing_key.take() {
        Some(configured) => Some(configured),
        None => kept_signing_key(settings, place, existing.is_some(), entropy)?,
    };
    let (master_keys, generated_master_key) = kept_master_keys(settings, place, mode, entropy)?;
    let instance = match existing {
        Some(instance) => instance,
        None => {
            let instance = create(store, settings, &root_keys, clock, entropy).await?;
            // Another process may have been faster, with other keys.
            check_custody(store, &root_keys, &instance).await?;
            instance
        }
    };
    Ok(Custody {
        instance,
        root_keys,
        root_key_directory,
        signing_key,
        master_keys,
        generated_master_key,
    })
}

/// Opens every canary of an instance, which must not have gone elsewhere.
async fn check_custody(
    store: &Store,
    root_keys: &RootKeyring,
    instance: &InstanceRow,
) -> Result<()> {
    check_canaries(store, root_keys, instance).await?;
    if instance.state == InstanceState::Moved {
        let target = instance
            .moved_to
            .clone()
            .unwrap_or_else(|| "another database".to_owned());
        return Err(Error::configuration(format!(
            "this database was moved to {target}; start with that one"
        )));
    }
    Ok(())
}

/// Opens every canary that the database holds.
///
/// # Errors
/// `Configuration` that names the root key that is missing or wrong, and what it seals.
pub(crate) async fn check_canaries(
    mut source: impl Source,
    root_keys: &RootKeyring,
    instance: &InstanceRow,
) -> Result<()> {
    for canary in root_keys::canaries(&mut source).await? {
        if !has(root_keys, &canary.root_key_id) {
            let usage = root_keys::usage(&mut source, &canary.root_key_id).await?;
            let is_active = canary.root_key_id == instance.active_root_key;
            return Err(missing_root_key(&canary.root_key_id, &usage, is_active));
        }
        open_one(root_keys, &canary)?;
    }
    root_key(root_keys, &instance.active_root_key).map(drop)
}

pub(crate) fn has(root_keys: &RootKeyring, id: &str) -> bool {
    id.parse().is_ok_and(|id| root_keys.get(&id).is_some())
}

fn missing_root_key(id: &str, usage: &RootKeyUse, is_active: bool) -> Error {
    let what = match (sealed_by(usage), is_active) {
        (Some(sealed), _) => format!("it seals {sealed}"),
        (None, true) => "it seals new keys".to_owned(),
        (None, false) => "it seals nothing any more".to_owned(),
    };
    Error::configuration(format!(
        "the root key {id} of this database is missing, and {what}; add it to BOSA_AUTH_ROOT_KEYS or restore the file {ROOT_KEYS}; a key goes only after bosa-auth root-key retire {id}"
    ))
}

/// What a root key seals, in words; `None` when nothing.
pub(crate) fn sealed_by(usage: &RootKeyUse) -> Option<String> {
    let kinds = [
        (usage.digest_keys, "digest key"),
        (usage.data_keys, "data key"),
        (usage.signing_keys, "signing key"),
        (usage.connector_keys, "connector key"),
    ];
    let parts: Vec<String> = kinds
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, name)| format!("{count} {name}{}", if *count == 1 { "" } else { "s" }))
        .collect();
    match parts.split_last() {
        None => None,
        Some((last, [])) => Some(last.clone()),
        Some((last, others)) => Some(format!("{} and {last}", others.join(", "))),
    }
}

pub(crate) fn open_one(root_keys: &RootKeyring, canary: &CanaryRow) -> Result<()> {
    let key = root_key(root_keys, &canary.root_key_id)?;
    let id: RootKeyId = canary.root_key_id.parse().map_err(|_| Error::Unreadable {
        what: "a root key's id".to_owned(),
    })?;
    open_canary(key, &id, &canary.sealed).map_err(|_| {
        Error::configuration(format!(
            "the root key {} is not the one that this database was sealed with; restore the right key",
            canary.root_key_id
        ))
    })
}

/// A root key by its id.
///
/// # Errors
/// `Configuration` that names it when this process does not have it.
pub(crate) fn root_key<'a>(root_keys: &'a RootKeyring, id: &str) -> Result<&'a RootKey> {
    id.parse::<RootKeyId>().ok().and_then(|id| root_keys.get(&id)).ok_or_else(|| {
        Error::configuration(format!(
            "the root key {id} of this database is missing; add it to BOSA_AUTH_ROOT_KEYS or restore the file {ROOT_KEYS}"
        ))
    })
}

fn missing_root_keys(place: &KeyPlace) -> Error {
    match place {
        KeyPlace::Directory(directory) => Error::configuration(format!(
            "the database has data, but its root keys are missing; restore {} or set BOSA_AUTH_ROOT_KEYS",
            directory.path_of(ROOT_KEYS).display()
        )),
        KeyPlace::Memory | KeyPlace::Nowhere => Error::configuration(
            "the database has data, but its root keys are missing; set BOSA_AUTH_ROOT_KEYS to those that it was created with",
        ),
    }
}

fn generate_root_keys(place: &KeyPlace, entropy: &dyn Entropy) -> Result<RootKeyring> {
    if matches!(place, KeyPlace::Nowhere) {
        return Err(Error::configuration(
            "BOSA_AUTH_ROOT_KEYS is not set; on PostgreSQL keys are never generated. \
             Set it to k1:<base64 of 32 random bytes>, for example: \
             export BOSA_AUTH_ROOT_KEYS=\"k1:$(openssl rand -base64 32)\"",
        ));
    }
    let id: RootKeyId = FIRST_ROOT_KEY.parse().map_err(Error::internal)?;
    let generated = RootKeyring::generate(id, entropy)?;
    let kept = place.keep(ROOT_KEYS, generated.to_text(), entropy)?;
    place.parse_root_keys(&kept)
}

fn kept_signing_key(
    settings: &Settings,
    place: &KeyPlace,
    has_instance: bool,
    entropy: &dyn Entropy,
) -> Result<Option<SigningKey>> {
    let algorithm = settings.algorithm;
    let text = match place.read(SIGNING_KEY)? {
        Some(text) => text,
        // A key made by rotation may sign; whether there is one shows when a token is issued.
        None if has_instance => return Ok(None),
        None if matches!(place, KeyPlace::Nowhere) => {
            return Err(Error::configuration(format!(
                "AUTH_SECRET_KEY is not set; on PostgreSQL keys are never generated; {}",
                how_to_make(algorithm)
            )));
        }
        None => place.keep(
            SIGNING_KEY,
            generate_configured(algorithm, entropy)?,
            entropy,
        )?,
    };
    SigningKey::from_configured(algorithm, &text)
        .map(Some)
        .map_err(|error| Error::configuration(format!("{}: {error}", place.names(SIGNING_KEY))))
}

fn kept_master_keys(
    settings: &mut Settings,
    place: &KeyPlace,
    mode: OpenMode,
    entropy: &dyn Entropy,
) -> Result<(MasterKeys, Option<Secret>)> {
    if let Some(configured) = settings.master_keys.take() {
        return Ok((configured, None));
    }
    if matches!(place, KeyPlace::Nowhere) {
        return Ok((MasterKeys::default(), None));
    }
    let parse = |text: &Secret| {
        MasterKeys::parse(text.expose()).map_err(|reason| {
            Error::configuration(format!("{}: {reason}", place.names(MASTER_KEY)))
        })
    };
    if let Some(kept) = place.read(MASTER_KEY)? {
        return Ok((parse(&kept)?, None));
    }
    if mode == OpenMode::Existing {
        return Ok((MasterKeys::default(), None));
    }
    let kept = place.keep(MASTER_KEY, new_master_key(entropy)?, entropy)?;
    Ok((parse(&kept)?, Some(kept)))
}

pub(crate) fn new_master_key(entropy: &dyn Entropy) -> Result<Secret> {
    let mut bytes = [0u8; 32];
    entropy.fill(&mut bytes)?;
    Ok(Secret::new(URL_SAFE_NO_PAD.encode(bytes)))
}

/// Makes the instance; when another process is faster, returns the one that it made.
async fn create(
    store: &Store,
    settings: &Settings,
    root_keys: &RootKeyring,
    clock: &dyn Clock,
    entropy: &dyn Entropy,
) -> Result<InstanceRow> {
    let now = clock.now();
    let Some((id, key)) = root_keys.first() else {
        return Err(Error::configuration("BOSA_AUTH_ROOT_KEYS holds no key"));
    };
    let canary: Opaque = seal_canary(key, id, entropy)
        .map_err(Error::internal)?
        .into();
    let row = InstanceRow {
        id: InstanceId::generate(now, entropy)?,
        issuer: settings.issuer.clone(),
        state: InstanceState::Open,
        active_root_key: id.to_string(),
        moved_to: None,
        created_at: now,
    };
    let mark = Uuid::from(InstanceId::generate(now, entropy)?);
    let new = Arc::new((row, canary));
    store
        .write(move |tx| {
            let new = new.clone();
            Box::pin(async move {
                let (row, canary) = new.as_ref();
                instance::create(tx, row, canary, mark)
                    .await
                    .map_err(Error::from)
            })
        })
        .await?;
    instance::load(store)
        .await?
        .ok_or_else(|| Error::internal("the instance was not created"))
}

/// Opens the canaries of a database before its schema is changed.
pub(crate) async fn check_before_migration(
    store: &Store,
    settings: &mut Settings,
    place: &KeyPlace,
) -> Result<()> {
    let Some(instance) = instance::load(store).await? else {
        return Ok(());
    };
    if settings.root_keys.is_none() {
        settings.root_keys = place
            .read(ROOT_KEYS)?
            .map(|text| place.parse_root_keys(&text))
            .transpose()?;
    }
    match &settings.root_keys {
        Some(root_keys) => check_canaries(store, root_keys, &instance).await,
        None => Err(missing_root_keys(place)),
    }
}

/// Replaces the generated master key of an SQLite instance; returns the new one.
///
/// # Errors
/// `Configuration`: the instance keeps no generated keys, or the file cannot be written.
pub(crate) fn replace_master_key(place: &KeyPlace, entropy: &dyn Entropy) -> Result<Secret> {
    match place {
        KeyPlace::Directory(directory) => {
            let key = new_master_key(entropy)?;
            directory.replace(MASTER_KEY, &key, entropy)?;
            Ok(key)
        }
        KeyPlace::Memory | KeyPlace::Nowhere => Err(Error::configuration(
            "master keys are generated with SQLite files only; set BOSA_WHITELISTED_KEYS",
        )),
    }
}

/// The root keys of the settings, or of the key files; none are made.
///
/// # Errors
/// `Configuration`: there are none.
pub(crate) fn configured_or_kept_root_keys(
    settings: &mut Settings,
    place: &KeyPlace,
) -> Result<RootKeyring> {
    match (settings.root_keys.take(), place.read(ROOT_KEYS)?) {
        (Some(configured), _) => Ok(configured),
        (None, Some(file)) => place.parse_root_keys(&file),
        (None, None) => Err(missing_root_keys(place)),
    }
}

/// The signing key of the settings, or of the key files; none is made.
///
/// # Errors
/// `Configuration`: the key file cannot be used.
pub(crate) fn configured_or_kept_signing_key(
    settings: &mut Settings,
    place: &KeyPlace,
) -> Result<Option<SigningKey>> {
    match settings.signing_key.take() {
        Some(configured) => Ok(Some(configured)),
        None => kept_signing_key(settings, place, true, &bosa_auth_core::SystemEntropy),
    }
}
