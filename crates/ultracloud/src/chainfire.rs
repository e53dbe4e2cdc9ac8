//! `ultracloud chainfire`: what is done to the files of a ChainFire member that does not run.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chainfire::Config;
use chainfire::rescue::{
    self, Backup, Inspection, Recovered, Repaired, RescueError, RestoreOptions, Restored,
};
use clap::{Args, Subcommand};
use kit::Context;
use kit::config::load;
use kit::telemetry::LogConfig;
use serde::Serialize;

use crate::config::refuse;

/// EX_IOERR of sysexits.h: a file is damaged, or cannot be used.
const STORAGE: u8 = 74;
const DEFAULT_CONFIG: &str = "/etc/ultracloud/chainfire.toml";

/// Looks at, verifies, restores and repairs the files of a ChainFire member that does not run.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Says what a data directory holds: whose it is, how far it has come, and whether its log is damaged.
    #[command(after_help = "Example:\n  ultracloud chainfire inspect --config ./chainfire.toml")]
    Inspect(Member),
    /// Reads a backup to its end and says what is in it, or where it is damaged (status 74).
    #[command(after_help = "Example:\n  ultracloud chainfire verify-backup backup.image")]
    VerifyBackup(File),
    /// Makes this member a founder of a new cluster from a backup; every founder restores the same one.
    #[command(
        after_help = "The data directory must be empty. The new cluster has other ids than the old one, its revisions jump, and
history before the jump is compacted, so that watchers notice. Users and roles are restored, alarms are not.

Example, on each member:
  ultracloud chainfire restore backup.image --config /etc/ultracloud/chainfire.toml"
    )]
    Restore(Restore),
    /// Makes a cluster of one from the only member that is left. LOSES WRITES that only the others had.
    #[command(
        after_help = "Bring a majority back instead if you can: that loses nothing. Refused while a majority can be reached. The old
files are kept in the data directory. Afterwards start this member, then add the others, one at a time: etcdctl member
add --learner, start it with join = true and an empty directory, etcdctl member promote.

Example:
  ultracloud chainfire recover-quorum --config ./chainfire.toml --i-know-that-acknowledged-writes-may-be-lost"
    )]
    RecoverQuorum(Recover),
    /// Puts a new member in the place of this one, whose files are damaged, with the help of the others.
    #[command(
        after_help = "The old files are kept in the data directory. Afterwards start this member: it gets everything from the leader,
under a new id. With users switched on, remove and add it by hand (etcdctl --user root member …).

Example:
  ultracloud chainfire repair --config ./chainfire.toml --from-peer https://node02:2379"
    )]
    Repair(Repair),
}

/// The member that is meant.
#[derive(Args, Clone, Debug)]
pub(crate) struct Member {
    /// Its configuration.
    #[arg(long, value_name = "FILE", default_value = DEFAULT_CONFIG)]
    config: PathBuf,
    #[command(flatten)]
    form: Form,
}

/// How the outcome is printed.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Form {
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// A backup.
#[derive(Args, Clone, Debug)]
pub(crate) struct File {
    /// Made by `uc chainfire backup` or `etcdctl snapshot save`.
    file: PathBuf,
    #[command(flatten)]
    form: Form,
}

/// What clusters are told apart by that come from one state.
#[derive(Args, Clone, Debug)]
pub(crate) struct Settings {
    /// By how much revisions jump: more than the lost cluster can have made since. The same on every founder.
    #[arg(long, value_name = "N", default_value_t = RestoreOptions::default().bump)]
    bump_revision: u64,
    /// Another number each time that the same backup is restored. The same on every founder.
    #[arg(long, value_name = "N", default_value_t = RestoreOptions::default().generation)]
    generation: u64,
}

/// A restore.
#[derive(Args, Clone, Debug)]
pub(crate) struct Restore {
    /// The backup.
    file: PathBuf,
    #[command(flatten)]
    member: Member,
    #[command(flatten)]
    settings: Settings,
    /// This member founds the cluster alone; others join it.
    #[arg(long)]
    alone: bool,
}

/// A recovery.
#[derive(Args, Clone, Debug)]
pub(crate) struct Recover {
    #[command(flatten)]
    member: Member,
    #[command(flatten)]
    settings: Settings,
    /// They may be: what a majority had stored without this member is gone.
    #[arg(long, required = true)]
    i_know_that_acknowledged_writes_may_be_lost: bool,
}

/// A repair.
#[derive(Args, Clone, Debug)]
pub(crate) struct Repair {
    #[command(flatten)]
    member: Member,
    /// The client URL of a member that runs.
    #[arg(long, value_name = "URL")]
    from_peer: String,
}

