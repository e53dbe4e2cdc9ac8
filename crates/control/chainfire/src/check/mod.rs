//! Self-checking: replicas that have applied the same entries hold the same, and a replica that does not
//! stops serving before it has misled anybody further.
//!
//! # Protocol
//! Every replica keeps a [`Chain`](crate::store::Chain), a hash over everything that commands did to its
//! state, flushed and sent in images with that state. Three notes travel in the log, beside commands:
//!
//! - **begin**: chains begin anew here. Proposed by a replica that has none, because its state was written
//!   by a version that did not know of them. Only chains of the same beginning are ever compared.
//! - **mark**: each replica notes its chain as of this entry. Proposed by the leader every so often, if
//!   something was done since; it names the voters of the moment.
//! - **statement**: what a replica's chain was at a mark. Proposed by every replica that has noted one.
//!
//! All replicas read the same statements in the same order. A hash that a majority of the mark's voters has
//! stated is right. Whoever has stated or noted another one has diverged: it fences itself as it applies the
//! entry that makes the majority, before its replies leave, and everybody else raises CORRUPT for it. If
//! the voters are so much at odds that no majority can come about, nobody can say who is right, and CORRUPT
//! is raised for member 0, which stands for all.
//!
//! A replica that is fenced goes on to replicate and vote: the log is whole, the state is not. It answers
//! neither reads nor writes, hands leadership on whenever it gets it, and lets no lease end. To disarm its
//! alarm puts it back into service until the next mark; what heals it is to be removed and added anew.
//!
//! # What it does not see
//! A majority that has diverged in the same way. A value that has rotted on disk and was not read since:
//! the chain says what was done, not what is left of it; HashKV reads everything.
//!
//! # Versions
//! A note rides on a command that does nothing in any version. A replica of the version before passes over
//! it and keeps no chain; when it is upgraded it asks for a beginning. So nobody is judged by what a
//! version without chains did, and a rolling upgrade fences nobody.

mod shell;

pub(crate) use quorum::jury::{Jury, Statement, Verdict};
pub(crate) use shell::{Checker, Findings, run};
