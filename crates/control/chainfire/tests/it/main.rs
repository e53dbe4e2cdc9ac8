//! The API as foreign clients see it: the crate `etcd-client`, and raw messages where that one is
//! too well-behaved, against a cluster of one.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where it stopped")]

mod auth;
mod cluster;
mod compactor;
mod election;
mod figures;
mod hostile;
mod http;
mod kv;
mod learner;
mod lease;
mod lock;
mod maintenance;
mod process;
mod range_stream;
mod raw;
mod rescue;
mod slow;
mod space;
mod tls;
mod watch;
mod world;
