//! The databases of this node: the one that is always there, and those that the directory gives it.
//!
//! It is woken when the directory changes, looks, and opens or lets go of what differs. What it holds is also kept in
//! a file, so that a node that starts before ChainFire serves what it served.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use kit::Context;
use kit::disk::read_exact_at;
use kit::retry::Backoff;
use quorum::{Change, GroupConfig, Host, Member};
use tokio::time::timeout;

use super::{FIRST_GROUP, StartError, group_options, replica_options};
use crate::config::Config;
use crate::directory::{self, Directory, Lead, Record, relieve};
use crate::replica::Replica;

/// The database that is always there.
pub(crate) const FIRST: &str = "postgres";
/// What this node held when it last looked.
const FILE: &str = "databases.json";
/// A change of the directory that was not heard of is found by then.
const LOOK: Duration = Duration::from_secs(30);
/// Between two looks at who leads what.
const BALANCE: Duration = Duration::from_secs(10);
/// Between two leaderships that are handed over.
const BETWEEN: Duration = Duration::from_millis(200);

/// All of them. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Databases(Arc<Inner>);

struct Inner {
    context: Context,
    config: Config,
    host: Host,
    directory: Option<Directory>,
    open: RwLock<BTreeMap<String, Open>>,
    /// As the directory had them last.
    known: RwLock<Vec<Record>>,
}

#[derive(Clone)]
struct Open {
    replica: Replica,
    /// None: it is the first one.
    record: Option<Record>,
}

impl Databases {
    /// Beginning with the first one.
    pub(super) fn new(
        context: &Context,
        config: &Config,
        host: &Host,
        directory: Option<Directory>,
        first: Replica,
    ) -> Self {
        let open = BTreeMap::from([(FIRST.to_owned(), Open { replica: first, record: None })]);
        Self(Arc::new(Inner {
            context: context.clone(),
            config: config.clone(),
            host: host.clone(),
            directory,
            open: RwLock::new(open),
            known: RwLock::default(),
        }))
    }

    /// The directory, if this node is connected to one.
    pub(crate) fn directory(&self) -> Option<&Directory> {
        self.0.directory.as_ref()
    }

    /// A database that this node holds.
    pub(crate) fn get(&self, name: &str) -> Option<Replica> {
        self.open().get(name).map(|open| open.replica.clone())
    }

    /// Those that this node holds, by name.
    pub(crate) fn all(&self) -> Vec<(String, Replica)> {
        self.open().iter().map(|(name, open)| (name.clone(), open.replica.clone())).collect()
    }

    /// All that the directory had last, held here or not.
    /// Names and owners of all that there are.
    pub(crate) fn known_names(&self) -> Vec<(String, String)> {
        let first = (FIRST.to_owned(), crate::replica::SUPERUSER.to_owned());
        let known = self.known().into_iter().map(|record| (record.name, record.owner));
        std::iter::once(first).chain(known).collect()
    }

