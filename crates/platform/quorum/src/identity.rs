//! Who a member is, once and for all: derived at the founding, told at joining, then read from its directory.

use std::io;
use std::path::{Path, PathBuf};

use kit::Context;
use kit::disk::read_exact_at;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::config::InitialMember;

/// A replicated service, as far as its members' identities and what is said of them depend on it.
#[derive(Debug, PartialEq, Eq)]
pub struct Service {
    /// Mixed into all ids, so that members of two services never talk to each other.
    pub name: &'static str,
    /// How a member is added.
    pub add: &'static str,
    /// What finishes an interrupted restore or repair.
    pub finish: &'static str,
}

/// The highest format that this version reads. Format 2 added restored clusters; where there is none, format 1 is
/// written, which the version before reads, too.
const FORMAT: u32 = 2;
const FILE: &str = "member.toml";

/// The member that a data directory belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The cluster's id.
    pub cluster: u64,
    /// The member's id.
    pub member: u64,
    /// What the cluster's token says, which is the cluster's id unless it was restored.
    pub known_as: u64,
    /// Only a founder of a restored cluster has one.
    pub origin: Option<Origin>,
}

/// What a cluster was restored from: the same for all of its founders, and for no other cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// From the backup's hash.
    pub image: u64,
    /// Told apart by whoever restores one backup more than once.
    pub generation: u64,
    /// One member founds the cluster, whatever the configuration names.
    pub alone: bool,
}

/// The file, for people too: ids in hexadecimal, as etcdctl prints them.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    format: u32,
    cluster: String,
    member: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    known_as: Option<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    removed: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    unfinished: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    restored: Option<RestoredFrom>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RestoredFrom {
    image: String,
    generation: u64,
    #[serde(default, skip_serializing_if = "is_false")]
    alone: bool,
}

/// What may become of a directory's member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Lives,
    Removed,
    Unfinished,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// A directory whose member cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The file cannot be read or written.
    #[error("cannot use {path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file is not as this version writes it.
    #[error("{path} is damaged or of a later version; restore it, or remove the member and add it anew")]
    Damaged {
        /// Which file.
        path: PathBuf,
    },
    /// The member was removed from the cluster. Its id is never used again, so its data is of no use.
    #[error(
        "member {member:x} was removed from the cluster, and {path} belongs to it: a removed member does not come back. To use this machine again, remove the data directory, add a new member ({add}), and start it with join = true"
    )]
    Removed {
        /// How a member is added.
        add: &'static str,
        /// Who was removed.
        member: u64,
        /// The file that says so.
        path: PathBuf,
    },
    /// A restore was interrupted.
    #[error("{path} says that a restore was interrupted, or a repair: run it again ({finish})")]
    Unfinished {
        /// What finishes it.
        finish: &'static str,
        /// The file that says so.
        path: PathBuf,
    },
    /// The directory belongs to another cluster.
    #[error(
        "{path} belongs to cluster {found:x}, the configuration to {expected:x}: check cluster_token and data_dir"
    )]
    OtherCluster {
        /// Which file.
        path: PathBuf,
        /// Whose directory it is.
        found: u64,
        /// Whose the configuration is.
        expected: u64,
    },
}

/// The id of the cluster with this token.
pub fn cluster_id(service: &Service, token: &str) -> u64 {
    hash(&[&format!("{} cluster", service.name), token])
}

/// The id of a cluster that was restored, which one founder alone makes its own.
fn restored_cluster_id(service: &Service, token: &str, origin: Origin, alone: &InitialMember) -> u64 {
    let (image, generation) = (format!("{:016x}", origin.image), origin.generation.to_string());
    let name = if origin.alone { alone.name.as_str() } else { "" };
    hash(&[&format!("{} restored cluster", service.name), token, &image, &generation, name])
}

/// Never zero, which means "nobody" on the wire.
fn hash(parts: &[&str]) -> u64 {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let bytes: [u8; 32] = hash.finalize().into();
    let first: [u8; 8] = bytes[..8].try_into().expect("eight of thirty-two bytes");
    u64::from_be_bytes(first).max(1)
}

impl Identity {
    /// Whether the directory belongs to a member, readable or not.
    pub fn is_in(context: &Context, dir: &Path) -> bool {
        !matches!(read_text(context, &dir.join(FILE)), Err(e) if e.kind() == io::ErrorKind::NotFound)
    }

    /// A founder of the cluster with this token, or of one that was restored.
    pub fn founder(service: &Service, token: &str, member: &InitialMember, origin: Option<Origin>) -> Self {
        let known_as = cluster_id(service, token);
        let cluster = origin.map_or(known_as, |origin| restored_cluster_id(service, token, origin, member));
        let member = match origin {
            None => hash(&[&format!("{} member", service.name), token, &member.name, &member.peer]),
            Some(_) => {
                let cluster = format!("{cluster:016x}");
                hash(&[&format!("{} restored member", service.name), &cluster, &member.name, &member.peer])
            }
        };
        Self { cluster, member, known_as, origin }
    }

