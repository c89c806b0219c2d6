//! Sealing and opening: the keys that seal values, and the values in their places.

mod keys;
mod values;

pub(crate) use keys::{
    key_name, new_data_key, open_connector_key, open_data_key, open_key_of, seal_data_key,
};
pub(crate) use values::Place;
