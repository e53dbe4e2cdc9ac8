//! `uc`, the operator's own command line, as an operator runs it: a program with an exit status.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tokio::process::Command;

use super::Etcd;

/// uc with the operator's credentials.
#[derive(Clone, Debug)]
pub struct Uc {
    program: PathBuf,
    /// How much more time than usual it gets.
    patience: f64,
    environment: Vec<(&'static str, String)>,
}

/// What it said and how it ended.
#[derive(Clone, Debug)]
pub struct Said {
    /// 0 is done.
    pub status: Option<i32>,
    /// Its data.
    pub stdout: String,
    /// Its talk.
    pub stderr: String,
}

impl Uc {
    /// The program beside this one, with the operator's credentials.
    pub fn find(etcd: &Etcd) -> Result<Self> {
        let here = std::env::current_exe().context("cannot tell where lab itself is")?;
        let program = here.with_file_name("uc");
        ensure!(program.exists(), "{} is not built: cargo build -p uc", program.display());
        let operator = &etcd.operator;
        let environment = vec![
            ("ETCDCTL_CACERT", operator.ca.display().to_string()),
            ("ETCDCTL_CERT", operator.cert.display().to_string()),
            ("ETCDCTL_KEY", operator.key.display().to_string()),
        ];
        Ok(Self { program, patience: etcd.patience, environment })
    }

    /// Runs it against these endpoints, whatever comes of it.
    pub async fn run(&self, endpoints: &[String], arguments: &[&str], deadline: Duration) -> Result<Said> {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .envs(self.environment.iter().map(|(k, v)| (k, v)))
            .env_remove("UC_ENDPOINT")
            .env_remove("ETCDCTL_USER")
            .env("ETCDCTL_ENDPOINTS", endpoints.join(","))
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let deadline = deadline.mul_f64(self.patience);
        let output = tokio::time::timeout(deadline, command.output())
            .await
            .with_context(|| format!("uc {} did not end within {deadline:?}", arguments.join(" ")))?
            .with_context(|| format!("cannot run {}", self.program.display()))?;
        Ok(Said {
            status: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Runs it with `-o json` and expects that it succeeds.
    pub async fn json(&self, endpoints: &[String], arguments: &[&str], deadline: Duration) -> Result<Value> {
        let with_format: Vec<&str> = arguments.iter().copied().chain(["-o", "json"]).collect();
        let said = self.run(endpoints, &with_format, deadline).await?;
        let line = arguments.join(" ");
        ensure!(said.status == Some(0), "uc {line} ended with {:?}: {}", said.status, said.stderr.trim());
        serde_json::from_str(&said.stdout)
            .with_context(|| format!("uc {line} printed no JSON: {}", said.stdout))
    }
}
