//! The binary under the name `etcd`, as whoever starts etcd starts it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by a panic")]

mod member;
mod refusals;
mod serving;
