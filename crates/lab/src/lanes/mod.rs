//! The proofs.

pub mod chainfire_faults;
pub mod chainfire_live_membership;
pub mod core_control_plane_ops;
pub mod durability_proof;
mod machine_faults;
mod power;
mod scene;
pub mod smoke;
