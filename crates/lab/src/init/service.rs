//! Runs one service as its [`Unit`] says. The decisions are [`Machine`]'s; this is its hands.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use tokio::net::UnixDatagram;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use crate::agent::reaper::Reaper;
use crate::agent::{Marker, PLAIN_ENVIRONMENT, log_of};
use crate::node::protocol::{Launch, ServiceStatus};
use crate::node::unit::{Action, Event, Exit, Machine, Phase, Unit};

/// What a service is told.
#[derive(Debug)]
pub(super) enum Order {
    /// Start, wrapped so.
    Start(Launch),
    /// Stop politely.
    Stop,
    /// Signal the main process, or kill everything; perhaps keep it down.
    Signal { signal: i32, hold: bool },
}

/// The handle of a service that is known to the node.
#[derive(Clone, Debug)]
pub(super) struct Service {
    /// Its definition.
    pub(super) unit: Unit,
    orders: mpsc::Sender<Order>,
    /// How it is.
    pub(super) status: watch::Receiver<ServiceStatus>,
}

impl Service {
    /// Makes a service that is down, and the task that will look after it.
    pub(super) fn new(
        unit: Unit,
        reaper: Arc<Reaper>,
        cgroup: Option<&Path>,
        mark: Marker,
    ) -> io::Result<(Self, impl Future<Output = ()> + Send + use<>)> {
        let notify_path = format!("/run/ultracloud/notify/{}", unit.name);
        let _ = fs::remove_file(&notify_path);
        let notify = UnixDatagram::bind(&notify_path)?;
        let cgroup = cgroup.map(|c| c.join(&unit.name));
        if let Some(cgroup) = &cgroup {
            fs::create_dir_all(cgroup)?;
        }
        let log = log_of(&unit.name);
        let (publish, status) = watch::channel(ServiceStatus {
            phase: Phase::Inactive,
            paused: false,
            pid: None,
            starts: 0,
            last_exit: None,
            text: None,
            log,
        });
        let (orders, inbox) = mpsc::channel(16);
        let machine = Machine::new(unit.ready, unit.policy);
        let keeper = Keeper {
            unit: unit.clone(),
            machine,
            launch: Launch::default(),
            running: None,
            notify,
            notify_path,
            cgroup,
            reaper,
            mark,
            publish,
        };
        Ok((Self { unit, orders, status }, keeper.run(inbox)))
    }

    /// Hands an order over; false when the service's task has ended with the node.
    pub(super) async fn order(&self, order: Order) -> bool {
        self.orders.send(order).await.is_ok()
    }

    /// Waits until its status is as wanted.
    pub(super) async fn until(&self, wanted: impl FnMut(&ServiceStatus) -> bool) {
        let mut status = self.status.clone();
        // An error means that the node ends, and this wait with it.
        let _ = status.wait_for(wanted).await;
    }
}

struct Keeper {
    unit: Unit,
    machine: Machine,
    launch: Launch,
    running: Option<(i32, oneshot::Receiver<Exit>)>,
    notify: UnixDatagram,
    notify_path: String,
    cgroup: Option<PathBuf>,
    reaper: Arc<Reaper>,
    mark: Marker,
    publish: watch::Sender<ServiceStatus>,
}

/// What woke the keeper.
enum Woken {
    Ended(Exit),
    Order(Order),
    Said(String),
    Tick,
}

impl Keeper {
    async fn run(mut self, mut inbox: mpsc::Receiver<Order>) {
        while let Some(woken) = self.next(&mut inbox).await {
            match woken {
                Woken::Ended(exit) => self.ended(exit),
                Woken::Order(order) => self.obey(order),
                Woken::Said(text) => self.hear(&text),
                Woken::Tick => self.event(Event::Tick),
            }
            self.tell();
        }
    }

    async fn next(&mut self, inbox: &mut mpsc::Receiver<Order>) -> Option<Woken> {
        let mut datagram = [0; 4096];
        let deadline = self.machine.deadline();
        tokio::select! {
            biased;
            // What it said before it ended is heard first.
            said = self.notify.recv(&mut datagram) => {
                let size = said.unwrap_or(0);
                Some(Woken::Said(String::from_utf8_lossy(&datagram[..size]).into_owned()))
            }
            exit = ended(&mut self.running) => Some(Woken::Ended(exit)),
            order = inbox.recv() => order.map(Woken::Order),
            () = reached(deadline) => Some(Woken::Tick),
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Start(launch) => {
                self.launch = launch;
                self.event(Event::Start);
            }
            Order::Stop => {
                self.event(Event::Stop);
            }
            Order::Signal { signal, hold } => {
                self.machine.forgive();
                if hold {
                    self.event(Event::Hold);
                }
                self.signal(signal);
            }
        }
    }

