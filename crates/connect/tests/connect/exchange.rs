//! A whole connection and its refreshes, with a provider on loopback that checks what it is sent.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::time::Duration;

use bosa_auth_connect::{
    AccountIdentity, AuthorizationRequest, ClientCredentials, CodeVerifier, Grant, Origin,
    Outbound, Provider, TokenError, TokenResponse, Variables, authorization_url,
    identity_from_tokens, identity_request, parse_identity, parse_token_response, random_text,
    revocation_request, token_request,
};
use bosa_auth_core::{ConnectorName, Entropy, Secret, SystemEntropy};
use bosa_auth_testkit::oauth_provider::{
    Behaviour, CLIENT_ID, CLIENT_SECRET, Endpoint, Fault, GraceAnswer, OAuthProvider, RefreshTokens,
};
use url::Url;

use crate::loopback;

const REDIRECT_URI: &str = "http://127.0.0.1:8000/connectors/loopback/success-authorize-callback";

/// A provider, and all that is needed to be its client.
struct World {
    real: OAuthProvider,
    declared: Provider,
    outbound: Outbound,
    client: ClientCredentials,
}

impl World {
    fn new(behaviour: Behaviour) -> Self {
        let real = OAuthProvider::start_with(behaviour);
        let name = ConnectorName::parse("loopback").unwrap();
        let origin = Origin::File("loopback.toml".into());
        Self {
            declared: Provider::parse(&name, origin, &real.connector_text()).unwrap(),
            outbound: loopback::outbound(),
            client: ClientCredentials {
                client_id: CLIENT_ID.to_owned(),
                client_secret: Some(CLIENT_SECRET.into()),
            },
            real,
        }
    }

    fn rotating(grace: Option<GraceAnswer>) -> Self {
        let refresh_tokens = match grace {
            None => RefreshTokens::Rotate { grace: None },
            Some(answer) => RefreshTokens::rotate_with_grace(Duration::from_secs(30), answer),
        };
        Self::new(Behaviour {
            refresh_tokens,
            ..Behaviour::default()
        })
    }

    /// Sends a browser to the provider; what comes back in the query, and the verifier.
    fn visit(&self) -> (BTreeMap<String, String>, CodeVerifier) {
        let entropy: &dyn Entropy = &SystemEntropy;
        let verifier = CodeVerifier::generate(entropy).unwrap();
        let url = authorization_url(
            self.declared.oauth.as_ref().unwrap(),
            &AuthorizationRequest {
                client_id: &self.client.client_id,
                redirect_uri: REDIRECT_URI,
                state: &random_text(entropy).unwrap(),
                verifier: &verifier,
                scopes: &[],
                variables: &Variables::new(),
            },
        );
        let back = Url::parse(&self.real.visit(url.unwrap().as_str())).unwrap();
        assert!(back.as_str().starts_with(REDIRECT_URI), "{back}");
        (back.query_pairs().into_owned().collect(), verifier)
    }

    async fn exchange(&self, grant: &Grant<'_>) -> Result<TokenResponse, TokenError> {
        let oauth = self.declared.oauth.as_ref().unwrap();
        let request = token_request(oauth, &self.client, &Variables::new(), grant).unwrap();
        let response = self.outbound.send(&oauth.hosts, request).await?;
        parse_token_response(oauth, &response)
    }

    async fn code(&self, code: &str, verifier: &CodeVerifier) -> Result<TokenResponse, TokenError> {
        let grant = Grant::Code {
            code: &code.into(),
            redirect_uri: REDIRECT_URI,
            verifier,
        };
        self.exchange(&grant).await
    }

    async fn refresh(&self, refresh_token: &str) -> Result<TokenResponse, TokenError> {
        let refresh_token = &refresh_token.into();
        self.exchange(&Grant::Refresh { refresh_token }).await
    }

    async fn connect(&self) -> TokenResponse {
        let (back, verifier) = self.visit();
        let code = back.get("code").unwrap();
        self.code(code, &verifier).await.unwrap()
    }

    /// Connects, and returns the refresh token alone.
    async fn connected(&self) -> String {
        let refresh_token = self.connect().await.refresh_token.unwrap();
        refresh_token.expose().to_owned()
    }

    async fn revoke(&self, token: &str) -> u16 {
        let oauth = self.declared.oauth.as_ref().unwrap();
        let token = Secret::from(token);
        let request = revocation_request(oauth, &self.client, &Variables::new(), &token);
        let request = request.unwrap().unwrap();
        let response = self.outbound.send(&oauth.hosts, request).await;
        response.unwrap().status
    }

    async fn identity(&self, access_token: &Secret) -> AccountIdentity {
        let oauth = self.declared.oauth.as_ref().unwrap();
        let request = identity_request(oauth, &Variables::new(), access_token).unwrap();
        let response = self.outbound.send(&oauth.hosts, request.unwrap()).await;
        parse_identity(oauth, &response.unwrap()).unwrap()
    }
}

