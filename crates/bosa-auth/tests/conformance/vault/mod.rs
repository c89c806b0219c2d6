//! The vault: sealing everything under new keys, and opening all of it.

mod at_once;
mod filled;
mod opened;
mod rekey;
