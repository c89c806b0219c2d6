//! Settings parsed into their types; what is wrong with them is found here, once.

use std::path::PathBuf;
use std::str::FromStr;

use bosa_auth_connect::{Catalogue, Outbound};
use bosa_auth_core::password::Argon2Cost;
use bosa_auth_core::token::{Algorithm, SigningKey};
use bosa_auth_core::vault::RootKeyring;
use bosa_auth_core::{Secret, Timestamp};
use bosa_auth_store::DatabaseUrl;

use super::Configuration;
use super::configuration::Source;
use super::connecting;
use super::master_keys::MasterKeys;
use super::parse::{flag, minutes, moment, number};
use super::table;
use crate::error::{Error, Result};
use crate::public_url::PublicUrl;

const DATABASE_FILE: &str = "bosa-auth.db";

/// The settings that the library itself needs, parsed.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) database: DatabaseUrl,
    /// Where generated keys lie; `None` on PostgreSQL and in memory.
    pub(crate) key_dir: Option<PathBuf>,
    pub(crate) pool_size: usize,
    /// 0: nothing is answered from memory.
    pub(crate) staleness_ms: u32,
    pub(crate) algorithm: Algorithm,
    pub(crate) signing_key: Option<SigningKey>,
    pub(crate) previous_keys: Vec<SigningKey>,
    pub(crate) imported_keys: Vec<SigningKey>,
    /// From when on tokens of the original are refused.
    pub(crate) imported_tokens_until: Option<Timestamp>,
    /// Whether there is a key that the original may have signed with.
    pub(crate) has_configured_key: bool,
    pub(crate) token_minutes: i64,
    pub(crate) sliding_minutes: Option<i64>,
    pub(crate) issuer: String,
    pub(crate) root_keys: Option<RootKeyring>,
    pub(crate) master_keys: Option<MasterKeys>,
    pub(crate) argon2_cost: Argon2Cost,
    pub(crate) argon2_memory_mib: u32,
    pub(crate) require_client_key: bool,
    pub(crate) connectors: Catalogue,
    pub(crate) outbound: Outbound,
    /// Where browsers reach this server, if it is said.
    pub(crate) public_url: Option<PublicUrl>,
    /// Where a server of this configuration listens, if that is loopback.
    pub(crate) loopback_url: Option<PublicUrl>,
}

impl Settings {
    /// Parses every setting of the library.
    ///
    /// # Errors
    /// `Configuration` with one line for each value that cannot be used.
    pub(crate) fn resolve(configuration: &Configuration) -> Result<Self> {
        let mut problems = Problems::default();
        let database = problems.take(database(configuration));
        let algorithm = problems.take(algorithm(configuration));
        let signing_key = problems.take(signing_key(
            configuration,
            algorithm.unwrap_or(Algorithm::HS256),
        ));
        let previous = problems
            .take(previous_keys(
                configuration,
                algorithm.unwrap_or(Algorithm::HS256),
            ))
            .unwrap_or_default();
        let token_minutes = problems.take(minutes(configuration, table::EXPIRE_MINUTES));
        let sliding = problems.take(minutes(configuration, table::TOKEN_SLIDING));
        let imported_tokens_until =
            problems.take(moment(configuration, table::IMPORTED_TOKENS_UNTIL));
        let root_keys = problems.take(root_keys(configuration));
        let master_keys = problems.take(master_keys(configuration));
        let argon2_cost = problems.take(
            Argon2Cost::from_str(configuration.get(table::ARGON2_COST).unwrap_or_default())
                .map_err(|error| format!("{}: {error}", table::ARGON2_COST)),
        );
        let argon2_memory = problems.take(number(configuration, table::ARGON2_MEMORY, 19, 1 << 20));
        let pool_size = problems.take(number(configuration, table::POOL_SIZE, 1, 10_000));
        let staleness = problems.take(number(configuration, table::STALENESS, 0, 60_000));
        let issuer = problems.take(issuer(configuration));
        let require_client_key = problems.take(flag(configuration, table::REQUIRE_CLIENT_KEY));
        let connectors = problems.take(connecting::connectors(configuration));
        let outbound = problems.take(connecting::outbound(configuration));
        let public_url = problems.take(connecting::public_url(configuration));
        if let (Some(cost), Some(memory)) = (&argon2_cost, argon2_memory)
            && u64::from(cost.memory_kib) > u64::from(memory) * 1024
        {
            problems.0.push(format!(
                "{} ({memory} MiB) is less than one hash of {} needs",
                table::ARGON2_MEMORY,
                table::ARGON2_COST
            ));
        }
        problems.finish()?;
        let (
            Some((database, key_dir)),
            Some(algorithm),
            Some(signing_key),
            Some(Some(token_minutes)),
            Some(sliding_minutes),
            Some(imported_tokens_until),
            Some(root_keys),
            Some(master_keys),
            Some(argon2_cost),
            Some(argon2_memory_mib),
            Some(pool_size),
            Some(staleness_ms),
            Some(issuer),
            Some(require_client_key),
            Some(connectors),
            Some(outbound),
            Some(public_url),
        ) = (
            database,
            algorithm,
            signing_key,
            token_minutes,
            sliding,
            imported_tokens_until,
            root_keys,
            master_keys,
            argon2_cost,
            argon2_memory,
            pool_size,
            staleness,
            issuer,
            require_client_key,
            connectors,
            outbound,
            public_url,
        )
        else {
            return Err(Error::configuration("a setting has no value"));
        };
        Ok(Self {
            database,
            key_dir,
            pool_size: pool_size as usize,
            staleness_ms,
            algorithm,
            has_configured_key: signing_key.is_some()
                || !previous.0.is_empty()
                || !previous.1.is_empty(),
            imported_tokens_until,
            signing_key,
            previous_keys: previous.0,
            imported_keys: previous.1,
            token_minutes,
            sliding_minutes,
            issuer,
            root_keys,
            master_keys,
            argon2_cost,
            argon2_memory_mib,
            require_client_key,
            connectors,
            outbound,
            public_url,
            loopback_url: connecting::loopback_url(configuration),
        })
    }
}

