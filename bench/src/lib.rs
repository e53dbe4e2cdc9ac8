//! Side-by-side benchmarks: ours and the peer, on this machine, in the same run, alternating.
//!
//! A figure by itself says little about a shared machine; a ratio of two figures taken minutes
//! apart by the same load does. So every comparison starts both systems afresh in each round
//! (A, B, A, B, …), never at the same time, and reports medians, their spread and the ratio.
//! Targets are on loopback only. No test asserts a time: floors are judged by this program alone.

pub mod chainfire;
pub mod cluster;
pub mod connect;
pub mod flaredb;
pub mod load;
pub mod machine;
pub mod pace;
pub mod peer;
pub mod pki;
pub mod report;
mod sample;
pub mod stats;
pub mod table;
