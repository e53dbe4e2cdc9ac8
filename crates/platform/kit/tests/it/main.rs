//! The kit over real sockets, real files and real processes; and once inside a simulation.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by a panic")]

mod admin;
mod client;
mod config;
mod foreign;
mod http;
mod limits;
mod reload;
mod role;
mod simulated;
mod support;
mod tls;
