//! A disk in memory that treats unsynced data as badly as a real one may.
//!
//! Writes and lengths are durable after [`kit::disk::File::sync_data`], names after
//! [`kit::disk::Disk::sync_dir`]; directories themselves are durable at once, since every journal that
//! makes a name in a new directory durable brings the directory along. [`SimDisk::crash`] leaves every
//! unsynced 512-byte sector as it was at some moment since the last sync, every length likewise, and of
//! the unsynced changes of names a mixture that keeps the order of changes to the same name. Whoever
//! had a file open gets errors from then on.
//!
//! Clones are the same disk: it outlives the process that uses it. Refuses what a log or a store does not
//! need: renames between directories, links, permissions.

mod directory;
mod fate;
mod faults;
mod inode;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kit::disk::{Disk, File};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use directory::{Directory, Node};
use faults::{Faults, Verdict};

pub use faults::Call;
pub use inode::SECTOR;

/// The disk of one simulated machine.
#[derive(Clone)]
pub struct SimDisk(Arc<Mutex<State>>);

struct State {
    directories: BTreeMap<PathBuf, Directory>,
    faults: Faults,
    /// Decides what a failed sync has done; a crash brings its own seed.
    rng: ChaCha8Rng,
    /// Crashes so far. A handle belongs to the time in which it was opened.
    epoch: u64,
}

impl SimDisk {
    /// An empty disk. The seed decides what failing syncs leave behind.
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State {
            directories: BTreeMap::from([(PathBuf::from("/"), Directory::default())]),
            faults: Faults::default(),
            rng: ChaCha8Rng::seed_from_u64(seed),
            epoch: 0,
        })))
    }

    /// The power goes and comes back. `seed` decides what survives of everything that was not synced.
    /// Faults that were set are gone, damage stays.
    pub fn crash(&self, seed: u64) {
        let mut state = lock(&self.0);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        state.directories.values_mut().for_each(|d| d.crash(&mut rng));
        state.rng = rng;
        state.faults.power_up();
        state.epoch += 1;
    }

    /// The power goes during the `n`th changing call from now (1 is the next one); that call has happened,
    /// not happened or half happened, and every call fails until [`SimDisk::crash`].
    pub fn cut_power_at(&self, n: u64) {
        lock(&self.0).faults.cut_power_at(n);
    }

    /// Makes the `n`th call of a kind from now (1 is the next one) fail with EIO, once. What a failed sync
    /// should have made durable may be durable or never will be, whatever later syncs say.
    pub fn fail_nth(&self, call: Call, n: u64) {
        lock(&self.0).faults.fail_nth(call, n);
    }

    /// While set, syncs of files and directories succeed and do nothing: a disk with a lying cache.
    pub fn lie_about_syncs(&self, lying: bool) {
        lock(&self.0).faults.lying = lying;
    }

    /// How many bytes fit; `None`: any number. A write beyond that does what fits and fails with ENOSPC.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        lock(&self.0).faults.capacity = bytes;
    }

    /// Turns one bit of a byte in a file, as a decaying medium would. Says whether there is such a byte.
    pub fn flip_bit(&self, path: &Path, offset: u64, bit: u8) -> io::Result<bool> {
        let node = lock(&self.0).find(path)?;
        Ok(lock(&node).flip(to_usize(offset)?, bit))
    }

    /// Makes the sector around this offset of a file unreadable for good.
    pub fn spoil_sector(&self, path: &Path, offset: u64) -> io::Result<()> {
        let node = lock(&self.0).find(path)?;
        lock(&node).spoil(to_usize(offset)?);
        Ok(())
    }

    /// How many calls of a kind were made.
    pub fn calls(&self, call: Call) -> u64 {
        lock(&self.0).faults.calls(call)
    }

    /// How many changing calls were made: the range for [`SimDisk::cut_power_at`].
    pub fn changes(&self) -> u64 {
        lock(&self.0).faults.changes()
    }

    /// Every file with what a reader sees now.
    pub fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let state = lock(&self.0);
        let mut files = BTreeMap::new();
        for (dir, directory) in &state.directories {
            for (name, node) in directory.names().zip(directory.nodes()) {
                files.insert(dir.join(name), lock(node).content().to_vec());
            }
        }
        files
    }
}

