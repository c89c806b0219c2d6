//! No secret leaves by a way that is not meant for it: marked secrets are planted, every route is
//! called with logging at its most verbose, and everything that came out is searched.

use std::io;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bosa_auth_http::{Caller, routes};
use bosa_auth_testkit::on_every_database;
use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

use crate::app::{MASTER_KEY, ROOT_KEYS, SIGNING_KEY, TestApp};
use crate::walk::Scene;

/// Everything that is logged in this process, from the first call on.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn capture() -> &'static Self {
        static LOG: OnceLock<Log> = OnceLock::new();
        LOG.get_or_init(|| {
            let log = Log::default();
            let subscriber = tracing_subscriber::fmt()
                .with_max_level(tracing::Level::TRACE)
                .with_ansi(false)
                .with_writer(log.clone())
                .finish();
            tracing::subscriber::set_global_default(subscriber).unwrap();
            log
        })
    }

    fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl io::Write for &Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = &'a Log;

    fn make_writer(&'a self) -> &'a Log {
        self
    }
}

const CHOSEN: &str = "planted-chosen-secret";
const WRONG: &str = "planted-wrong-secret!";
const CREDENTIAL: &str = "planted-credential";
const QUERY: &str = "planted-in-the-query";
const IDEMPOTENCY: &str = "planted-idempotency-key";

on_every_database! {
    async fn no_secret_is_logged_or_answered_where_it_does_not_belong(db: TestDatabase) {
        let log = Log::capture();
        let app = TestApp::new(&db).await;
        let mut answers: Vec<(String, String)> = Vec::new();
        let mut secrets = vec![
            MASTER_KEY.to_owned(),
            SIGNING_KEY.to_owned(),
            ROOT_KEYS.rsplit(':').next().unwrap_or_default().to_owned(),
            CHOSEN.to_owned(),
            WRONG.to_owned(),
            CREDENTIAL.to_owned(),
            IDEMPOTENCY.to_owned(),
            QUERY.to_owned(),
        ];
        for (number, route) in routes().enumerate() {
            let scene = Scene::new(&app, &format!("secrecy-{number}")).await;
            secrets.extend([scene.client.key.clone(), scene.user.secret.clone(), scene.user.token.clone()]);
            app.github(&scene.user, "planted", CREDENTIAL).await;
            let chosen = json!({ "identifier": "chooser", "secret": CHOSEN });
            app.post("/users", chosen.clone()).key(&scene.client.key).send().await.data();
            app.post("/auth/tokens", chosen).key(&scene.client.key).send().await.data();
            let what = format!("{} {}", route.method, route.path);
            let wrong = json!({ "identifier": "chooser", "secret": WRONG, "token": WRONG });
            for call in [
                // Refusals: no credential, wrong ones, wrong bodies, wrong ids.
                scene.bare(&app, route),
                scene.with_key(&app, route, WRONG),
                scene.bare(&app, route).key(&scene.client.key[..40]).token(WRONG),
                scene.good(&app, route).header("idempotency-key", &format!("{IDEMPOTENCY} ")),
                scene.good(&app, route).header("x-integration", CREDENTIAL),
                app.call(route.method.as_str(), &scene.path(route)).key(&scene.client.key)
                    .token(&scene.user.token).json(wrong),
                app.call(route.method.as_str(), &scene.path(route)).key(&scene.client.key)
                    .token(&scene.user.token).text(format!("{{\"secret\":\"{CHOSEN}\",\"token\":")),
                app.call(route.method.as_str(), &scene.path(route)).key(MASTER_KEY)
                    .text(format!("{{\"name\":[\"{CREDENTIAL}\"],\"auth_string\":5,\"{CHOSEN}\":1}}")),
            ] {
                let answer = call.send().await;
                if answer.status != 200 {
                    answers.push((what.clone(), answer.text + &format!("{:?}", answer.headers)));
                }
            }
            app.get(&format!("{}?surprise={QUERY}", scene.path(route))).send().await;
            let good = scene.good(&app, route).header("idempotency-key", IDEMPOTENCY);
            let answer = good.send().await;
            answers.push((format!("{what} done"), answer.text));
        }
        let logged = log.text();
        assert!(logged.contains("answered") && logged.contains("TRACE"), "the log was captured");
        for secret in &secrets {
            if let Some(place) = logged.find(secret.as_str()) {
                let from = logged[..place].rfind('\n').unwrap_or(0);
                let line: String = logged[from..].chars().take(600).collect();
                panic!("{secret} is in the log: {line}");
            }
            for (what, text) in &answers {
                let field_name = what.contains("done") || secret == CHOSEN || secret == WRONG;
                assert!(field_name || !text.contains(secret.as_str()), "{secret}: {what}: {text}");
            }
        }
    }

    async fn only_the_routes_that_show_a_credential_show_it(db: TestDatabase) {
        let app = TestApp::new(&db).await;
        let showing = [
            "/users/{id}/integrations/{connector}",
            "/connectors/{connector}/integrations",
            "/connectors/{connector}/integrations/{user_identifier}",
        ];
        let routes = routes().filter(|route| route.caller != Caller::Browser);
        for (number, route) in routes.enumerate() {
            let scene = Scene::new(&app, &format!("shown-{number}")).await;
            let answer = scene.good(&app, route).send().await;
            assert_eq!(answer.status, 200, "{} {}: {}", route.method, route.path, answer.text);
            let shows = route.method == "GET" && showing.contains(&route.path);
            let what = format!("{} {}", route.method, route.path);
            assert_eq!(answer.text.contains("credential-of-"), shows, "{what}: {}", answer.text);
            for secret in [&scene.client.key, &scene.user.secret, &scene.user.token] {
                assert!(!answer.text.contains(secret.as_str()), "{what}: {}", answer.text);
            }
        }
    }
}
