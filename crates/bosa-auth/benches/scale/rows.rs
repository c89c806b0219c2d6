//! The rows of a database of a given size, each computed from its number.
//!
//! Some users and tokens are real: made through the library, the rows that it wrote stand in their
//! place among the others. The others have the shape of those, and their tokens can be signed here,
//! because a token's row holds nothing secret.

use bosa_auth_core::token::{Claims, SigningKey, issue};
use bosa_auth_core::{Secret, Timestamp};
use jiff::SignedDuration;
use uuid::Uuid;

use crate::Outcome;

pub(crate) const TOKENS_EACH: u64 = 10;
/// About so many users are real.
const REAL: u64 = 2000;
/// Ended tokens that wait to be pruned, whatever the size.
pub(crate) const ENDED: u64 = 10_000;
/// Coprime to every size that is not a multiple of it.
const STRIDE: u64 = 982_451_653;
const DAY_MS: u64 = 86_400_000;
const TOKEN_LIFE_MS: u64 = 30 * DAY_MS;

/// Which rows there are.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) users: u64,
    /// When the database was filled, in milliseconds.
    now: u64,
    /// Every so many users one is real.
    every: u64,
    pub(crate) clients: u64,
}

/// A client, made through the library. The first one has half of the users.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) id: Uuid,
    pub(crate) key: Secret,
}

/// A user made through the library, with a token that it got by logging in.
#[derive(Debug)]
pub(crate) struct RealUser {
    pub(crate) id: Uuid,
    pub(crate) secret: Secret,
    pub(crate) token: Secret,
    pub(crate) token_id: Uuid,
}

impl Plan {
    pub(crate) fn new(users: u64, now: Timestamp) -> Outcome<Self> {
        if users < 1000 || users.is_multiple_of(STRIDE) {
            return Err("a size is 1000 users or more".into());
        }
        Ok(Self {
            users,
            now: u64::try_from(now.as_millisecond())?,
            every: (users / REAL).max(2),
            clients: (users / 1000).clamp(10, 1000),
        })
    }

    pub(crate) fn tokens(&self) -> u64 {
        self.users * TOKENS_EACH
    }

    pub(crate) fn real_users(&self) -> u64 {
        self.users.div_ceil(self.every)
    }

    /// The number of a real user among all users.
    pub(crate) fn user_of_real(&self, real: u64) -> u64 {
        real * self.every
    }

    /// The number of a user among the real ones, if it is one.
    pub(crate) fn real(&self, user: u64) -> Option<usize> {
        let real = usize::try_from(user / self.every).ok()?;
        user.is_multiple_of(self.every).then_some(real)
    }

    pub(crate) fn client_of(&self, user: u64) -> usize {
        let drawn = mix(user);
        let client = match drawn & 1 {
            0 => 0,
            _ => 1 + (drawn >> 1) % (self.clients - 1),
        };
        usize::try_from(client).unwrap_or(0)
    }

    pub(crate) fn identifier(user: u64) -> String {
        format!("user{user:07}@example.com")
    }

    /// Users were made over forty days that ended twenty days ago.
    pub(crate) fn user_made(&self, user: u64) -> u64 {
        self.now - 60 * DAY_MS + user * 40 * DAY_MS / self.users
    }

    /// The id of a user that is not real.
    pub(crate) fn user_id(&self, user: u64) -> Uuid {
        time_ordered(self.user_made(user), mix(2 * user + 1))
    }

    /// Tokens were issued over the last twenty days.
    pub(crate) fn token_issued(&self, token: u64) -> u64 {
        self.now - 20 * DAY_MS + token * 19 * DAY_MS / self.tokens()
    }

    pub(crate) fn token_ends(&self, token: u64) -> u64 {
        (self.token_issued(token) + TOKEN_LIFE_MS) / 1000 * 1000
    }

    pub(crate) fn token_id(&self, token: u64) -> Uuid {
        time_ordered(self.token_issued(token), mix(3 * token + 2))
    }

    /// Every user has ten, and neighbours are of different users.
    pub(crate) fn user_of_token(&self, token: u64) -> u64 {
        (token % self.users) * (STRIDE % self.users) % self.users
    }

    /// The number of the real user whose login issued this token, if one did.
    pub(crate) fn real_token(&self, token: u64) -> Option<usize> {
        let real = self.real(self.user_of_token(token))?;
        let turn = u64::try_from(real).ok()? % TOKENS_EACH;
        (token / self.users == turn).then_some(real)
    }

    /// When an ended token was issued and ended: between ten and two days ago.
    pub(crate) fn ended(&self, number: u64) -> (u64, u64) {
        let end = self.now - 10 * DAY_MS + number * 8 * DAY_MS / ENDED;
        (end - TOKEN_LIFE_MS, end / 1000 * 1000)
    }

    /// Users and tokens that an operation changes are not those that another one only reads.
    pub(crate) fn class_of_user(user: u64) -> Class {
        match mix(user + (1 << 40)) % 8 {
            0 => Class::SignedOut,
            1 => Class::Revoked,
            _ => Class::Read,
        }
    }

    /// The text of a token that is not real.
    pub(crate) fn sign(
        &self,
        token: u64,
        (user_id, client_id): (Uuid, Uuid),
        key: &SigningKey,
        issuer: &str,
    ) -> Outcome<Secret> {
        let claims = Claims {
            sub: user_id.into(),
            client_id: client_id.into(),
            aud: client_id.to_string(),
            identifier: Self::identifier(self.user_of_token(token)),
            jti: self.token_id(token).into(),
            iss: issuer.to_owned(),
            iat: i64::try_from(self.token_issued(token) / 1000)?,
            exp: i64::try_from(self.token_ends(token) / 1000)?,
        };
        Ok(issue(key, &claims)?)
    }
}

/// What may happen to a user and its tokens while it is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Read,
    Revoked,
    SignedOut,
}

/// Well-spread numbers (SplitMix64), the same in every run.
pub(crate) fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A UUID of version 7, as the product makes them.
pub(crate) fn time_ordered(milliseconds: u64, random: u64) -> Uuid {
    let mut bytes = [0; 10];
    for (place, byte) in bytes.iter_mut().zip(
        random
            .to_be_bytes()
            .into_iter()
            .chain(mix(random).to_be_bytes()),
    ) {
        *place = byte;
    }
    uuid::Builder::from_unix_timestamp_millis(milliseconds, &bytes).into_uuid()
}

pub(crate) fn timestamp(milliseconds: u64) -> Outcome<Timestamp> {
    let since = SignedDuration::from_millis(i64::try_from(milliseconds)?);
    Ok(Timestamp::UNIX_EPOCH.checked_add(since)?)
}
