//! One refresh, from the lease to the stored answer.

use std::time::Duration;

use bosa_auth_connect::{
    Grant, OAuth, RefreshToken, TokenError, TokenResponse, parse_token_response, token_request,
};
use bosa_auth_core::{AuditAction, ConnectorName, Secret, Timestamp};
use bosa_auth_store::{GrantRow, IntegrationWithGrant, Lease, audit};
use jiff::SignedDuration;
use tokio::sync::watch;

use super::back_off::Fault;
use super::keep::OUTCOME_UNKNOWN;
use super::lease::Holding;
use super::need::{Need, is_due};
use super::outcome::Outcome;
use super::repeats::Repeats;
use super::running::{Phase, Progress};
use super::{Account, SOON, Wish};
use crate::auth::{Auth, Inner};
use crate::connector_settings::OAuthClient;
use crate::error::{Error, Result};
use crate::tenant::open_refresh_token;

/// How often one holder sends a refresh token at most.
const MOST_SENDS: u32 = 2;
/// The waits between two looks at an account that another process refreshes.
const FIRST_LOOK: Duration = Duration::from_millis(50);
const LONGEST_LOOK: Duration = Duration::from_secs(1);

/// A refresh, run in a task of its own.
pub(super) struct Attempt {
    pub(super) auth: Auth,
    pub(super) account: Account,
    pub(super) wish: Wish,
    report: watch::Sender<Progress>,
    is_reported: bool,
}

/// What is sent, and to whom.
struct Question {
    client: OAuthClient,
    refresh_token: Secret,
    /// Whether the refresh token is used once.
    is_used_once: bool,
}

/// How the provider's answer was taken.
enum Asked {
    Tokens(Box<TokenResponse>, Timestamp),
    Error(TokenError),
    /// Nothing was sent, since the lease has ended, or would before the answer came.
    TooLate,
    /// Nothing was sent, for a reason of ours.
    NotSent(Error),
}

impl Attempt {
    pub(super) fn new(
        auth: Auth,
        account: Account,
        wish: Wish,
        report: watch::Sender<Progress>,
    ) -> Self {
        Self {
            auth,
            account,
            wish,
            report,
            is_reported: false,
        }
    }

    pub(super) async fn run(mut self) {
        let outcome = self.refresh().await;
        let (outcome_name, wish) = (outcome.name(), self.wish.name());
        metrics::counter!("bosa_auth_refreshes_total", "outcome" => outcome_name, "wish" => wish)
            .increment(1);
        if let Outcome::Failed(error) = &outcome {
            tracing::warn!(
                client = %self.account.client_id,
                integration = %self.account.id,
                connector = self.account.connector,
                error = error.as_ref() as &dyn std::error::Error,
                "an account was not refreshed"
            );
        }
        // Who comes now begins another one, and does not take this one's word.
        self.inner().refreshes.running.leave(self.key());
        self.is_reported = true;
        self.tell(Progress::Ended(outcome));
    }

    async fn refresh(&self) -> Outcome {
        let mut step = FIRST_LOOK;
        loop {
            let Account { client_id, id, .. } = self.account;
            let remaining = match Holding::ask(self.inner(), client_id, id).await {
                Ok((holding, Lease::Taken { sent_ago })) => {
                    return self.under_lease(&holding, sent_ago).await;
                }
                Ok((_, Lease::Held { remaining })) => remaining,
                Ok((_, Lease::Gone)) => return Outcome::Gone,
                Err(error) => return Outcome::failed(error),
            };
            let remaining = Duration::try_from(remaining).unwrap_or_default();
            self.tell(Progress::Elsewhere(remaining));
            if !self.wish.is_patient() || self.running().phase() != Phase::Open {
                return Outcome::Elsewhere(remaining);
            }
            let pause = step.min(remaining).max(Duration::from_millis(1));
            self.running().pause(pause, Phase::Closing).await;
            step = step.mul_f64(1.5).min(LONGEST_LOOK);
            match self.look().await {
                Ok(Some(found)) if self.is_needed(&found) => {}
                Ok(Some(_)) => return Outcome::Changed,
                Ok(None) => return Outcome::Gone,
                Err(error) => return Outcome::failed(error),
            }
        }
    }

    async fn under_lease(&self, holding: &Holding, sent_ago: Option<SignedDuration>) -> Outcome {
        let prepared = match self.look().await {
            Ok(Some(found)) if self.is_needed(&found) => self.prepare(found).await,
            Ok(Some(_)) => Err(Outcome::Changed),
            Ok(None) => Err(Outcome::Gone),
            Err(error) => Err(Outcome::failed(error)),
        };
        let (found, question) = match prepared {
            Ok((found, Some(question))) => (found, question),
            Ok((found, None)) => {
                let reason = "the access token has ended, and the provider gave no refresh token";
                return self.must_reconnect(holding, found, None, reason).await;
            }
            Err(outcome) => {
                // Nothing was sent; if this fails, the lease ends by itself.
                drop(holding.give_back(self.inner(), false).await);
                return outcome;
            }
        };
        self.ask(holding, found, &question, sent_ago).await
    }

