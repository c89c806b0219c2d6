use super::*;

fn postgres(text: &str) -> Arc<PostgresUrl> {
    match DatabaseUrl::parse(text).unwrap().target {
        Target::Postgres(url) => url,
        _ => panic!("{text} is not PostgreSQL"),
    }
}

#[test]
fn sqlite_urls_name_a_file_or_memory() {
    for (text, path) in [
        ("sqlite:///data/auth.db", Some("data/auth.db")),
        ("sqlite:////var/lib/auth.db", Some("/var/lib/auth.db")),
        ("sqlite+pysqlite:///a b.db", Some("a b.db")),
        ("sqlite+aiosqlite:////x", Some("/x")),
        ("SQLite:///x", Some("x")),
        ("sqlite://", None),
        ("sqlite:///", None),
        ("sqlite:///:memory:", None),
    ] {
        let url = DatabaseUrl::parse(text).unwrap();
        assert!(url.is_sqlite(), "{text}");
        assert_eq!(url.sqlite_path(), path.map(Path::new), "{text}");
    }
}

#[test]
fn the_driver_suffix_is_dropped() {
    for scheme in [
        "postgresql",
        "postgres",
        "postgresql+psycopg2",
        "postgresql+asyncpg",
    ] {
        let url = postgres(&format!("{scheme}://u:p%40ss@db.example:6432/auth"));
        assert_eq!(url.user.as_deref(), Some("u"));
        assert_eq!(url.password.as_ref().map(Secret::expose), Some("p@ss"));
        assert_eq!(url.hosts, [("db.example".to_owned(), 6432)]);
        assert_eq!(url.dbname.as_deref(), Some("auth"));
    }
}

#[test]
fn hosts_may_be_several_addresses_or_a_socket_directory() {
    for (text, hosts) in [
        ("postgresql://", vec![("localhost", 5432)]),
        ("postgresql:///auth", vec![("localhost", 5432)]),
        ("postgresql://[::1]:6000/a", vec![("::1", 6000)]),
        ("postgresql://[::1]/a", vec![("::1", 5432)]),
        ("postgresql://a,b:2/x", vec![("a", 5432), ("b", 2)]),
        ("postgresql://%2Frun%2Fpg/x", vec![("/run/pg", 5432)]),
        ("postgresql:///x?host=/run/pg&port=7", vec![("/run/pg", 7)]),
        (
            "postgresql:///x?host=a,b&port=7,8",
            vec![("a", 7), ("b", 8)],
        ),
    ] {
        let expected: Vec<_> = hosts.into_iter().map(|(h, p)| (h.to_owned(), p)).collect();
        assert_eq!(postgres(text).hosts, expected, "{text}");
    }
}

#[test]
fn sslmode_takes_the_six_values_of_libpq() {
    for (value, mode) in [
        ("disable", SslMode::Disable),
        ("allow", SslMode::Allow),
        ("prefer", SslMode::Prefer),
        ("require", SslMode::Require),
        ("verify-ca", SslMode::VerifyCa),
        ("verify-full", SslMode::VerifyFull),
    ] {
        let url = postgres(&format!(
            "postgresql://h/d?sslmode={value}&sslrootcert=/ca.pem"
        ));
        assert_eq!(url.tls.mode, mode);
        assert_eq!(url.tls.root_cert.as_deref(), Some("/ca.pem"));
    }
    assert_eq!(postgres("postgresql://h/d").tls.mode, SslMode::Prefer);
    let error = DatabaseUrl::parse("postgresql://h/d?sslmode=yes").unwrap_err();
    assert!(error.to_string().contains("verify-full"), "{error}");
}

#[test]
fn an_unknown_parameter_is_named() {
    for text in ["postgresql://h/d?pool_size=3", "sqlite:///x?pool_size=3"] {
        let error = DatabaseUrl::parse(text).unwrap_err();
        assert_eq!(error, UrlError::UnknownParameter("pool_size".to_owned()));
        assert!(error.to_string().contains("pool_size"));
    }
}

#[test]
fn known_parameters_of_libpq_are_honoured() {
    let url = postgres(
        "postgresql://h/d?connect_timeout=3&application_name=a%20b&target_session_attrs=read-write",
    );
    assert_eq!(url.connect_timeout, Some(Duration::from_secs(3)));
    assert_eq!(url.application_name.as_deref(), Some("a b"));
}

#[test]
fn what_is_no_database_url_is_refused() {
    for text in [
        "",
        "auth.db",
        "mysql://h/d",
        "sqlite+:///x",
        "sqlite://host/x",
        "postgresql://h:0/d",
        "postgresql://h:x/d",
        "postgresql://[::1/d",
        "postgresql://h/%ff",
        "postgresql://h/a%00b",
        "postgresql://h,i/d?port=1,2,3",
    ] {
        assert!(DatabaseUrl::parse(text).is_err(), "{text}");
    }
}

#[test]
fn the_password_is_never_shown() {
    let url = DatabaseUrl::parse("postgresql+psycopg2://ann:hunter2@h:1,i/d").unwrap();
    assert!(url.has_password());
    assert_eq!(url.to_string(), "postgresql://ann:***@h:1,i:5432/d");
    assert!(!format!("{url:?}").contains("hunter2"));
    assert!(
        !DatabaseUrl::parse("postgresql://ann@h/d")
            .unwrap()
            .has_password()
    );
    let error = DatabaseUrl::parse("postgresql://a:hunter2@h:x/d").unwrap_err();
    assert!(!error.to_string().contains("hunter2"));
}
