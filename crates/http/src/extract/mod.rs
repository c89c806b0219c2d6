//! What handlers take out of a request, every rejection a [`Problem`](crate::problem::Problem).

mod json;
mod path;
mod query;
mod strict_json;

pub(crate) use json::{JsonBody, OptionalJson};
pub(crate) use path::Params;
pub(crate) use query::Query;
