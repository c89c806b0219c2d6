//! Runs the executable with nothing of the caller's environment.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use bosa_auth_testkit::TestDatabase;
use serde_json::Value;
use tempfile::TempDir;

pub(crate) const SIGNING_KEY: &str = "a signing key for tests, 32 bytes or more";
pub(crate) const ROOT_KEYS: &str = "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
pub(crate) const MASTER_KEY: &str = "a-master-key-for-tests-of-32-characters-or-more";

/// A directory to work in and an environment.
pub(crate) struct World {
    directory: TempDir,
    pub(crate) environment: Vec<(String, String)>,
}

/// What a run left behind.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl World {
    /// Nothing is configured.
    pub(crate) fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            environment: Vec::new(),
        }
    }

    /// The database of a test, with keys where none are generated.
    pub(crate) fn on(db: &TestDatabase) -> Self {
        let mut world = Self::new();
        world.set("DATABASE_AUTHENTICATION_URL", &db.address());
        if !db.url().is_sqlite() {
            world.set("BOSA_AUTH_ROOT_KEYS", ROOT_KEYS);
            world.set("AUTH_SECRET_KEY", SIGNING_KEY);
            world.set("BOSA_WHITELISTED_KEYS", MASTER_KEY);
        }
        world
    }

    /// As [`World::on`], with an instance in it.
    pub(crate) fn initialized(db: &TestDatabase) -> Self {
        let world = Self::on(db);
        world.run(&["init"]).expect(0);
        world
    }

    pub(crate) fn set(&mut self, variable: &str, value: &str) {
        self.environment
            .push((variable.to_owned(), value.to_owned()));
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bosa-auth"));
        command
            .args(args)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(self.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Outcome {
        Outcome::of(self.command(args).output().unwrap())
    }

    /// Runs with a text on standard input.
    pub(crate) fn run_with(&self, args: &[&str], input: &str) -> Outcome {
        let mut child = self.command(args).stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // The program may end without reading.
        drop(stdin.write_all(input.as_bytes()));
        drop(stdin);
        Outcome::of(child.wait_with_output().unwrap())
    }

    /// Runs with `--output json`, expects success and returns what was printed.
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        self.run(&with_json(args)).json(0)
    }

    /// As [`World::json`], with a text on standard input.
    pub(crate) fn json_with(&self, args: &[&str], input: &str) -> Value {
        self.run_with(&with_json(args), input).json(0)
    }
}

impl Outcome {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Expects an exit code.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }

    /// Expects an exit code and JSON on standard output.
    #[track_caller]
    pub(crate) fn json(self, code: i32) -> Value {
        let outcome = self.expect(code);
        match serde_json::from_str(&outcome.stdout) {
            Ok(value) => value,
            Err(error) => panic!("{error}: {outcome:#?}"),
        }
    }

    /// Expects nothing on standard output and, on standard error, an error with its help.
    #[track_caller]
    pub(crate) fn refused(self, code: i32) -> String {
        assert!(self.stderr.starts_with("error: "), "{self:#?}");
        self.refused_after_progress(code)
    }

    /// As [`refused`](Self::refused), of a run that may have told how far it came.
    #[track_caller]
    pub(crate) fn refused_after_progress(self, code: i32) -> String {
        let outcome = self.expect(code);
        assert_eq!(outcome.stdout, "", "{outcome:#?}");
        assert!(outcome.stderr.contains("error: "), "{outcome:#?}");
        assert!(outcome.stderr.contains("\nhelp: "), "{outcome:#?}");
        outcome.stderr
    }
}

fn with_json<'a>(args: &[&'a str]) -> Vec<&'a str> {
    let mut all = args.to_vec();
    all.extend(["--output", "json"]);
    all
}

/// The names of an object's members, sorted.
pub(crate) fn members(value: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    names.sort_unstable();
    names
}
