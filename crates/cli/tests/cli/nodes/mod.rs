//! Many servers on one database: what one of them has ended, none of them accepts for longer than
//! the bound, whatever happens to them and to the database meanwhile.
//!
//! Time is measured here by the clock of the test. What was ended has ended when the answer says so;
//! a request that was sent later than the bound after that answer must be refused. This holds however
//! busy the machine is, so that nothing is added to the bound.

mod address;
mod clocks;
mod cluster;
mod file;
mod forwarder;
mod group;
mod kept;
mod listening;
mod node;
mod paused;
mod pooled;
mod pooler;
mod promoted;
mod restarted;
mod session;
mod stopped_feed;
