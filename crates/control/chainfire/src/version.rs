//! Which etcd we pass for.

/// Clients look at it to decide what a server can do: from 3.5.13 on, progress requests of watches
/// are trusted (kubernetes #122786).
pub const ETCD_VERSION: &str = "3.5.16";
/// The version that every member of a cluster has in common, as etcd writes it.
pub const ETCD_CLUSTER_VERSION: &str = "3.5.0";
