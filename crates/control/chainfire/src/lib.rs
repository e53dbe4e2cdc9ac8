//! ChainFire.

mod api;
pub mod config;
mod convert;
mod lessor;
mod machine;
mod node;
pub mod proto;
pub mod store;
pub mod version;
mod watch;

pub use config::Config;
pub use lessor::{Lessor, LessorError, Remaining};
pub use machine::{Failure, Machine, Refusal};
pub use node::{IdentityError, Node, Observers, StartError, build, run};
pub use watch::{Hub, SessionLimits};

/// The formats that this version writes: of the replicated commands, the store and its images.
pub const FORMATS: &[(&str, u32)] =
    &[("command", machine::FORMAT), ("store", store::FORMAT), ("image", store::IMAGE_FORMAT)];