    pub(crate) fn known(&self) -> Vec<Record> {
        self.0.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Opens what this node held when it last looked.
    pub(super) async fn open_kept(&self) -> Result<(), StartError> {
        for record in self.kept()? {
            self.open_record(&record).await?;
        }
        Ok(())
    }

    /// Follows the directory for as long as the process lives.
    pub(super) async fn run(self) {
        let Some(directory) = self.directory() else { return };
        let own = directory::Host {
            format: directory::FORMAT,
            name: self.0.config.name.clone(),
            peer: self.0.config.peer.advertise.clone(),
            client: self.0.config.client.advertise.clone(),
        };
        let mut backoff =
            Backoff::new(self.0.context.entropy(), Duration::from_millis(100), Duration::from_secs(5));
        loop {
            let looked = match directory.announce(&own).await {
                Ok(()) => self.look(directory).await,
                Err(e) => Err(e.to_string()),
            };
            match looked {
                Ok(revision) => {
                    backoff = Backoff::new(
                        self.0.context.entropy(),
                        Duration::from_millis(100),
                        Duration::from_secs(5),
                    );
                    // However it ends, it is time to look again.
                    let _ = timeout(LOOK, directory.changed(revision)).await;
                }
                Err(why) => {
                    tracing::warn!(why, "the directory of databases cannot be followed; trying again");
                    tokio::time::sleep(backoff.next_delay()).await;
                }
            }
        }
    }

    /// Hands leaderships over so that members lead about equally many databases: one after the other, as long as there
    /// is one to hand over.
    pub(super) async fn balance(self) {
        loop {
            let pause = if self.hand_one_over().await { BETWEEN } else { BALANCE };
            tokio::time::sleep(pause + self.0.context.entropy().jitter(pause)).await;
        }
    }

    async fn hand_one_over(&self) -> bool {
        let all = self.all();
        let leads: Vec<Lead> = all.iter().filter_map(|(_, replica)| lead(replica)).collect();
        let Some((group, to)) = relieve(&self.0.config.name, &leads) else { return false };
        let Some((name, replica)) = all.iter().find(|(_, replica)| replica.group().number() == group) else {
            return false;
        };
        let status = replica.group().status();
        let Some(member) = status.members.iter().find(|member| member.name == to) else { return false };
        let changed = replica.group().change(Change::Transfer(member.id)).await;
        match &changed {
            Ok(()) => tracing::info!(database = name, to, "leadership handed over, for balance"),
            Err(e) => tracing::info!(database = name, to, error = %e, "leadership not handed over"),
        }
        changed.is_ok()
    }

    /// One look; gives the revision that it saw.
    async fn look(&self, directory: &Directory) -> Result<i64, String> {
        let listing = directory.list().await.map_err(|e| e.to_string())?;
        *self.0.known.write().unwrap_or_else(PoisonError::into_inner) = listing.records.clone();
        let own = &self.0.config.name;
        let wanted: Vec<Record> =
            listing.records.into_iter().filter(|record| record.seat(own).is_some()).collect();
        self.keep(&wanted).map_err(|e| format!("{FILE} cannot be written: {e}"))?;
        for (name, group) in self.unwanted(&wanted) {
            self.let_go(&name, group).await.map_err(|e| format!("database {name} cannot be closed: {e}"))?;
        }
        for record in &wanted {
            self.open_record(record).await.map_err(|e| format!("database {}: {e}", record.name))?;
        }
        Ok(listing.revision)
    }

    /// Those that are open here, and are another one or none in the directory.
    fn unwanted(&self, wanted: &[Record]) -> Vec<(String, u64)> {
        let is_wanted = |group: u64| wanted.iter().any(|record| record.group == group);
        let open = self.open();
        let records =
            open.iter().filter_map(|(name, open)| Some((name.clone(), open.record.as_ref()?.group)));
        records.filter(|(_, group)| !is_wanted(*group)).collect()
    }

    async fn open_record(&self, record: &Record) -> Result<(), StartError> {
        let config = &self.0.config;
        if self.open().contains_key(&record.name) {
            return Ok(());
        }
        let Some(own) = record.seat(&config.name) else { return Ok(()) };
        let as_member = |seat: &directory::Seat| Member {
            id: seat.id,
            name: seat.member.clone(),
            peer_addresses: vec![seat.peer.clone()],
            client_addresses: Vec::new(),
        };
        let founders = if own.joined { Vec::new() } else { record.seats.iter().map(as_member).collect() };
        let member = Member {
            client_addresses: vec![format!("postgresql://{}", config.client.advertise)],
            ..as_member(own)
        };
        let options = group_options(config);
        let group = GroupConfig { group: record.group, member, bootstrap: founders, options };
        let place = config.database_dir(record.group);
        let context = &self.0.context;
        let replica = Replica::open_in(context, &self.0.host, place, group, replica_options(config)).await?;
        context.tasks().spawn(replica.clone().found(record.owner.clone()));
        tracing::info!(database = record.name, group = record.group, "holding a database");
        let open = Open { replica, record: Some(record.clone()) };
        self.0.open.write().unwrap_or_else(PoisonError::into_inner).insert(record.name.clone(), open);
        Ok(())
    }

    async fn let_go(&self, name: &str, group: u64) -> io::Result<()> {
        self.0.open.write().unwrap_or_else(PoisonError::into_inner).remove(name);
        self.0.host.forget_group(group).await?;
        let dir = self.0.config.database_dir(group);
        let gone = self.0.context.blocking(move || std::fs::remove_dir_all(dir)).await;
        match gone.unwrap_or_else(|| Err(io::Error::other("a thread panicked"))) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        tracing::info!(database = name, group, "let go of a database");
        Ok(())
    }

    fn path(&self) -> PathBuf {
        self.0.config.data_dir.join(FILE)
    }

    fn keep(&self, records: &[Record]) -> io::Result<()> {
        let text = serde_json::to_vec_pretty(records).map_err(io::Error::other)?;
        self.0.context.write_file_atomically(&self.path(), &text)
    }

    fn kept(&self) -> Result<Vec<Record>, StartError> {
        let file = match self.0.context.disk().open(&self.path(), false) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            file => file?,
        };
        let mut bytes = vec![0; usize::try_from(file.size()?).map_err(io::Error::other)?];
        read_exact_at(file.as_ref(), &mut bytes, 0)?;
        let damaged = |e| StartError::Database(format!("{} is damaged: {e}", self.path().display()));
        serde_json::from_slice(&bytes).map_err(damaged)
    }

    fn open(&self) -> std::sync::RwLockReadGuard<'_, BTreeMap<String, Open>> {
        self.0.open.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who leads a database, by name; none: nobody, or it is unknown here.
fn lead(replica: &Replica) -> Option<Lead> {
    let status = replica.group().status();
    let name = |id: u64| status.member(id).map(|member| member.name.clone()).filter(|name| !name.is_empty());
    let leader = name(status.leadership.leader?)?;
    let voters = status.voters.iter().filter_map(|id| name(*id)).collect();
    Some(Lead { group: replica.group().number(), leader, voters })
}

impl std::fmt::Debug for Databases {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Databases(first group {FIRST_GROUP})")
    }
}
