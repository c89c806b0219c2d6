//! What the provider has granted: accounts, codes, and the families of tokens that grew from them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bosa_auth_core::{Entropy as _, SystemEntropy};
use sha2::{Digest as _, Sha256};

use super::behaviour::{Behaviour, Grace, GraceAnswer, RefreshTokens};
use crate::give_up;

/// An account at the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderAccount {
    /// What never changes: `id` of `/me`.
    pub subject: String,
    /// What people see: the first part of `email` of `/me`.
    pub label: String,
}

impl ProviderAccount {
    /// The address of mail that `/me` says.
    #[must_use]
    pub fn email(&self) -> String {
        format!("{}@provider.example", self.label)
    }
}

/// How often what happened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Codes that were exchanged for tokens.
    pub exchanges: usize,
    /// Refresh tokens that were used, whether or not the answer arrived.
    pub refreshes: usize,
    /// Refresh tokens that were used once more, within the grace or not.
    pub reuses: usize,
    /// Labels of the accounts whose tokens all ended because one was used once more.
    pub lost: Vec<String>,
    /// Tokens that were revoked by request.
    pub revocations: usize,
}

/// The names of a client's errors (RFC 6749 §5.2).
pub(super) type Refusal = &'static str;

/// What an authorization request fixed for the exchange of its code.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) client_id: String,
    pub(super) redirect_uri: String,
    pub(super) challenge: String,
    pub(super) scope: String,
}

#[derive(Debug)]
struct Code {
    asked: Asked,
    label: String,
    expires_at: Duration,
    /// The family that grew from it, once it was used.
    family: Option<usize>,
}

#[derive(Debug)]
struct Family {
    client_id: String,
    label: String,
    scope: String,
    is_alive: bool,
}

#[derive(Debug)]
struct RefreshToken {
    family: usize,
    used: Option<Use>,
}

#[derive(Debug)]
struct Use {
    at: Duration,
    successor: String,
}

#[derive(Debug)]
struct AccessToken {
    family: usize,
    expires_at: Duration,
}

/// What a token request is answered with.
#[derive(Debug)]
pub(super) struct Issued {
    pub(super) access_token: String,
    pub(super) refresh_token: Option<String>,
    pub(super) scope: String,
}

/// Everything that was granted.
#[derive(Debug, Default)]
pub(super) struct Grants {
    accounts: BTreeMap<String, ProviderAccount>,
    codes: BTreeMap<String, Code>,
    families: Vec<Family>,
    refresh_tokens: BTreeMap<String, RefreshToken>,
    /// In the order of their issue.
    issued: Vec<String>,
    access_tokens: BTreeMap<String, AccessToken>,
    pub(super) counts: Counts,
}

impl Grants {
    /// The account of a label, made when it is first named.
    pub(super) fn account(&mut self, label: &str) -> ProviderAccount {
        let account = self.accounts.entry(label.to_owned());
        let make = || ProviderAccount {
            subject: random("subject"),
            label: label.to_owned(),
        };
        account.or_insert_with(make).clone()
    }

    /// Lets an account be one that was deleted and made again: the label stays, the subject does not.
    pub(super) fn replace_account(&mut self, label: &str) -> ProviderAccount {
        self.accounts.remove(label);
        self.account(label)
    }

    pub(super) fn issue_code(&mut self, asked: Asked, label: &str, expires_at: Duration) -> String {
        let text = random("code");
        let code = Code {
            asked,
            label: label.to_owned(),
            expires_at,
            family: None,
        };
        self.codes.insert(text.clone(), code);
        text
    }

