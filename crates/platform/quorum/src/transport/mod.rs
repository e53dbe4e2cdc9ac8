//! How replicas reach each other: one gRPC connection a peer, shared by all groups.

mod images;
mod link;
mod peers;
mod service;

pub(crate) use link::Links;
pub(crate) use peers::Peers;
pub use service::ReplicationService;
#[cfg(any(test, fuzzing))]
pub(crate) use service::{consecutive, image_key};
