//! What accounts are, and what each operation makes of them when it runs alone.

use bosa_auth::{AuthStatus, IntegrationId, Timestamp};

use super::operation::{Act, Operation, Outcome, View};

/// The accounts of one user at one connector.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Set(pub(super) Vec<View>);

impl Set {
    /// The set after an operation that had this outcome; `None` when it cannot have had it.
    ///
    /// `alone`: nothing else ran at the same time.
    pub(super) fn after(
        &self,
        operation: &Operation,
        outcome: &Outcome,
        now: Timestamp,
        alone: bool,
    ) -> Option<Self> {
        if operation.is_foreign {
            let unknown = match operation.act {
                Act::Create { .. } => Outcome::Refused("unauthorized"),
                Act::Select { .. } | Act::Update { .. } => Outcome::Refused("not_found"),
                Act::Delete { .. } => Outcome::Deleted(false),
                Act::Read { .. } => Outcome::Nothing,
                Act::Expire { .. } => Outcome::NotExpired,
            };
            return (*outcome == unknown).then(|| self.clone());
        }
        let mut set = self.clone();
        let expected = match &operation.act {
            Act::Create {
                name,
                credential,
                scopes,
                replace,
            } => match set.find(name) {
                Some(_) if !replace => Outcome::Refused("integration_already_exists"),
                Some(account) => {
                    account.give(credential, scopes);
                    Outcome::Done(account.without_credential())
                }
                None => {
                    let Outcome::Done(created) = outcome else {
                        return None;
                    };
                    let account = View {
                        id: created.id,
                        name: name.clone(),
                        created_at: now,
                        credential: credential.clone(),
                        scopes: scopes.clone(),
                        status: AuthStatus::Active,
                        selected: set.0.is_empty(),
                    };
                    set.0.push(account.clone());
                    Outcome::Done(account.without_credential())
                }
            },
            Act::Select { name } => match set.find(name) {
                None => Outcome::Refused("not_found"),
                Some(_) => {
                    for account in &mut set.0 {
                        account.selected = account.name == *name;
                    }
                    Outcome::Done(set.find(name)?.without_credential())
                }
            },
            Act::Update {
                name,
                credential,
                scopes,
            } => match set.find(name) {
                None => Outcome::Refused("not_found"),
                Some(account) => {
                    if let Some(scopes) = scopes {
                        account.scopes.clone_from(scopes);
                    }
                    if let Some(credential) = credential {
                        let scopes = account.scopes.clone();
                        account.give(credential, &scopes);
                    }
                    Outcome::Done(account.without_credential())
                }
            },
            Act::Delete { name: None } if set.0.len() > 1 => {
                let mut names: Vec<_> = set.0.iter().map(|account| account.name.clone()).collect();
                names.sort();
                Outcome::Ambiguous(names)
            }
            Act::Delete { name } => {
                let name = name.clone().or_else(|| Some(set.0.first()?.name.clone()));
                Outcome::Deleted(name.is_some_and(|name| set.delete(&name)))
            }
            Act::Read { name } => match name {
                Some(name) => set.find(name).map(|account| account.read()),
                None => set.default().map(View::read),
            }
            .unwrap_or(Outcome::Nothing),
            Act::Expire { name } => match (set.find(name), outcome) {
                // It was read before, and something came in between.
                (_, Outcome::NotExpired) if !alone => Outcome::NotExpired,
                (None, _) => Outcome::NotExpired,
                (Some(account), _) => {
                    account.status = AuthStatus::NeedsReauth;
                    Outcome::Expired(account.id)
                }
            },
        };
        (*outcome == expected).then_some(set)
    }

    pub(super) fn default(&self) -> Option<&View> {
        self.0.iter().find(|account| account.selected)
    }

    /// By name, so that sets can be compared.
    pub(super) fn sorted(mut self) -> Self {
        self.0.sort_by(|one, other| one.name.cmp(&other.name));
        self
    }

    fn find(&mut self, name: &str) -> Option<&mut View> {
        self.0.iter_mut().find(|account| account.name == name)
    }

