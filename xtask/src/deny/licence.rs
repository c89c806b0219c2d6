//! SPDX licence expressions: `OR`, `AND`, `WITH` and parentheses.
//!
//! Source: SPDX specification 2.3, annex D. The older `/` between two licences is read as `OR`,
//! as crates.io documents it.

use std::collections::BTreeSet;

/// A parsed expression.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Expression {
    /// One licence, its exception included (`Apache-2.0 WITH LLVM-exception`).
    Licence(String),
    /// Both sides bind.
    And(Box<Expression>, Box<Expression>),
    /// The user chooses a side.
    Or(Box<Expression>, Box<Expression>),
}

/// Why a text is no licence expression.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ExpressionError {
    #[error("ends too early")]
    Incomplete,
    #[error("{0:?} is not expected there")]
    Unexpected(String),
    #[error("is nested too deeply")]
    TooDeep,
}

/// More than any real licence needs, and far less than the stack holds.
const MAX_DEPTH: usize = 32;

impl Expression {
    /// Whether the allowed licences are enough to use what bears this expression.
    pub(super) fn is_met_by(&self, allowed: &BTreeSet<&str>) -> bool {
        match self {
            Self::Licence(name) => allowed.contains(name.as_str()),
            Self::And(left, right) => left.is_met_by(allowed) && right.is_met_by(allowed),
            Self::Or(left, right) => left.is_met_by(allowed) || right.is_met_by(allowed),
        }
    }
}

/// Parses an expression; `AND` binds more tightly than `OR`.
pub(super) fn parse(text: &str) -> Result<Expression, ExpressionError> {
    let spaced = text
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('/', " OR ");
    let mut words = Words {
        rest: spaced.split_whitespace().collect(),
        depth: 0,
    };
    words.rest.reverse();
    let expression = words.alternatives()?;
    match words.rest.pop() {
        Some(word) => Err(ExpressionError::Unexpected(word.to_owned())),
        None => Ok(expression),
    }
}

/// The words still to be read, last one first.
struct Words<'t> {
    rest: Vec<&'t str>,
    depth: usize,
}

impl Words<'_> {
    fn alternatives(&mut self) -> Result<Expression, ExpressionError> {
        let mut left = self.conjunction()?;
        while self.take("OR") {
            let right = self.conjunction()?;
            left = Expression::Or(Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn conjunction(&mut self) -> Result<Expression, ExpressionError> {
        let mut left = self.operand()?;
        while self.take("AND") {
            let right = self.operand()?;
            left = Expression::And(Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn operand(&mut self) -> Result<Expression, ExpressionError> {
        if self.take("(") {
            self.depth += 1;
            if self.depth > MAX_DEPTH {
                return Err(ExpressionError::TooDeep);
            }
            let inner = self.alternatives()?;
            self.depth -= 1;
            return match self.rest.pop() {
                Some(")") => Ok(inner),
                Some(word) => Err(ExpressionError::Unexpected(word.to_owned())),
                None => Err(ExpressionError::Incomplete),
            };
        }
        let name = self.name()?;
        if self.take("WITH") {
            let exception = self.name()?;
            return Ok(Expression::Licence(format!("{name} WITH {exception}")));
        }
        Ok(Expression::Licence(name))
    }

    fn name(&mut self) -> Result<String, ExpressionError> {
        let word = self.rest.pop().ok_or(ExpressionError::Incomplete)?;
        if matches!(word, "AND" | "OR" | "WITH" | "(" | ")") {
            return Err(ExpressionError::Unexpected(word.to_owned()));
        }
        Ok(word.to_owned())
    }

    fn take(&mut self, word: &str) -> bool {
        let next = self.rest.last() == Some(&word);
        if next {
            self.rest.pop();
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn met(text: &str, allowed: &[&str]) -> bool {
        parse(text)
            .unwrap()
            .is_met_by(&allowed.iter().copied().collect())
    }

    #[test]
    fn a_choice_needs_one_side_and_a_conjunction_both() {
        assert!(met("MIT OR Apache-2.0", &["MIT"]));
        assert!(met("MIT/Apache-2.0", &["Apache-2.0"]));
        assert!(!met("MIT AND ISC", &["MIT"]));
        assert!(met("MIT AND ISC", &["MIT", "ISC"]));
    }

    #[test]
    fn and_binds_more_tightly_than_or() {
        assert!(met("MIT OR ISC AND GPL-3.0-only", &["MIT"]));
        assert!(!met("(MIT OR ISC) AND GPL-3.0-only", &["MIT"]));
    }

    #[test]
    fn an_exception_belongs_to_its_licence() {
        let text = "Apache-2.0 WITH LLVM-exception OR MIT";
        assert!(!met(text, &["Apache-2.0"]));
        assert!(met(text, &["MIT"]));
        assert!(met(text, &["Apache-2.0 WITH LLVM-exception"]));
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        assert_eq!(parse(""), Err(ExpressionError::Incomplete));
        assert_eq!(parse("(MIT"), Err(ExpressionError::Incomplete));
        assert_eq!(
            parse("MIT)"),
            Err(ExpressionError::Unexpected(")".to_owned()))
        );
        assert_eq!(
            parse("MIT ISC"),
            Err(ExpressionError::Unexpected("ISC".to_owned()))
        );
        assert_eq!(
            parse("OR MIT"),
            Err(ExpressionError::Unexpected("OR".to_owned()))
        );
        assert_eq!(parse(&"(".repeat(100_000)), Err(ExpressionError::TooDeep));
    }
}
