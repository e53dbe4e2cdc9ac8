//! The write-ahead log against a disk that forgets, tears, lies, fills up and decays.

mod wal_damage;
mod wal_faults;
mod wal_model;
mod wal_real;
mod wal_segments;
mod world;
