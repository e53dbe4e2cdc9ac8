//! Who this member is, once and for all: derived at the founding, told at joining, then read from
//! its directory.

use std::io;
use std::path::{Path, PathBuf};

use kit::Context;
use kit::disk::read_exact_at;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::config::InitialMember;

const FORMAT: u32 = 1;
const FILE: &str = "member.toml";

/// The member that a data directory belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) cluster: u64,
    pub(crate) member: u64,
}

/// The file, for people too: ids in hexadecimal, as etcdctl prints them.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    format: u32,
    cluster: String,
    member: String,
    #[serde(default, skip_serializing_if = "is_false")]
    removed: bool,
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
        "member {member:x} was removed from the cluster, and {path} belongs to it: a removed member does not come back. To use this machine again, remove the data directory, add a new member (etcdctl member add), and start it with join = true"
    )]
    Removed {
        /// Who was removed.
        member: u64,
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
pub(crate) fn cluster_id(token: &str) -> u64 {
    hash(&["chainfire cluster", token])
}

/// The id of a founder.
pub(crate) fn founder_id(token: &str, member: &InitialMember) -> u64 {
    hash(&["chainfire member", token, &member.name, &member.peer])
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
    /// What the directory says; none if it is new.
    pub(crate) fn read(context: &Context, dir: &Path, cluster: u64) -> Result<Option<Self>, IdentityError> {
        let path = dir.join(FILE);
        let text = match read_text(context, &path) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(IdentityError::Io { path, source }),
        };
        let Some((identity, removed)) = Self::parse(&text) else {
            return Err(IdentityError::Damaged { path });
        };
        if identity.cluster != cluster {
            let found = identity.cluster;
            return Err(IdentityError::OtherCluster { path, found, expected: cluster });
        }
        if removed {
            return Err(IdentityError::Removed { member: identity.member, path });
        }
        Ok(Some(identity))
    }

    /// Whose the directory is, and whether that member was removed.
    fn parse(text: &str) -> Option<(Self, bool)> {
        let record: Record = toml::from_str(text).ok().filter(|record: &Record| record.format == FORMAT)?;
        let id = |text: &str| u64::from_str_radix(text, 16).ok().filter(|id| *id != 0);
        Some((Self { cluster: id(&record.cluster)?, member: id(&record.member)? }, record.removed))
    }

    /// Writes it down before anything else is.
    pub(crate) fn write(self, context: &Context, dir: &Path) -> Result<(), IdentityError> {
        self.record(context, dir, false)
    }

    /// Marks the directory: its member was removed. Says what whoever starts it again will be told.
    pub(crate) fn retire(self, context: &Context, dir: &Path) -> IdentityError {
        match self.record(context, dir, true) {
            Ok(()) => IdentityError::Removed { member: self.member, path: dir.join(FILE) },
            Err(e) => e,
        }
    }

    fn record(self, context: &Context, dir: &Path, removed: bool) -> Result<(), IdentityError> {
        let path = dir.join(FILE);
        let hex = |id: u64| format!("{id:016x}");
        let record = Record { format: FORMAT, cluster: hex(self.cluster), member: hex(self.member), removed };
        let text = toml::to_string(&record).map_err(io::Error::other);
        let written = text.and_then(|text| context.write_file_atomically(&path, text.as_bytes()));
        written.map_err(|source| IdentityError::Io { path, source })
    }
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

    #[test]
    fn an_identity_is_read_back_and_guarded() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Identity::read(&Context::real(), dir.path(), 7).unwrap(), None);
        let identity = Identity { cluster: 7, member: 0xfeed };
        identity.write(&Context::real(), dir.path()).unwrap();
        assert_eq!(Identity::read(&Context::real(), dir.path(), 7).unwrap(), Some(identity));
        let other = Identity::read(&Context::real(), dir.path(), 8).unwrap_err().to_string();
        assert!(other.contains("belongs to cluster 7, the configuration to 8"), "{other}");
        fs::write(dir.path().join(FILE), "format = 1\ncluster = \"7\"\nmember = \"0\"\n").unwrap();
        assert!(matches!(
            Identity::read(&Context::real(), dir.path(), 7),
            Err(IdentityError::Damaged { .. })
        ));
    }

    #[test]
    fn the_directory_of_a_removed_member_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let identity = Identity { cluster: 7, member: 0xfeed };
        identity.write(&Context::real(), dir.path()).unwrap();
        let told = identity.retire(&Context::real(), dir.path()).to_string();
        assert!(told.starts_with("member feed was removed from the cluster"), "{told}");
        let refused = Identity::read(&Context::real(), dir.path(), 7).unwrap_err();
        assert_eq!(refused.to_string(), told);
        assert!(matches!(
            Identity::read(&Context::real(), dir.path(), 8),
            Err(IdentityError::OtherCluster { .. })
        ));
    }

    #[test]
    fn ids_depend_on_everything_that_tells_members_apart() {
        let member = |name: &str, peer: &str| InitialMember { name: name.into(), peer: peer.into() };
        let ids = [
            founder_id("t", &member("a", "x:1")),
            founder_id("t", &member("a", "x:2")),
            founder_id("t", &member("b", "x:1")),
            founder_id("u", &member("a", "x:1")),
            founder_id("t", &member("ax", ":1")),
            cluster_id("t"),
            cluster_id("u"),
        ];
        assert_eq!(ids.iter().collect::<std::collections::BTreeSet<_>>().len(), ids.len());
    }
}
