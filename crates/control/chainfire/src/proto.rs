//! The generated messages. Field names and numbers are etcd's; see `proto/`.

/// Keys, values and events.
#[allow(clippy::all, clippy::allow_attributes_without_reason, reason = "generated code")]
pub mod mvccpb {
    tonic::include_proto!("mvccpb");
}

/// Users and roles.
#[allow(clippy::all, clippy::allow_attributes_without_reason, reason = "generated code")]
pub mod authpb {
    tonic::include_proto!("authpb");
}

/// The services and their messages.
#[allow(clippy::all, clippy::allow_attributes_without_reason, reason = "generated code")]
pub mod etcdserverpb {
    tonic::include_proto!("etcdserverpb");
}

/// Locks.
#[allow(clippy::all, clippy::allow_attributes_without_reason, reason = "generated code")]
pub mod v3lockpb {
    tonic::include_proto!("v3lockpb");
}

/// Elections.
#[allow(clippy::all, clippy::allow_attributes_without_reason, reason = "generated code")]
pub mod v3electionpb {
    tonic::include_proto!("v3electionpb");
}

mod chainfire {
    #[allow(clippy::all, unreachable_pub, clippy::allow_attributes_without_reason, reason = "generated code")]
    pub(crate) mod v1 {
        tonic::include_proto!("chainfire.v1");
    }
}

/// What replicas say to each other and keep.
pub(crate) use chainfire::v1 as internal;
