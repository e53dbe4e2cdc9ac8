//! A node that is a QEMU machine: Debian, systemd, disks and a power button of its own.
//!
//! Its life hangs on the supervisor by the parent-death signal, and what that misses is found by its
//! cgroup and its pid. A power cut is a SIGKILL of QEMU: what the guest had synced is in the disk's
//! file, what it had not may be lost, as on a machine. The agent ([`crate::machine`]) is reached by a
//! serial channel ([`channel`]), the services' ports through a [`door`] into the lab's network.

mod channel;
pub mod disks;
pub mod door;
mod logs;
pub mod machine;
mod monitor;
pub mod ssh;
pub mod warm;

use std::collections::BTreeSet;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use async_trait::async_trait;
use kit::entropy::Entropy;
use kit::net::BoxStream;
use kit::task::Tasks;
use serde::{Deserialize, Serialize};
use tokio::net::{TcpSocket, TcpStream, UnixListener};
use tokio::process::{Child, Command};

use self::channel::Channel;
use self::door::Door;
use self::machine::{Machine, Sockets};
use self::ssh::Keys;
use self::warm::Bed;
use super::protocol::{Awakening, Request};
use super::{Body, Cable, DiskFault, call};
use crate::accel::{QEMU, Verdict};
use crate::image::Images;
use crate::netns;
use crate::node::identity::Identity;
use crate::private_file::{make_private_dir, write_private};
use crate::process::Process;

/// The serial channel's name on both sides.
pub const CHANNEL: &str = "uc.agent";

/// From execution to the agent's first answer where KVM works.
const BOOT_DEADLINE: Duration = Duration::from_secs(60);

/// Until QEMU has made its sockets.
const QEMU_DEADLINE: Duration = Duration::from_secs(20);

/// Until a killed QEMU is gone.
const CUT_DEADLINE: Duration = Duration::from_secs(10);

/// What all machines of a cluster are made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Machines {
    /// What they boot.
    pub images: Images,
    /// The disk with the binaries.
    pub payload: PathBuf,
    /// Its hash.
    pub payload_digest: String,
    /// What carries them, and how slow that is.
    pub verdict: Verdict,
    /// QEMU's version, in its words.
    pub qemu: String,
    /// Where machines sleep that may be woken instead of booted; nothing where a boot is wanted.
    pub beds: Option<PathBuf>,
}

/// What a machine is made of, and who it is.
#[derive(Clone, Debug)]
pub struct VmSpec {
    /// Its hardware.
    pub machine: Machine,
    /// Who it is.
    pub identity: Identity,
    /// Its directory on the host: disks and logs.
    pub dir: PathBuf,
    /// Its cgroup (v2) on the host.
    pub cgroup: Option<PathBuf>,
    /// What times are multiplied by.
    pub time_scale: f64,
    /// To log in by ssh.
    pub keys: Keys,
    /// Where it sleeps, if it may be woken instead of booted.
    pub bed: Option<Bed>,
}

/// One machine.
pub struct VmBody {
    spec: VmSpec,
    door: Arc<Door>,
    tasks: Tasks,
    running: Mutex<Option<Running>>,
    /// What its system disk is above.
    base: Mutex<PathBuf>,
    /// Whether it was never switched on yet: only then it may be woken instead of booted.
    asleep: AtomicBool,
    /// Services whose logs are copied to the host.
    followed: Mutex<BTreeSet<String>>,
}

struct Running {
    qemu: Child,
    process: Process,
    channel: Channel,
    monitor: qmp::Monitor,
}

impl VmBody {
    /// A machine that is off.
    pub fn new(spec: VmSpec, door: Arc<Door>, tasks: Tasks) -> Self {
        let base = Mutex::new(spec.machine.root.base.clone());
        let (running, followed) = (Mutex::new(None), Mutex::default());
        Self { spec, door, tasks, running, base, asleep: AtomicBool::new(true), followed }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn name(&self) -> &str {
        &self.spec.identity.name
    }

    fn sockets(&self) -> &Sockets {
        &self.spec.machine.sockets
    }

    fn scaled(&self, time: Duration) -> Duration {
        time.mul_f64(self.spec.time_scale)
    }

    fn launch(&self, how: &[&str]) -> Result<Child> {
        let credential = self.spec.identity.as_credential()?;
        write_private(&self.sockets().identity, 0o600, credential.as_bytes())?;
        for stale in [&self.sockets().monitor, &self.sockets().channel, &self.sockets().console] {
            let _ = std::fs::remove_file(stale);
        }
        let log = std::fs::File::options().create(true).append(true).open(self.spec.dir.join("qemu.log"))?;
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--", QEMU])
            .args(self.spec.machine.arguments())
            .args(how)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| {
                format!("cannot run setpriv and {QEMU} (packages util-linux, qemu-system-x86)")
            })?;
        if let (Some(cgroup), Some(pid)) = (&self.spec.cgroup, child.id()) {
            std::fs::write(cgroup.join("cgroup.procs"), pid.to_string())
                .with_context(|| format!("cannot move QEMU to {}", cgroup.display()))?;
        }
        Ok(child)
    }

