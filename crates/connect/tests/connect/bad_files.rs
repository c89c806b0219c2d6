//! A table of files that are refused, each with its place and reason.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use bosa_auth_connect::{Origin, Problem, Provider};
use bosa_auth_core::ConnectorName;

/// A valid file; each case replaces one text of it by another.
const GOOD: &str = r#"title = "Acme"
documentation = ["https://docs.acme.example/oauth"]

[oauth]
authorization_endpoint = "https://{region}.acme.example/authorize"
token_endpoint = "https://{region}.acme.example/token"
issuer = "https://{region}.acme.example"
hosts = ["*.acme.example"]
client_authentication = "basic"
pkce = true
scope_separator = " "
default_scopes = ["profile"]
authorization_parameters = { prompt = "consent" }
token_headers = { Accept = "application/json" }

[oauth.lifetime]
access_token_seconds = 3600
refresh_token = "rotates"
reuse_grace_seconds = 30

[oauth.identity]
source = "https://{region}.acme.example/me"
method = "POST"
body = '{"query": "{ me }"}'
headers = { Content-Type = "application/json" }
subject = "/id"
label = ["/email", "/id"]

[variables.region]
description = "where the account lies"
example = "eu-1"

[[credentials]]
kind = "custom"
title = "Key pair"
description = "Made on the page of the account."

[credentials.schema]
type = "object"
required = ["key"]

[credentials.schema.properties.key]
type = "string"
pattern = "^[a-z]+$"
minLength = 1
maxLength = 64
"#;

fn problems(origin: Origin, text: &str) -> Vec<Problem> {
    let name = ConnectorName::parse("acme").unwrap();
    match Provider::parse(&name, origin, text) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.as_slice().to_vec(),
    }
}

fn own() -> Origin {
    Origin::File("own/acme.toml".into())
}

#[test]
fn the_file_that_the_cases_change_is_valid() {
    assert_eq!(problems(own(), GOOD), []);
    assert_eq!(problems(Origin::BuiltIn, GOOD), []);
}