#[track_caller]
fn assert_refused(result: Result<TokenResponse, TokenError>, code: &str) {
    let refused = result.unwrap_err();
    let said = |words: &bosa_auth_connect::ProviderWords| words.code == code;
    assert!(
        matches!(&refused, TokenError::Refused(words) if said(words)),
        "{refused:?}"
    );
}

#[track_caller]
fn assert_unknown(result: Result<TokenResponse, TokenError>) {
    let lost = result.unwrap_err();
    assert!(matches!(lost, TokenError::OutcomeUnknown(_)), "{lost:?}");
}

#[tokio::test]
async fn an_account_is_connected_refreshed_and_revoked() {
    let mut world = World::rotating(None);
    let ana = world.real.log_in("ana");
    let (back, verifier) = world.visit();
    assert_eq!(back["iss"], world.real.issuer());
    let asked = world.real.requests().pop().unwrap();
    assert_eq!(asked.query["scope"], "profile");
    assert_eq!(asked.query["state"], back["state"]);

    let foreign = CodeVerifier::generate(&SystemEntropy).unwrap();
    assert_refused(world.code(&back["code"], &foreign).await, "invalid_grant");
    let mut tokens = world.code(&back["code"], &verifier).await.unwrap();
    let oauth = world.declared.oauth.as_ref().unwrap();
    assert_eq!(tokens.lifetime(oauth).as_secs(), 3600);
    assert_eq!(
        identity_from_tokens(oauth, CLIENT_ID, &Variables::new(), &tokens),
        Ok(None)
    );
    let identity = world.identity(&tokens.access_token).await;
    assert_eq!(
        (identity.subject, identity.label),
        (ana.subject.clone(), ana.email())
    );

    let first = tokens.refresh_token_or(None).unwrap();
    let second = world.refresh(first.expose()).await.unwrap();
    let successor = second.refresh_token.unwrap();
    assert_eq!(
        world.real.current_refresh_token("ana").as_deref(),
        Some(successor.expose())
    );

    world.client.client_secret = Some("wrong".into());
    let refused = world.refresh(successor.expose()).await.unwrap_err();
    assert!(
        matches!(refused, TokenError::ClientRefused(_)),
        "{refused:?}"
    );
    world.client.client_secret = Some(CLIENT_SECRET.into());
    assert!(world.real.is_alive(successor.expose()));
    assert_eq!(world.revoke(successor.expose()).await, 200);
    assert!(!world.real.is_alive(successor.expose()));
    assert_refused(world.refresh(successor.expose()).await, "invalid_grant");
    assert_eq!(world.real.counts().revocations, 1);
    assert_eq!(world.real.counts().lost, [""; 0]);
}

#[tokio::test]
async fn a_code_is_good_once_for_the_address_that_it_was_made_for() {
    let world = World::rotating(None);
    let (back, verifier) = world.visit();
    let elsewhere = Grant::Code {
        code: &back["code"].as_str().into(),
        redirect_uri: "http://127.0.0.1:8000/elsewhere",
        verifier: &verifier,
    };
    assert_refused(world.exchange(&elsewhere).await, "invalid_grant");
    let tokens = world.code(&back["code"], &verifier).await.unwrap();
    assert_refused(world.code(&back["code"], &verifier).await, "invalid_grant");
    // Whoever used it twice has taken it from somebody, and so the tokens ended.
    assert!(!world.real.is_alive(tokens.refresh_token.unwrap().expose()));

    let (back, verifier) = world.visit();
    world.real.advance(Duration::from_secs(60));
    assert_refused(world.code(&back["code"], &verifier).await, "invalid_grant");
}

#[tokio::test]
async fn a_token_that_is_used_twice_without_grace_ends_all_tokens_of_its_login() {
    let world = World::rotating(None);
    let first = world.connected().await;
    let other_login = world.connected().await;
    let second = world.refresh(&first).await.unwrap();
    let second = second.refresh_token.unwrap();
    assert_refused(world.refresh(&first).await, "invalid_grant");
    assert!(!world.real.is_alive(second.expose()));
    assert_refused(world.refresh(second.expose()).await, "invalid_grant");
    assert!(world.real.is_alive(&other_login));
    let counts = world.real.counts();
    assert_eq!((counts.refreshes, counts.reuses), (1, 1));
    assert_eq!(counts.lost, ["ana"]);
}

