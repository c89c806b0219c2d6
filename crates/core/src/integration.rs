//! States of an integration's stored authorization.

use crate::text_enum::text_enum;

text_enum! {
    /// Whether the stored authorization of an integration can be used.
    pub enum AuthStatus as "auth status" {
        /// Usable as far as is known.
        Active = "active",
        /// The provider refused it: the user must connect the account again.
        NeedsReauth = "needs_reauth",
        /// Stored, never yet used successfully.
        Unverified = "unverified",
        /// A connection was started and has not been completed.
        Pending = "pending",
        /// The stored value does not open.
        Unreadable = "unreadable",
    }
}