impl State {
    /// The directory of a path and the path's last part.
    fn place<'a>(&mut self, path: &'a Path) -> io::Result<(&mut Directory, &'a str)> {
        let name = path.file_name().and_then(|n| n.to_str()).ok_or(io::ErrorKind::InvalidInput)?;
        if self.directories.contains_key(path) {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let dir = path.parent().unwrap_or(Path::new("/"));
        Ok((self.directory(dir)?, name))
    }

    fn directory(&mut self, dir: &Path) -> io::Result<&mut Directory> {
        self.directories.get_mut(dir).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn find(&mut self, path: &Path) -> io::Result<Node> {
        let (directory, name) = self.place(path)?;
        directory.get(name).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// How long a file may become that is `size` bytes long now.
    fn room(&self, size: usize) -> usize {
        let Some(capacity) = self.faults.capacity else { return usize::MAX };
        let used: usize = self.directories.values().flat_map(Directory::nodes).map(|n| lock(n).len()).sum();
        size + usize::try_from(capacity).unwrap_or(usize::MAX).saturating_sub(used)
    }

    /// Lets a call through, or not. `act` is what the call does.
    fn call<T>(&mut self, call: Call, act: impl FnOnce(&mut Self) -> io::Result<T>) -> io::Result<T> {
        match self.faults.enter(call) {
            Verdict::Go => act(self),
            Verdict::Fail(e) => Err(e),
            Verdict::Cut(e) => act(self).and(Err(e)),
        }
    }
}

impl Disk for SimDisk {
    fn open(&self, path: &Path, create: bool) -> io::Result<Box<dyn File>> {
        let mut state = lock(&self.0);
        let node = match state.find(path) {
            Ok(node) => state.call(Call::Open, |_| Ok(node)),
            Err(e) if create && e.kind() == io::ErrorKind::NotFound => state.call(Call::Create, |state| {
                let (directory, name) = state.place(path)?;
                Ok(directory.create(name))
            }),
            Err(e) => Err(e),
        }?;
        Ok(Box::new(SimFile { disk: self.clone(), node, epoch: state.epoch }))
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut state = lock(&self.0);
        state.faults.alive()?;
        for dir in path.ancestors() {
            state.directories.entry(dir.to_owned()).or_default();
        }
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut state = lock(&self.0);
        state.call(Call::List, |state| Ok(state.directory(dir)?.names().cloned().collect()))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        if from.parent() != to.parent() {
            return Err(io::Error::new(
                io::ErrorKind::CrossesDevices,
                "renames stay within a directory here",
            ));
        }
        lock(&self.0).call(Call::Rename, |state| {
            let (_, to) = state.place(to)?;
            let (directory, from) = state.place(from)?;
            directory.rename(from, to).then_some(()).ok_or_else(|| io::ErrorKind::NotFound.into())
        })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        lock(&self.0).call(Call::Remove, |state| {
            let (directory, name) = state.place(path)?;
            directory.remove(name).then_some(()).ok_or_else(|| io::ErrorKind::NotFound.into())
        })
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = lock(&self.0);
        state.faults.alive()?;
        match state.faults.enter(Call::SyncDir) {
            Verdict::Go if state.faults.lying => state.directory(dir).map(drop),
            Verdict::Go => state.directory(dir).map(Directory::sync),
            Verdict::Cut(e) => Err(e),
            Verdict::Fail(e) => {
                let state = &mut *state;
                if let Some(directory) = state.directories.get_mut(dir) {
                    directory.scatter(&mut state.rng);
                }
                Err(e)
            }
        }
    }
}

/// An open file, until the next crash.
struct SimFile {
    disk: SimDisk,
    node: Node,
    epoch: u64,
}

impl SimFile {
    /// The disk, if this handle is of its time.
    fn state(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = lock(&self.disk.0);
        if state.epoch != self.epoch {
            return Err(io::Error::other("this file was opened before the machine crashed"));
        }
        state.faults.alive()?;
        Ok(state)
    }
}

impl File for SimFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let offset = to_usize(offset)?;
        self.state()?.call(Call::Read, |_| lock(&self.node).read(buffer, offset))
    }

    fn write_all_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        let offset = to_usize(offset)?;
        self.state()?.call(Call::Write, |state| {
            let size = lock(&self.node).len();
            let room = state.room(size).saturating_sub(offset).min(data.len());
            let fits = room.max(data.len().min(size.saturating_sub(offset)));
            lock(&self.node).write(&data[..fits], offset);
            if fits < data.len() { Err(faults::enospc()) } else { Ok(()) }
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.state()?;
        match state.faults.enter(Call::Sync) {
            Verdict::Go if state.faults.lying => Ok(()),
            Verdict::Go => {
                lock(&self.node).sync();
                Ok(())
            }
            Verdict::Cut(e) => Err(e),
            Verdict::Fail(e) => {
                lock(&self.node).scatter(&mut state.rng);
                Err(e)
            }
        }
    }

    fn size(&self) -> io::Result<u64> {
        let state = self.state()?;
        let size = lock(&self.node).len() as u64;
        drop(state);
        Ok(size)
    }

    fn set_size(&self, size: u64) -> io::Result<()> {
        let size = to_usize(size)?;
        self.state()?.call(Call::SetSize, |state| {
            let now = lock(&self.node).len();
            if size > now && size > state.room(now) {
                return Err(faults::enospc());
            }
            lock(&self.node).resize(size);
            Ok(())
        })
    }

    /// A simulated machine runs one process at a time, and a crash takes its handles.
    fn try_lock(&self) -> io::Result<()> {
        self.state().map(drop)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn to_usize(offset: u64) -> io::Result<usize> {
    usize::try_from(offset).map_err(io::Error::other)
}

impl fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SimDisk")
    }
}
