//! The test cluster: six nodes on one Linux host, their faults, and the evidence that they work.
//!
//! [`topology`] says which nodes there are; a [`node::Body`] is what one is made of; the [`supervisor`]
//! owns them, their [`switch`] and the ways in; [`lane`] is how a proof is run and written down, and
//! [`lanes`] are the proofs; [`verbs`] is the command line. The lab knows the cloud by its wire
//! protocols and its files only, never by its code.
//!
//! Rejected: containers (an image store and a daemon for what three namespaces do), a bridge with tc
//! netem (not on every kernel, and its faults are nobody's seed), and one process for lane and cluster
//! (Ctrl-C of a lane must not take the cluster, and a lane must be able to attach to one that runs).

pub mod accel;
pub mod agent;
pub mod boot_times;
pub mod budget;
pub mod capacity;
pub mod certs;
pub mod client;
pub mod etcd;
pub mod image;
pub mod init;
pub mod lane;
pub mod lanes;
pub mod machine;
pub mod mux;
pub mod netns;
pub mod node;
pub mod paths;
mod private_file;
pub mod process;
pub mod progress;
pub mod roles;
pub mod state;
pub mod supervisor;
pub mod switch;
pub mod tail;
pub mod topology;
pub mod verbs;
pub mod wire;
