//! What the Rust clients share: checks, and the transfers that go on while nodes come and go.

mod bank;
mod checks;
mod connect;

pub use bank::{Bank, Row, Worker};
pub use checks::{Checks, Failure};
pub use connect::{connect, tls};

/// A number of the environment, or what stands for it.
pub fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse::<f64>().ok()).map_or(default, |number| number as u64)
}

/// Host and port of every node that PGHOST and PGPORT name.
pub fn hosts() -> Vec<(String, u16)> {
    let names = std::env::var("PGHOST").unwrap_or_else(|_| "localhost".to_owned());
    let ports = std::env::var("PGPORT").unwrap_or_else(|_| "5432".to_owned());
    let ports: Vec<u16> = ports.split(',').filter_map(|port| port.trim().parse().ok()).collect();
    let port_of = |at: usize| ports.get(at).or(ports.first()).copied().unwrap_or(5432);
    names.split(',').enumerate().map(|(at, name)| (name.trim().to_owned(), port_of(at))).collect()
}

/// A variable of the environment; empty where it is not set.
pub fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}
