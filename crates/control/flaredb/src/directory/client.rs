//! The keys of the directory, over etcd's protocol.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use etcd_client::{
    Client, Compare, CompareOp, GetOptions, KeyValue, Txn, TxnOp, TxnOpResponse, TxnResponse, WatchOptions,
};
use kit::Context;
use kit::client::{AddressError, ClientOptions};
use kit::tls::TlsConnector;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{FORMAT, Host, Record, Seat, choose};
use crate::node::FIRST_GROUP;

const MEMBERS: &str = "/flaredb/members/";
const DATABASES: &str = "/flaredb/databases/";
const GROUPS: &str = "/flaredb/groups";
/// Databases that are listed.
const MOST: i64 = 10_000;
/// Attempts at a change that others make, too.
const ATTEMPTS: usize = 20;
/// What one question may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why the directory does not answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DirectoryError {
    /// None of its members did.
    #[error("ChainFire does not answer: {0}")]
    Unreachable(String),
    /// An address of the configuration is none.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// A key that this version cannot read.
    #[error("{key} in ChainFire cannot be read: {why}")]
    Malformed {
        /// Which.
        key: String,
        /// Why.
        why: String,
    },
    /// There is one already.
    #[error("database \"{0}\" already exists")]
    Exists(String),
    /// There is none.
    #[error("database \"{0}\" does not exist")]
    Missing(String),
    /// Nobody can hold a database.
    #[error("no member is known that could hold a database; is FlareDB connected to ChainFire on any node?")]
    Nobody,
    /// Others were quicker, again and again.
    #[error("the directory changes too quickly; try again")]
    Contended,
}

/// The directory, behind any of ChainFire's members.
pub(crate) struct Directory {
    context: Context,
    endpoints: Vec<String>,
    tls: Option<TlsConnector>,
    /// Which one is asked first.
    first: AtomicUsize,
}

/// All databases, as of a revision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Listing {
    pub(crate) records: Vec<Record>,
    pub(crate) revision: i64,
}

impl Directory {
    /// Behind these (`host:port`).
    pub(crate) fn new(context: &Context, endpoints: Vec<String>, tls: Option<TlsConnector>) -> Self {
        Self { context: context.clone(), endpoints, tls, first: AtomicUsize::new(0) }
    }

    /// All databases.
    pub(crate) async fn list(&self) -> Result<Listing, DirectoryError> {
        let (records, revision) = self.read_all(DATABASES).await?;
        Ok(Listing { records, revision })
    }

    /// The database of a name.
    pub(crate) async fn find(&self, name: &str) -> Result<Option<Record>, DirectoryError> {
        Ok(self.list().await?.records.into_iter().find(|record| record.name == name))
    }

    /// Tells that a member is there, if that is news.
    pub(crate) async fn announce(&self, host: &Host) -> Result<(), DirectoryError> {
        let (known, _): (Vec<Host>, i64) = self.read_all(MEMBERS).await?;
        if known.contains(host) {
            return Ok(());
        }
        let (key, value) = (format!("{MEMBERS}{}", host.name), json(host));
        self.ask(&Txn::new().and_then([TxnOp::put(key, value, None)])).await.map(drop)
    }

    /// Makes a database: gives it a group and members that hold it.
    pub(crate) async fn create(&self, name: &str, owner: &str) -> Result<Record, DirectoryError> {
        for _ in 0..ATTEMPTS {
            let (hosts, _): (Vec<Host>, i64) = self.read_all(MEMBERS).await?;
            let records = self.list().await?.records;
            if records.iter().any(|record| record.name == name) {
                return Err(DirectoryError::Exists(name.to_owned()));
            }
            let seat = |host: &Host| Seat {
                member: host.name.clone(),
                id: self.context.entropy().id(),
                peer: host.peer.clone(),
                joined: false,
            };
            let seats: Vec<Seat> = choose(&hosts, &records).into_iter().map(seat).collect();
            if seats.is_empty() {
                return Err(DirectoryError::Nobody);
            }
            let (last, seen) = self.last_group().await?;
            let group = last + 1;
            let record =
                Record { format: FORMAT, name: name.to_owned(), group, owner: owner.to_owned(), seats };
            if self.put_new(&record, seen).await? {
                return Ok(record);
            }
        }
        Err(DirectoryError::Contended)
    }

    /// Takes a database out. Its members let go of it when they hear of that.
    pub(crate) async fn remove(&self, name: &str) -> Result<(), DirectoryError> {
        let key = format!("{DATABASES}{name}");
        let there = Compare::create_revision(key.clone(), CompareOp::Greater, 0);
        let change = Txn::new().when([there]).and_then([TxnOp::delete(key, None)]);
        match self.ask(&change).await?.succeeded() {
            true => Ok(()),
            false => Err(DirectoryError::Missing(name.to_owned())),
        }
    }

