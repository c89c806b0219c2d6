//! Look-ups of many rows by one statement.
//!
//! Planning a statement costs PostgreSQL more than finding a row by its key. A list of one fixed length is
//! one text that both databases understand; it is filled up with its last element.

use crate::db::Param;

/// How many rows one statement looks up.
const MANY: usize = 50;

/// The placeholders of a list behind `$1`.
macro_rules! many {
    () => {
        "($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, \
         $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, \
         $40, $41, $42, $43, $44, $45, $46, $47, $48, $49, $50, $51)"
    };
}

pub(crate) use many;

/// The parameters of as many statements as it takes to look up `all`, each behind `first`.
pub(crate) fn lists<T: Clone>(
    first: impl Into<Param>,
    all: &[T],
) -> impl Iterator<Item = Vec<Param>>
where
    Param: From<T>,
{
    let first = first.into();
    all.chunks(MANY).map(move |some| {
        let last = some.last().into_iter().cycle();
        let list = some.iter().chain(last).take(MANY);
        let list = list.cloned().map(Param::from);
        std::iter::once(first.clone()).chain(list).collect()
    })
}