    /// Waits for something of a booting machine; its end is an error with its last words.
    async fn while_it_lives<T>(
        &self,
        qemu: &mut Child,
        patience: Duration,
        what: &str,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        tokio::select! {
            biased;
            ended = qemu.wait() => bail!("QEMU ended while {what} ({}): {}", ended?, self.last_words()),
            done = tokio::time::timeout(patience, work) => done
                .with_context(|| format!("not within {patience:?}: {what}; {}", self.last_words()))?,
        }
    }

    fn last_words(&self) -> String {
        let said = |file: PathBuf| {
            let lines = crate::tail::last_lines(&file, 3).join("; ");
            (!lines.is_empty()).then(|| format!("{lines} (see {})", file.display()))
        };
        let words = [said(self.spec.dir.join("qemu.log")), said(self.console())];
        let words: Vec<String> = words.into_iter().flatten().collect();
        if words.is_empty() { "it said nothing".to_owned() } else { words.join("; ") }
    }

    /// Switches it on with the system disk that it has.
    async fn boot(&self) -> Result<Cable> {
        let base = self.base.lock().unwrap_or_else(PoisonError::into_inner).clone();
        disks::prepare(&self.spec.machine, &base).await?;
        let (qemu, begun) = self.begin(&[], None).await?;
        self.run(qemu, begun)
    }

    /// From here on it is on.
    fn run(&self, qemu: Child, begun: Begun) -> Result<Cable> {
        let process = Process::of(qemu.id().context("QEMU ended at once")?.cast_signed())?;
        let Begun { monitor, channel, cable } = begun;
        *self.lock() = Some(Running { qemu, process, channel, monitor });
        Ok(Cable::Stream(cable))
    }

    /// Wakes it; puts it to sleep first if it never was.
    async fn wake(&self, bed: &Bed) -> Result<Cable> {
        if !bed.is_taken() {
            self.lay_down(bed).await.context("it cannot be put to sleep")?;
        }
        let machine = &self.spec.machine;
        disks::forget_root(machine)?;
        disks::prepare(machine, &bed.root()).await?;
        *self.base.lock().unwrap_or_else(PoisonError::into_inner) = bed.root();
        let (qemu, begun) = self.begin(&["-incoming", "defer"], Some(bed)).await?;
        let cable = self.run(qemu, begun)?;
        let entropy = Entropy::system();
        let awakening = Box::new(Awakening {
            identity: self.spec.identity.clone(),
            unix_ms: jiff::Timestamp::now().as_millisecond(),
            entropy: std::array::from_fn(|_| entropy.next_u64()),
        });
        call(self, &Request::Awake { awakening }).await.context("it does not find its way")?;
        Ok(cable)
    }

    /// Boots it once from nothing, up to where it would get its place in the network, and keeps it like that.
    async fn lay_down(&self, bed: &Bed) -> Result<()> {
        let machine = &self.spec.machine;
        disks::forget_root(machine)?;
        disks::prepare(machine, &machine.root.base).await?;
        let (mut qemu, begun) = self.begin(&[], None).await?;
        if let Err(e) = bed.lay_down(&begun.monitor).await {
            return Err(give_up(qemu, e).await);
        }
        tokio::time::timeout(QEMU_DEADLINE, qemu.wait()).await.context("QEMU does not quit")??;
        bed.keep(&machine.root.file)
    }

    /// Starts QEMU and waits for everything that a machine says of itself while it boots, or wakes.
    async fn begin(&self, how: &[&str], bed: Option<&Bed>) -> Result<(Child, Begun)> {
        let _ = std::fs::remove_file(&self.sockets().cable);
        let cable = UnixListener::bind(&self.sockets().cable).context("cannot lay a cable")?;
        let mut qemu = self.launch(how)?;
        match self.meet(&mut qemu, &cable, bed).await {
            Ok(begun) => Ok((qemu, begun)),
            Err(e) => Err(give_up(qemu, e).await),
        }
    }

    async fn meet(&self, qemu: &mut Child, cable: &UnixListener, bed: Option<&Bed>) -> Result<Begun> {
        let path = &self.sockets().monitor;
        let monitor = monitor::connect(path, &self.tasks);
        let monitor = self.while_it_lives(qemu, QEMU_DEADLINE, "its monitor opens", monitor).await?;
        let plugged = async { Ok(cable.accept().await?.0.into_std()?) };
        let plug = self.while_it_lives(qemu, QEMU_DEADLINE, "it plugs its cable in", plugged).await?;
        if let Some(bed) = bed {
            self.while_it_lives(qemu, QEMU_DEADLINE * 6, "it wakes", bed.wake(&monitor)).await?;
        }
        let channel = Channel::keep(self.sockets().channel.clone(), monitor.events(), &self.tasks);
        let answered = async { channel.first_contact().await.context("the channel was given up") };
        let patience = self.scaled(BOOT_DEADLINE);
        self.while_it_lives(qemu, patience, "its agent answers", answered).await?;
        Ok(Begun { monitor, channel, cable: plug.into() })
    }

