//! Compiles the wire protocol. `bytes` fields become `Bytes`, so that a value is never copied on
//! its way from the socket to the log.

fn main() -> std::io::Result<()> {
    tonic_prost_build::configure().bytes(".").compile_protos(
        &["proto/rpc.proto", "proto/lock.proto", "proto/election.proto", "proto/internal.proto"],
        &["proto"],
    )
}
