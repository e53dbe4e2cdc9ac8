//! `env`: what a foreign client needs to reach the cluster from this host.

use std::process::ExitCode;

use anyhow::Result;

use super::Setting;
use crate::certs::OperatorFiles;
use crate::client::Cluster;
use crate::supervisor::protocol::ClusterStatus;

/// Prints shell exports, or JSON.
pub(super) async fn run(setting: &Setting, json: bool) -> Result<ExitCode> {
    let cluster = Cluster::running(&setting.paths).await?;
    let status = cluster.status().await?;
    let exports = exports(&status, &OperatorFiles::below(&setting.paths.pki()));
    if json {
        let variables: serde_json::Map<_, _> =
            exports.into_iter().map(|(k, v)| (k.to_owned(), v.into())).collect();
        let value = serde_json::json!({ "variables": variables, "cluster": status });
        println!("{}", serde_json::to_string_pretty(&value)?);
    } else {
        for (name, value) in exports {
            println!("export {name}={}", quoted(&value));
        }
    }
    Ok(ExitCode::SUCCESS)
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
