//! From the first byte to a session: encryption, who it is, and that he may.

mod greeting;
mod login;
mod packet;
mod scram;
mod switches;
mod verifier;

pub(crate) use scram::ChannelBinding;
pub(crate) use verifier::Verifier;

pub(crate) use greeting::{Greeted, greet};
pub(crate) use login::log_in;
pub(crate) use verifier::ITERATIONS;
