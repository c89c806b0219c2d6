//! The source of an import, looked at before anything is made here.

use bosa_auth_store::{DatabaseUrl, Original, OriginalCache};

use super::left::LEAST_HASH_MEMORY_MIB;
use super::opening::Opening;
use super::{ImportOptions, of_the_source};
use crate::error::{Error, Result};
use crate::settings::Settings;

/// A database of the original system, open for reading, whose encrypted values can be read.
#[derive(Debug)]
pub struct ImportSource {
    pub(super) original: Original,
    pub(super) opening: Opening,
    /// Its Redis, if that is asked.
    pub(super) cache: Option<OriginalCache>,
    pub(super) dry_run: bool,
    /// How many rows there are.
    pub(super) rows: u64,
    has_users: bool,
}

impl ImportSource {
    /// Opens the source and makes sure that it can be read.
    ///
    /// # Errors
    /// `Configuration`: the source is no database of the original, may not be read, or its encrypted
    /// values do not open with this password and salt. `DatabaseUnavailable`: it cannot be reached.
    pub async fn open(options: ImportOptions) -> Result<Self> {
        let url = DatabaseUrl::parse(options.from.expose())
            .map_err(|error| Error::configuration(format!("the source: {error}")))?;
        let redis = options.redis.as_ref().filter(|url| !url.is_empty());
        let cache = match redis {
            Some(url) => Some(OriginalCache::open(url).await?),
            None => None,
        };
        let original = Original::open(&url).await.map_err(of_the_source)?;
        let opening = Opening::new(&original, &options)?;
        let counts = original.counts().await.map_err(of_the_source)?;
        opening.check(&original).await?;
        let rows = counts.clients + counts.users + counts.tokens + counts.integrations;
        Ok(Self {
            original,
            opening,
            cache,
            dry_run: options.dry_run,
            rows: u64::try_from(rows).unwrap_or_default(),
            has_users: counts.users > 0,
        })
    }

    /// # Errors
    /// `Configuration`: the memory for hashes is too small for the source's user secrets.
    pub(super) fn check_memory(&self, settings: &Settings) -> Result<()> {
        if self.has_users && settings.argon2_memory_mib < LEAST_HASH_MEMORY_MIB {
            return Err(Error::configuration(format!(
                "the source's user secrets need BOSA_AUTH_ARGON2_MEMORY_MIB to be at least {LEAST_HASH_MEMORY_MIB}"
            )));
        }
        Ok(())
    }
}
