//! The OAuth clients at providers: set, shown, checked, unset.

use serde_json::{Value, json};

use crate::support::World;

const SECRET: &str = "the-secret-of-the-oauth-client";

/// A provider on this machine that nobody serves.
const LOCAL: &str = r#"title = "Local"
documentation = ["https://docs.local.example/"]

[oauth]
authorization_endpoint = "http://127.0.0.1:9/authorize"
token_endpoint = "http://127.0.0.1:9/token"
hosts = ["127.0.0.1"]
client_authentication = "post"
pkce = true
default_scopes = []

[oauth.lifetime]
access_token_seconds = 3600
refresh_token = "rotates"

[oauth.identity]
source = "token_response"
subject = "/user_id"
label = ["/user_name"]
"#;

fn world() -> World {
    let mut world = World::new();
    std::fs::create_dir(world.path().join("own")).unwrap();
    world.file("own/local.toml", LOCAL);
    world.set("BOSA_AUTH_CONNECTORS_DIR", "own");
    world.run(&["init"]).expect(0);
    world.run(&["client", "create", "acme"]).expect(0);
    world
}

#[test]
fn settings_are_stored_piece_by_piece_and_their_secret_is_never_shown() {
    let world = world();
    let set = |args: &[&str], input: &str| -> Value {
        world.json_with(&[&["connector", "set", "github"], args].concat(), input)
    };
    let stored = set(&["--client-id", "Iv1.abc", "--scope", "repo"], SECRET);
    assert_eq!(stored["client_id"], "Iv1.abc");
    assert_eq!(stored["has_client_secret"], true);
    assert_eq!(stored["scopes"], json!(["repo"]));
    // What is not named stays, the secret too.
    let stored = set(&["--return-address", "https://app.acme.test/done"], "");
    assert_eq!(stored["client_id"], "Iv1.abc");
    assert_eq!(stored["has_client_secret"], true);
    let stored = set(
        &[
            "--return-address",
            "https://app.acme.test/other",
            "--default-scopes",
        ],
        "",
    );
    assert_eq!(stored["scopes"], json!([]));
    let both = json!(["https://app.acme.test/done", "https://app.acme.test/other"]);
    assert_eq!(stored["return_addresses"], both);
    let stored = set(
        &["--remove-return-address", "https://app.acme.test/done"],
        "",
    );
    assert_eq!(
        stored["return_addresses"],
        json!(["https://app.acme.test/other"])
    );
    set(&["--require-completion"], "");

    let shown = world.json(&["connector", "show", "github"]);
    assert_eq!(shown["settings"]["require_completion"], true);
    let text = world.run(&["connector", "show", "github"]).expect(0);
    assert!(
        text.stdout.contains("settings.client_id"),
        "{}",
        text.stdout
    );
    assert!(!format!("{} {shown}", text.stdout).contains(SECRET));
    // A client's own are others.
    assert_eq!(
        world.json(&["connector", "show", "github", "--client", "acme"])["settings"],
        Value::Null
    );
    let own = [
        "connector",
        "set",
        "github",
        "--client",
        "acme",
        "--client-id",
        "own",
    ];
    assert_eq!(world.json_with(&own, SECRET)["client_id"], "own");

    let unset = ["connector", "unset", "github", "--client", "acme"];
    world.run(&unset).refused(2);
    world.run(&[&unset[..], &["--yes"]].concat()).expect(0);
    world.run(&[&unset[..], &["--yes"]].concat()).refused(3);
    assert_eq!(
        world.json(&["connector", "show", "github"])["settings"]["client_id"],
        "Iv1.abc"
    );
}

#[test]
fn settings_that_cannot_work_are_refused_with_the_reason() {
    let world = world();
    let refused = |args: &[&str], input: &str, code| {
        world
            .run_with(&[&["connector", "set"], args].concat(), input)
            .refused(code)
    };
    assert!(
        refused(&["github", "--client-id", "a"], "", 2)
            .contains("the secret of the OAuth client is missing")
    );
    assert!(refused(&["zendesk", "--client-id", "a"], SECRET, 2).contains("subdomain"));
    let leaving = [
        "zendesk",
        "--client-id",
        "a",
        "--variable",
        "subdomain=evil.test/",
    ];
    let text = refused(&leaving, SECRET, 2);
    assert!(
        text.contains("variable subdomain") && !text.contains("evil"),
        "{text}"
    );
    assert!(
        refused(&["github", "--return-address", "http://app.test/"], "", 2)
            .contains("use https://")
    );
    assert!(
        refused(
            &["github", "--remove-return-address", "https://app.test/"],
            "",
            2
        )
        .contains("connector show github")
    );
    refused(&["unheard-of", "--client-id", "a"], SECRET, 3);
    refused(
        &["github", "--client", "nobody", "--client-id", "a"],
        SECRET,
        3,
    );
}

#[test]
fn a_check_says_what_is_wrong_and_what_to_register() {
    let mut world = world();
    let text = world.run(&["connector", "check", "local"]).refused(2);
    assert!(text.contains("bosa-auth connector set local"), "{text}");
    let set = ["connector", "set", "local", "--client-id", "a"];
    world.run_with(&set, SECRET).expect(0);
    let checked = world.run(&["connector", "check", "local"]).expect(1);
    let callback = "http://127.0.0.1:8000/connectors/local/success-authorize-callback";
    assert!(checked.stdout.contains(callback), "{}", checked.stdout);
    assert!(
        checked.stdout.contains("private ones are not allowed"),
        "{}",
        checked.stdout
    );
    world.set("BOSA_AUTH_OUTBOUND_PRIVATE_ADDRESSES", "true");
    world.set("BOSA_AUTH_PUBLIC_URL", "https://auth.acme.test/");
    let checked = world.run(&["connector", "check", "local"]).expect(1);
    let callback = "https://auth.acme.test/connectors/local/success-authorize-callback";
    assert!(checked.stdout.contains(callback), "{}", checked.stdout);
    assert!(
        checked.stdout.contains("cannot be reached"),
        "{}",
        checked.stdout
    );
    assert!(!checked.stdout.contains(SECRET));
    world.set("BOSA_AUTH_PUBLIC_URL", "http://auth.acme.test/");
    let text = world.run(&["connector", "check", "local"]).refused(2);
    assert!(
        text.contains("BOSA_AUTH_PUBLIC_URL: use a URL that begins with https://"),
        "{text}"
    );
}
