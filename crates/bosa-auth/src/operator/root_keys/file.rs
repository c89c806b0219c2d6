//! The file in which an instance keeps the root keys that it made.

use bosa_auth_core::vault::{RootKeyId, RootKeyring};
use bosa_auth_store::root_keys::CanaryRow;

use crate::auth::Inner;
use crate::error::{Error, Result};
use crate::instance::KeyPlace;
use crate::key_files::{KeyDirectory, ROOT_KEYS};

/// Adds a new root key to its file, under a name that neither the file nor the database knows.
pub(super) fn add(
    inner: &Inner,
    directory: &KeyDirectory,
    canaries: &[CanaryRow],
) -> Result<RootKeyId> {
    let _alone = directory.lock()?;
    let keyring = read(directory)?;
    let is_taken = |id: &RootKeyId| {
        keyring.get(id).is_some()
            || canaries
                .iter()
                .any(|canary| canary.root_key_id == id.as_str())
    };
    let id = (2u32..)
        .filter_map(|number| format!("k{number}").parse::<RootKeyId>().ok())
        .find(|id| !is_taken(id))
        .ok_or_else(|| Error::internal("no name is left for a root key"))?;
    keyring.learn(RootKeyring::generate(id.clone(), inner.entropy.as_ref())?);
    directory.replace(ROOT_KEYS, &keyring.to_text(), inner.entropy.as_ref())?;
    // The database refers to it only once it can be read back.
    inner.root_keys.learn(read(directory)?);
    Ok(id)
}

/// Takes a root key out of its file, if it is there.
pub(super) fn take(inner: &Inner, directory: &KeyDirectory, id: &RootKeyId) -> Result<()> {
    let _alone = directory.lock()?;
    let keyring = read(directory)?;
    if keyring.get(id).is_none() {
        return Ok(());
    }
    let rest = keyring
        .without(id)
        .ok_or_else(|| Error::internal("no root key would be left"))?;
    directory.replace(ROOT_KEYS, &rest.to_text(), inner.entropy.as_ref())
}

pub(super) fn read(directory: &KeyDirectory) -> Result<RootKeyring> {
    let text = directory.read(ROOT_KEYS)?.ok_or_else(|| {
        let path = directory.path_of(ROOT_KEYS);
        Error::configuration(format!("{} is missing; restore it", path.display()))
    })?;
    KeyPlace::Directory(directory.clone()).parse_root_keys(&text)
}