    /// What the directory says; none if it is new. It must be of the expected cluster, as that is known by its
    /// token, if one is expected.
    pub fn read(
        service: &Service,
        context: &Context,
        dir: &Path,
        expected: Option<u64>,
    ) -> Result<Option<Self>, IdentityError> {
        let path = dir.join(FILE);
        let Some((identity, fate)) = read_record(context, &path)? else { return Ok(None) };
        if let Some(expected) = expected.filter(|expected| *expected != identity.known_as) {
            return Err(IdentityError::OtherCluster { path, found: identity.known_as, expected });
        }
        match fate {
            Fate::Lives => Ok(Some(identity)),
            Fate::Removed => Err(IdentityError::Removed { add: service.add, member: identity.member, path }),
            Fate::Unfinished => Err(IdentityError::Unfinished { finish: service.finish, path }),
        }
    }

    /// As [`Self::read`]; also whose the directory was to become when that was interrupted.
    pub fn read_to_repair(
        service: &Service,
        context: &Context,
        dir: &Path,
        expected: Option<u64>,
    ) -> Result<Option<Self>, IdentityError> {
        let known = Self::read(service, context, dir, expected);
        let Err(IdentityError::Unfinished { path, .. }) = known else { return known };
        Ok(read_record(context, &path)?.map(|(identity, _)| identity))
    }

    /// Whether a restore into the directory was interrupted.
    pub fn is_unfinished(context: &Context, dir: &Path) -> Result<bool, IdentityError> {
        let record = read_record(context, &dir.join(FILE))?;
        Ok(record.is_some_and(|(_, fate)| fate == Fate::Unfinished))
    }

    /// Whose the directory is, and what became of that member.
    fn parse(text: &str) -> Option<(Self, Fate)> {
        let record: Record =
            toml::from_str(text).ok().filter(|record: &Record| (1..=FORMAT).contains(&record.format))?;
        let id = |text: &str| u64::from_str_radix(text, 16).ok().filter(|id| *id != 0);
        let cluster = id(&record.cluster)?;
        let known_as = record.known_as.as_deref().map_or(Some(cluster), id)?;
        let origin = match record.restored {
            None => None,
            Some(from) => {
                let image = u64::from_str_radix(&from.image, 16).ok()?;
                Some(Origin { image, generation: from.generation, alone: from.alone })
            }
        };
        let fate = match (record.removed, record.unfinished) {
            (true, _) => Fate::Removed,
            (false, true) => Fate::Unfinished,
            (false, false) => Fate::Lives,
        };
        Some((Self { cluster, member: id(&record.member)?, known_as, origin }, fate))
    }

    /// Writes it down before anything else is.
    pub fn write(self, context: &Context, dir: &Path) -> Result<(), IdentityError> {
        self.record(context, dir, Fate::Lives)
    }

    /// Writes down that a restore has begun, and nobody may start from the directory.
    pub fn begin(self, context: &Context, dir: &Path) -> Result<(), IdentityError> {
        self.record(context, dir, Fate::Unfinished)
    }

    /// Marks the directory: its member was removed. Says what whoever starts it again will be told.
    pub fn retire(self, service: &Service, context: &Context, dir: &Path) -> IdentityError {
        match self.record(context, dir, Fate::Removed) {
            Ok(()) => IdentityError::Removed { add: service.add, member: self.member, path: dir.join(FILE) },
            Err(e) => e,
        }
    }

    fn record(self, context: &Context, dir: &Path, fate: Fate) -> Result<(), IdentityError> {
        let path = dir.join(FILE);
        let hex = |id: u64| format!("{id:016x}");
        let restored = self.origin.map(|Origin { image, generation, alone }| RestoredFrom {
            image: hex(image),
            generation,
            alone,
        });
        let known_as = Some(hex(self.known_as)).filter(|_| self.known_as != self.cluster);
        let is_new = known_as.is_some() || restored.is_some() || fate == Fate::Unfinished;
        let record = Record {
            format: if is_new { FORMAT } else { FORMAT - 1 },
            cluster: hex(self.cluster),
            member: hex(self.member),
            known_as,
            removed: fate == Fate::Removed,
            unfinished: fate == Fate::Unfinished,
            restored,
        };
        let text = toml::to_string(&record).map_err(io::Error::other);
        let written = text.and_then(|text| context.write_file_atomically(&path, text.as_bytes()));
        written.map_err(|source| IdentityError::Io { path, source })
    }
}

/// What the file says; none: there is no file.
fn read_record(context: &Context, path: &Path) -> Result<Option<(Identity, Fate)>, IdentityError> {
    let text = match read_text(context, path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(IdentityError::Io { path: path.to_owned(), source }),
    };
    let damaged = || IdentityError::Damaged { path: path.to_owned() };
    Identity::parse(&text).map(Some).ok_or_else(damaged)
}

