//! Tells whoever listens at the level `trace` what is sent to the database.

use tracing::{Level, enabled, trace};

/// Notes statements that leave together, in their order; what is bound to them is not told.
pub(super) fn sent<'a>(statements: impl IntoIterator<Item = &'a str>) {
    if enabled!(target: "bosa_auth_store::sent", Level::TRACE) {
        let statements: Vec<&str> = statements.into_iter().collect();
        trace!(target: "bosa_auth_store::sent", "{}", statements.join("\n"));
    }
}
