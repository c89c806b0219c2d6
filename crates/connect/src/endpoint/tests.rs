use proptest::prelude::*;

use super::*;

fn hosts(patterns: &[&str]) -> Hosts {
    let parsed = patterns
        .iter()
        .map(|text| HostPattern::parse(text).unwrap());
    Hosts::new(parsed.collect())
}

fn endpoint(text: &str) -> Endpoint {
    Endpoint::parse(text).unwrap()
}

fn value(value: &str) -> Variables {
    [("name".to_owned(), value.to_owned())].into()
}

#[test]
fn an_address_is_shown_as_it_is_written() {
    for text in [
        "https://example.com",
        "https://example.com/a/b?c=d&e=f",
        "https://{name}.example.com/token",
        "https://{name}.{region}.example.com:8443/token",
        "http://127.0.0.1:9000/token",
        "http://[::1]:9000/token",
        "https://[::1]/token",
        "https://example.com?query",
    ] {
        assert_eq!(endpoint(text).to_string(), text);
    }
}

#[test]
fn an_address_that_could_be_misread_is_refused() {
    for text in [
        "",
        "example.com/token",
        "ftp://example.com/",
        "HTTPS://example.com/",
        "https:/example.com",
        "https://",
        "https:///token",
        "https://user@example.com/",
        "https://{name}@example.com/",
        "https://example.com/{name}",
        "https://example.com/?a={name}",
        "https://example.com#fragment",
        "https://example.com/#fragment",
        "https://a{name}.example.com/",
        "https://{name}a.example.com/",
        "https://{name}{name}.example.com/",
        "https://{}.example.com/",
        "https://{Name}.example.com/",
        "https://{na.me}.example.com/",
        "https://{name.example.com/",
        "https://example.com:{name}/",
        "https://example.com:port/",
        "https://example.com:99999/",
        "https://Example.com/",
        "https://example.com./",
        "https://example..com/",
        "https://a_b.example.com/",
        "https://127.1/",
        "https://0x7f000001/",
        "https://{name}.1/",
        "https://[::1/",
        "https://[0:0:0:0:0:0:0:1]/",
        "https://exa mple.com/",
        "https://example.com\\@evil.test/",
        "https://example.com\n.evil.test/",
        "https://example.com/a b",
        "https://example.com/a\tb",
        "https://example.com/ä",
    ] {
        assert!(Endpoint::parse(text).is_err(), "{text}");
    }
}

#[test]
fn every_value_of_a_variable_must_stay_below_a_declared_name() {
    let covered = |text: &str, patterns: &[&str]| endpoint(text).is_covered_by(&hosts(patterns));
    assert!(covered("https://example.com/", &["example.com"]));
    assert!(covered(
        "https://a.example.com/",
        &["b.test", "*.example.com"]
    ));
    assert!(covered("https://{name}.example.com/", &["*.example.com"]));
    assert!(covered("https://{name}.a.example.com/", &["*.example.com"]));
    assert!(covered("http://127.0.0.1:9000/", &["127.0.0.1"]));
    assert!(!covered("https://example.com/", &["*.example.com"]));
    assert!(!covered("https://a.example.com/", &["example.com"]));
    assert!(!covered("https://{name}.example.com/", &["a.example.com"]));
    assert!(!covered("https://b.{name}.example/", &["*.a.example"]));
    assert!(!covered("https://{name}.{region}/", &["*.a.a"]));
    assert!(!covered("https://example.com/", &[]));
}

#[test]
fn a_variable_needs_a_value_that_is_one_label() {
    let endpoint = endpoint("https://{name}.example.com/token");
    let hosts = hosts(&["*.example.com"]);
    let resolve = |variables: &Variables| endpoint.resolve(&hosts, variables);
    let good = resolve(&value("Acme-1")).unwrap();
    assert_eq!(good.as_str(), "https://acme-1.example.com/token");
    assert_eq!(
        resolve(&Variables::new()),
        Err(EndpointError::MissingVariable {
            name: "name".to_owned()
        })
    );
    let long = "a".repeat(64);
    for bad in [
        "",
        "a.b",
        ".",
        "a.",
        "evil.test/",
        "evil.test#",
        "evil.test?",
        "evil.test\\",
        "@evil.test",
        "a:80",
        "a@b",
        "-a",
        "a-",
        "a_b",
        "a b",
        " a",
        "a\n",
        "a\0",
        "a%2e",
        "ä",
        "ａ",
        "。",
        "{name}",
        "*",
        &long,
    ] {
        assert_eq!(
            resolve(&value(bad)),
            Err(EndpointError::NotALabel {
                name: "name".to_owned()
            }),
            "{bad:?}"
        );
    }
}

#[test]
fn a_host_that_the_list_does_not_hold_is_refused_even_so() {
    let endpoint = endpoint("https://{name}.example.com/token");
    let other = hosts(&["*.example.org"]);
    assert_eq!(
        endpoint.resolve(&other, &value("acme")),
        Err(EndpointError::ForeignHost)
    );
    // Not a name of the internationalized form, although it has its prefix.
    let broken = endpoint.resolve(&hosts(&["*.example.com"]), &value("xn--a"));
    assert_eq!(broken, Err(EndpointError::ForeignHost));
}

proptest! {
    #[test]
    fn no_value_leaves_its_host(
        value in any::<String>(),
        near in "[a-zA-Z0-9.:/@#?\\\\%_ -]{0,80}",
        second in "[a-z0-9.-]{0,70}",
    ) {
        let endpoint = endpoint("https://{name}.{region}.example.com/token?a=b");
        let hosts = hosts(&["*.example.com"]);
        for value in [value, near] {
            let variables: Variables =
                [("name".to_owned(), value), ("region".to_owned(), second.clone())].into();
            if let Ok(url) = endpoint.resolve(&hosts, &variables) {
                prop_assert_eq!(url.scheme(), "https");
                prop_assert_eq!(url.username(), "");
                prop_assert_eq!(url.password(), None);
                prop_assert_eq!(url.port(), None);
                prop_assert_eq!((url.path(), url.query()), ("/token", Some("a=b")));
                prop_assert_eq!(url.fragment(), None);
                let host = url.host_str().unwrap();
                let labels: Vec<&str> = host.split('.').collect();
                prop_assert_eq!(labels.len(), 4);
                prop_assert_eq!(&labels[2..], &["example", "com"]);
                prop_assert_eq!(labels[0], variables["name"].to_ascii_lowercase());
            }
        }
    }

    #[test]
    fn every_label_is_accepted(label in "[a-z0-9]([a-z0-9]{0,61}[a-z0-9])?") {
        let endpoint = endpoint("https://{name}.example.com/token");
        let url = endpoint.resolve(&hosts(&["*.example.com"]), &value(&label)).unwrap();
        prop_assert_eq!(url.as_str(), format!("https://{label}.example.com/token"));
    }
}