    fn running<T>(&self, what: impl FnOnce(&Running) -> T) -> Result<T> {
        self.lock().as_ref().map(what).with_context(|| format!("{} is off", self.name()))
    }

    fn monitor(&self) -> Result<qmp::Monitor> {
        self.running(|running| running.monitor.clone())
    }

    fn channel(&self) -> Result<Channel> {
        self.running(|running| running.channel.clone())
    }

    /// Takes the machine away from whoever would talk to it.
    fn take(&self) -> Option<Running> {
        self.lock().take()
    }
}

/// Ends a QEMU that nothing came of, and waits: until it is gone, no other can have its disks.
async fn give_up(mut qemu: Child, why: anyhow::Error) -> anyhow::Error {
    match qemu.kill().await {
        Ok(()) => why,
        Err(e) => why.context(format!("and its QEMU does not end: {e}")),
    }
}

struct Begun {
    monitor: qmp::Monitor,
    channel: Channel,
    cable: OwnedFd,
}

#[async_trait]
impl Body for VmBody {
    async fn power_on(&self) -> Result<Cable> {
        if self.process().is_some() {
            bail!("{} is on already", self.name());
        }
        // Its disks hold keys.
        make_private_dir(&self.spec.dir)?;
        make_private_dir(&self.spec.dir.join("log"))?;
        let bed = self.spec.bed.as_ref().filter(|_| self.asleep.swap(false, Ordering::Relaxed));
        let Some(bed) = bed else { return self.boot().await };
        match self.wake(bed).await {
            Ok(cable) => Ok(cable),
            Err(e) => {
                tracing::warn!("{} is booted, because it does not wake: {e:#}", self.name());
                self.power_cut().await?;
                bed.clear()?;
                *self.base.lock().unwrap_or_else(PoisonError::into_inner) =
                    self.spec.machine.root.base.clone();
                self.boot().await
            }
        }
    }

    async fn power_cut(&self) -> Result<()> {
        let Some(mut running) = self.take() else { return Ok(()) };
        running.process.kill();
        let ended = tokio::time::timeout(CUT_DEADLINE, running.qemu.wait()).await;
        ended.with_context(|| format!("QEMU of {} does not die", self.name()))??;
        Ok(())
    }

    async fn powered_off(&self, patience: Duration) -> Result<()> {
        let Some(mut running) = self.take() else { return Ok(()) };
        if tokio::time::timeout(patience, running.qemu.wait()).await.is_err() {
            running.process.kill();
            running.qemu.wait().await?;
            bail!("it did not switch itself off within {patience:?}");
        }
        Ok(())
    }

    fn process(&self) -> Option<Process> {
        let running = self.lock();
        running.as_ref().map(|r| r.process.clone()).filter(Process::is_alive)
    }

    async fn connect(&self) -> io::Result<BoxStream> {
        let off = |e| io::Error::new(io::ErrorKind::NotConnected, e);
        self.channel().map_err(off)?.open().await
    }

    async fn dial(&self, port: u16) -> io::Result<TcpStream> {
        let socket = netns::inside(self.door.network(), TcpSocket::new_v4)?;
        let stream = socket.connect((self.spec.identity.address, port).into()).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    fn console(&self) -> PathBuf {
        self.spec.dir.join("console.log")
    }

    fn terminal(&self) -> Option<PathBuf> {
        Some(self.sockets().console.clone())
    }

    fn shell(&self) -> Result<Vec<String>> {
        if self.process().is_none() {
            bail!("{} is off", self.name());
        }
        let mut command = self.door.command()?;
        command.extend(self.spec.keys.login(self.spec.identity.address));
        Ok(command)
    }

    fn follow(self: Arc<Self>, service: &str) {
        let mut followed = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        if followed.insert(service.to_owned()) {
            let (body, service) = (Arc::clone(&self), service.to_owned());
            self.tasks.spawn(async move { logs::keep(&*body, &service, &body.spec.dir).await });
        }
    }

    async fn reset(&self) -> Result<()> {
        let (channel, monitor) = (self.channel()?, self.monitor()?);
        let before = channel.contact();
        monitor::reset(&monitor).await?;
        let patience = self.scaled(BOOT_DEADLINE);
        let anew = tokio::time::timeout(patience, channel.contact_after(before)).await;
        anew.with_context(|| format!("its agent did not answer within {patience:?} of the reset"))??;
        Ok(())
    }

    async fn freeze(&self, frozen: bool) -> Result<()> {
        monitor::freeze(&self.monitor()?, frozen).await
    }

    async fn disk_fault(&self, fault: DiskFault) -> Result<()> {
        monitor::disk_fault(&self.monitor()?, fault).await
    }
}
