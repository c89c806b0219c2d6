//! `cargo xtask repository`: what no tracked file may contain.

use std::path::Path;

use crate::{Report, TaskError, output_of};

/// Checks every tracked text file, line by line.
pub(crate) fn run(root: &Path) -> Result<Report, TaskError> {
    // The checkout may belong to another user than the one who runs the check (a container).
    let arguments = ["-c", "safe.directory=*", "ls-files", "-z"];
    let listing = output_of("git", &arguments, root)?;
    let listing = String::from_utf8_lossy(&listing);
    let mut findings = Vec::new();
    let mut count = 0_usize;
    for name in listing.split('\0').filter(|name| !name.is_empty()) {
        let path = root.join(name);
        if !path.is_file() {
            continue; // deleted but not yet committed
        }
        let bytes = std::fs::read(&path).map_err(|source| TaskError::Read { path, source })?;
        if let Ok(text) = std::str::from_utf8(&bytes) {
            count += 1;
            findings.extend(findings_in(name, text));
        }
    }
    Ok(Report {
        summary: format!("repository: {count} text files"),
        findings,
    })
}

/// Folders that exist only where someone built the project. Written in halves, because this file
/// is searched too.
const MACHINE_PATHS: [&str; 3] = [
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
];

/// Words that mark unfinished work.
const UNFINISHED: [&str; 4] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("to", "do!"),
    concat!("unimpl", "emented!"),
];

fn findings_in(name: &str, text: &str) -> Vec<String> {
    let mut findings = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let place = format!("{name}:{}", index.saturating_add(1));
        for path in MACHINE_PATHS {
            if contains_path(line, path) {
                findings.push(format!("{place}: a path of one machine ({path})"));
            }
        }
        for word in UNFINISHED {
            if contains_word(line, word) {
                findings.push(format!("{place}: unfinished work ({word})"));
            }
        }
        if name.ends_with(".md") && line.ends_with([' ', '\t']) {
            findings.push(format!("{place}: white space at the end of the line"));
        }
    }
    findings
}

/// Whether `path` begins an absolute path in `line`, followed by a name.
fn contains_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, found)| {
        let (before, rest) = line.split_at(at);
        let begins = !before.ends_with(|c: char| c.is_alphanumeric() || "_-.}".contains(c));
        let after = rest.strip_prefix(found).unwrap_or_default();
        begins && after.starts_with(|c: char| c.is_alphanumeric() || c == '.' || c == '_')
    })
}

/// Whether `word` stands in `line` by itself.
fn contains_word(line: &str, word: &str) -> bool {
    let part_of_a_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, found)| {
        let (before, rest) = line.split_at(at);
        let after = rest.strip_prefix(found).unwrap_or_default();
        !before.ends_with(part_of_a_word) && !after.starts_with(part_of_a_word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_one_machine_is_found() {
        for path in MACHINE_PATHS {
            let text = format!("open sqlite:///{}me/a.db", path.trim_start_matches('/'));
            assert_eq!(findings_in("a.rs", &text).len(), 1, "{text}");
        }
    }

    #[test]
    fn a_relative_path_and_a_bare_folder_are_not() {
        for path in MACHINE_PATHS {
            assert!(findings_in("a.rs", &format!("src{path}a and \"{path}\"")).is_empty());
        }
    }

    #[test]
    fn unfinished_work_is_found_as_a_word_only() {
        for word in UNFINISHED {
            assert_eq!(findings_in("a.rs", &format!("// {word} later")).len(), 1);
            assert!(findings_in("a.rs", &format!("METHOD_{word}")).is_empty());
        }
    }

    #[test]
    fn white_space_at_the_end_counts_in_markdown_only() {
        assert_eq!(findings_in("a.md", "text  \n").len(), 1);
        assert!(findings_in("a.rs", "text  \n").is_empty());
    }
}
