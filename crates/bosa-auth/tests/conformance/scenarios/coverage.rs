//! Whether the scenarios show every operation, and every refusal that it documents.

use std::collections::{BTreeMap, BTreeSet};

use super::file::{self, Step};
