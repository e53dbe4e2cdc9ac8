//! PostgreSQL 15 of Debian: a primary, and a standby that it waits for.

use std::fs::{self, File};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, ensure};
use kit::task::Tasks;
use tokio::process::Command;

use super::server::{Place, Running, System, USER};
use crate::cluster::{free_ports, pinned};
use crate::pki::Pki;

/// Where Debian has the programs.
const PROGRAMS: &str = "/usr/lib/postgresql/15/bin";
/// Whom Debian's package makes: PostgreSQL refuses to run as root.
const ACCOUNT: &str = "postgres";
/// The standby's name for the primary.
const STANDBY: &str = "standby";

/// The programs, and who runs them.
#[derive(Debug)]
pub struct Postgres {
    programs: PathBuf,
    account: nix::unistd::User,
}

impl Postgres {
    /// Debian's.
    pub fn find() -> anyhow::Result<Self> {
        let programs = PathBuf::from(PROGRAMS);
        let how = "install it: apt-get install postgresql-15 (its own cluster need not run)";
        ensure!(programs.join("postgres").is_file(), "{PROGRAMS} has no PostgreSQL: {how}");
        let account = nix::unistd::User::from_name(ACCOUNT)?;
        Ok(Self { programs, account: account.with_context(|| format!("there is no user {ACCOUNT}: {how}"))? })
    }

    /// A program of PostgreSQL's, as its user.
    fn program(&self, name: &str) -> Command {
        let (user, group) = (self.account.uid.to_string(), self.account.gid.to_string());
        let mut command = Command::new("setpriv");
        // In one step: a change of the user afterwards would forget the signal.
        command.args(["--reuid", &user, "--regid", &group, "--clear-groups", "--pdeathsig", "KILL", "--"]);
        command.arg(self.programs.join(name));
        command.stdin(Stdio::null());
        command
    }

    async fn run(&self, name: &str, arguments: &[&str], log: &Path) -> anyhow::Result<()> {
        let file = File::options().create(true).append(true).open(log)?;
        let done = self.program(name).args(arguments).stdout(file.try_clone()?).stderr(file).status().await?;
        ensure!(done.success(), "{name} ended ({done}): see {}", log.display());
        Ok(())
    }

    /// A directory of its own for the account.
    fn give(&self, path: &Path) -> anyhow::Result<()> {
        chown(path, Some(self.account.uid.as_raw()), Some(self.account.gid.as_raw()))
            .with_context(|| format!("cannot give {} to {ACCOUNT}", path.display()))
    }

    fn certificates(&self, data: &Path, pki: &Pki) -> anyhow::Result<()> {
        for (from, to) in
            [(pki.cert("a"), "server.crt"), (pki.key("a"), "server.key"), (pki.ca(), "root.crt")]
        {
            let to = data.join(to);
            fs::copy(&from, &to).with_context(|| format!("cannot copy {}", from.display()))?;
            self.give(&to)?;
        }
        Ok(())
    }

    fn serve(
        &self,
        data: &Path,
        port: u16,
        log: &Path,
        cpus: Option<&str>,
    ) -> anyhow::Result<tokio::process::Child> {
        let file = File::options().create(true).append(true).open(log)?;
        let mut command = self.program("postgres");
        command.arg("-D").arg(data).args(["-p", &port.to_string()]);
        pinned(command, cpus)
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .kill_on_drop(true)
            .spawn()
            .context("cannot start postgres")
    }
}

#[async_trait::async_trait]
impl System for Postgres {
    fn name(&self) -> String {
        "PostgreSQL 15, one synchronous standby".to_owned()
    }

    async fn start(&self, place: &Place<'_>) -> anyhow::Result<Running> {
        let dir = place.root.join("postgres");
        fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
        self.give(&dir)?;
        let (primary, standby, log) = (dir.join("primary"), dir.join("standby"), dir.join("log"));
        let ports = free_ports(2)?;
        let text = |path: &Path| path.display().to_string();
        let auth = ["-D", &text(&primary), "-U", USER, "-E", "UTF8", "--locale=C", "--auth=trust"]
            .map(str::to_owned);
        self.run("initdb", &auth.each_ref().map(String::as_str), &log).await?;
        self.certificates(&primary, place.pki)?;
        configure(&primary, &dir)?;
        let server = self.serve(&primary, ports[0], &log, place.cpus)?;
        let mut running =
            Running { port: ports[0], processes: vec![server], dir: dir.clone(), tasks: Tasks::default() };
        running.wait(place.pki, &log).await?;
        let from = format!("host={} port={} user={USER} application_name={STANDBY}", text(&dir), ports[0]);
        let copy =
            ["-D", &text(&standby), "-d", &from, "-R", "-X", "stream", "-c", "fast"].map(str::to_owned);
        self.run("pg_basebackup", &copy.each_ref().map(String::as_str), &log).await?;
        running.processes.push(self.serve(&standby, ports[1], &log, place.cpus)?);
        follow(&running, place.pki).await?;
        Ok(running)
    }
}

/// TLS, and room for the load; everything else as Debian has it.
fn configure(data: &Path, sockets: &Path) -> anyhow::Result<()> {
    let settings = format!(
        "listen_addresses = '127.0.0.1'\nunix_socket_directories = '{}'\nssl = on\nssl_ca_file = 'root.crt'\n\
         max_connections = 200\nmax_wal_senders = 4\nwal_level = replica\nhot_standby = on\n",
        sockets.display()
    );
    let file = data.join("postgresql.conf");
    let before = fs::read_to_string(&file)?;
    fs::write(&file, before + &settings)?;
    let rules = format!(
        "hostssl all {USER} 127.0.0.1/32 trust clientcert=verify-ca\nlocal all {USER} trust\nlocal replication {USER} trust\n"
    );
    Ok(fs::write(data.join("pg_hba.conf"), rules)?)
}

/// From now on the primary acknowledges nothing that its standby has not flushed.
async fn follow(running: &Running, pki: &Pki) -> anyhow::Result<()> {
    let client = running.client(pki).await?;
    for sql in
        [&format!("ALTER SYSTEM SET synchronous_standby_names = '{STANDBY}'"), "SELECT pg_reload_conf()"]
    {
        client.simple_query(sql).await?;
    }
    let synchronous = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(30);
    while client.query_one(synchronous, &[]).await?.get::<_, i64>(0) == 0 {
        ensure!(tokio::time::Instant::now() < deadline, "the standby does not follow: see its log");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    Ok(())
}
