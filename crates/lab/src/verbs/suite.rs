//! `run-publishable-kvm-suite`: the lanes whose evidence is worth publishing, on machines, with all of their evidence
//! in one directory. Its result is read back from there: what is not in the directory was not proven.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use super::lanes::{On, Which, announce, run};
use super::lifecycle::{machines, verb_lock};
use super::{Nodes, Setting};
use crate::accel::{Accel, Wanted};
use crate::lane::evidence::{Host, LaneResult};
use crate::node::vm::Machines;
use crate::state::replace_file;

/// In order.
const LANES: [Which; 2] = [Which::Smoke, Which::ChainfireLiveMembership];

/// `result.json` of a suite.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct SuiteResult {
    schema_version: u32,
    suite: String,
    /// Whether every lane has a green result in this directory.
    success: bool,
    /// Whether that is the proof that the suite is for: on KVM.
    publishable: bool,
    started: String,
    finished: Option<String>,
    lanes: Vec<LaneRecord>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct LaneRecord {
    lane: String,
    success: bool,
    /// Below the log directory.
    result: Option<PathBuf>,
    error: Option<String>,
}

/// Where it ran, as `environment.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Environment {
    host: Host,
    processor: String,
    qemu: String,
    accelerator: String,
    accelerator_because: String,
    time_scale: f64,
    nested: Option<String>,
    image: String,
    payload: String,
    commit: Option<String>,
    dirty: Option<bool>,
}

/// Runs the suite.
pub(super) async fn run_all(mut setting: Setting, log_dir: &Path) -> Result<ExitCode> {
    setting.common.nodes = Nodes::Vm;
    ensure!(setting.common.from.is_none() && !setting.common.keep, "a suite is whole: no --from, no --keep");
    fs::create_dir_all(log_dir).with_context(|| format!("cannot make {}", log_dir.display()))?;
    let runtime = setting.paths.work_root.join("publishable-kvm-runtime");
    setting.paths = setting.paths.aside(&runtime, log_dir)?;
    let _lock = verb_lock(&setting.paths, "run-publishable-kvm-suite")?;
    let made = machines(&setting).await?;
    if made.verdict.accel != Accel::Kvm && setting.common.accel != Wanted::Tcg {
        bail!(
            "this suite proves what runs on KVM, and KVM does not work here: {} (--accel tcg runs it all the same, \
             and its result says so)",
            made.verdict.why
        );
    }
    write(&setting.paths.evidence.join("environment.json"), &environment(&setting, &made)?)?;
    let mut result = SuiteResult {
        schema_version: 1,
        suite: "publishable-kvm".to_owned(),
        success: false,
        publishable: false,
        started: jiff::Timestamp::now().to_string(),
        finished: None,
        lanes: Vec::new(),
    };
    let file = setting.paths.evidence.join("result.json");
    write(&file, &result)?;
    for which in LANES {
        let verdict = run(&setting, which, On::Fresh).await?;
        announce(&setting, which, std::slice::from_ref(&verdict));
        result.lanes.push(read_back(&setting.paths.evidence, which.name(), &verdict.dir));
        write(&file, &result)?;
    }
    result.success = LANES.len() == result.lanes.len() && result.lanes.iter().all(|lane| lane.success);
    result.publishable = result.success && made.verdict.accel == Accel::Kvm;
    result.finished = Some(jiff::Timestamp::now().to_string());
    write(&file, &result)?;
    let word = match (result.success, result.publishable) {
        (true, true) => "green",
        (true, false) => "green, but not on KVM: not publishable",
        _ => "FAILED",
    };
    println!("publishable-kvm is {word}: {}", file.display());
    Ok(if result.success { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What a lane's `result.json` in the directory says.
fn read_back(evidence: &Path, lane: &str, dir: &Path) -> LaneRecord {
    let path = dir.join("result.json");
    let read = || -> Result<()> {
        ensure!(dir.starts_with(evidence), "its evidence is not in {}", evidence.display());
        let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let result: LaneResult = serde_json::from_slice(&text).context("its result.json is damaged")?;
        ensure!(result.lane == lane, "its result.json is of {}", result.lane);
        ensure!(result.success && result.finished.is_some(), "{}", result.error.unwrap_or_default());
        ensure!(!result.checks.is_empty() && result.checks.iter().all(|check| check.ok), "a check failed");
        Ok(())
    };
    let error = read().err().map(|e| format!("{e:#}"));
    let result = path.strip_prefix(evidence).ok().map(Path::to_owned);
    LaneRecord { lane: lane.to_owned(), success: error.is_none(), result, error }
}

fn environment(setting: &Setting, made: &Machines) -> Result<Environment> {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").context("cannot read /proc/cpuinfo")?;
    let processor = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let nested = ["kvm_amd", "kvm_intel"].iter().find_map(|module| {
        let path = format!("/sys/module/{module}/parameters/nested");
        fs::read_to_string(path).ok().map(|on| format!("{module}: {}", on.trim()))
    });
    let (commit, dirty) = crate::lane::git(&setting.paths);
    Ok(Environment {
        host: Host::this(),
        processor: processor.map(|(_, name)| name.trim().to_owned()).unwrap_or_default(),
        qemu: made.qemu.clone(),
        accelerator: made.verdict.accel.to_string(),
        accelerator_because: made.verdict.why.clone(),
        time_scale: made.verdict.time_scale,
        nested,
        image: made.images.digest.clone(),
        payload: made.payload_digest.clone(),
        commit,
        dirty,
    })
}

fn write(path: &Path, value: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(value)?;
    text.push(b'\n');
    replace_file(path, &text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lane::evidence::CheckRecord;

    fn written(change: impl FnOnce(&mut LaneResult)) -> LaneRecord {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("smoke/1");
        fs::create_dir_all(&dir).unwrap();
        let mut result = LaneResult::begun("smoke", 1, 1.0);
        result.success = true;
        result.finished = Some("2026-01-01T00:00:00Z".to_owned());
        result.checks.push(CheckRecord { name: "one".into(), ok: true, seconds: 0.1, detail: String::new() });
        change(&mut result);
        fs::write(dir.join("result.json"), serde_json::to_vec(&result).unwrap()).unwrap();
        read_back(root.path(), "smoke", &dir)
    }

    #[test]
    fn only_a_green_result_of_that_lane_counts() {
        let green = written(|_| {});
        assert!(green.success, "{green:?}");
        assert_eq!(green.result.as_deref(), Some(Path::new("smoke/1/result.json")));
        assert!(!written(|r| r.success = false).success);
        assert!(!written(|r| r.finished = None).success);
        assert!(!written(|r| r.lane = "another".to_owned()).success);
        assert!(!written(|r| r.checks[0].ok = false).success);
        assert!(!written(|r| r.checks.clear()).success);
        assert!(!read_back(Path::new("/evidence"), "smoke", Path::new("/evidence/smoke/1")).success);
    }
}
