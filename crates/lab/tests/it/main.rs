//! The lab against a real kernel: needs root, and says so when it has to skip.

mod machines;
mod mixed_cables;
mod netns_cluster;
mod world;
