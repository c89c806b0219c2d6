//! What every verb has at hand.

use bosa_auth::{Configuration, Page, PageRequest, Result};

use crate::args::Global;
use crate::config::{self, Override};
use crate::exit::Failure;
use crate::output::Output;
use crate::prompt::Prompt;

/// Largest page of the library.
const PAGE: u32 = 100;

/// Settings, and how to talk with the caller.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) configuration: Configuration,
    pub(crate) output: Output,
    pub(crate) prompt: Prompt,
}

impl Context {
    /// Gathers the settings of a verb.
    ///
    /// # Errors
    /// As [`config::gather`].
    pub(crate) fn new(global: &Global, flags: Vec<Override>) -> std::result::Result<Self, Failure> {
        Ok(Self {
            configuration: config::gather(global, flags)?,
            output: Output {
                format: global.output,
                quiet: global.quiet,
            },
            prompt: Prompt { yes: global.yes },
        })
    }
}

/// Walks all pages of a list, up to `limit` items.
///
/// # Errors
/// Those of `fetch`.
pub(crate) async fn all_pages<T>(
    limit: Option<u32>,
    fetch: impl AsyncFn(PageRequest) -> Result<Page<T>>,
) -> Result<Vec<T>> {
    let wanted = limit.map_or(usize::MAX, |limit| limit as usize);
    let mut items = Vec::new();
    let mut cursor = None;
    loop {
        let missing = u32::try_from(wanted - items.len()).unwrap_or(PAGE);
        let page = fetch(PageRequest {
            limit: Some(missing.min(PAGE)),
            cursor,
        })
        .await?;
        items.extend(page.items);
        cursor = page.next_cursor;
        if cursor.is_none() || items.len() >= wanted {
            return Ok(items);
        }
    }
}
