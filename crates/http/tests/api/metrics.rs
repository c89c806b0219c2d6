//! `/metrics` on an address of its own.

use bosa_auth_http::{HttpConfig, Metrics};
use bosa_auth_testkit::TestDatabase;
use tokio::net::TcpListener;

use crate::app::TestApp;

#[tokio::test]
async fn requests_are_counted_by_route_method_and_status() {
    let metrics = Metrics::install().unwrap();
    assert!(Metrics::install().is_err());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let db = TestDatabase::sqlite().await;
    let served = Some((listener, metrics));
    let mut app = TestApp::with_metrics(&db, &[], HttpConfig::default(), served).await;
    app.get("/users/0190a0b1-0000-7000-8000-000000000000")
        .send()
        .await
        .refusal(401);
    app.get("/a-path-of-the-callers-own")
        .send()
        .await
        .refusal(404);
    app.call("BREW", "/users").send().await.refusal(405);
    let shown = reqwest::get(format!("http://{address}/metrics"))
        .await
        .unwrap();
    assert_eq!(
        shown.headers()["content-type"],
        "text/plain; version=0.0.4; charset=utf-8"
    );
    let shown = shown.text().await.unwrap();
    for line in [
        r#"bosa_auth_http_requests_total{path="/users/{id}",method="GET",status="401"}"#,
        r#"bosa_auth_http_requests_total{path="unmatched",method="GET",status="404"}"#,
        r#"bosa_auth_http_requests_total{path="unmatched",method="OTHER",status="405"}"#,
        r#"bosa_auth_http_request_duration_seconds_bucket{path="/users/{id}",method="GET",status="401",le="0.0005"}"#,
    ] {
        assert!(shown.contains(line), "{line}\n{shown}");
    }
    assert!(
        !shown.contains("callers-own") && !shown.contains("BREW"),
        "{shown}"
    );
    app.tell_to_stop();
    app.stopped().await;
}
