//! The rules of accounts (one default while there is any, only deletion promotes, each name once)
//! against a model, over random operations of several users by tasks at once through two handles.
//!
//! What tasks do at once must be what they would have done in some order, one after the other: every
//! answer, and everything that is stored afterwards. A failure prints its seed;
//! `MODEL_SEED=<seed>` runs the same operations again, though not in the same instants.

mod model;
mod operation;
mod run;
