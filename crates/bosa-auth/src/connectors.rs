//! The connectors that are known by name.

use crate::auth::Auth;

/// In alphabetical order. Accounts of any other name can be stored too.
const BUILT_IN: &[&str] = &[
    "asana",
    "atlassian",
    "bitbucket",
    "discord",
    "dropbox",
    "figma",
    "github",
    "gitlab",
    "google",
    "google_drive",
    "google_mail",
    "hubspot",
    "linear",
    "linkedin",
    "microsoft",
    "notion",
    "salesforce",
    "slack",
    "twitter",
    "zoom",
];

impl Auth {
    /// The names of the built-in connectors, in alphabetical order.
    #[must_use]
    pub fn connector_names(&self) -> Vec<String> {
        BUILT_IN.iter().map(|name| (*name).to_owned()).collect()
    }
}
