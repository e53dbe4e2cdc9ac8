//! The lab against a real kernel: needs root, and says so when it has to skip.

mod mixed_cables;
mod netns_cluster;
