//! The table of every setting: its names, its default and what it does.

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct SettingSpec {
    /// The environment variable. A secret is also read from the file that `<variable>_FILE` names.
    pub variable: &'static str,
    /// The key in the configuration file.
    pub file_key: &'static str,
    /// Whether the value is shown redacted and may come from a file of its own.
    pub secret: bool,
    /// The value when nothing else gives one.
    pub default: Option<&'static str>,
    /// What it does, in one sentence.
    pub help: &'static str,
}

const fn plain(
    variable: &'static str,
    file_key: &'static str,
    default: Option<&'static str>,
    help: &'static str,
) -> SettingSpec {
    SettingSpec {
        variable,
        file_key,
        secret: false,
        default,
        help,
    }
}

const fn secret(variable: &'static str, file_key: &'static str, help: &'static str) -> SettingSpec {
    SettingSpec {
        variable,
        file_key,
        secret: true,
        default: None,
        help,
    }
}

pub(crate) const DATABASE_URL: &str = "DATABASE_AUTHENTICATION_URL";
pub(crate) const SECRET_KEY: &str = "AUTH_SECRET_KEY";
pub(crate) const SECRET_KEY_PREVIOUS: &str = "AUTH_SECRET_KEY_PREVIOUS";
pub(crate) const ALGORITHM: &str = "AUTH_ALGORITHM";
pub(crate) const EXPIRE_MINUTES: &str = "AUTH_ACCESS_TOKEN_EXPIRE_MINUTES";
pub(crate) const MASTER_KEYS: &str = "BOSA_WHITELISTED_KEYS";
pub(crate) const DATA_DIR: &str = "BOSA_AUTH_DATA_DIR";
pub(crate) const ISSUER: &str = "BOSA_AUTH_ISSUER";
pub(crate) const ROOT_KEYS: &str = "BOSA_AUTH_ROOT_KEYS";
pub(crate) const ARGON2_MEMORY: &str = "BOSA_AUTH_ARGON2_MEMORY_MIB";
pub(crate) const ARGON2_COST: &str = "BOSA_AUTH_ARGON2_COST";
pub(crate) const TOKEN_SLIDING: &str = "BOSA_AUTH_TOKEN_SLIDING";
pub(crate) const REQUIRE_CLIENT_KEY: &str = "BOSA_AUTH_REQUIRE_CLIENT_KEY";
pub(crate) const STALENESS: &str = "BOSA_AUTH_STALENESS_MS";
pub(crate) const POOL_SIZE: &str = "BOSA_AUTH_DATABASE_POOL_SIZE";
pub(crate) const CONNECTORS_DIR: &str = "BOSA_AUTH_CONNECTORS_DIR";
pub(crate) const OUTBOUND_TIMEOUT: &str = "BOSA_AUTH_OUTBOUND_TIMEOUT_SECONDS";
pub(crate) const OUTBOUND_PRIVATE_ADDRESSES: &str = "BOSA_AUTH_OUTBOUND_PRIVATE_ADDRESSES";
pub(crate) const OUTBOUND_CA_FILE: &str = "BOSA_AUTH_OUTBOUND_CA_FILE";
pub(crate) const IMPORTED_TOKENS_UNTIL: &str = "BOSA_AUTH_IMPORTED_TOKENS_UNTIL";
pub(crate) const IMPORT_FROM: &str = "BOSA_AUTH_IMPORT_FROM";
pub(crate) const IMPORT_REDIS: &str = "BOSA_AUTH_IMPORT_REDIS";
pub(crate) const ENCRYPTION_PASSWORD: &str = "BOSA_AUTH_ENCRYPTION_PASSWORD";
pub(crate) const ENCRYPTION_SALT: &str = "BOSA_AUTH_ENCRYPTION_SALT";
pub(crate) const LISTEN: &str = "BOSA_AUTH_LISTEN";
pub(crate) const PUBLIC_URL: &str = "BOSA_AUTH_PUBLIC_URL";

