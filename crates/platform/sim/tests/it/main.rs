//! The simulated machine against models of it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by a panic")]

mod disk_faults;
mod disk_model;
mod network;