    /// Waits until something has changed after a revision, or the connection ends.
    pub(crate) async fn changed(&self, revision: i64) -> Result<(), DirectoryError> {
        let options = WatchOptions::new().with_prefix().with_start_revision(revision + 1);
        let mut client = self.client(self.first.load(Ordering::Relaxed)).await?;
        let lost = |e: etcd_client::Error| DirectoryError::Unreachable(e.to_string());
        let mut stream = client.watch(DATABASES, Some(options)).await.map_err(lost)?;
        while let Some(response) = stream.message().await.map_err(lost)? {
            if response.canceled() || !response.events().is_empty() {
                break;
            }
        }
        Ok(())
    }

    async fn last_group(&self) -> Result<(u64, i64), DirectoryError> {
        let (pairs, _) = self.get(GROUPS, None).await?;
        let Some(pair) = pairs.first() else { return Ok((FIRST_GROUP, 0)) };
        let text = String::from_utf8_lossy(pair.value());
        let malformed = |why: String| DirectoryError::Malformed { key: GROUPS.to_owned(), why };
        let last = text.parse().map_err(|e: std::num::ParseIntError| malformed(e.to_string()))?;
        Ok((last, pair.mod_revision()))
    }

    /// False: somebody was quicker.
    async fn put_new(&self, record: &Record, seen: i64) -> Result<bool, DirectoryError> {
        let (key, value) = (format!("{DATABASES}{}", record.name), json(record));
        let change = Txn::new()
            .when([
                Compare::mod_revision(GROUPS, CompareOp::Equal, seen),
                Compare::create_revision(key.clone(), CompareOp::Equal, 0),
            ])
            .and_then([TxnOp::put(GROUPS, record.group.to_string(), None), TxnOp::put(key, value, None)]);
        Ok(self.ask(&change).await?.succeeded())
    }

    async fn read_all<T: DeserializeOwned>(&self, prefix: &str) -> Result<(Vec<T>, i64), DirectoryError> {
        let options = GetOptions::new().with_prefix().with_limit(MOST);
        let (pairs, revision) = self.get(prefix, Some(options)).await?;
        let read = |pair: &KeyValue| {
            serde_json::from_slice(pair.value()).map_err(|e| DirectoryError::Malformed {
                key: String::from_utf8_lossy(pair.key()).into_owned(),
                why: e.to_string(),
            })
        };
        Ok((pairs.iter().map(read).collect::<Result<_, _>>()?, revision))
    }

    async fn get(
        &self,
        key: &str,
        options: Option<GetOptions>,
    ) -> Result<(Vec<KeyValue>, i64), DirectoryError> {
        let response = self.ask(&Txn::new().and_then([TxnOp::get(key, options)])).await?;
        let revision = response.header().map_or(0, etcd_client::ResponseHeader::revision);
        let found = response.op_responses().into_iter().find_map(|response| match response {
            TxnOpResponse::Get(found) => Some(found.kvs().to_vec()),
            _ => None,
        });
        Ok((found.unwrap_or_default(), revision))
    }

    /// Asks one member after the other, until one answers.
    async fn ask(&self, question: &Txn) -> Result<TxnResponse, DirectoryError> {
        let first = self.first.load(Ordering::Relaxed);
        let mut why = "no endpoint is configured".to_owned();
        for place in first..first + self.endpoints.len() {
            let mut client = self.client(place).await?;
            match tokio::time::timeout(PATIENCE, client.txn(question.clone())).await {
                Ok(Ok(answer)) => {
                    self.first.store(place % self.endpoints.len(), Ordering::Relaxed);
                    return Ok(answer);
                }
                Ok(Err(e)) => why = e.to_string(),
                Err(_) => "it takes too long".clone_into(&mut why),
            }
        }
        Err(DirectoryError::Unreachable(why))
    }

    async fn client(&self, place: usize) -> Result<Client, DirectoryError> {
        let none = || DirectoryError::Unreachable("no endpoint is configured".to_owned());
        let address = self.endpoints.get(place % self.endpoints.len().max(1)).ok_or_else(none)?;
        let channel = kit::client::grpc(&self.context, address, self.tls.clone(), &ClientOptions::default())?;
        let client = Client::from_channel(etcd_client::Channel::Tonic(channel), None).await;
        client.map_err(|e| DirectoryError::Unreachable(e.to_string()))
    }
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("strings, numbers and lists always serialise")
}
