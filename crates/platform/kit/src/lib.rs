//! What every UltraCloud process is made of, and nothing a single service would miss.
//!
//! A role is a `Config`, a `build` and a `run` over a [`Context`]. The context carries what a
//! component must not reach for by itself (clock, randomness, disk, network, threads), so that a
//! simulation can own all of them and replay a run from its seed. Around it stand the parts that
//! every role repeats: typed [`config`], [`telemetry`], named [`health`] checks, [`tls`] identities
//! that reload under load, one [`server`] and one [`client`] stack for HTTP and gRPC, tracked
//! [`task`]s with an orderly end, and [`retry`] with jitter.
//!
//! Rejected: a global runtime or registry (two nodes in one test process would share it), a plugin
//! trait for roles (a `match` in the binary says the same), and wrappers over `tokio::time` (the
//! simulator already owns that clock; only wall time needs carrying).
//!
//! Everything here is `Send + Sync` and cheap to clone. Nothing here knows a service.

pub mod admin;
pub mod client;
pub mod clock;
pub mod config;
pub mod context;
pub mod disk;
pub mod entropy;
pub mod health;
pub mod net;
pub mod retry;
pub mod run;
pub mod sabotage;
pub mod server;
pub mod task;
pub mod telemetry;
pub mod tls;
pub mod worker;

pub use context::Context;
