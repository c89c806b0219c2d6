//! The members of a token's two objects that anyone looks at.

use uuid::Uuid;

use super::Algorithm;
use super::parse::TYPE;
use super::strict_json::{Json, Members, Taken};
use crate::id;

/// What a member holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum Member {
    #[default]
    Absent,
    /// A text that is an id in its canonical form.
    Id(Uuid),
    /// Any other text.
    Text(String),
    /// A text that nobody compares with anything.
    SomeText,
    Integer(i64),
    Other,
}

impl Member {
    fn of(value: Json<'_>) -> Self {
        match value {
            Json::Text(text) => match id::canonical(&text) {
                Some(id) => Self::Id(id),
                None => Self::Text(text.into_owned()),
            },
            value => Self::without_text(value),
        }
    }

    fn text(value: Json<'_>) -> Self {
        match value {
            Json::Text(text) => Self::Text(text.into_owned()),
            value => Self::without_text(value),
        }
    }

    fn without_text(value: Json<'_>) -> Self {
        match value {
            Json::Text(_) => Self::SomeText,
            Json::Integer(number) => Self::Integer(number),
            Json::Other => Self::Other,
        }
    }

    pub(super) fn is_present(&self) -> bool {
        *self != Self::Absent
    }
}

/// The header (RFC 7515 section 4.1).
#[derive(Default)]
pub(super) struct Header {
    pub(super) algorithm: Named<Algorithm>,
    pub(super) kid: Member,
    pub(super) typ: Named<()>,
    pub(super) crit: Member,
}

/// A member that holds one of a few known texts.
#[derive(Default)]
pub(super) enum Named<T> {
    #[default]
    Absent,
    Known(T),
    Other,
}

impl<T> Named<T> {
    fn of(value: &Json<'_>, known: impl FnOnce(&str) -> Option<T>) -> Self {
        match value {
            Json::Text(text) => known(text).map_or(Self::Other, Self::Known),
            _ => Self::Other,
        }
    }
}

impl Members for Header {
    fn take(&mut self, name: &str, value: Json<'_>) -> Taken {
        match name {
            "alg" => {
                let again = !matches!(self.algorithm, Named::Absent);
                self.algorithm = Named::of(&value, |text| text.parse().ok());
                taken(again)
            }
            "typ" => {
                let again = !matches!(self.typ, Named::Absent);
                self.typ = Named::of(&value, |text| (text == TYPE).then_some(()));
                taken(again)
            }
            "kid" => put(&mut self.kid, Member::text(value)),
            "crit" => put(&mut self.crit, Member::without_text(value)),
            _ => Taken::Unknown,
        }
    }
}

/// The claims (RFC 7519 section 4.1, and our own).
#[derive(Default)]
pub(super) struct ClaimSet {
    pub(super) sub: Member,
    pub(super) client_id: Member,
    pub(super) aud: Member,
    pub(super) identifier: Member,
    pub(super) jti: Member,
    pub(super) iss: Member,
    pub(super) iat: Member,
    pub(super) exp: Member,
    pub(super) nbf: Member,
}

impl Members for ClaimSet {
    fn take(&mut self, name: &str, value: Json<'_>) -> Taken {
        match name {
            "sub" => put(&mut self.sub, Member::of(value)),
            "client_id" => put(&mut self.client_id, Member::of(value)),
            "aud" => put(&mut self.aud, Member::of(value)),
            "identifier" => put(&mut self.identifier, Member::without_text(value)),
            "jti" => put(&mut self.jti, Member::of(value)),
            "iss" => put(&mut self.iss, Member::text(value)),
            "iat" => put(&mut self.iat, Member::without_text(value)),
            "exp" => put(&mut self.exp, Member::without_text(value)),
            "nbf" => put(&mut self.nbf, Member::without_text(value)),
            _ => Taken::Unknown,
        }
    }
}

fn put(place: &mut Member, value: Member) -> Taken {
    let again = place.is_present();
    *place = value;
    taken(again)
}

fn taken(again: bool) -> Taken {
    if again { Taken::Again } else { Taken::First }
}
