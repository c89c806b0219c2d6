//! Reading accounts that a provider granted: their access tokens are refreshed before they end, by one
//! process at a time, and no account is lost that need not be.

mod ahead;
mod changing;
mod dying;
mod edges;
mod failing;
mod reading;
mod world;
