//! What a person is asked: to confirm, or for a secret.

use std::io::{self, IsTerminal as _, Read as _};

use bosa_auth::Secret;
use dialoguer::{Confirm, Password};

use crate::exit::Failure;

/// Largest secret that is read, in bytes.
const LARGEST_SECRET: u64 = 1 << 20;

/// How questions are answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Prompt {
    /// `--yes`: every confirmation is given.
    pub(crate) yes: bool,
}

impl Prompt {
    /// Asks whether to do what cannot be undone.
    ///
    /// # Errors
    /// `Declined`; `Usage` when nobody can be asked.
    pub(crate) fn confirm(self, question: &str) -> Result<(), Failure> {
        if self.yes {
            return Ok(());
        }
        let nobody = || {
            Failure::usage(
                format!("this needs a confirmation: {question}"),
                "Add --yes to do it without being asked.",
            )
        };
        if !io::stdin().is_terminal() {
            return Err(nobody());
        }
        match Confirm::new()
            .with_prompt(question)
            .default(false)
            .interact()
        {
            Ok(true) => Ok(()),
            Ok(false) => Err(Failure::Declined),
            Err(_) => Err(nobody()),
        }
    }

    /// Reads a secret: at a terminal without showing it, else all of standard input without its last
    /// newline.
    ///
    /// # Errors
    /// `Usage` when there is none, or when it is too long or not UTF-8.
    pub(crate) fn secret(self, what: &str) -> Result<Secret, Failure> {
        let secret = if io::stdin().is_terminal() {
            let typed = Password::new().with_prompt(what).interact();
            Secret::new(typed.map_err(|_| unreadable(what))?)
        } else {
            from_reader(io::stdin().lock(), what)?
        };
        if secret.is_empty() {
            return Err(unreadable(what));
        }
        Ok(secret)
    }
}

fn from_reader(reader: impl io::Read, what: &str) -> Result<Secret, Failure> {
    let mut text = String::new();
    let read = reader.take(LARGEST_SECRET + 1).read_to_string(&mut text);
    let mut secret = match read {
        Ok(_) if text.len() as u64 <= LARGEST_SECRET => text,
        Ok(_) => {
            drop(Secret::new(text));
            return Err(Failure::usage(
                format!("{what} is too long"),
                format!("Give at most {LARGEST_SECRET} bytes on standard input."),
            ));
        }
        Err(_) => {
            drop(Secret::new(text));
            return Err(Failure::usage(
                format!("{what} on standard input is not UTF-8 text"),
                "Give it as text.",
            ));
        }
    };
    if secret.ends_with('\n') {
        secret.pop();
        if secret.ends_with('\r') {
            secret.pop();
        }
    }
    Ok(Secret::new(secret))
}

fn unreadable(what: &str) -> Failure {
    Failure::usage(
        format!("{what} is missing"),
        "Give it on standard input or type it at the prompt; never as an argument.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_one_trailing_newline_is_dropped() -> Result<(), Failure> {
        for (given, kept) in [
            ("a", "a"),
            ("a\n", "a"),
            ("a\r\n", "a"),
            ("a\n\n", "a\n"),
            ("", ""),
        ] {
            assert_eq!(from_reader(given.as_bytes(), "it")?.expose(), kept);
        }
        Ok(())
    }

    #[test]
    fn what_is_too_long_or_no_text_is_refused() {
        let long = vec![b'a'; LARGEST_SECRET as usize + 1];
        assert!(from_reader(long.as_slice(), "it").is_err());
        assert!(from_reader([0xff, 0xfe].as_slice(), "it").is_err());
    }
}