fn read_text(context: &Context, path: &Path) -> io::Result<String> {
    let file = context.disk().open(path, false)?;
    let mut bytes = vec![0; usize::try_from(file.size()?).map_err(io::Error::other)?];
    read_exact_at(file.as_ref(), &mut bytes, 0)?;
    String::from_utf8(bytes).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const SERVICE: Service = Service { name: "store", add: "store add", finish: "store restore" };

    #[test]
    fn an_identity_is_read_back_and_guarded() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Identity::read(&SERVICE, &Context::real(), dir.path(), Some(7)).unwrap(), None);
        let identity = Identity { cluster: 7, member: 0xfeed, known_as: 7, origin: None };
        identity.write(&Context::real(), dir.path()).unwrap();
        assert_eq!(Identity::read(&SERVICE, &Context::real(), dir.path(), Some(7)).unwrap(), Some(identity));
        let other = Identity::read(&SERVICE, &Context::real(), dir.path(), Some(8)).unwrap_err().to_string();
        assert!(other.contains("belongs to cluster 7, the configuration to 8"), "{other}");
        fs::write(dir.path().join(FILE), "format = 1\ncluster = \"7\"\nmember = \"0\"\n").unwrap();
        assert!(matches!(
            Identity::read(&SERVICE, &Context::real(), dir.path(), Some(7)),
            Err(IdentityError::Damaged { .. })
        ));
    }

    #[test]
    fn the_directory_of_a_removed_member_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let identity = Identity { cluster: 7, member: 0xfeed, known_as: 7, origin: None };
        identity.write(&Context::real(), dir.path()).unwrap();
        let told = identity.retire(&SERVICE, &Context::real(), dir.path()).to_string();
        assert!(told.starts_with("member feed was removed from the cluster"), "{told}");
        let refused = Identity::read(&SERVICE, &Context::real(), dir.path(), Some(7)).unwrap_err();
        assert_eq!(refused.to_string(), told);
        assert!(matches!(
            Identity::read(&SERVICE, &Context::real(), dir.path(), Some(8)),
            Err(IdentityError::OtherCluster { .. })
        ));
    }

    fn member(name: &str, peer: &str) -> InitialMember {
        InitialMember { name: name.into(), peer: peer.into() }
    }

    #[test]
    fn ids_depend_on_everything_that_tells_members_and_clusters_apart() {
        let origin = |image, generation, alone| Some(Origin { image, generation, alone });
        let of = |token: &str, name: &str, peer: &str, origin| {
            Identity::founder(&SERVICE, token, &member(name, peer), origin)
        };
        let members = [
            of("t", "a", "x:1", None),
            of("t", "a", "x:2", None),
            of("t", "b", "x:1", None),
            of("u", "a", "x:1", None),
            of("t", "ax", ":1", None),
            of("t", "a", "x:1", origin(1, 1, false)),
            of("t", "a", "x:1", origin(2, 1, false)),
            of("t", "a", "x:1", origin(1, 2, false)),
            of("t", "a", "x:1", origin(1, 1, true)),
            of("t", "b", "x:1", origin(1, 1, true)),
        ];
        let count = |ids: Vec<u64>| ids.into_iter().collect::<std::collections::BTreeSet<_>>().len();
        assert_eq!(count(members.iter().map(|m| m.member).collect()), members.len());
        assert_eq!(count(members.iter().map(|m| m.cluster).collect()), 7);
        let founders = [of("t", "a", "x:1", origin(1, 1, false)), of("t", "b", "x:2", origin(1, 1, false))];
        assert_eq!(
            founders[0].cluster, founders[1].cluster,
            "founders who restore one backup are of one cluster"
        );
    }

    #[test]
    fn a_restored_member_is_known_by_its_token_and_an_unfinished_one_does_not_start() {
        let (dir, context) = (tempfile::tempdir().unwrap(), Context::real());
        let origin = Some(Origin { image: 0xabc, generation: 3, alone: true });
        let identity = Identity::founder(&SERVICE, "t", &member("a", "x:1"), origin);
        identity.begin(&context, dir.path()).unwrap();
        assert!(Identity::is_unfinished(&context, dir.path()).unwrap());
        let refused = Identity::read(&SERVICE, &context, dir.path(), None).unwrap_err();
        assert!(matches!(refused, IdentityError::Unfinished { .. }), "{refused}");
        identity.write(&context, dir.path()).unwrap();
        assert!(!Identity::is_unfinished(&context, dir.path()).unwrap());
        assert_eq!(
            Identity::read(&SERVICE, &context, dir.path(), Some(cluster_id(&SERVICE, "t"))).unwrap(),
            Some(identity)
        );
        assert!(Identity::read(&SERVICE, &context, dir.path(), Some(cluster_id(&SERVICE, "u"))).is_err());
    }

    #[test]
    fn the_version_before_reads_what_it_can() {
        let dir = tempfile::tempdir().unwrap();
        let founder = Identity::founder(&SERVICE, "t", &member("a", "x:1"), None);
        founder.write(&Context::real(), dir.path()).unwrap();
        let text = fs::read_to_string(dir.path().join(FILE)).unwrap();
        assert!(text.starts_with("format = 1\n") && !text.contains("known_as"), "{text}");
        let joined = Identity { known_as: 5, ..founder };
        joined.write(&Context::real(), dir.path()).unwrap();
        let text = fs::read_to_string(dir.path().join(FILE)).unwrap();
        assert!(text.starts_with("format = 2\n"), "{text}");
    }
}