    /// What is to be sent for an account; nothing when there is no refresh token.
    async fn prepare(
        &self,
        found: IntegrationWithGrant,
    ) -> Result<(IntegrationWithGrant, Option<Question>), Outcome> {
        let Some(grant) = &found.grant else {
            return Err(Outcome::Changed);
        };
        let refresh_token = open_refresh_token(&self.auth, &found).map_err(Outcome::failed)?;
        let Some(refresh_token) = refresh_token else {
            return Ok((found, None));
        };
        let client = self.oauth_client(&grant.row).await;
        let client = client.map_err(Outcome::failed)?;
        let is_used_once = {
            let declared = client.oauth().map_err(Outcome::failed)?;
            let stored = grant.row.refresh_token.as_ref();
            declared.lifetime.refresh_token == RefreshToken::Rotates
                || stored.is_some_and(|token| token.rotates)
        };
        let question = Question {
            client,
            refresh_token,
            is_used_once,
        };
        Ok((found, Some(question)))
    }

    async fn oauth_client(&self, grant: &GrantRow) -> Result<OAuthClient> {
        let connector = ConnectorName::parse(&self.account.connector)?;
        let id = &grant.oauth_client_id;
        let client_id = self.account.client_id;
        let found = self.auth.oauth_client_of_grant(client_id, &connector, id);
        found.await?.ok_or_else(|| {
            let reason = format!(
                "no longer has the OAuth client {id} that the account was connected with; set it \
                 again, or connect the account again"
            );
            Error::invalid("connector", reason)
        })
    }

    /// Asks the provider, and stores what it answers.
    async fn ask(
        &self,
        holding: &Holding,
        found: IntegrationWithGrant,
        question: &Question,
        sent_ago: Option<SignedDuration>,
    ) -> Outcome {
        let oauth = match question.client.oauth() {
            Ok(oauth) => oauth,
            Err(error) => return Outcome::failed(error),
        };
        let taken_at = self.inner().clock.monotonic();
        // How long before the lease was taken the token was first sent without anybody knowing what
        // came of it. A clock that was set back says less than nothing.
        let mut unknown = sent_ago
            .filter(|_| question.is_used_once)
            .map(|ago| Duration::try_from(ago).unwrap_or_default());
        let mut why = "a process ended before it stored the answer".to_owned();
        let mut error = None;
        for _ in 0..MOST_SENDS {
            if let Some(before) = unknown {
                let ago = before.saturating_add(self.since(taken_at));
                if ago >= self.trusted_grace(oauth) {
                    let reason = format!("{OUTCOME_UNKNOWN}: {why}");
                    let token = Some(&question.refresh_token);
                    return self.must_reconnect(holding, found, token, &reason).await;
                }
            }
            if self.running().phase() != Phase::Open || !holding.may_send(self.inner()) {
                break;
            }
            match self.send(holding, question, oauth).await {
                Asked::Tokens(tokens, at) => {
                    self.forget_failures();
                    let sent = &question.refresh_token;
                    return self.keep(holding, found, sent, oauth, &tokens, at).await;
                }
                Asked::TooLate => break,
                Asked::NotSent(error) => {
                    self.must_give_back(holding, unknown.is_some()).await;
                    return Outcome::failed(error);
                }
                Asked::Error(TokenError::Refused(words)) => {
                    self.forget_failures();
                    let reason = match unknown {
                        None => format!("the provider refused: {words}"),
                        Some(_) => format!(
                            "{OUTCOME_UNKNOWN}: {why}; asked once more, the provider refused: {words}"
                        ),
                    };
                    let token = Some(&question.refresh_token);
                    return self.must_reconnect(holding, found, token, &reason).await;
                }
                Asked::Error(TokenError::OutcomeUnknown(reason)) => {
                    why =
                        format!("the provider was asked, and its answer cannot be used: {reason}");
                    if question.is_used_once {
                        unknown = unknown.or(Some(Duration::ZERO));
                    }
                    error = Some(TokenError::OutcomeUnknown(reason));
                }
                Asked::Error(other) => {
                    error = Some(other);
                    break;
                }
            }
        }
        self.must_give_back(holding, unknown.is_some()).await;
        match error {
            Some(error) => self.not_answered(&error).await,
            None => Outcome::Unavailable(SOON),
        }
    }

    /// Sends the refresh token, having recorded that.
    async fn send(&self, holding: &Holding, question: &Question, oauth: &OAuth) -> Asked {
        let grant = Grant::Refresh {
            refresh_token: &question.refresh_token,
        };
        let OAuthClient {
            credentials,
            variables,
            ..
        } = &question.client;
        let request = match token_request(oauth, credentials, variables, &grant) {
            Ok(request) => request,
            Err(error) => {
                return Asked::NotSent(Error::invalid("connector", error.to_string()));
            }
        };
        match holding.mark_sent(self.inner()).await {
            Ok(true) if holding.may_still_send(self.inner()) => {}
            Ok(_) => return Asked::TooLate,
            Err(error) => return Asked::NotSent(error),
        }
        // The lifetime of what comes back begins later than this.
        let at = self.inner().clock.now();
        let sent = self.inner().outbound.send(&oauth.hosts, request).await;
        let tokens = sent
            .map_err(TokenError::from)
            .and_then(|response| parse_token_response(oauth, &response));
        match tokens {
            Ok(tokens) => Asked::Tokens(Box::new(tokens), at),
            Err(error) => Asked::Error(error),
        }
    }

