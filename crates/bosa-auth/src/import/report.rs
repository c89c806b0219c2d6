//! What an import tells about what it did.

use std::collections::BTreeMap;

use bosa_auth_store::ImportKind;
use uuid::Uuid;

/// What an import did, or would do.
#[derive(Debug, Clone)]
pub struct ImportReport {
    /// Whether nothing was written.
    pub dry_run: bool,
    /// The version of the source's schema.
    pub source_version: i64,
    /// What became of the rows: clients, users, tokens, integrations.
    pub kinds: Vec<ImportedKind>,
    /// The rows that were repaired or skipped, or where a change in the source was followed, at most
    /// 100,000; not those tokens that are over, or end later than before.
    pub lines: Vec<ImportLine>,
    /// What else is to be known.
    pub notes: Vec<String>,
}

/// What became of the rows of one kind.
///
/// Every row that was read was imported, is there already or was skipped; those repaired were imported
/// too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedKind {
    /// `client`, `user`, `token` or `integration`.
    pub kind: &'static str,
    /// Rows that were read.
    pub read: u64,
    /// Rows that were made here.
    pub imported: u64,
    /// Rows that an earlier run has imported, whatever became of them here.
    pub already_there: u64,
    /// Rows that were imported in another form.
    pub repaired: u64,
    /// Rows that were not imported.
    pub skipped: u64,
    /// Rows imported earlier that were brought up to date, because they have changed in the source since and
    /// not here.
    pub updated: u64,
    /// Rows imported earlier that were ended here, because they were ended in the source since; what was
    /// removed there is counted here only, since it cannot be read.
    pub ended: u64,
    /// Why, and how many.
    pub reasons: Vec<ImportReason>,
}

/// Why rows of a kind were repaired, skipped or ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportReason {
    /// What became of them.
    pub outcome: ImportOutcome,
    /// Why.
    pub reason: String,
    /// How many.
    pub count: u64,
}

/// A row that did not simply arrive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportLine {
    /// What it is.
    pub kind: &'static str,
    /// Its id, there and here.
    pub id: Uuid,
    /// What became of it.
    pub outcome: ImportOutcome,
    /// Why.
    pub reason: String,
}

/// What became of a row, where that needs a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ImportOutcome {
    /// It was imported in another form.
    Repaired,
    /// It was not imported.
    Skipped,
    /// It was imported earlier, and brought up to date now.
    Updated,
    /// It was imported earlier, and ended now.
    Ended,
}

impl ImportOutcome {
    /// Returns the fixed text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Repaired => "repaired",
            Self::Skipped => "skipped",
            Self::Updated => "updated",
            Self::Ended => "ended",
        }
    }
}

/// What was found out about one row.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) id: Uuid,
    pub(super) what: What,
}

#[derive(Debug)]
pub(super) enum What {
    /// Made here, repaired in these ways.
    Imported(Vec<&'static str>),
    /// Made by an earlier run; ended now for this reason.
    AlreadyThere(Option<&'static str>),
    /// Made by an earlier run; brought up to date now for this reason.
    Updated(&'static str),
    /// Not made.
    Skipped(&'static str),
    /// Made by an earlier run, and not read any more; ended now for this reason.
    Gone(&'static str),
}

/// How many rows a report lists at most, so that it fits into memory whatever the source holds.
const MOST_LINES: usize = 100_000;

/// A token that is over: a reason that has a count but no lines.
pub(super) const OVER: &str = "is over";

/// A token that was used at the source: as the one above.
pub(super) const LATER: &str = "ends later in the source";

/// The report while it grows.
#[derive(Debug)]
pub(super) struct Growing {
    kinds: Vec<ImportedKind>,
    counts: BTreeMap<(&'static str, ImportOutcome, &'static str), u64>,
    lines: Vec<ImportLine>,
    unlisted: u64,
}

impl Growing {
    pub(super) fn new() -> Self {
        let kinds = [
            ImportKind::Client,
            ImportKind::User,
            ImportKind::Token,
            ImportKind::Integration,
        ];
        Self {
            kinds: kinds.map(empty).into(),
            counts: BTreeMap::new(),
            lines: Vec::new(),
            unlisted: 0,
        }
    }

    pub(super) fn add(&mut self, kind: ImportKind, found: Vec<Found>) {
        for row in found {
            self.add_one(kind, row);
        }
    }

    fn add_one(&mut self, kind: ImportKind, row: Found) {
        let Some(counts) = self.kinds.iter_mut().find(|of| of.kind == kind.as_str()) else {
            return;
        };
        counts.read += u64::from(!matches!(row.what, What::Gone(_)));
        let (outcome, reasons) = match row.what {
            What::Imported(reasons) => {
                counts.imported += 1;
                counts.repaired += u64::from(!reasons.is_empty());
                (ImportOutcome::Repaired, reasons)
            }
            What::AlreadyThere(ended) => {
                counts.already_there += 1;
                counts.ended += u64::from(ended.is_some());
                (ImportOutcome::Ended, ended.into_iter().collect())
            }
            What::Updated(reason) => {
                counts.already_there += 1;
                counts.updated += 1;
                (ImportOutcome::Updated, vec![reason])
            }
            What::Skipped(reason) => {
                counts.skipped += 1;
                (ImportOutcome::Skipped, vec![reason])
            }
            What::Gone(reason) => {
                counts.ended += 1;
                (ImportOutcome::Ended, vec![reason])
            }
        };
        for reason in reasons {
            let key = (kind.as_str(), outcome, reason);
            *self.counts.entry(key).or_default() += 1;
            if reason == OVER || reason == LATER {
                continue;
            }
            if self.lines.len() == MOST_LINES {
                self.unlisted += 1;
            } else {
                self.lines.push(ImportLine {
                    kind: kind.as_str(),
                    id: row.id,
                    outcome,
                    reason: reason.to_owned(),
                });
            }
        }
    }

    pub(super) fn finish(
        mut self,
        dry_run: bool,
        version: i64,
        mut notes: Vec<String>,
    ) -> ImportReport {
        if self.unlisted > 0 {
            notes.push(format!(
                "{} more rows are counted with their reasons and not listed.",
                self.unlisted
            ));
        }
        for ((kind, outcome, reason), count) in self.counts {
            if let Some(counts) = self.kinds.iter_mut().find(|of| of.kind == kind) {
                counts.reasons.push(ImportReason {
                    outcome,
                    reason: reason.to_owned(),
                    count,
                });
            }
        }
        ImportReport {
            dry_run,
            source_version: version,
            kinds: self.kinds,
            lines: self.lines,
            notes,
        }
    }
}

fn empty(kind: ImportKind) -> ImportedKind {
    ImportedKind {
        kind: kind.as_str(),
        read: 0,
        imported: 0,
        already_there: 0,
        repaired: 0,
        skipped: 0,
        updated: 0,
        ended: 0,
        reasons: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_lists_no_more_rows_than_fit_and_counts_the_others() {
        let mut growing = Growing::new();
        for _ in 0..MOST_LINES + 3 {
            let found = Found {
                id: Uuid::nil(),
                what: What::Skipped("has no value"),
            };
            growing.add(ImportKind::Integration, vec![found]);
        }
        let report = growing.finish(false, 6, Vec::new());
        assert_eq!(report.lines.len(), MOST_LINES);
        let note = "3 more rows are counted with their reasons and not listed.";
        assert_eq!(report.notes, [note]);
        let skipped = report.kinds.iter().map(|of| of.skipped).sum::<u64>();
        assert_eq!(usize::try_from(skipped), Ok(MOST_LINES + 3));
    }
}
