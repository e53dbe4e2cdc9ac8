//! What stands in the log and what replicas ask of each other, generated from `proto/`.

#[allow(unreachable_pub, clippy::large_enum_variant, reason = "generated")]
pub(crate) mod log {
    include!(concat!(env!("OUT_DIR"), "/flaredb.log.rs"));
}

#[allow(unreachable_pub, clippy::large_enum_variant, reason = "generated")]
pub(crate) mod call {
    include!(concat!(env!("OUT_DIR"), "/flaredb.call.rs"));
}