#[derive(Default)]
struct Problems(Vec<String>);

impl Problems {
    fn take<T>(&mut self, result: Result<T, String>) -> Option<T> {
        result.map_err(|problem| self.0.push(problem)).ok()
    }

    fn finish(&mut self) -> Result<()> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Error::configuration(self.0.join("\n")))
        }
    }
}

/// Whether the database lives and dies with the process that opens it.
pub(super) fn is_in_memory(configuration: &Configuration) -> bool {
    database(configuration).is_ok_and(|(url, _)| url.is_sqlite() && url.sqlite_path().is_none())
}

/// The database, and the directory of the generated keys when there may be any.
fn database(configuration: &Configuration) -> Result<(DatabaseUrl, Option<PathBuf>), String> {
    let data_dir = PathBuf::from(configuration.get(table::DATA_DIR).unwrap_or_default());
    match configuration
        .get(table::DATABASE_URL)
        .filter(|text| !text.is_empty())
    {
        None => {
            if data_dir.as_os_str().is_empty() {
                return Err(format!("{} is empty", table::DATA_DIR));
            }
            Ok((
                DatabaseUrl::sqlite_file(data_dir.join(DATABASE_FILE)),
                Some(data_dir),
            ))
        }
        Some(text) => {
            let url = DatabaseUrl::parse(text)
                .map_err(|error| format!("{}: {error}", table::DATABASE_URL))?;
            let beside = url.sqlite_path().map(|path| match path.parent() {
                Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
                _ => PathBuf::from("."),
            });
            Ok((url, beside))
        }
    }
}

fn algorithm(configuration: &Configuration) -> Result<Algorithm, String> {
    let text = configuration
        .get(table::ALGORITHM)
        .filter(|text| !text.is_empty())
        .unwrap_or("HS256");
    Algorithm::from_str(text).map_err(|_| {
        format!(
            "{}: use HS256, HS384, HS512, RS256, PS256, ES256, ES384 or EdDSA",
            table::ALGORITHM
        )
    })
}

fn signing_key(
    configuration: &Configuration,
    algorithm: Algorithm,
) -> Result<Option<SigningKey>, String> {
    match configuration
        .get(table::SECRET_KEY)
        .filter(|text| !text.is_empty())
    {
        None => Ok(None),
        Some(text) => SigningKey::from_configured(algorithm, &Secret::new(text.to_owned()))
            .map(Some)
            .map_err(|error| {
                format!(
                    "{}: {error}; {}; what an imported system has signed is verified with its former key in {}",
                    table::SECRET_KEY,
                    how_to_make(algorithm),
                    table::SECRET_KEY_PREVIOUS
                )
            }),
    }
}

