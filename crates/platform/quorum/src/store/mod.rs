//! What the engine stores: its log in the write-ahead log, its state in the state machine.

mod image;
mod log;
mod machine;

pub(crate) use image::{Image, ImageError, ImageKey, ImageSource, ImageStore, Spool};
pub(crate) use log::LogStore;
pub(crate) use machine::{Machine, progress};