/// What is replaced, by what, and the line and the reason of the only problem.
#[rustfmt::skip]
const CASES: &[(&str, &str, usize, &str)] = &[
    // The form of the file.
    ("title = \"Acme\"", "title = ", 1, ""),
    ("title = \"Acme\"", "title = 1", 1, "expected a string"),
    ("title = \"Acme\"", "", 1, "missing field `title`"),
    ("title = \"Acme\"", "title = \"Acme\"\ntitle = \"Acme\"", 2, "duplicate key"),
    ("pkce = true", "pkce = true\npcke = true", 11, "unknown field `pcke`"),
    ("pkce = true", "pkce = \"yes\"", 10, "expected a boolean"),
    ("pkce = true\n", "", 4, "missing field `pkce`"),
    ("\"basic\"", "\"header\"", 9, "unknown variant `header`, expected one of `basic`, `post`, `none`"),
    ("\"rotates\"", "\"changes\"", 18, "unknown variant `changes`"),
    ("method = \"POST\"", "method = \"PUT\"", 23, "unknown variant `PUT`"),
    ("kind = \"custom\"", "kind = \"password\"", 34, "unknown variant `password`"),
    ("type = \"object\"", "type = \"array\"", 39, "unknown variant `array`"),
    ("minLength = 1", "minimum = 1", 45, "unknown field `minimum`"),
    ("minLength = 1", "minLength = -1", 45, "invalid value"),
    ("[variables.region]", "[variables.region]\nlabel = \"Region\"", 30, "unknown field `label`"),
    // Texts and pages.
    ("title = \"Acme\"", "title = \" \"", 1, "title: is empty"),
    ("title = \"Acme\"", "title = \"A\\u001bB\"", 1, "title: holds a control character"),
    ("[\"https://docs.acme.example/oauth\"]", "[]", 2, "documentation: names at least one page"),
    ("\"https://docs.acme.example/oauth\"", "\"docs\"", 2, "documentation: is not an address"),
    // Addresses and hosts.
    ("\"https://{region}.acme.example/token\"", "\"http://{region}.acme.example/token\"", 6, "token_endpoint: use https"),
    ("\"https://{region}.acme.example/token\"", "\"http://127.0.0.1/token\"", 6, "token_endpoint: its host is not among hosts"),
    ("\"https://{region}.acme.example/token\"", "\"https://acme.example/token\"", 6, "token_endpoint: its host is not among hosts"),
    ("\"https://{region}.acme.example/token\"", "\"https://acme.example.{region}/token\"", 6, "token_endpoint: its host is not among hosts"),
    ("\"https://{region}.acme.example/token\"", "\"https://eu.acme.example/{region}\"", 6, "token_endpoint: a variable stands only as a whole label"),
    ("\"https://{region}.acme.example/token\"", "\"https://x{region}.acme.example/\"", 6, "token_endpoint: a variable stands only as a whole label"),
    ("\"https://{region}.acme.example/token\"", "\"https://{zone}.acme.example/token\"", 6, "token_endpoint: the variable zone is not declared: [variables.zone]"),
    ("\"https://{region}.acme.example/token\"", "\"https://me@eu.acme.example/token\"", 6, "token_endpoint: an address holds no user"),
    ("\"https://{region}.acme.example/token\"", "\"token\"", 6, "token_endpoint: an address begins with https://"),
    ("issuer = \"https:", "issuer = \"http:", 7, "issuer: use https"),
    ("source = \"https://{region}.acme.example/me\"", "source = \"userinfo\"", 22, "source: an address begins with https://"),
    ("source = \"https://{region}.acme.example/me\"", "source = \"https://example.com/me\"", 22, "source: its host is not among hosts"),
    ("source = \"https://{region}.acme.example/me\"", "source = \"id_token\"", 22, "source: method, body and headers are for an address"),
    ("[\"*.acme.example\"]", "[\"*.acme.example\", \"https://acme.example\"]", 8, "hosts: use a host name"),
    ("[\"*.acme.example\"]", "[\"*.acme.example\", \"*.example\"]", 8, "hosts: a name after *. has at least two labels"),
    // Scopes, parameters and headers.
    ("[\"profile\"]", "[\"profile email\"]", 12, "default_scopes: holds the scope_separator"),
    ("[\"profile\"]", "[\"\"]", 12, "default_scopes: is not a scope"),
    ("scope_separator = \" \"", "scope_separator = \"\"", 11, "scope_separator: is empty"),
    ("{ prompt = \"consent\" }", "{ state = \"fixed\" }", 13, "authorization_parameters: state is set by the connection itself"),
    ("{ prompt = \"consent\" }", "{ scope = \"all\" }", 13, "authorization_parameters: scope is set by the connection itself"),
    ("{ Accept = \"application/json\" }", "{ Authorization = \"Basic x\" }", 14, "token_headers: Authorization is set by the request itself"),
    ("{ Accept = \"application/json\" }", "{ Accept = \"a\\r\\nb\" }", 14, "token_headers: Accept has a value"),
    ("{ Content-Type = \"application/json\" }", "{ \"Content Type\" = \"a\" }", 25, "headers: Content Type is not the name of a header"),
    // Lifetimes.
    ("access_token_seconds = 3600", "access_token_seconds = 0", 17, "access_token_seconds: use seconds between 1 and"),
    ("access_token_seconds = 3600", "access_token_seconds = -1", 17, "access_token_seconds: use seconds between 1 and"),
    ("access_token_seconds = 3600", "access_token_seconds = 9223372036854775807", 17, "access_token_seconds: use seconds between 1 and"),
    ("access_token_seconds = 3600", "", 16, "missing field `access_token_seconds`"),
    ("reuse_grace_seconds = 30", "reuse_grace_seconds = -1", 19, "reuse_grace_seconds: use seconds between 0 and"),
    ("\"rotates\"", "\"stays\"", 19, "reuse_grace_seconds: is for refresh_token"),
    // Identity.
    ("method = \"POST\"", "method = \"GET\"", 24, "body: needs method"),
    ("'{\"query\": \"{ me }\"}'", "'{ me }'", 24, "body: is not JSON"),
    ("subject = \"/id\"", "subject = \"id\"", 26, "subject: a JSON pointer begins with /"),
    ("subject = \"/id\"", "subject = \"\"", 26, "subject: points at the whole answer"),
    ("[\"/email\", \"/id\"]", "[\"/email\", \"/a~2\"]", 27, "label: in a JSON pointer ~ is written ~0"),
    ("[\"/email\", \"/id\"]", "[]", 27, "label: names at least one pointer"),
    // Variables and credentials.
    ("example = \"eu-1\"", "example = \"eu.1\"", 31, "example: is not one label"),
    ("example = \"eu-1\"", "example = \"eu-1\"\n[variables.zone]\ndescription = \"a\"\nexample = \"b\"", 32, "the variable zone is in no address"),
    ("kind = \"custom\"", "kind = \"bearer\"", 33, "schema: belongs to credentials of kind custom"),
    ("required = [\"key\"]", "required = [\"secret\"]", 40, "required: secret is not among the properties"),
    ("pattern = \"^[a-z]+$\"", "pattern = \"^(?=a)\"", 44, "pattern: is not a regular expression"),
    ("maxLength = 64", "maxLength = 0", 46, "maxLength: is less than minLength"),
    ("maxLength = 64", "enum = []", 46, "enum: names at least one value"),
    ("type = \"string\"", "type = \"integer\"", 42, "pattern, minLength, maxLength and enum are for"),
];

