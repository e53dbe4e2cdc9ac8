//! The two halves of a stream. Neither knows what messages mean.

mod input;
mod output;

pub(crate) use input::{Broken, CopyMessage, Input, Message, SharedInput, lock};
pub(crate) use output::{FAREWELL, Output};
