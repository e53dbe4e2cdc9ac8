//! The services of a machine, as systemd runs them.
//!
//! systemd is asked over the system bus. (Its private socket would do without a bus daemon, but calls
//! itself by a name that zbus does not accept.) What it says of a service is remembered in a
//! [`record::Record`], because systemd itself forgets how a process ended as soon as the next one starts.

mod bus;
mod record;
mod unit_file;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result, bail, ensure};
use async_trait::async_trait;
use kit::task::Tasks;
use nix::sys::signal::Signal;
use tokio::sync::watch;

use self::bus::Bus;
use self::record::Record;
use crate::agent::reaper::Reaper;
use crate::agent::{Marker, Services, log_of};
use crate::machine::{awake, data, identity};
use crate::node::protocol::{Awakening, Launch, ServiceStatus};
use crate::node::unit::{Phase, Unit};

/// The units of the server binary's roles, on the disk with the binaries.
const ROLE_UNITS: &str = "/opt/ultracloud/lib/systemd/system";

/// The users that they run as.
const USERS: &str = "/opt/ultracloud/lib/sysusers.d/ultracloud.conf";

/// Units and changes to units that a restart of the machine forgets.
const RUNTIME_UNITS: &str = "/run/systemd/system";

/// Where each role's configuration and keys are.
const ETC: &str = "/etc/ultracloud";

/// A machine's services.
pub(super) struct Systemd {
    bus: Bus,
    reaper: Arc<Reaper>,
    known: Known,
}

/// What is known of each service that was defined.
#[derive(Clone)]
struct Known {
    entries: Arc<Mutex<BTreeMap<String, Entry>>>,
    changed: Arc<watch::Sender<u64>>,
    /// Services of which something was heard that was not looked at yet.
    unseen: Arc<watch::Sender<BTreeSet<String>>>,
    mark: Marker,
}

#[derive(Clone)]
struct Entry {
    unit: Unit,
    /// systemd's object.
    path: String,
    record: Record,
}

impl Systemd {
    /// Reaches systemd.
    pub(super) async fn connect(mark: Marker, reaper: Arc<Reaper>, tasks: &Tasks) -> Result<Self> {
        let bus = Bus::connect().await.context("cannot reach systemd")?;
        let known = Known {
            entries: Arc::default(),
            changed: Arc::new(watch::Sender::new(0)),
            unseen: Arc::new(watch::Sender::new(BTreeSet::new())),
            mark,
        };
        let systemd = Self { bus, reaper, known };
        systemd.make_users().await?;
        let (bus, known) = (systemd.bus.clone(), systemd.known.clone());
        let (asking, seen) = (bus.clone(), known.clone());
        tasks.spawn_critical("listening to systemd", async move { listen(bus, known).await });
        tasks.spawn_critical("looking at services", async move { look_after(asking, seen).await });
        Ok(systemd)
    }

    async fn make_users(&self) -> Result<()> {
        self.run(Command::new("systemd-sysusers").arg(USERS)).await
    }

    async fn run(&self, command: &mut Command) -> Result<()> {
        let program = command.get_program().to_string_lossy().into_owned();
        command.stdin(Stdio::null());
        let (_, end) = self.reaper.spawn(command).with_context(|| format!("cannot run {program}"))?;
        let exit = end.await.with_context(|| format!("{program} was lost"))?;
        ensure!(exit.is_clean(), "{program} ended with {exit}; its words are in the journal");
        Ok(())
    }

    /// Asks systemd how a service is, and remembers it.
    async fn look(&self, name: &str) -> Result<()> {
        let path = self.known.entry(name)?.path;
        self.known.see(name, &self.bus.snapshot(&path).await?);
        Ok(())
    }

    /// Waits until a service is as wanted. systemd's own timeouts bound it.
    async fn until(&self, name: &str, mut wanted: impl FnMut(&ServiceStatus) -> bool) -> Result<()> {
        let mut changes = self.known.changed.subscribe();
        self.look(name).await?;
        loop {
            if wanted(&self.known.entry(name)?.record.status) {
                return Ok(());
            }
            changes.changed().await.context("systemd is not heard any more")?;
        }
    }

    /// Changes a service for its next starts, or takes the change back.
    async fn launch_as(&self, unit: &Unit, how: &Launch) -> Result<()> {
        let file = Path::new(RUNTIME_UNITS).join(format!("{}.service.d/launch.conf", unit.name));
        let wanted = (*how != Launch::default()).then(|| unit_file::launch(unit, how));
        if fs::read_to_string(&file).ok() == wanted {
            return Ok(());
        }
        match &wanted {
            Some(text) => write(&file, text)?,
            None => fs::remove_file(&file)?,
        }
        self.bus.reload().await
    }
}

impl Known {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn entry(&self, name: &str) -> Result<Entry> {
        self.lock().get(name).cloned().with_context(|| format!("no service is called {name} here"))
    }

    fn by_path(&self, path: &str) -> Option<String> {
        self.lock().iter().find(|(_, entry)| entry.path == path).map(|(name, _)| name.clone())
    }

    fn see(&self, name: &str, snapshot: &record::Snapshot) {
        if let Some(entry) = self.lock().get_mut(name) {
            let before = entry.record.status.phase;
            entry.record.see(snapshot);
            let after = entry.record.status.phase;
            if before != after {
                self.mark.print(&format!("{name}-{}", after.word()));
            }
        }
        self.changed.send_modify(|count| *count += 1);
    }

    fn change(&self, name: &str, change: impl FnOnce(&mut Record)) {
        if let Some(entry) = self.lock().get_mut(name) {
            change(&mut entry.record);
        }
    }
}

