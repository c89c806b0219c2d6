//! `$1` placeholders for SQLite.

/// Rewrites each `$N` outside quotes and comments to `?N`.
///
/// SQLite takes `$1` for a name and numbers names by first appearance, so that
/// `select $2, $1` would swap its values silently; `?N` is a number in SQLite too.
pub(crate) fn to_question_marks(sql: &str) -> String {
    let mut out = String::with_capacity(sql.len());
    let mut chars = sql.chars().peekable();
    // What ends the quoted text or comment we are in.
    let mut until: Option<End> = None;
    while let Some(c) = chars.next() {
        let next = chars.peek().copied();
        match until {
            // A doubled quote closes and opens again at once, which amounts to the same.
            Some(End::Quote(quote)) if c == quote => until = None,
            Some(End::Line) if c == '\n' => until = None,
            Some(End::Block) if c == '*' && next == Some('/') => {
                out.push(c);
                out.extend(chars.next());
                until = None;
                continue;
            }
            Some(_) => {}
            None => match (c, next) {
                ('\'' | '"' | '`', _) => until = Some(End::Quote(c)),
                ('-', Some('-')) => until = Some(End::Line),
                ('/', Some('*')) => {
                    out.push(c);
                    out.extend(chars.next());
                    until = Some(End::Block);
                    continue;
                }
                ('$', Some('0'..='9')) => {
                    out.push('?');
                    continue;
                }
                _ => {}
            },
        }
        out.push(c);
    }
    out
}

#[derive(Clone, Copy)]
enum End {
    Quote(char),
    Line,
    Block,
}

#[cfg(test)]
mod tests {
    use super::to_question_marks;

    #[test]
    fn placeholders_become_numbers() {
        assert_eq!(
            to_question_marks("select $2, $1 where a = $12"),
            "select ?2, ?1 where a = ?12"
        );
    }

    #[test]
    fn quoted_text_and_comments_stay_as_they_are() {
        for text in [
            "select '$1'",
            "select 'it''s $1'",
            "select \"a$1\", `$2`, a$b",
            "select 1 -- $1\n",
            "select 1 /* $1 ' */",
        ] {
            assert_eq!(to_question_marks(text), text);
        }
        assert_eq!(
            to_question_marks("select '$1', $1 -- $2\n, $2 /* $3 */, $3"),
            "select '$1', ?1 -- $2\n, ?2 /* $3 */, ?3"
        );
    }
}
