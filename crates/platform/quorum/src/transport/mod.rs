//! How replicas reach each other: one gRPC connection a peer, shared by all groups.

mod append;
mod entries;
mod images;
mod link;
mod peers;
mod service;

#[cfg(any(test, fuzzing))]
pub(crate) use entries::consecutive;
pub(crate) use link::Links;
pub(crate) use peers::Peers;
pub use service::ReplicationService;
#[cfg(any(test, fuzzing))]
pub(crate) use service::image_key;
