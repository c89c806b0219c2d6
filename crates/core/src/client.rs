//! States of a client.

use crate::text_enum::text_enum;

text_enum! {
    /// Whether a client may be used.
    pub enum ClientState as "client state" {
        /// Usable.
        Active = "active",
        /// Everything under it is refused until it is resumed.
        Suspended = "suspended",
        /// Refused for good while its rows are being removed.
        Deleting = "deleting",
    }
}
