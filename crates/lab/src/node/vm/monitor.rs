//! What is done to a machine by QEMU's monitor.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use kit::task::Tasks;
use qmp::Monitor;
use serde_json::{Value, json};

use super::machine::{DATA_FORMAT, DATA_LIMITS, DATA_NODE};
use crate::node::DiskFault;

/// The layer between, that fails on purpose.
const FAULTY: &str = "data-faulty";

/// Connects as soon as QEMU listens.
pub(super) async fn connect(path: &Path, tasks: &Tasks) -> Result<Monitor> {
    while !path.exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Monitor::connect(path, tasks).await.context("cannot talk to QEMU's monitor")
}

/// Stops the processors, or lets them go on.
pub(super) async fn freeze(monitor: &Monitor, frozen: bool) -> Result<()> {
    let command = if frozen { "stop" } else { "cont" };
    monitor.execute::<Value>(command, qmp::none()).await.map(drop).context("QEMU refuses")
}

/// Presses the reset button.
pub(super) async fn reset(monitor: &Monitor) -> Result<()> {
    monitor.execute::<Value>("system_reset", qmp::none()).await.map(drop).context("QEMU refuses")
}

/// Makes the data disk as it is wanted; whatever was wrong before is over.
pub(super) async fn disk_fault(monitor: &Monitor, fault: DiskFault) -> Result<()> {
    limit(monitor, fault.iops).await.context("cannot limit the disk")?;
    put_between(monitor, DATA_FORMAT).await.context("cannot mend the disk")?;
    // Not there unless a fault was set before.
    let _ = monitor.execute::<Value>("blockdev-del", json!({"node-name": FAULTY})).await;
    let rules = rules(fault);
    if rules.is_empty() {
        return Ok(());
    }
    let layer =
        json!({"driver": "blkdebug", "node-name": FAULTY, "image": DATA_FORMAT, "inject-error": rules});
    monitor.execute::<Value>("blockdev-add", layer).await.context("cannot make a failing layer")?;
    put_between(monitor, FAULTY).await.context("cannot break the disk")
}

async fn put_between(monitor: &Monitor, below: &str) -> Result<()> {
    let options = json!({
        "driver": "throttle", "node-name": DATA_NODE, "throttle-group": DATA_LIMITS, "file": below,
    });
    monitor.execute::<Value>("blockdev-reopen", json!({"options": [options]})).await.map(drop)?;
    Ok(())
}

async fn limit(monitor: &Monitor, iops: Option<u32>) -> Result<()> {
    let limits = json!({"iops-total": iops.unwrap_or(0)});
    let set = json!({"path": format!("/objects/{DATA_LIMITS}"), "property": "limits", "value": limits});
    monitor.execute::<Value>("qom-set", set).await.map(drop)?;
    Ok(())
}

/// Errors that hold from the layer's beginning on. 5 is EIO. Flushes pass: QEMU makes one itself before it takes the
/// layer away, and after a write that failed a sync fails anyway.
fn rules(fault: DiskFault) -> Vec<Value> {
    [("write", fault.failing_writes), ("read", fault.failing_reads)]
        .into_iter()
        .filter(|(_, wanted)| *wanted)
        .map(|(kind, _)| json!({"event": "none", "iotype": kind, "errno": 5, "once": false, "immediately": true}))
        .collect()
}
