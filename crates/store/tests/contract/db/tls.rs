//! `sslmode` and `sslrootcert` against a server with a certificate for `localhost`.
//!
//! Needs the authority's file in `BOSA_AUTH_TEST_POSTGRES_CA`, which `scripts/postgres.sh` makes;
//! a server given by other means may have no TLS.

use std::env;

use bosa_auth_store::{DatabaseUrl, Db, DbOptions, StoreError, params};

#[tokio::test]
async fn each_sslmode_means_what_it_means_to_libpq() {
    let Ok(authority) = env::var("BOSA_AUTH_TEST_POSTGRES_CA") else {
        eprintln!("not run: BOSA_AUTH_TEST_POSTGRES_CA is not set");
        return;
    };
    let server = authority.replace("ca.crt", "data/server.crt");
    let (ca, own) = (
        format!("&sslrootcert={authority}"),
        format!("&sslrootcert={server}"),
    );
    for (host, parameters, encrypted) in [
        ("127.0.0.1", "disable".to_owned(), Some(false)),
        ("127.0.0.1", "allow".to_owned(), Some(false)),
        ("127.0.0.1", "prefer".to_owned(), Some(true)),
        ("127.0.0.1", "require".to_owned(), Some(true)),
        ("127.0.0.1", format!("require{ca}"), Some(true)),
        ("127.0.0.1", format!("require{own}"), Some(true)),
        ("127.0.0.1", format!("verify-ca{ca}"), Some(true)),
        ("127.0.0.1", "verify-ca".to_owned(), None),
        (
            "127.0.0.1",
            "require&sslrootcert=/nonexistent".to_owned(),
            None,
        ),
        ("localhost", format!("verify-full{ca}"), Some(true)),
        ("localhost", format!("verify-full{own}"), Some(true)),
        ("127.0.0.1", format!("verify-full{ca}"), None),
        ("127.0.0.1", format!("verify-full{own}"), None),
        ("localhost", "verify-full".to_owned(), None),
        (
            "localhost",
            "verify-full&sslrootcert=system".to_owned(),
            None,
        ),
    ] {
        let found = is_encrypted(host, &parameters).await;
        assert_eq!(
            found.as_ref().ok(),
            encrypted.as_ref(),
            "{host} {parameters}: {found:?}"
        );
    }
}

async fn is_encrypted(host: &str, parameters: &str) -> Result<bool, StoreError> {
    let server = env::var("BOSA_AUTH_TEST_POSTGRES_URL").unwrap();
    let url = server.replace("127.0.0.1", host);
    let url = DatabaseUrl::parse(&format!("{url}?sslmode={parameters}")).unwrap();
    let db = Db::open(&url, DbOptions::default()).await?;
    let row = db.read_opt(IS_ENCRYPTED, params![]).await?;
    row.unwrap().get(0)
}

const IS_ENCRYPTED: &str = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";
