//! etcdctl, the foreign client that every check of the API is also made with.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::process::Command;

use super::Etcd;

/// etcdctl's own limits are usually these.
const DIAL: Duration = Duration::from_secs(2);
const COMMAND: Duration = Duration::from_secs(5);

/// After that it hangs.
const DEADLINE: Duration = Duration::from_secs(15);

/// etcdctl with the operator's credentials.
#[derive(Clone, Debug)]
pub struct Ctl {
    program: PathBuf,
    deadline: Duration,
    environment: Vec<(&'static str, String)>,
}

impl Ctl {
    /// Finds the program: `ULTRACLOUD_ETCDCTL`, or etcdctl on the PATH.
    pub fn find(etcd: &Etcd) -> Self {
        let program = std::env::var_os("ULTRACLOUD_ETCDCTL").filter(|p| !p.is_empty());
        let operator = &etcd.operator;
        let patient = |usual: Duration| format!("{}ms", etcd.patient(usual).as_millis());
        Self {
            deadline: etcd.patient(DEADLINE),
            program: program.map_or_else(|| PathBuf::from("etcdctl"), PathBuf::from),
            environment: vec![
                ("ETCDCTL_API", "3".to_owned()),
                ("ETCDCTL_CACERT", operator.ca.display().to_string()),
                ("ETCDCTL_CERT", operator.cert.display().to_string()),
                ("ETCDCTL_KEY", operator.key.display().to_string()),
                ("ETCDCTL_DIAL_TIMEOUT", patient(DIAL)),
                ("ETCDCTL_COMMAND_TIMEOUT", patient(COMMAND)),
            ],
        }
    }

    /// Runs it against these endpoints; answers its standard output.
    pub async fn run(&self, endpoints: &[&str], arguments: &[&str]) -> Result<String> {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .envs(self.environment.iter().map(|(k, v)| (k, v)))
            .env("ETCDCTL_ENDPOINTS", endpoints.join(","))
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let deadline = self.deadline;
        let output = tokio::time::timeout(deadline, command.output())
            .await
            .with_context(|| format!("etcdctl {} did not end within {deadline:?}", arguments.join(" ")))?
            .with_context(|| {
                format!("cannot run {} (ULTRACLOUD_ETCDCTL names another)", self.program.display())
            })?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("etcdctl {}: {}", arguments.join(" "), said.trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}
