//! A member that is started as etcd 3.5 is: by its flags, in its environment, with its words.
//!
//! `flags` is the grammar, `urls` the lists in it, `settings` decides (pure), `run` does. What cannot be had is
//! refused by name; what would change nothing here is taken with a warning. Exit codes are etcd's: 0 it was
//! asked to end, 1 it cannot start or failed, 2 the flags are no flags.

mod flags;
mod run;
mod settings;
mod table;
mod urls;

pub use run::main;