    /// There is no answer that says anything about the account.
    async fn not_answered(&self, error: &TokenError) -> Outcome {
        let fault = match error {
            TokenError::ClientRefused(_) => Fault::Settings,
            TokenError::Unavailable {
                retry_after_seconds,
                ..
            } => Fault::Provider(retry_after_seconds.map(Duration::from_secs)),
            _ => Fault::Provider(None),
        };
        let Account {
            client_id,
            id,
            connector,
        } = &self.account;
        let now = self.inner().clock.monotonic();
        let back_offs = &self.inner().refreshes.back_offs;
        let wait = back_offs.note(*client_id, *id, connector, now, fault);
        if fault == Fault::Settings {
            tracing::error!(client = %client_id, connector, "{error}");
            if let Err(error) = self.record_refused_settings(error).await {
                tracing::warn!(error = &error as &dyn std::error::Error, "no audit row");
            }
        } else {
            tracing::warn!(client = %client_id, integration = %id, connector, "{error}");
        }
        Outcome::Unavailable(wait)
    }

    async fn record_refused_settings(&self, error: &TokenError) -> Result<()> {
        let reason = error.to_string();
        let detail = serde_json::json!({ "connector": self.account.connector, "reason": reason });
        let event = self.inner().event(
            &self.wish.actor(),
            AuditAction::IntegrationRefreshRefuse,
            Some(self.account.client_id),
            Some(self.account.id.as_uuid()),
            Some(detail.to_string()),
        )?;
        let written = self.inner().store.write(move |tx| {
            let event = event.clone();
            Box::pin(async move {
                drop(audit::record_later(tx, &event));
                Ok::<_, Error>(())
            })
        });
        written.await
    }

    /// For how long after its first use a refresh token is sent again: what the provider declares,
    /// less what the request itself may take.
    fn trusted_grace(&self, oauth: &OAuth) -> Duration {
        let grace = oauth.lifetime.reuse_grace();
        grace.saturating_sub(self.inner().outbound.timeout().min(grace / 4))
    }

    /// Gives the lease back after the record said that the token is sent: a record that stays although
    /// nothing is unknown costs the account at a provider without grace.
    async fn must_give_back(&self, holding: &Holding, keeps_mark: bool) {
        let mut repeats = Repeats::default();
        while let Err(error) = holding.give_back(self.inner(), keeps_mark).await {
            if !self.may_repeat(&error, &mut repeats).await {
                tracing::error!(
                    integration = %self.account.id,
                    error = &error as &dyn std::error::Error,
                    "the lease of an account was not given back"
                );
                return;
            }
        }
    }

    /// Waits before a write is tried again that must not be lost; false when it never will succeed.
    pub(super) async fn may_repeat(&self, error: &Error, repeats: &mut Repeats) -> bool {
        let Some(wait) = repeats.next(error) else {
            return false;
        };
        if self.running().phase() == Phase::Closed {
            return false;
        }
        self.tell(Progress::DatabaseAway);
        self.running().pause(wait, Phase::Closed).await;
        true
    }

    fn is_needed(&self, found: &IntegrationWithGrant) -> bool {
        let now = self.inner().clock.now();
        match self.wish {
            Wish::Read { .. } => matches!(Need::of(found, now), Need::Refresh { .. } | Need::Ended),
            Wish::Ahead => is_due(found, now),
        }
    }

    pub(super) async fn look(&self) -> Result<Option<IntegrationWithGrant>> {
        let mut client = self.inner().store.client(self.account.client_id);
        Ok(client.granted_integration(self.account.id).await?)
    }

    fn forget_failures(&self) {
        let Account {
            client_id,
            id,
            connector,
        } = &self.account;
        let back_offs = &self.inner().refreshes.back_offs;
        back_offs.forget(*client_id, *id, connector);
    }

    fn since(&self, moment: Duration) -> Duration {
        self.inner().clock.monotonic().saturating_sub(moment)
    }

    fn tell(&self, progress: Progress) {
        self.report.send_replace(progress);
    }

    fn key(&self) -> super::running::Key {
        (self.account.client_id, self.account.id)
    }

    fn running(&self) -> &super::Running {
        &self.inner().refreshes.running
    }

    pub(super) fn inner(&self) -> &Inner {
        &self.auth.inner
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        // A panic, or the end of the runtime.
        if !self.is_reported {
            self.inner().refreshes.running.leave(self.key());
        }
    }
}
