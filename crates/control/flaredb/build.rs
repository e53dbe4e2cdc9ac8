//! Compiles what stands in the log, and what replicas ask of each other.

fn main() -> std::io::Result<()> {
    prost_build::Config::new()
        .bytes(["."])
        .compile_protos(&["proto/log.proto", "proto/call.proto"], &["proto"])
}
