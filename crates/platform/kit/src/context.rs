//! What a component is handed instead of reaching for it.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use crate::clock::Clock;
use crate::disk::{Disk, RealDisk};
use crate::entropy::Entropy;
use crate::net::{Net, Tcp};
use crate::sabotage::Sabotage;
use crate::task::Tasks;

/// Clock, randomness, disk, network and tasks of one process. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    inner: Arc<Inner>,
}

struct Inner {
    mode: Mode,
    clock: Clock,
    entropy: Entropy,
    disk: Arc<dyn Disk>,
    net: Arc<dyn Net>,
    tasks: Tasks,
    sabotage: Sabotage,
}

/// Whether threads are real, or tasks of a simulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A process: blocking work has threads of its own.
    Real,
    /// A simulation: everything runs on its one thread, in an order that the seed decides.
    Simulated,
}

impl Context {
    /// The context of a real process.
    pub fn real() -> Self {
        Self::assemble(Mode::Real, Clock::system(), Entropy::system(), Arc::new(RealDisk), Arc::new(Tcp))
    }

    /// The context of one simulated node.
    pub fn simulated(clock: Clock, entropy: Entropy, disk: Arc<dyn Disk>, net: Arc<dyn Net>) -> Self {
        Self::assemble(Mode::Simulated, clock, entropy, disk, net)
    }

    fn assemble(mode: Mode, clock: Clock, entropy: Entropy, disk: Arc<dyn Disk>, net: Arc<dyn Net>) -> Self {
        let (tasks, sabotage) = (Tasks::default(), Sabotage::default());
        Self { inner: Arc::new(Inner { mode, clock, entropy, disk, net, tasks, sabotage }) }
    }

    /// The same simulated node with a known bug in it, to show that the simulation catches it. A real
    /// context stays as it is.
    #[must_use]
    pub fn with_known_bug(self, bug: &'static str) -> Self {
        let Inner { mode, clock, entropy, disk, net, tasks, .. } = &*self.inner;
        if *mode == Mode::Real {
            return self;
        }
        let (clock, entropy, tasks) = (clock.clone(), entropy.clone(), tasks.clone());
        let (disk, net, sabotage) = (disk.clone(), net.clone(), Sabotage::of(bug));
        Self { inner: Arc::new(Inner { mode: *mode, clock, entropy, disk, net, tasks, sabotage }) }
    }

    /// The same, for a part of the process that can end by itself: see [`Tasks::part`].
    #[must_use]
    pub fn part(&self) -> Self {
        let Inner { mode, clock, entropy, disk, net, tasks, sabotage } = &*self.inner;
        let (clock, entropy, tasks) = (clock.clone(), entropy.clone(), tasks.part());
        let (mode, disk, net, sabotage) = (*mode, disk.clone(), net.clone(), *sabotage);
        Self { inner: Arc::new(Inner { mode, clock, entropy, disk, net, tasks, sabotage }) }
    }

    /// The known bug that a simulation has put in, if any.
    pub fn sabotage(&self) -> Sabotage {
        self.inner.sabotage
    }

    /// Real or simulated.
    pub fn mode(&self) -> Mode {
        self.inner.mode
    }

    /// Wall time.
    pub fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// Randomness and ids.
    pub fn entropy(&self) -> &Entropy {
        &self.inner.entropy
    }

    /// Files.
    pub fn disk(&self) -> &Arc<dyn Disk> {
        &self.inner.disk
    }

    /// Streams.
    pub fn net(&self) -> &Arc<dyn Net> {
        &self.inner.net
    }

    /// Tracked tasks and the end of the process.
    pub fn tasks(&self) -> &Tasks {
        &self.inner.tasks
    }

    /// Runs a blocking call off the scheduler's threads. `None`: it panicked, which was logged.
    pub async fn blocking<T: Send + 'static>(&self, call: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        match self.inner.mode {
            Mode::Simulated => Some(call()),
            Mode::Real => tokio::task::spawn_blocking(call).await.ok(),
        }
    }

    /// Replaces a small file so that a crash leaves either the old or the new content.
    pub fn write_file_atomically(&self, path: &Path, content: &[u8]) -> std::io::Result<()> {
        let disk = self.disk();
        let draft = path.with_extension("new");
        let file = disk.open(&draft, true)?;
        file.set_size(0)?;
        file.write_all_at(content, 0)?;
        file.sync_data()?;
        disk.rename(&draft, path)?;
        path.parent().map_or(Ok(()), |dir| disk.sync_dir(dir))
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("mode", &self.inner.mode).finish_non_exhaustive()
    }
}
