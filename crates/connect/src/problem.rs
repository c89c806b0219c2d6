//! What is wrong with a connector file, and where.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;

/// A place in a text; both numbers begin at 1, and the column counts characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The character within the line.
    pub column: usize,
}

impl Place {
    /// The place of a byte of a text.
    pub(crate) fn of(text: &str, byte: usize) -> Self {
        let before = text.get(..byte).unwrap_or(text);
        let line = before.rsplit('\n').next().unwrap_or_default();
        Self {
            line: before.matches('\n').count() + 1,
            column: line.chars().count() + 1,
        }
    }
}

/// One thing that is wrong with a connector file or with the directory of such files.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file or directory.
    pub path: PathBuf,
    /// Where in the file; `None` when it could not be read at all.
    pub place: Option<Place>,
    /// What is wrong.
    pub reason: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:", self.path.display())?;
        if let Some(Place { line, column }) = self.place {
            write!(formatter, "{line}:{column}:")?;
        }
        write!(formatter, " {}", self.reason)
    }
}

/// Everything that is wrong, at least one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub(crate) Vec<Problem>);

impl Problems {
    /// The problems, in the order of files and places.
    #[must_use]
    pub fn as_slice(&self) -> &[Problem] {
        &self.0
    }
}

impl fmt::Display for Problems {
    /// One line for each problem.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                formatter.write_str("\n")?;
            }
            problem.fmt(formatter)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// Gathers what is wrong with one text, by the bytes that say it.
#[derive(Debug, Default)]
pub(crate) struct Findings(Vec<(usize, String)>);

impl Findings {
    pub(crate) fn add(&mut self, at: Range<usize>, reason: impl Into<String>) {
        self.0.push((at.start, reason.into()));
    }

    /// The value, or a finding that begins with the name of its key.
    pub(crate) fn take<S, V, E: fmt::Display>(
        &mut self,
        key: &str,
        at: &Spanned<S>,
        result: Result<V, E>,
    ) -> Option<V> {
        match result {
            Ok(value) => Some(value),
            Err(reason) => {
                self.add(at.span(), format!("{key}: {reason}"));
                None
            }
        }
    }

    /// The findings as problems of a file; `None` when there are none.
    pub(crate) fn into_problems(self, path: &Path, text: &str) -> Option<Problems> {
        let mut problems: Vec<Problem> = self
            .0
            .into_iter()
            .map(|(byte, reason)| Problem {
                path: path.to_path_buf(),
                place: Some(Place::of(text, byte)),
                reason,
            })
            .collect();
        problems.sort();
        (!problems.is_empty()).then_some(Problems(problems))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_counts_lines_and_characters_from_one() {
        let text = "a\nüb = 1\r\nc";
        for (byte, line, column) in [(0, 1, 1), (2, 2, 1), (4, 2, 2), (11, 3, 1), (99, 3, 2)] {
            assert_eq!(Place::of(text, byte), Place { line, column }, "{byte}");
        }
        assert_eq!(Place::of("", 0), Place { line: 1, column: 1 });
    }

    #[test]
    fn a_problem_reads_like_a_compilers_message() {
        let problem = |place| Problem {
            path: "own/acme.toml".into(),
            place,
            reason: "title: is empty".to_owned(),
        };
        let place = Some(Place { line: 1, column: 9 });
        let problems = Problems(vec![problem(place), problem(None)]);
        assert_eq!(
            problems.to_string(),
            "own/acme.toml:1:9: title: is empty\nown/acme.toml: title: is empty"
        );
    }
}