/// Hears what systemd says, at once and without a question in between: answers come behind what waits to be
/// heard, on the same connection, so whoever asked before he had heard it all would wait for ever.
async fn listen(bus: Bus, known: Known) -> Result<()> {
    let mut changes = bus.changes().await?;
    loop {
        let path = changes.next().await?;
        if let Some(name) = known.by_path(&path) {
            known.unseen.send_if_modified(|unseen| unseen.insert(name));
        }
    }
}

/// Looks at every service of which something was heard.
async fn look_after(bus: Bus, known: Known) -> Result<()> {
    let mut unseen = known.unseen.subscribe();
    loop {
        unseen.wait_for(|unseen| !unseen.is_empty()).await?;
        for name in known.unseen.send_replace(BTreeSet::new()) {
            let path = known.entry(&name)?.path;
            known.see(&name, &bus.snapshot(&path).await?);
        }
    }
}

fn service(name: &str) -> String {
    format!("{name}.service")
}

fn write(path: &Path, text: &str) -> Result<()> {
    let parent = path.parent().context("a unit has a directory")?;
    fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

#[async_trait]
impl Services for Systemd {
    async fn define(&self, unit: Unit) -> Result<()> {
        let name = unit.name.clone();
        let earlier = self.known.entry(&name).ok().map(|entry| entry.record);
        if let Some(Record { status: ServiceStatus { phase, .. }, .. }) = &earlier
            && !matches!(phase, Phase::Inactive | Phase::Failed)
        {
            bail!("{name} is {phase:?}: stop it before it is defined anew");
        }
        if is_role(&name) {
            let dir = Path::new(ETC).join(&name);
            fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
            own(&dir, &name)?;
        } else {
            write(&Path::new(RUNTIME_UNITS).join(service(&name)), &unit_file::foreign(&unit))?;
            self.bus.reload().await?;
        }
        let path = self.bus.load(&service(&name)).await?;
        let record = earlier.unwrap_or_else(|| Record::new(log_of(&name)));
        self.known.lock().insert(name.clone(), Entry { unit, path, record });
        self.look(&name).await
    }

    fn unit(&self, name: &str) -> Result<Unit> {
        Ok(self.known.entry(name)?.unit)
    }

    fn status(&self) -> BTreeMap<String, ServiceStatus> {
        self.known.lock().iter().map(|(name, entry)| (name.clone(), entry.record.status.clone())).collect()
    }

    async fn start(&self, name: &str, how: Launch) -> Result<()> {
        let entry = self.known.entry(name)?;
        self.launch_as(&entry.unit, &how).await?;
        let before = entry.record.status.starts;
        // Clears the start limit, too.
        self.bus.reset_failed(&service(name)).await;
        self.bus.start(&service(name)).await?;
        self.until(name, |s| s.starts > before).await
    }

    async fn stop(&self, name: &str) -> Result<()> {
        self.known.entry(name)?;
        self.bus.stop(&service(name)).await?;
        self.until(name, |s| s.pid.is_none() && matches!(s.phase, Phase::Inactive | Phase::Failed)).await
    }

    async fn signal(&self, name: &str, signal: Signal, hold: bool) -> Result<()> {
        self.look(name).await?;
        let status = self.known.entry(name)?.record.status;
        let Some(pid) = status.pid else {
            if hold {
                return self.stop(name).await;
            }
            bail!("{name} does not run");
        };
        let whom = if signal == Signal::SIGKILL { "all" } else { "main" };
        self.bus.kill(&service(name), whom, signal as i32).await?;
        match signal {
            Signal::SIGSTOP => self.known.change(name, |r| r.pause(true)),
            Signal::SIGCONT => self.known.change(name, |r| r.pause(false)),
            // systemd would start it again; being stopped, it does not. The process is dead either way.
            Signal::SIGKILL if hold => self.stop(name).await?,
            Signal::SIGKILL => {
                self.until(name, |s| s.pid != Some(pid) || s.starts > status.starts).await?;
            }
            _ => {}
        }
        Ok(())
    }

    /// What is in a role's directory belongs to the role's user.
    async fn hand_over(&self, path: &str) -> Result<()> {
        let Some(role) = role_of(Path::new(path)) else { return Ok(()) };
        own(Path::new(path), &role).with_context(|| format!("cannot hand {path} over to {role}"))
    }

    async fn plugged_in(&self) -> Result<()> {
        data::mount(&self.known.mark.node)
    }

    async fn awake(&self, awakening: &Awakening) -> Result<()> {
        awake::stir(awakening.entropy)?;
        awake::set_clock(awakening.unix_ms)?;
        identity::apply(&awakening.identity, &self.reaper).await
    }

    async fn power_off(&self) -> Result<()> {
        self.bus.power_off().await
    }

    /// systemd ends this process with the rest.
    fn off(&self) {}
}

fn is_role(name: &str) -> bool {
    Path::new(ROLE_UNITS).join(service(name)).is_file()
}

/// The role in whose directory a file is.
fn role_of(path: &Path) -> Option<String> {
    let below = path.strip_prefix(ETC).ok()?;
    below.iter().next()?.to_str().filter(|role| is_role(role)).map(str::to_owned)
}

fn own(path: &Path, role: &str) -> Result<()> {
    let name = format!("uc-{role}");
    let user = nix::unistd::User::from_name(&name)?.with_context(|| format!("there is no user {name}"))?;
    nix::unistd::chown(path, Some(user.uid), Some(user.gid))?;
    Ok(())
}
