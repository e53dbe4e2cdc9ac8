//! What holds for the repository as a whole: its layers, its documents, its promises, its scripts.

mod docs;
mod layers;
mod promises;
mod shell;
mod tree;
mod words;