    /// Exchanges a code (RFC 6749 §4.1.3, RFC 7636 §4.6). A second use ends what the first began.
    pub(super) fn exchange(
        &mut self,
        now: Duration,
        behaviour: &Behaviour,
        client_id: &str,
        form: &BTreeMap<String, String>,
    ) -> Result<Issued, Refusal> {
        let field = |name: &str| form.get(name).map_or("", String::as_str);
        let Some(code) = self.codes.get_mut(field("code")) else {
            return Err("invalid_grant");
        };
        if let Some(family) = code.family {
            self.end(family);
            return Err("invalid_grant");
        }
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(field("code_verifier")));
        let is_good = code.asked.client_id == client_id
            && code.asked.redirect_uri == field("redirect_uri")
            && code.asked.challenge == challenge
            && now < code.expires_at;
        if !is_good {
            return Err("invalid_grant");
        }
        let family = self.families.len();
        code.family = Some(family);
        self.families.push(Family {
            client_id: client_id.to_owned(),
            label: code.label.clone(),
            scope: code.asked.scope.clone(),
            is_alive: true,
        });
        self.counts.exchanges += 1;
        let refresh_token = match behaviour.refresh_tokens {
            RefreshTokens::None => None,
            _ => Some(self.issue_refresh_token(family)),
        };
        Ok(self.issue(now, behaviour, family, refresh_token))
    }

    /// Uses a refresh token (RFC 6749 §6, RFC 9700 §4.14.2).
    pub(super) fn refresh(
        &mut self,
        now: Duration,
        behaviour: &Behaviour,
        client_id: &str,
        text: &str,
    ) -> Result<Issued, Refusal> {
        let Some(token) = self.refresh_tokens.get(text) else {
            return Err("invalid_grant");
        };
        let family = token.family;
        let used = token
            .used
            .as_ref()
            .map(|used| (used.at, used.successor.clone()));
        let owner = self.families.get(family);
        if !owner.is_some_and(|owner| owner.is_alive && owner.client_id == client_id) {
            return Err("invalid_grant");
        }
        let next = match (behaviour.refresh_tokens, used) {
            (RefreshTokens::None, _) => return Err("unsupported_grant_type"),
            (RefreshTokens::Stay, _) => None,
            (RefreshTokens::Rotate { .. }, None) => {
                let next = self.issue_refresh_token(family);
                if let Some(token) = self.refresh_tokens.get_mut(text) {
                    token.used = Some(Use {
                        at: now,
                        successor: next.clone(),
                    });
                }
                Some(next)
            }
            (RefreshTokens::Rotate { grace }, Some((at, successor))) => {
                self.counts.reuses += 1;
                match grace.filter(|grace| is_within(now, at, grace)) {
                    Some(grace) if grace.answer == GraceAnswer::SameSuccessor => Some(successor),
                    Some(_) => Some(self.issue_refresh_token(family)),
                    None => {
                        let label = self.end(family);
                        self.counts.lost.extend(label);
                        return Err("invalid_grant");
                    }
                }
            }
        };
        self.counts.refreshes += 1;
        Ok(self.issue(now, behaviour, family, next))
    }

    /// Revokes a token of either kind with all that belongs to it (RFC 7009 §2.1); an unknown one is
    /// nothing to complain about.
    pub(super) fn revoke(&mut self, client_id: &str, text: &str) {
        let refresh_token = self.refresh_tokens.get(text).map(|token| token.family);
        let access_token = self.access_tokens.get(text).map(|token| token.family);
        let Some(family) = refresh_token.or(access_token) else {
            return;
        };
        let owner = self.families.get(family);
        if owner.is_some_and(|owner| owner.client_id == client_id) {
            self.end(family);
            self.counts.revocations += 1;
        }
    }

    /// Ends all tokens of an account, as its owner can do at the provider.
    pub(super) fn end_account(&mut self, label: &str) {
        for family in &mut self.families {
            if family.label == label {
                family.is_alive = false;
            }
        }
    }

    /// Whose access token this is, and what it may.
    pub(super) fn whose(&mut self, now: Duration, access_token: &str) -> Option<ProviderAccount> {
        let token = self.access_tokens.get(access_token)?;
        let family = self.families.get(token.family)?;
        let is_good = family.is_alive && now < token.expires_at;
        let label = family.label.clone();
        is_good.then(|| self.account(&label))
    }

    /// Whether a refresh token would be answered with tokens now.
    pub(super) fn is_alive(&self, now: Duration, behaviour: &Behaviour, text: &str) -> bool {
        let Some(token) = self.refresh_tokens.get(text) else {
            return false;
        };
        let is_accepted = match (behaviour.refresh_tokens, &token.used) {
            (RefreshTokens::None, _) => false,
            (RefreshTokens::Stay, _) | (RefreshTokens::Rotate { .. }, None) => true,
            (RefreshTokens::Rotate { grace }, Some(used)) => {
                grace.is_some_and(|grace| is_within(now, used.at, &grace))
            }
        };
        let family = self.families.get(token.family);
        is_accepted && family.is_some_and(|family| family.is_alive)
    }

    /// The refresh tokens of an account that are good and were not used, in the order of their issue.
    pub(super) fn current(&self, label: &str) -> Vec<String> {
        let is_current = |text: &&String| {
            let token = self.refresh_tokens.get(*text)?;
            let family = self.families.get(token.family)?;
            Some(token.used.is_none() && family.is_alive && family.label == label)
        };
        let current = self.issued.iter();
        let current = current.filter(|text| is_current(text).unwrap_or(false));
        current.cloned().collect()
    }

    fn end(&mut self, family: usize) -> Option<String> {
        let family = self.families.get_mut(family)?;
        family.is_alive = false;
        Some(family.label.clone())
    }

    fn issue_refresh_token(&mut self, family: usize) -> String {
        let text = random("refresh");
        let token = RefreshToken { family, used: None };
        self.refresh_tokens.insert(text.clone(), token);
        self.issued.push(text.clone());
        text
    }

    fn issue(
        &mut self,
        now: Duration,
        behaviour: &Behaviour,
        family: usize,
        refresh_token: Option<String>,
    ) -> Issued {
        let access_token = random("access");
        let token = AccessToken {
            family,
            expires_at: now.saturating_add(behaviour.access_token_lifetime),
        };
        self.access_tokens.insert(access_token.clone(), token);
        let family = self.families.get(family);
        Issued {
            access_token,
            refresh_token,
            scope: family.map_or_else(String::new, |family| family.scope.clone()),
        }
    }

    /// Every secret that was ever issued, to look for it where it must not be.
    pub(super) fn secrets(&self) -> BTreeSet<String> {
        let all = self.refresh_tokens.keys();
        let all = all.chain(self.access_tokens.keys());
        all.chain(self.codes.keys()).cloned().collect()
    }
}

fn is_within(now: Duration, used_at: Duration, grace: &Grace) -> bool {
    now.saturating_sub(used_at) <= grace.lasts
}

/// A text that nothing else holds.
pub(super) fn random(kind: &str) -> String {
    let mut bytes = [0; 18];
    if let Err(error) = SystemEntropy.fill(&mut bytes) {
        give_up("no randomness", &error);
    }
    format!("{kind}-{}", URL_SAFE_NO_PAD.encode(bytes))
}