    /// Only this makes another account the default: the newest that is left.
    fn delete(&mut self, name: &str) -> bool {
        let Some(place) = self.0.iter().position(|account| account.name == name) else {
            return false;
        };
        if self.0.remove(place).selected {
            let newest = self.0.iter_mut().max_by_key(|account| age(account));
            newest
                .into_iter()
                .for_each(|account| account.selected = true);
        }
        true
    }
}

fn age(account: &View) -> (Timestamp, IntegrationId) {
    (account.created_at, account.id)
}

/// Whether the operations can have had their outcomes in some order, and have left `found`.
pub(super) fn explains(
    before: &Set,
    done: &[(Operation, Outcome)],
    found: &Set,
    now: Timestamp,
) -> bool {
    let all: Vec<_> = done.iter().collect();
    any_order(before, &all, found, now, done.len() == 1)
}

fn any_order(
    before: &Set,
    left: &[&(Operation, Outcome)],
    found: &Set,
    now: Timestamp,
    alone: bool,
) -> bool {
    if left.is_empty() {
        return before.clone().sorted() == *found;
    }
    (0..left.len()).any(|first| {
        let (operation, outcome) = left[first];
        let mut rest = left.to_vec();
        rest.remove(first);
        before
            .after(operation, outcome, now, alone)
            .is_some_and(|after| any_order(&after, &rest, found, now, alone))
    })
}

mod tests {
    use super::*;

    fn account(name: &str, seconds: i64) -> View {
        View {
            id: uuid::Uuid::from_u128(u128::from(name.as_bytes()[0])).into(),
            name: name.to_owned(),
            created_at: Timestamp::from_second(seconds).unwrap(),
            credential: "x".to_owned(),
            scopes: vec![],
            status: AuthStatus::Active,
            selected: false,
        }
    }

    fn with_default(names: &[(&str, i64)], default: &str) -> Set {
        let accounts = names.iter().map(|(name, seconds)| View {
            selected: *name == default,
            ..account(name, *seconds)
        });
        Set(accounts.collect())
    }

    fn delete(name: Option<&str>) -> Operation {
        Operation {
            user: 0,
            connector: "github",
            act: Act::Delete {
                name: name.map(str::to_owned),
            },
            is_foreign: false,
            handle: 0,
        }
    }

    #[test]
    fn what_no_order_explains_is_found_out() {
        let before = with_default(&[("a", 1), ("b", 2), ("c", 2)], "a");
        let now = Timestamp::from_second(9).unwrap();
        let done = [(delete(Some("a")), Outcome::Deleted(true))];
        let check = |done: &[_], names: &[(&str, i64)], default| {
            explains(&before, done, &with_default(names, default), now)
        };
        // The newest by time, then by id.
        assert!(check(&done, &[("b", 2), ("c", 2)], "c"));
        assert!(!check(&done, &[("b", 2), ("c", 2)], "b"));
        assert!(!check(&done, &[("b", 2), ("c", 2)], "none"));
        assert!(!check(&done, &[("a", 1), ("b", 2), ("c", 2)], "a"));
        assert!(!check(&[], &[("b", 2), ("c", 2)], "c"));
        let twice = [done[0].clone(), done[0].clone()];
        assert!(!check(&twice, &[("b", 2), ("c", 2)], "c"));
        // Both orders of a deletion without a name and one with.
        let names = ["a", "b", "c"].map(str::to_owned).to_vec();
        let unnamed = (delete(None), Outcome::Ambiguous(names));
        assert!(check(
            &[done[0].clone(), unnamed.clone()],
            &[("b", 2), ("c", 2)],
            "c"
        ));
        let later = (
            delete(None),
            Outcome::Ambiguous(vec!["b".to_owned(), "c".to_owned()]),
        );
        assert!(check(&[later, done[0].clone()], &[("b", 2), ("c", 2)], "c"));
        let wrong = (delete(None), Outcome::Deleted(true));
        assert!(!check(&[wrong, done[0].clone()], &[("b", 2)], "b"));
    }
}
