//! Gathers the settings: flags, environment, configuration file, defaults.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bosa_auth::{Configuration, ConfigurationFile, Error, Secret, Source};

use crate::args::Global;
use crate::exit::Failure;

/// A setting given by a flag: its variable and its value.
pub(crate) type Override = (&'static str, Option<String>);

/// Gathers the settings of a verb; `flags` are those that only this verb has.
///
/// # Errors
/// `Configuration` for everything that cannot be used, all problems at once; `Usage` for a password
/// in an argument.
pub(crate) fn gather(
    global: &Global,
    flags: impl IntoIterator<Item = Override>,
) -> Result<Configuration, Failure> {
    let mut overrides = Vec::new();
    if let Some(url) = &global.database_url {
        if holds_password(url) {
            return Err(Failure::usage(
                "--database-url holds a password, which other users of this machine can read",
                "Set DATABASE_AUTHENTICATION_URL, or DATABASE_AUTHENTICATION_URL_FILE to a file that holds the URL.",
            ));
        }
        overrides.push(("DATABASE_AUTHENTICATION_URL", Some(url.clone())));
    }
    if let Some(directory) = &global.data_dir {
        let text = directory.to_str().ok_or_else(|| {
            Failure::usage("--data-dir is not UTF-8 text", "Use another directory.")
        })?;
        overrides.push(("BOSA_AUTH_DATA_DIR", Some(text.to_owned())));
    }
    overrides.extend(flags);
    let overrides = overrides
        .into_iter()
        .filter_map(|(variable, value)| Some((variable, Secret::new(value?), Source::Flag)))
        .collect();
    let file = global.config.as_deref().map(read_file).transpose()?;
    Configuration::gather(overrides, std::env::vars_os(), file, true).map_err(Into::into)
}

/// Whether a database URL carries a password, in either of the places that drivers look at.
///
/// Everything before the last `@` counts as user and password: an unescaped `/` or `?` in a password
/// must not hide it.
pub(crate) fn holds_password(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let before_host = rest.rsplit_once('@').map(|(user, _)| user);
    let query = rest.split_once('?').map_or("", |(_, query)| query);
    let in_query = query.split('&').any(|parameter| {
        let name = parameter.split('=').next().unwrap_or_default();
        name.to_ascii_lowercase().ends_with("password")
    });
    before_host.is_some_and(|user| user.contains(':')) || in_query
}

fn read_file(path: &Path) -> Result<ConfigurationFile, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::usage(
            format!(
                "cannot read the configuration file {}: {error}",
                path.display()
            ),
            "Name another with --config.",
        )
    })?;
    let values = parse(&text).map_err(|problem| {
        Failure::Library(Error::Configuration(format!(
            "{}: {problem}",
            path.display()
        )))
    })?;
    Ok(ConfigurationFile {
        path: PathBuf::from(path),
        values,
    })
}

/// Parses the file; a message never quotes it, because it may hold secrets.
fn parse(text: &str) -> Result<BTreeMap<String, String>, String> {
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        let before = error
            .span()
            .and_then(|span| text.get(..span.start))
            .unwrap_or_default();
        format!(
            "line {}: {}",
            before.matches('\n').count() + 1,
            error.message()
        )
    })?;
    table
        .into_iter()
        .map(|(key, value)| match as_text(value) {
            Some(text) => Ok((key, text)),
            None => Err(format!(
                "`{key}` must be a text, a number, true, false or a list of texts"
            )),
        })
        .collect()
}

fn as_text(value: toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Boolean(flag) => Some(flag.to_string()),
        toml::Value::Array(items) => {
            let texts: Option<Vec<String>> = items
                .into_iter()
                .map(|item| match item {
                    toml::Value::String(text) => Some(text),
                    _ => None,
                })
                .collect();
            texts.map(|texts| texts.join(","))
        }
        toml::Value::Float(_) | toml::Value::Datetime(_) | toml::Value::Table(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_seen_wherever_a_url_may_carry_it() {
        for url in [
            "postgresql://user:secret@host/db",
            "postgresql://user:se/cret@host/db",
            "postgresql://user:se?cret@host/db",
            "postgresql://user:@host/db",
            "postgresql://host/db?password=secret",
            "postgresql://host/db?sslmode=require&PASSWORD=secret",
            "user:secret@host/db",
        ] {
            assert!(holds_password(url), "{url}");
        }
        for url in [
            "postgresql://user@host:5432/db?sslmode=require",
            "postgresql://host:5432/db",
            "postgresql:///db?host=/run/postgresql",
            "sqlite:////var/lib/bosa-auth/auth.db",
            "sqlite://",
        ] {
            assert!(!holds_password(url), "{url}");
        }
    }

    #[test]
    fn a_file_gives_texts_numbers_flags_and_lists() -> Result<(), String> {
        let values = parse(
            "listen = \"127.0.0.1:1\"\nargon2_memory_mib = 64\nrequire_client_key = true\n\
             trusted_proxies = [\"10.0.0.1\", \"10.0.0.2\"]\n",
        )?;
        assert_eq!(values["listen"], "127.0.0.1:1");
        assert_eq!(values["argon2_memory_mib"], "64");
        assert_eq!(values["require_client_key"], "true");
        assert_eq!(values["trusted_proxies"], "10.0.0.1,10.0.0.2");
        Ok(())
    }

    #[test]
    fn a_message_about_the_file_does_not_quote_it() {
        let problem =
            parse("listen = \"127.0.0.1:1\"\nauth_secret_key = \"hidden\" hidden\n").unwrap_err();
        assert!(problem.starts_with("line 2"), "{problem}");
        assert!(!problem.contains("hidden"), "{problem}");
        assert!(parse("[table]\nkey = 1\n").unwrap_err().contains("`table`"));
    }
}
