//! What the work root takes on disk, whether that is too much, and what may go.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::lane::evidence::is_timestamp;
use crate::paths::Paths;

/// Soft budgets in MiB. `ULTRACLOUD_WORK_BUDGET_MIB` replaces the first.
const TOTAL_MIB: u64 = 40 << 10;
const STATE_MIB: u64 = 20 << 10;
const LANE_MIB: u64 = 5 << 10;
/// A few recipes, and the memory of machines that sleep.
const IMAGES_MIB: u64 = 10 << 10;

/// One tracked path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tracked {
    /// What it holds.
    pub what: String,
    /// Where.
    pub path: PathBuf,
    /// Bytes on disk.
    pub bytes: u64,
    /// Soft budget in bytes.
    pub budget: u64,
}

impl Tracked {
    /// Whether it is over its budget.
    pub fn is_over(&self) -> bool {
        self.bytes > self.budget
    }
}

/// Measures the work root: as a whole, the cluster's state, and each lane's evidence.
pub fn measure(paths: &Paths) -> Result<Vec<Tracked>> {
    let total = std::env::var("ULTRACLOUD_WORK_BUDGET_MIB").ok();
    let total = total
        .map(|t| t.parse().with_context(|| format!("ULTRACLOUD_WORK_BUDGET_MIB is `{t}`, not a number")));
    let total = total.transpose()?.unwrap_or(TOTAL_MIB);
    let mut tracked = vec![
        track("work root", &paths.work_root, total)?,
        track("cluster state", &paths.state, STATE_MIB)?,
        track("images of machines", &paths.images(), IMAGES_MIB)?,
    ];
    for lane in lanes(&paths.work_root)? {
        let name = lane.file_name().unwrap_or_default().to_string_lossy().into_owned();
        tracked.push(track(&format!("evidence of {name}"), &lane, LANE_MIB)?);
    }
    Ok(tracked)
}

fn track(what: &str, path: &Path, mib: u64) -> Result<Tracked> {
    let bytes = size_on_disk(path).with_context(|| format!("cannot measure {}", path.display()))?;
    Ok(Tracked { what: what.to_owned(), path: path.to_owned(), bytes, budget: mib << 20 })
}

/// Directories of the work root that hold dated evidence.
fn lanes(work_root: &Path) -> io::Result<Vec<PathBuf>> {
    let mut lanes: Vec<PathBuf> =
        entries(work_root)?.into_iter().filter(|dir| !dated(dir).is_empty()).collect();
    lanes.sort();
    Ok(lanes)
}

/// A lane's runs, oldest first.
fn dated(lane: &Path) -> Vec<PathBuf> {
    let mut runs = entries(lane).unwrap_or_default();
    runs.retain(|run| run.file_name().and_then(|n| n.to_str()).is_some_and(is_timestamp));
    runs.sort();
    runs
}

/// Real directories only: a link is neither evidence nor ours to follow.
fn entries(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let listing = match fs::read_dir(dir) {
        Ok(listing) => listing,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    let mut found = Vec::new();
    for entry in listing {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// Blocks in use below a path; what vanishes meanwhile counts nothing.
fn size_on_disk(path: &Path) -> io::Result<u64> {
    use std::os::unix::fs::MetadataExt as _;
    let meta = match fs::symlink_metadata(path) {
        Ok(meta) => meta,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(e) => return Err(e),
    };
    let mut bytes = meta.blocks() * 512;
    if meta.is_dir() {
        for entry in fs::read_dir(path)?.flatten() {
            bytes += size_on_disk(&entry.path())?;
        }
    }
    Ok(bytes)
}

/// All dated runs but the newest `keep` of each lane.
pub fn prunable(paths: &Paths, keep: usize) -> Result<Vec<PathBuf>> {
    let mut old = Vec::new();
    for lane in lanes(&paths.work_root)? {
        let runs = dated(&lane);
        let spare = runs.len().saturating_sub(keep);
        old.extend(runs.into_iter().take(spare));
    }
    Ok(old)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> (tempfile::TempDir, Paths) {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::under(dir.path()).unwrap();
        for run in ["20261101T101010+0000", "20261102T101010+0000", "20261103T101010+0000"] {
            let run = dir.path().join("smoke").join(run);
            fs::create_dir_all(&run).unwrap();
            fs::write(run.join("result.json"), vec![1; 10_000]).unwrap();
        }
        std::os::unix::fs::symlink("20261103T101010+0000", dir.path().join("smoke/latest")).unwrap();
        fs::create_dir_all(dir.path().join("smoke/notes")).unwrap();
        (dir, paths)
    }

    #[test]
    fn the_oldest_dated_runs_may_go_and_nothing_else() {
        let (_dir, paths) = root();
        let old = prunable(&paths, 2).unwrap();
        assert_eq!(old.len(), 1);
        assert!(old[0].ends_with("smoke/20261101T101010+0000"));
        assert_eq!(prunable(&paths, 0).unwrap().len(), 3);
        assert!(prunable(&paths, 9).unwrap().is_empty());
    }

    #[test]
    fn every_lane_is_measured() {
        let (_dir, paths) = root();
        let tracked = measure(&paths).unwrap();
        let smoke = tracked.iter().find(|t| t.what == "evidence of smoke").unwrap();
        assert!(smoke.bytes >= 30_000, "{smoke:?}");
        assert!(!smoke.is_over());
        assert!(Tracked { budget: 1, ..smoke.clone() }.is_over());
        assert_eq!(tracked.iter().find(|t| t.what == "cluster state").unwrap().bytes, 0);
    }
}