impl Settings {
    fn options(&self, alone: bool) -> RestoreOptions {
        RestoreOptions { bump: self.bump_revision, generation: self.generation, alone }
    }
}

pub(crate) fn run(verb: &Verb) -> ExitCode {
    // What the store has to say; if that fails, what is done is told all the same.
    let _ = kit::telemetry::init(&LogConfig { filter: "warn".into(), ..LogConfig::default() });
    match verb {
        Verb::VerifyBackup(File { file, form }) => ended(*form, rescue::verify(file), backup),
        Verb::Inspect(member) => {
            with(member, async |context, config| rescue::inspect(&context, &config).await, inspection)
        }
        Verb::Restore(Restore { file, member, settings, alone }) => {
            let options = settings.options(*alone);
            with(
                member,
                async |context, config| rescue::restore(&context, &config, file, &options).await,
                restored,
            )
        }
        Verb::RecoverQuorum(Recover { member, settings, .. }) => {
            let options = settings.options(true);
            with(
                member,
                async |context, config| rescue::recover(&context, &config, &options).await,
                recovered,
            )
        }
        Verb::Repair(Repair { member, from_peer }) => {
            with(member, async |context, config| rescue::repair(&context, &config, from_peer).await, repaired)
        }
    }
}

/// Loads the member's configuration and does it.
fn with<T: Serialize>(
    member: &Member,
    work: impl AsyncFnOnce(Context, Config) -> Result<T, RescueError>,
    say: fn(&T) -> String,
) -> ExitCode {
    let config = match load::<Config>(&member.config) {
        Ok(config) => config,
        Err(e) => return refuse(&e),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => {
            eprintln!("cannot start threads: {e}");
            return ExitCode::FAILURE;
        }
    };
    ended(member.form, runtime.block_on(work(Context::real(), config)), say)
}

fn ended<T: Serialize>(form: Form, outcome: Result<T, RescueError>, say: fn(&T) -> String) -> ExitCode {
    match outcome {
        Ok(done) if form.json => {
            println!("{:#}", serde_json::json!(done));
            ExitCode::SUCCESS
        }
        Ok(done) => {
            println!("{}", say(&done));
            ExitCode::SUCCESS
        }
        Err(e) => {
            eprintln!("{e}");
            let storage =
                matches!(e, RescueError::Io { .. } | RescueError::Store(_) | RescueError::Replication(_));
            if storage { ExitCode::from(STORAGE) } else { ExitCode::FAILURE }
        }
    }
}

fn backup(done: &Backup) -> String {
    let Backup { revision, compact_revision, events, leases, records, bytes, sha256 } = done;
    format!(
        "a whole backup at revision {revision} (compacted at {compact_revision}): {events} changes of keys, {leases} leases, \
         {records} other records, {bytes} bytes\nsha256 {sha256}"
    )
}

fn inspection(done: &Inspection) -> String {
    let Inspection { cluster, member, revision, compact_revision, applied, last, damage, members } = done;
    let log = match (last, damage) {
        (Some(last), _) => {
            format!("the log reaches to entry {last}, {applied} of it are in the store on disk")
        }
        (None, Some(damage)) => format!("THE LOG IS DAMAGED: {damage}"),
        (None, None) => "there is no log".to_owned(),
    };
    format!(
        "member {member} of cluster {cluster}\nthe store is at revision {revision} (compacted at {compact_revision})\n{log}\n\
         members, as far as it knows (* without a vote): {}",
        members.join(", ")
    )
}

fn restored(done: &Restored) -> String {
    let Restored { cluster, member, revision, founders } = done;
    format!(
        "restored: member {member} of cluster {cluster}, at revision {revision}\nfounders, each of which restores the same backup \
         with the same settings: {}\nnext: ultracloud run chainfire --config …, on each of them",
        founders.join(", ")
    )
}

fn recovered(done: &Recovered) -> String {
    let Recovered { restored: new, before, last_revision, unconfirmed, given_up } = done;
    format!(
        "A NEW CLUSTER OF ONE: member {} of cluster {}, at revision {}\nit goes on from revision {last_revision}; {unconfirmed} \
         entries of its log were not known to be committed and are in\ngiven up, whatever only they had: {}\nthe old files are in \
         {}\nnext: start this member, then add the others anew, one at a time, as learners with empty directories",
        new.member,
        new.cluster,
        new.revision,
        given_up.join(", "),
        shown(before)
    )
}

fn repaired(done: &Repaired) -> String {
    let Repaired { old, new, before } = done;
    format!(
        "member {old} is gone, member {new} takes its place\nthe damaged files are in {}\nnext: start this member; it gets \
         everything from the leader",
        shown(before)
    )
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
