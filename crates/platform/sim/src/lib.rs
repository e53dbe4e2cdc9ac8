//! The simulated machine for tests: a disk that forgets, a network that breaks, a clock that is wrong.
//!
//! [`SimDisk`] forgets what was not synced when it crashes, tears writes and fails on demand.
//! [`SimNet`] is [`kit::net::Net`] over turmoil. A [`SimNode`] puts both together with a skewed clock and
//! seeded randomness into a [`kit::Context`]; it outlives the host it belongs to, as a machine outlives
//! its processes. [`ca`] makes certificates for tests over real sockets.
//!
//! One seed gives one run. Refuses to be kinder than hardware: every state that a real disk could be left
//! in by a power cut must be reachable by some seed.

pub mod bugs;
pub mod ca;
pub mod corpus;
pub mod disk;
pub mod net;
pub mod node;
pub mod schedule;
pub mod seeds;

pub use disk::SimDisk;
pub use net::SimNet;
pub use node::SimNode;
