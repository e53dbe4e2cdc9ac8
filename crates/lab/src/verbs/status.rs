//! `status`: nodes, services, and whether all of it is up.

use std::process::ExitCode;

use anyhow::Result;

use super::Setting;
use crate::client::{Cluster, readiness};
use crate::supervisor::protocol::{ClusterStatus, NodeStatus, Stage};

/// Nothing runs.
const NOTHING_RUNS: u8 = 3;

/// Shows the cluster.
pub(super) async fn run(setting: &Setting, json: bool) -> Result<ExitCode> {
    let Some(cluster) = Cluster::attach(&setting.paths).await? else {
        eprintln!("no cluster is running here: ./cluster start boots one");
        return Ok(ExitCode::from(NOTHING_RUNS));
    };
    let status = cluster.status().await?;
    if json {
        println!("{}", serde_json::to_string_pretty(&status)?);
    } else {
        print(&status);
    }
    match readiness(&status) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(not_up) => {
            eprintln!("not up: {}", not_up.what);
            Ok(ExitCode::FAILURE)
        }
    }
}

fn print(status: &ClusterStatus) {
    println!(
        "cluster {}  topology {}  nodes of {}  seed {}  supervisor {}",
        status.id, status.topology, status.node_body, status.seed, status.supervisor.pid
    );
    if let Some(made) = &status.machines {
        let verdict = &made.verdict;
        println!(
            "machines under {} ({}), time scale {}, image {}, binaries {}",
            verdict.accel, verdict.why, verdict.time_scale, made.images.digest, made.payload_digest
        );
    }
    let what = if status.machines.is_some() { "qemu" } else { "init" };
    for (name, node) in &status.nodes {
        println!("{name}  {}  {}{}", node.address, power(node, what), traffic(status, name));
        for (service, report) in &node.services {
            let s = &report.status;
            let paused = if s.paused { ", paused" } else { "" };
            let pid = report.host_pid.or(s.pid).map(|p| format!("  pid {p}")).unwrap_or_default();
            let exit = s.last_exit.map(|e| format!("  last ended with {e}")).unwrap_or_default();
            println!("  {service}  {:?}{paused}{pid}  started {}x{exit}", s.phase, s.starts);
        }
    }
}

fn power(node: &NodeStatus, what: &str) -> String {
    match (node.stage, &node.process) {
        (Stage::Booting, _) => "boots".to_owned(),
        // Its agent was asked and has not answered in time.
        (_, Some(process)) if node.boot_id.is_none() => format!("on ({what} {}), deaf", process.pid),
        (_, Some(process)) => format!("on ({what} {})", process.pid),
        (_, None) => "off".to_owned(),
    }
}

fn traffic(status: &ClusterStatus, name: &str) -> String {
    let Some(port) = status.switch.iter().find(|p| p.name == name) else { return String::new() };
    let c = port.counters;
    let dropped = c.cut + c.lost + c.overflowed;
    let faults = if dropped > 0 { format!(", {dropped} dropped by faults") } else { String::new() };
    format!("  sent {} got {} frames{faults}", c.sent_frames, c.got_frames)
}
