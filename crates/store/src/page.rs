//! Pages of a list, continued after the last key of the page before.

use uuid::Uuid;

use crate::db::Row;
use crate::error::StoreError;

/// Which page is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageQuery<K> {
    /// The last key of the page before; `None` for the first page.
    pub after: Option<K>,
    /// How many items at most.
    pub limit: u32,
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T, K> {
    /// The items, in the order of their keys.
    pub items: Vec<T>,
    /// What to pass as [`PageQuery::after`] for the next page; `None` on the last one.
    pub next: Option<K>,
}

impl<K> PageQuery<K> {
    /// How many rows to ask for: one more than wanted tells whether there is a next page.
    pub(crate) fn fetch(&self) -> i64 {
        i64::from(self.limit) + 1
    }
}

impl<K: Copy + Into<Uuid>> PageQuery<K> {
    /// The key after which the page begins; before the first one stands `start`.
    pub(crate) fn after_or(&self, start: Uuid) -> Uuid {
        self.after.map_or(start, Into::into)
    }
}

impl<T, K> Page<T, K> {
    /// Makes the page of the rows that [`PageQuery::fetch`] asked for.
    pub(crate) fn read(
        rows: &[Row],
        query: &PageQuery<K>,
        read: impl Fn(&Row) -> Result<T, StoreError>,
        key: impl Fn(&T) -> K,
    ) -> Result<Self, StoreError> {
        let items = rows.iter().map(read).collect::<Result<_, _>>()?;
        Ok(Self::cut(items, query, key))
    }

    fn cut(mut items: Vec<T>, query: &PageQuery<K>, key: impl Fn(&T) -> K) -> Self {
        let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
        let more = items.len() > limit;
        items.truncate(limit);
        let next = if more { items.last().map(key) } else { None };
        Self { items, next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_names_the_next_one_only_when_there_is_more() {
        let query = PageQuery {
            after: None,
            limit: 2,
        };
        let full = Page::cut(vec![1, 2, 3], &query, |n| *n);
        assert_eq!((full.items, full.next), (vec![1, 2], Some(2)));
        let last = Page::cut(vec![3, 4], &query, |n| *n);
        assert_eq!((last.items, last.next), (vec![3, 4], None));
    }
}
