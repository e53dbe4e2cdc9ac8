//! `env`: what a foreign client needs to reach the cluster from this host.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};

use super::Setting;
use crate::certs::OperatorFiles;
use crate::client::Cluster;
use crate::paths::Paths;
use crate::supervisor::protocol::ClusterStatus;

/// Prints shell exports, or JSON.
pub(super) async fn run(setting: &Setting, json: bool) -> Result<ExitCode> {
    let cluster = Cluster::running(&setting.paths).await?;
    let status = cluster.status().await?;
    let bin = link_clients(&setting.paths)?;
    let exports = exports(&status, &OperatorFiles::below(&setting.paths.pki()));
    if json {
        let variables: serde_json::Map<_, _> =
            exports.into_iter().map(|(k, v)| (k.to_owned(), v.into())).collect();
        let value = serde_json::json!({ "variables": variables, "path": bin, "cluster": status });
        println!("{}", serde_json::to_string_pretty(&value)?);
    } else {
        println!("export PATH={}:\"$PATH\"", quoted(&bin.display().to_string()));
        for (name, value) in exports {
            println!("export {name}={}", quoted(&value));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A directory with links to the clients that go with this build: one entry on the PATH, and nothing else in it.
fn link_clients(paths: &Paths) -> Result<PathBuf> {
    let bin = paths.bin();
    std::fs::create_dir_all(&bin).with_context(|| format!("cannot create {}", bin.display()))?;
    let built = std::env::current_exe()?;
    let etcdctl = std::env::var_os("ULTRACLOUD_ETCDCTL").map(PathBuf::from);
    let clients = [
        ("uc", Some(built.with_file_name("uc"))),
        ("ultracloud", Some(built.with_file_name("ultracloud"))),
        ("etcdctl", etcdctl),
    ];
    for (name, program) in clients {
        let Some(program) = program.filter(|p| p.is_file()) else { continue };
        link(&program, &bin.join(name))?;
    }
    Ok(bin)
}

/// Makes or replaces a link in one step: another `env` may run at the same time.
fn link(program: &Path, at: &Path) -> Result<()> {
    let draft = at.with_extension(std::process::id().to_string());
    symlink(program, &draft)
        .and_then(|()| std::fs::rename(&draft, at))
        .with_context(|| format!("cannot link {}", at.display()))
}

fn exports(status: &ClusterStatus, operator: &OperatorFiles) -> Vec<(&'static str, String)> {
    let endpoints = crate::client::host_ports(status, "chainfire", "client");
    let endpoints =
        endpoints.iter().map(|(_, port)| format!("https://127.0.0.1:{port}")).collect::<Vec<_>>().join(",");
    vec![
        ("ETCDCTL_API", "3".to_owned()),
        ("ETCDCTL_ENDPOINTS", endpoints.clone()),
        ("ETCDCTL_CACERT", operator.ca.display().to_string()),
        ("ETCDCTL_CERT", operator.cert.display().to_string()),
        ("ETCDCTL_KEY", operator.key.display().to_string()),
        ("UC_ENDPOINT", endpoints),
    ]
}

/// Safe inside single quotes.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_a_quote_survives_the_shell() {
        let script = format!("printf %s {}", quoted("/home/o'neill/a b"));
        let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
        assert_eq!(output.stdout, b"/home/o'neill/a b");
    }
}
