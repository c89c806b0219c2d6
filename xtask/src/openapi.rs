//! `cargo xtask openapi`: the committed copy of the OpenAPI document.

use std::path::Path;

use crate::{Report, TaskError};

const COPY: &str = "openapi/v1.json";

/// Writes the document, or with `check` compares it with the committed copy.
pub(crate) fn run(root: &Path, check: bool) -> Result<Report, TaskError> {
    let document = bosa_auth_http::openapi_json().map_err(|error| TaskError::Format {
        what: "the OpenAPI document",
        message: error.to_string(),
    })?;
    let path = root.join(COPY);
    if check {
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        let stale = (committed != document)
            .then(|| format!("{COPY} is stale; run `cargo xtask openapi` and commit it"));
        return Ok(Report {
            summary: format!("openapi: {COPY} is up to date"),
            findings: stale.into_iter().collect(),
        });
    }
    let failed = |source| TaskError::Write {
        path: path.clone(),
        source,
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    std::fs::write(&path, document).map_err(failed)?;
    Ok(Report {
        summary: format!("openapi: {COPY} written"),
        findings: Vec::new(),
    })
}
