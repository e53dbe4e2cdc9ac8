//! How long earlier boots took, so that whoever waits for one knows how long still.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;

use crate::state::replace_file;

/// So many of the newest count.
const KEPT: usize = 9;

/// Seconds of earlier boots by what was booted; a file that cannot be read is none.
#[derive(Clone, Debug)]
pub struct BootTimes {
    file: PathBuf,
    seconds: BTreeMap<String, Vec<f64>>,
}

impl BootTimes {
    /// Those of a work root.
    pub fn load(work_root: &Path) -> Self {
        let file = work_root.join("boot-times.json");
        let read = fs::read(&file).ok().and_then(|text| serde_json::from_slice(&text).ok());
        Self { file, seconds: read.unwrap_or_default() }
    }

    /// What a boot of this kind may take: the median.
    pub fn expected(&self, kind: &str) -> Option<Duration> {
        let mut known = self.seconds.get(kind)?.clone();
        known.sort_by(f64::total_cmp);
        Duration::try_from_secs_f64(*known.get(known.len() / 2)?).ok()
    }

    /// Remembers one more.
    pub fn add(&mut self, kind: &str, took: Duration) -> Result<()> {
        let known = self.seconds.entry(kind.to_owned()).or_default();
        known.push(took.as_secs_f64());
        let superfluous = known.len().saturating_sub(KEPT);
        known.drain(..superfluous);
        replace_file(&self.file, &serde_json::to_vec_pretty(&self.seconds)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_the_newest_is_expected() {
        let dir = tempfile::tempdir().unwrap();
        let mut times = BootTimes::load(dir.path());
        assert_eq!(times.expected("vm"), None);
        for seconds in [900, 900, 900, 900, 100, 100, 110, 120, 130, 130, 90, 95, 140] {
            times.add("vm", Duration::from_secs(seconds)).unwrap();
        }
        let times = BootTimes::load(dir.path());
        assert_eq!(times.expected("vm"), Some(Duration::from_secs(110)));
        assert_eq!(times.expected("netns"), None);
        fs::write(dir.path().join("boot-times.json"), "damaged").unwrap();
        assert_eq!(BootTimes::load(dir.path()).expected("vm"), None);
    }
}
