//! The README's commands do what it says, as they stand there.

use std::path::Path;
use std::process::{Command, Stdio};

use bosa_auth_testkit::TestDatabase;

use crate::server::Server;
use crate::support::World;

const README: &str = include_str!("../../../../README.md");
const CI: &str = include_str!("../../../../.ci/run");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_command_of_the_readme_works() {
    let [start, test, curl, cli, to_postgres] = shell_blocks().try_into().unwrap();
    assert_eq!(start, "cargo run -- serve\n");
    assert_eq!(test, "scripts/test.sh\n");
    assert!(CI.contains("scripts/test.sh"));

    let world = World::new();
    let server = Server::start(&world);
    let binaries = Path::new(env!("CARGO_BIN_EXE_bosa-auth")).parent().unwrap();
    let binaries = binaries.display().to_string();
    let tour = format!("{curl}\n{cli}")
        .replace("http://127.0.0.1:8000", server.url())
        .replace("$PWD/target/debug", &binaries);
    let output = bash(world.path(), &tour);
    for expected in [
        r#""valid":true"#,
        r#""auth_string":"gho_0123456789""#,
        r#""revoked":true"#,
    ] {
        assert!(
            output.contains(expected),
            "{expected} is missing in:\n{output}"
        );
    }
    assert_eq!(server.stop("TERM"), Some(0));

    let postgres = TestDatabase::postgres().await;
    let moving = to_postgres.replace("postgresql://bosa@127.0.0.1/bosa", &postgres.address());
    let proof = "bosa-auth integration show github --client globex --user bob";
    let path = format!("export PATH=\"{binaries}:$PATH\"");
    let output = bash(world.path(), &format!("{path}\n{moving}\n{proof}\n"));
    assert!(output.contains("gho_0123456789"), "{output}");
}

/// What stands between the fences of shell code, in order.
fn shell_blocks() -> Vec<String> {
    let mut blocks = Vec::new();
    let mut open: Option<String> = None;
    for line in README.lines() {
        match (&mut open, line) {
            (None, "```sh") => open = Some(String::new()),
            (Some(_), "```") => blocks.extend(open.take()),
            (Some(block), line) => {
                block.push_str(line);
                block.push('\n');
            }
            (None, _) => {}
        }
    }
    blocks
}

/// Runs a script that must succeed; returns what it printed.
fn bash(directory: &Path, script: &str) -> String {
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", script])
        .current_dir(directory)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stdout}\n{stderr}");
    stdout
}