    fn hear(&mut self, datagram: &str) {
        for line in datagram.lines() {
            if line == "READY=1" {
                self.event(Event::Ready);
            } else if let Some(text) = line.strip_prefix("STATUS=") {
                self.publish.send_modify(|s| s.text = Some(text.to_owned()));
            }
        }
    }

    fn event(&mut self, event: Event) {
        let before = self.machine.phase();
        let action = self.machine.on(event, Instant::now());
        match action {
            Some(Action::Spawn) => self.spawn(),
            Some(Action::Terminate) => {
                // A stopped process does not see SIGTERM until it goes on.
                self.signal(libc::SIGCONT);
                self.signal(libc::SIGTERM);
            }
            Some(Action::Kill) => self.signal(libc::SIGKILL),
            None => {}
        }
        let after = self.machine.phase();
        if before != after {
            self.mark.print(&format!("{}-{}", self.unit.name, after.word()));
        }
    }

    fn ended(&mut self, exit: Exit) {
        self.running = None;
        // What the main process left behind goes too, as systemd's KillMode=control-group has it.
        self.kill_rest();
        self.publish.send_modify(|s| s.paused = false);
        self.log_line(&format!("{} ended with {exit}", self.unit.name));
        self.event(Event::Exited(exit));
    }

    fn spawn(&mut self) {
        match self.execute() {
            Ok(running) => {
                self.running = Some(running);
                self.publish.send_modify(|s| s.starts += 1);
            }
            Err(e) => {
                self.log_line(&format!("cannot execute {}: {e}", self.unit.argv.join(" ")));
                // 203/EXEC is what systemd reports.
                self.event(Event::Exited(Exit { code: Some(203), signal: None }));
            }
        }
    }

    fn execute(&self) -> io::Result<(i32, oneshot::Receiver<Exit>)> {
        let mut argv = self.launch.wrapper.iter().chain(&self.unit.argv);
        let program = argv.next().ok_or(io::ErrorKind::InvalidInput)?;
        let log = self.open_log()?;
        let mut command = Command::new(program);
        command
            .args(argv)
            .env_clear()
            .envs(PLAIN_ENVIRONMENT.iter().copied())
            .envs(&self.unit.env)
            .envs(&self.launch.env)
            .env("NOTIFY_SOCKET", &self.notify_path)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0);
        if let Some(cgroup) = &self.cgroup {
            enter_cgroup_when_forked(
                &mut command,
                File::options().write(true).open(cgroup.join("cgroup.procs"))?,
            );
        }
        let (child, exit) = self.reaper.spawn(&mut command)?;
        Ok((child.id().cast_signed(), exit))
    }

    fn open_log(&self) -> io::Result<File> {
        OpenOptions::new().create(true).append(true).open(&self.publish.borrow().log)
    }

    /// A line of ours in the service's log.
    fn log_line(&self, text: &str) {
        if let Ok(mut log) = self.open_log() {
            let _ = writeln!(log, "[node-init {}] {text}", jiff::Timestamp::now());
        }
    }

    fn signal(&mut self, signal: i32) {
        let Some((pid, _)) = &self.running else { return };
        let Ok(wanted) = Signal::try_from(signal) else { return };
        if wanted == Signal::SIGKILL {
            self.kill_rest();
            let _ = killpg(Pid::from_raw(*pid), wanted);
        }
        let _ = kill(Pid::from_raw(*pid), wanted);
        match wanted {
            Signal::SIGSTOP => self.publish.send_modify(|s| s.paused = true),
            Signal::SIGCONT => self.publish.send_modify(|s| s.paused = false),
            _ => {}
        }
    }

    fn kill_rest(&self) {
        if let Some(cgroup) = &self.cgroup {
            let _ = fs::write(cgroup.join("cgroup.kill"), "1");
        }
    }

    fn tell(&self) {
        self.publish.send_modify(|s| {
            s.phase = self.machine.phase();
            s.pid = self.running.as_ref().map(|(pid, _)| *pid);
            s.last_exit = self.machine.last_exit;
        });
    }
}

async fn ended(running: &mut Option<(i32, oneshot::Receiver<Exit>)>) -> Exit {
    match running {
        Some((_, exit)) => exit.await.unwrap_or(Exit { code: None, signal: None }),
        None => std::future::pending().await,
    }
}

async fn reached(deadline: Option<Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// The child enters the cgroup before it executes, so that nothing it forks can be missed.
#[expect(unsafe_code, reason = "pre_exec: between fork and exec only one write(2) to an open file happens")]
fn enter_cgroup_when_forked(command: &mut Command, procs: File) {
    // SAFETY: write(2) is async-signal-safe, and nothing is allocated.
    unsafe {
        command.pre_exec(move || rustix::io::write(&procs, b"0").map(|_| ()).map_err(io::Error::from));
    }
}
