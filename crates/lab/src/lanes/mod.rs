//! The proofs.

pub mod chainfire_faults;
pub mod chainfire_live_membership;
mod scene;
pub mod smoke;