/// Every setting, in the order in which they are shown.
pub const SETTINGS: &[SettingSpec] = &[
    secret(
        DATABASE_URL,
        "database_authentication_url",
        "the database: sqlite:///relative, sqlite:////absolute, sqlite:// (in memory) or postgresql://…; absent: bosa-auth.db in the data directory",
    ),
    secret(
        SECRET_KEY,
        "auth_secret_key",
        "the key that signs tokens: text for HS256/384/512, a PKCS#8 PEM for the others; absent: generated once, on SQLite only",
    ),
    secret(
        SECRET_KEY_PREVIOUS,
        "auth_secret_key_previous",
        "former signing keys that still verify: KEY or ALG:KEY, comma-separated (in the file form one a line or PEM block)",
    ),
    plain(
        ALGORITHM,
        "auth_algorithm",
        Some("HS256"),
        "HS256, HS384, HS512, RS256, PS256, ES256, ES384 or EdDSA",
    ),
    plain(
        EXPIRE_MINUTES,
        "auth_access_token_expire_minutes",
        Some("43200"),
        "lifetime of a token in minutes, 1 minute to 10 years",
    ),
    secret(
        MASTER_KEYS,
        "whitelisted_keys",
        "master keys of the client management routes, comma-separated, at least 32 characters each; absent: generated, on SQLite only",
    ),
    plain(
        DATA_DIR,
        "data_dir",
        Some("bosa-auth-data"),
        "directory of the embedded database and of generated keys",
    ),
    secret(
        ROOT_KEYS,
        "root_keys",
        "the keys that seal all others: id:base64 of 32 bytes, comma-separated; absent: generated, on SQLite only",
    ),
    plain(
        ISSUER,
        "issuer",
        Some("bosa-auth"),
        "the iss claim of tokens",
    ),
    plain(
        TOKEN_SLIDING,
        "token_sliding",
        None,
        "idle minutes after which an unused token ends; absent: no idle end",
    ),
    plain(
        REQUIRE_CLIENT_KEY,
        "require_client_key",
        Some("false"),
        "true demands the client key beside every user token",
    ),
    plain(
        ARGON2_COST,
        "argon2_cost",
        Some("19456,2,1"),
        "Argon2id cost: memory in KiB, iterations, parallelism",
    ),
    plain(
        ARGON2_MEMORY,
        "argon2_memory_mib",
        Some("256"),
        "memory that all password hashing together may use, in MiB",
    ),
    plain(
        IMPORTED_TOKENS_UNTIL,
        "imported_tokens_until",
        None,
        "a date (2027-03-31) or time (2027-03-31T12:00:00Z) from which on tokens of the original are refused; absent: each until its own end",
    ),
    plain(
        STALENESS,
        "staleness_ms",
        Some("1000"),
        "how many milliseconds another process may go on accepting what was revoked here; 0: every verification reads the database",
    ),
    plain(
        POOL_SIZE,
        "database_pool_size",
        Some("16"),
        "largest number of PostgreSQL connections; two more follow what other processes change",
    ),
    plain(
        CONNECTORS_DIR,
        "connectors_dir",
        None,
        "directory of connector files of your own, NAME.toml each; they come before built-in ones of the same name; read again on SIGHUP",
    ),
    plain(
        OUTBOUND_TIMEOUT,
        "outbound_timeout_seconds",
        Some("10"),
        "how many seconds a request to a provider may take, 1 to 120",
    ),
    plain(
        OUTBOUND_PRIVATE_ADDRESSES,
        "outbound_private_addresses",
        Some("false"),
        "true lets connectors reach addresses that are not on the public internet, for providers of your own network",
    ),
    plain(
        OUTBOUND_CA_FILE,
        "outbound_ca_file",
        None,
        "PEM file of certificates that providers may use beside those of the public authorities",
    ),
    secret(
        IMPORT_FROM,
        "import_from",
        "for import bosa: the database of the original, postgresql://…; absent: the database of this system, if it is PostgreSQL",
    ),
    secret(
        IMPORT_REDIS,
        "import_redis",
        "for import bosa: the Redis of the original, redis://…, for tokens, and ends of tokens, that its database lacks",
    ),
    secret(
        ENCRYPTION_PASSWORD,
        "encryption_password",
        "for import bosa: the encryption password of the original",
    ),
    secret(
        ENCRYPTION_SALT,
        "encryption_salt",
        "for import bosa: the encryption salt of the original",
    ),
    plain(
        LISTEN,
        "listen",
        Some("127.0.0.1:8000"),
        "address of the HTTP server",
    ),
    plain(
        "BOSA_AUTH_METRICS_LISTEN",
        "metrics_listen",
        None,
        "address of /metrics; absent: not served",
    ),
    plain(
        PUBLIC_URL,
        "public_url",
        None,
        "the URL under which browsers reach this server, https:// unless it is loopback; without it accounts are connected on loopback only",
    ),
    plain(
        "BOSA_AUTH_TRUSTED_PROXIES",
        "trusted_proxies",
        None,
        "addresses or networks whose X-Forwarded-For counts, comma-separated",
    ),
    plain(
        "BOSA_AUTH_LOG_FORMAT",
        "log_format",
        Some("text"),
        "text or json",
    ),
    plain(
        "BOSA_AUTH_LOG",
        "log",
        Some("info"),
        "log filter, for example info or bosa_auth=debug",
    ),
];

/// Variables that belong to features beyond this crate's settings but are known by name.
pub(crate) const KNOWN_ELSEWHERE: &[&str] = &[
    "BOSA_AUTH_TEST_POSTGRES_CA",
    "BOSA_AUTH_TEST_POSTGRES_URL",
    "BOSA_AUTH_CONFIG",
];

pub(crate) fn spec_of_variable(variable: &str) -> Option<&'static SettingSpec> {
    SETTINGS.iter().find(|spec| spec.variable == variable)
}

pub(crate) fn spec_of_file_key(key: &str) -> Option<&'static SettingSpec> {
    SETTINGS.iter().find(|spec| spec.file_key == key)
}
