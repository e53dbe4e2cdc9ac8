//! The API as a foreign client sees it: the crate `etcd-client` against a cluster of one.

mod kv;
mod world;