#[tokio::test]
async fn within_its_grace_a_used_token_is_answered_again() {
    for answer in [GraceAnswer::SameSuccessor, GraceAnswer::FurtherSuccessor] {
        let world = World::rotating(Some(answer));
        let first = world.connected().await;
        let second = world.refresh(&first).await.unwrap();
        world.real.advance(Duration::from_secs(30));
        assert!(world.real.is_alive(&first));
        let again = world.refresh(&first).await.unwrap();
        let second = second.refresh_token.unwrap();
        let again = again.refresh_token.unwrap();
        let is_same = second.expose() == again.expose();
        assert_eq!(is_same, answer == GraceAnswer::SameSuccessor);
        assert!(world.real.is_alive(second.expose()) && world.real.is_alive(again.expose()));

        world.real.advance(Duration::from_secs(1));
        assert!(!world.real.is_alive(&first));
        assert_refused(world.refresh(&first).await, "invalid_grant");
        assert!(!world.real.is_alive(again.expose()));
        assert_eq!(world.real.counts().lost, ["ana"]);
    }
}

#[tokio::test]
async fn tokens_that_stay_are_used_again() {
    let world = World::new(Behaviour {
        refresh_tokens: RefreshTokens::Stay,
        says_lifetime: false,
        ..Behaviour::default()
    });
    let first = world.connected().await;
    for _ in 0..2 {
        let answer = world.refresh(&first).await.unwrap();
        assert!(answer.refresh_token.is_none() && answer.expires_in.is_none());
    }
    assert!(world.real.is_alive(&first));
    assert_eq!(world.real.counts().reuses, 0);
    world.real.end_tokens("ana");
    assert_refused(world.refresh(&first).await, "invalid_grant");
}

#[tokio::test]
async fn the_browser_comes_back_as_it_was_told() {
    let world = World::rotating(None);
    world.real.refuse_next("access_denied", "the user said no");
    let (back, _) = world.visit();
    assert_eq!(back["error"], "access_denied");
    assert_eq!(back["error_description"], "the user said no");
    assert!(!back.contains_key("code"));
    world.real.behave(|behaviour| behaviour.says_issuer = false);
    let (back, _) = world.visit();
    assert!(back.contains_key("code") && !back.contains_key("iss"));
}

#[tokio::test]
async fn an_answer_that_gets_lost_has_used_the_token_up() {
    for fault in [Fault::lose_answer(), Fault::cut_answer()] {
        let world = World::rotating(None);
        let first = world.connected().await;
        world.real.fault(Endpoint::Token, 1, fault.clone());
        assert_unknown(world.refresh(&first).await);
        assert_eq!(world.real.counts().refreshes, 1, "{fault:?}");
        assert!(!world.real.is_alive(&first), "{fault:?}");
    }
}

#[tokio::test]
async fn what_goes_wrong_before_the_effect_leaves_the_token_alone() {
    let world = World::rotating(None);
    let first = world.connected().await;
    world
        .real
        .fault(Endpoint::Token, 1, Fault::drop_connection());
    assert_unknown(world.refresh(&first).await);
    world.real.fault(Endpoint::Token, 1, Fault::malformed());
    assert_unknown(world.refresh(&first).await);
    world
        .real
        .fault(Endpoint::Token, 1, Fault::server_error(500));
    world
        .real
        .fault(Endpoint::Token, 1, Fault::too_many_requests(7));
    for (status, retry_after_seconds) in [(500, None), (429, Some(7))] {
        let expected = TokenError::Unavailable {
            status,
            retry_after_seconds,
        };
        assert_eq!(world.refresh(&first).await.unwrap_err(), expected);
    }
    world
        .real
        .fault(Endpoint::Token, 1, Fault::error("invalid_grant"));
    assert_refused(world.refresh(&first).await, "invalid_grant");
    world
        .real
        .fault(Endpoint::Token, 1, Fault::not_ok("token_revoked"));
    assert_refused(world.refresh(&first).await, "token_revoked");
    for fault in [
        Fault::error("invalid_client"),
        Fault::redirect("http://127.0.0.1:9/token"),
    ] {
        world.real.fault(Endpoint::Token, 1, fault);
        let refused = world.refresh(&first).await.unwrap_err();
        assert!(
            matches!(refused, TokenError::ClientRefused(_)),
            "{refused:?}"
        );
    }
    assert!(world.real.is_alive(&first));
    assert_eq!(world.real.counts().refreshes, 0);

    let slow = Fault::slow_answer(Duration::from_millis(1));
    world.real.fault(Endpoint::Token, 1, slow);
    world.refresh(&first).await.unwrap();
    assert_eq!(world.real.asked(Endpoint::Token), 10);
}

#[tokio::test]
async fn a_request_that_hangs_goes_on_when_its_caller_has_gone() {
    let world = World::rotating(None);
    let first = world.connected().await;
    world.real.fault(Endpoint::Token, 1, Fault::hang());
    let refreshing = world.refresh(&first);
    let hangs = world.real.until("it hangs", |real| real.hanging() == 1);
    tokio::select! {
        answer = refreshing => panic!("{answer:?}"),
        () = hangs => {}
    }
    assert!(world.real.is_alive(&first));
    world.real.release();
    let real = &world.real;
    real.until("its effect", |real| real.counts().refreshes == 1)
        .await;
    assert!(!world.real.is_alive(&first));
}
