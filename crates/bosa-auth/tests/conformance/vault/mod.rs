//! The vault: sealing everything under new keys, and opening all of it.

mod at_once;
mod cells;
mod deletion;
mod failing;
mod filled;
mod opened;
mod rekey;
mod verify;
mod wrap;
