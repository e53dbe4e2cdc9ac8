//! Values: from text and binary to how they are kept, and back.

pub(crate) mod time;