#[test]
fn every_bad_file_is_refused_at_its_line_with_its_reason() {
    let mut surprises = Vec::new();
    for (old, new, line, reason) in CASES {
        assert_eq!(GOOD.matches(old).count(), 1, "{old}");
        let found = problems(own(), &GOOD.replace(old, new));
        let fits = found.len() == 1
            && found[0].place.is_some_and(|place| place.line == *line)
            && found[0].reason.contains(reason);
        if !fits {
            surprises.push(format!("{old} -> {new}: {found:?}"));
        }
    }
    assert!(surprises.is_empty(), "{}", surprises.join("\n"));
}

#[test]
fn all_problems_of_a_file_are_named_at_once() {
    let text = GOOD
        .replace("title = \"Acme\"", "title = \"\"")
        .replace("access_token_seconds = 3600", "access_token_seconds = 0")
        .replace("subject = \"/id\"", "subject = \"id\"");
    let lines: Vec<_> = problems(own(), &text)
        .iter()
        .map(|problem| problem.place.unwrap().line)
        .collect();
    assert_eq!(lines, [1, 17, 26]);
}

#[test]
fn the_column_points_at_the_value() {
    let text = GOOD.replace("\"/id\"]", "\"id\"]");
    let found = problems(own(), &text);
    assert_eq!(
        found[0].to_string(),
        "own/acme.toml:27:20: label: a JSON pointer begins with /"
    );
}

#[test]
fn a_file_that_takes_nothing_is_refused() {
    let text = "title = \"Acme\"\ndocumentation = [\"https://acme.example/\"]\n";
    let found = problems(own(), text);
    assert_eq!(found.len(), 1);
    assert!(
        found[0]
            .reason
            .contains("neither [oauth] nor [[credentials]]")
    );
}

#[test]
fn two_credentials_of_one_kind_are_refused() {
    let one = "[[credentials]]\nkind = \"bearer\"\ntitle = \"A\"\ndescription = \"B\"\n";
    let head = "title = \"Acme\"\ndocumentation = [\"https://acme.example/\"]\n";
    assert_eq!(problems(own(), &format!("{head}{one}")), []);
    let found = problems(own(), &format!("{head}{one}{one}"));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].place.unwrap().line, 7);
    assert!(
        found[0]
            .reason
            .contains("already a credential of kind bearer")
    );
}

#[test]
fn http_is_for_loopback_in_files_of_ones_own() {
    let loopback = |host: &str| {
        GOOD.replace(
            "https://{region}.acme.example",
            &format!("http://{host}:9000"),
        )
        .replace("\"*.acme.example\"", &format!("\"{host}\""))
        .replace(
            "[variables.region]\ndescription = \"where the account lies\"\nexample = \"eu-1\"\n",
            "",
        )
    };
    for host in ["127.0.0.1", "localhost", "[::1]"] {
        assert_eq!(problems(own(), &loopback(host)), [], "{host}");
        assert!(
            !problems(Origin::BuiltIn, &loopback(host)).is_empty(),
            "{host}"
        );
    }
    for host in ["10.0.0.1", "acme.example", "0.0.0.0"] {
        assert!(!problems(own(), &loopback(host)).is_empty(), "{host}");
    }
    // Addresses inside the user's own network are theirs to name, with TLS.
    let inside = loopback("10.0.0.1").replace("http://", "https://");
    assert_eq!(problems(own(), &inside), []);
}

#[test]
fn text_that_is_no_toml_has_a_place_too() {
    for text in ["\u{feff}title", "a = \"", "[", "\0", "a = 1 b = 2", "title"] {
        let found = problems(own(), text);
        assert_eq!(found.len(), 1, "{text:?}");
        assert!(found[0].place.is_some(), "{text:?}");
        assert!(!found[0].reason.is_empty(), "{text:?}");
    }
}
