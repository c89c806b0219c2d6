//! What the operator does: clients and their API keys.

mod api_keys;
mod clients;

pub(crate) use clients::{data_key_name, model as client_model};

use api_keys::new_api_key;