/// The command that makes a good key.
pub(crate) fn how_to_make(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::HS256 => "make one with: openssl rand -base64 32",
        Algorithm::HS384 => "make one with: openssl rand -base64 48",
        Algorithm::HS512 => "make one with: openssl rand -base64 64",
        Algorithm::RS256 | Algorithm::PS256 => {
            "make one with: openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072"
        }
        Algorithm::ES256 => {
            "make one with: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256"
        }
        Algorithm::ES384 => {
            "make one with: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384"
        }
        Algorithm::EdDSA => "make one with: openssl genpkey -algorithm ed25519",
    }
}

type PreviousKeys = (Vec<SigningKey>, Vec<SigningKey>);

/// Former keys, and those among them that are too short for anything but imported tokens.
fn previous_keys(
    configuration: &Configuration,
    algorithm: Algorithm,
) -> Result<PreviousKeys, String> {
    let mut keys = PreviousKeys::default();
    let Some(text) = configuration.get(table::SECRET_KEY_PREVIOUS) else {
        return Ok(keys);
    };
    let from_file = matches!(
        configuration.source(table::SECRET_KEY_PREVIOUS),
        Source::EnvironmentFile(_)
    );
    for element in split_keys(text, from_file) {
        if element.is_empty() {
            return Err(format!(
                "{}: an element is empty",
                table::SECRET_KEY_PREVIOUS
            ));
        }
        let (algorithm, text) = match element.split_once(':') {
            Some((name, rest)) if Algorithm::from_str(name).is_ok() => {
                (Algorithm::from_str(name).unwrap_or(algorithm), rest)
            }
            _ => (algorithm, element.as_str()),
        };
        let secret = Secret::new(text.to_owned());
        match SigningKey::from_configured(algorithm, &secret) {
            Ok(key) => keys.0.push(key),
            Err(error) => match SigningKey::from_configured_imported_only(algorithm, &secret) {
                Ok(key) => keys.1.push(key),
                Err(_) => {
                    return Err(format!(
                        "{}: {error}; write a key of another algorithm as ALGORITHM:KEY, that of the original as HS256:KEY",
                        table::SECRET_KEY_PREVIOUS
                    ));
                }
            },
        }
    }
    // Elements that are too short may be parts of one key of the original, with a comma in it.
    if !from_file && !keys.1.is_empty() {
        let whole = Secret::new(text.to_owned());
        keys.1
            .extend(SigningKey::from_configured_imported_only(algorithm, &whole).ok());
    }
    Ok(keys)
}

/// Elements of a list of keys: comma-separated, or in a file one a line or PEM block.
fn split_keys(text: &str, from_file: bool) -> Vec<String> {
    if !from_file {
        return text
            .split(',')
            .map(|element| element.trim().to_owned())
            .collect();
    }
    let mut elements = Vec::new();
    let mut block: Option<String> = None;
    for line in text.lines() {
        if let Some(open) = block.as_mut() {
            open.push_str(line);
            open.push('\n');
            if line.starts_with("-----END") {
                elements.extend(block.take());
            }
        } else if line.contains("-----BEGIN") {
            block = Some(format!("{line}\n"));
        } else {
            elements.push(line.trim_end_matches('\r').to_owned());
        }
    }
    elements.extend(block);
    elements
}

fn issuer(configuration: &Configuration) -> Result<String, String> {
    let text = configuration.get(table::ISSUER).unwrap_or_default();
    if text.is_empty() || text.len() > 255 || text.chars().any(char::is_control) {
        return Err(format!(
            "{}: use 1 to 255 bytes without control characters",
            table::ISSUER
        ));
    }
    Ok(text.to_owned())
}

fn root_keys(configuration: &Configuration) -> Result<Option<RootKeyring>, String> {
    match configuration.get(table::ROOT_KEYS) {
        None => Ok(None),
        Some(text) => RootKeyring::parse(&Secret::new(text.to_owned()))
            .map(Some)
            .map_err(|error| format!("{}: {error}", table::ROOT_KEYS)),
    }
}

fn master_keys(configuration: &Configuration) -> Result<Option<MasterKeys>, String> {
    let Some(text) = configuration.get(table::MASTER_KEYS) else {
        return Ok(None);
    };
    MasterKeys::parse(text)
        .map(Some)
        .map_err(|reason| format!("{}: {reason}", table::MASTER_KEYS))
}
