//! How a proof is run and written down.
//!
//! A lane is a function over a running cluster that makes named checks. A check waits for something to
//! become true, with a deadline and never by a sleep; while it waits, it shows what it sees. Whatever
//! happens to the lane (a check fails, the harness errs, Ctrl-C), `result.json` tells it, and a lane
//! without a green `result.json` exits non-zero.

pub mod evidence;

use std::fmt::Display;
use std::future::Future;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::time::Instant;

use self::evidence::{CheckRecord, Evidence, LaneResult};
use crate::client::{Cluster, readiness};
use crate::paths::Paths;
use crate::progress::Progress;
use crate::supervisor::protocol::ClusterStatus;

/// Between two looks at a predicate: first, and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// A machine's whole journal.
const JOURNAL: Duration = Duration::from_secs(10);

/// One run of a lane.
pub struct Lane {
    /// Its name.
    pub name: String,
    /// Of everything random in it.
    pub seed: u64,
    /// Every deadline is multiplied by it.
    pub time_scale: f64,
    /// Where artifacts go.
    pub evidence: Evidence,
    progress: Progress,
    result: LaneResult,
    /// The check that the lane is to begin at, until it comes.
    from: Option<String>,
    /// What was passed over on the way there.
    passed_over: Vec<String>,
    /// The cluster's faults before this lane.
    faults_before: usize,
    cluster: Option<Cluster>,
}

/// Where a check stands: what a predicate has seen so far.
pub struct Waiting<'a> {
    what: String,
    deadline: Instant,
    patience: Duration,
    progress: &'a Progress,
}

/// A predicate's answer.
pub type Seen<T> = std::result::Result<T, String>;

impl Lane {
    /// Prepares the evidence. From here on a kill leaves `success: false` behind.
    pub fn begin(paths: &Paths, name: &str, seed: u64, progress: Progress) -> Result<Self> {
        let evidence = Evidence::create(&paths.evidence, name)?;
        let time_scale = 1.0;
        let mut result = LaneResult::begun(name, seed, time_scale);
        (result.commit, result.dirty) = git(paths);
        evidence.write_result(&result)?;
        Ok(Self {
            name: name.to_owned(),
            seed,
            time_scale,
            evidence,
            progress,
            result,
            from: None,
            passed_over: Vec::new(),
            faults_before: 0,
            cluster: None,
        })
    }

    /// Tells the lane on which cluster it runs.
    pub async fn attach(&mut self, cluster: &Cluster) -> Result<()> {
        let status = cluster.status().await?;
        self.time_scale = status.time_scale();
        self.result.time_scale = self.time_scale;
        if let Some(machines) = &status.machines {
            self.result.accelerator = Some(machines.verdict.accel.to_string());
            self.result.image = Some(machines.images.digest.clone());
            self.result.payload = Some(machines.payload_digest.clone());
        }
        self.result.node_body = status.node_body;
        self.result.binary_sha256 = status.binary_sha256;
        self.faults_before = cluster.faults(0).await?.len();
        self.cluster = Some(cluster.clone());
        Ok(())
    }

    /// Passes over all checks before this one, but for those whose result later ones need. Such a run looks into
    /// something and proves nothing: it is never green.
    pub fn begin_at(&mut self, check: &str) {
        self.from = Some(check.to_owned());
        self.result.from = Some(check.to_owned());
    }

    fn passes_over(&mut self, name: &str) -> bool {
        if self.from.as_deref() == Some(name) {
            self.from = None;
        }
        let over = self.from.is_some();
        if over {
            self.progress.line(&format!("      {name}: passed over"));
            self.passed_over.push(name.to_owned());
        }
        over
    }

    /// Makes a check: `check` waits and looks, and says in a few words what it saw.
    pub async fn check<T: Display>(
        &mut self,
        name: &str,
        patience: Duration,
        check: impl AsyncFnOnce(&Waiting<'_>) -> Result<T>,
    ) -> Result<()> {
        if self.passes_over(name) {
            return Ok(());
        }
        self.check_value(name, patience, async |w| check(w).await.map(|detail| (detail.to_string(), ())))
            .await
    }

    /// As [`Lane::check`], for one whose result is needed afterwards.
    pub async fn check_value<T>(
        &mut self,
        name: &str,
        patience: Duration,
        check: impl AsyncFnOnce(&Waiting<'_>) -> Result<(String, T)>,
    ) -> Result<T> {
        let patience = patience.mul_f64(self.time_scale);
        let began = Instant::now();
        self.progress.begin(name);
        let waiting =
            Waiting { what: name.to_owned(), deadline: began + patience, patience, progress: &self.progress };
        // A check that hangs outside of any predicate must not hang the lane.
        let bounded = tokio::time::timeout(patience + patience / 2, check(&waiting)).await;
        let mut outcome = match bounded {
            Ok(outcome) => outcome,
            Err(_) => {
                Err(anyhow::anyhow!("it hung for {:?}, and waits for {patience:?} at most", began.elapsed()))
            }
        };
        if let Err(e) = outcome {
            outcome = Err(self.with_what_is_down(e).await);
        }
        let seconds = began.elapsed().as_secs_f64();
        let (ok, detail) = match &outcome {
            Ok((detail, _)) => (true, detail.clone()),
            Err(e) => (false, format!("{e:#}")),
        };
        let word = if ok { "ok   " } else { "FAIL " };
        self.progress.line(&format!(
            "{word} {name} ({seconds:.1} s){}{detail}",
            if detail.is_empty() { "" } else { ": " }
        ));
        self.result.checks.push(CheckRecord { name: name.to_owned(), ok, seconds, detail });
        // So that also a killed lane shows how far it was.
        self.evidence.write_result(&self.result)?;
        outcome.map(|(_, value)| value).with_context(|| format!("check `{name}` failed"))
    }

    /// Adds the first service that is not up, and its log, to an error.
    async fn with_what_is_down(&self, error: anyhow::Error) -> anyhow::Error {
        let Some(cluster) = &self.cluster else { return error };
        match cluster.status().await.map(|status| readiness(&status)) {
            Ok(Ok(())) => error,
            Ok(Err(down)) => anyhow::anyhow!("{error:#}; not up: {}", down.what),
            Err(e) => anyhow::anyhow!("{error:#}; and the supervisor does not answer: {e:#}"),
        }
    }

    /// A remark for whoever watches.
    pub fn say(&self, text: &str) {
        self.progress.line(text);
    }

    /// Writes the end down; collects logs, captures and faults. `outcome` is what the lane's function returned.
    pub async fn finish(mut self, outcome: Result<()>, supervisor_log: PathBuf) -> Result<Verdict> {
        self.progress.end();
        let outcome = outcome.and_then(|()| self.is_a_proof());
        let mut error = outcome.err().map(|e| format!("{e:#}"));
        if let Some(cluster) = self.cluster.take()
            && let Err(e) = self.collect(&cluster, &supervisor_log).await
        {
            // Evidence that is not complete is no evidence.
            error.get_or_insert_with(|| format!("the evidence is not complete: {e:#}"));
        }
        self.result.success = error.is_none();
        self.result.error.clone_from(&error);
        self.result.finished = Some(jiff::Timestamp::now().to_string());
        self.evidence.write_result(&self.result)?;
        let passed = self.result.checks.iter().filter(|c| c.ok).count();
        let failed = self.result.checks.len() - passed;
        let failed_check = self.result.checks.iter().find(|c| !c.ok).map(|c| c.name.clone());
        let dir = self.evidence.dir().to_owned();
        Ok(Verdict { lane: self.name, error, passed, failed, failed_check, seed: self.seed, dir })
    }

    fn is_a_proof(&self) -> Result<()> {
        if let Some(never) = &self.from {
            anyhow::bail!("no check is called `{never}`; there are: {}", self.passed_over.join("; "));
        }
        match &self.result.from {
            Some(from) => anyhow::bail!("it began at `{from}`: what was run held, but that is no proof"),
            None => Ok(()),
        }
    }

    async fn collect(&mut self, cluster: &Cluster, supervisor_log: &std::path::Path) -> Result<()> {
        let status = cluster.status().await?;
        self.evidence.collect_logs(&status, supervisor_log)?;
        self.evidence.artifact("cluster-status", &status)?;
        self.collect_journals(cluster, &status).await?;
        cluster.captures(&self.evidence.dir().join("links")).await?;
        self.result.faults = cluster.faults(self.faults_before).await?;
        Ok(())
    }

    /// Of machines that are on: it is in their memory, and gone with their power.
    async fn collect_journals(&self, cluster: &Cluster, status: &ClusterStatus) -> Result<()> {
        let is_machine = status.machines.is_some();
        for (name, _) in status.nodes.iter().filter(|(_, node)| is_machine && node.process.is_some()) {
            let node = cluster.node(name);
            let patience = JOURNAL.mul_f64(self.time_scale);
            let said = tokio::time::timeout(
                patience,
                node.exec(&["journalctl", "--no-pager", "-o", "short-iso-precise"]),
            );
            let said = said.await.with_context(|| format!("no journal of {name} within {patience:?}"))??;
            anyhow::ensure!(
                said.exit.is_clean(),
                "journalctl on {name} ended with {}: {}",
                said.exit,
                said.stderr
            );
            let path = self.evidence.dir().join("nodes").join(name).join("journal.log");
            std::fs::write(&path, said.stdout).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }
}

/// How a lane ended.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Its name.
    pub lane: String,
    /// Why it is not green.
    pub error: Option<String>,
    /// Checks that held.
    pub passed: usize,
    /// Checks that did not.
    pub failed: usize,
    /// The first of them.
    pub failed_check: Option<String>,
    /// Of everything random in it.
    pub seed: u64,
    /// The evidence.
    pub dir: PathBuf,
}

impl Waiting<'_> {
    /// Waits until the predicate says yes. When the deadline passes, the error says what was expected
    /// and what was seen last.
    pub async fn until<T, F: Future<Output = Seen<T>>>(
        &self,
        expected: &str,
        mut predicate: impl FnMut() -> F,
    ) -> Result<T> {
        let mut pause = FIRST_PAUSE;
        let mut seen = "nothing yet".to_owned();
        loop {
            // A look that hangs is cut off at the deadline too.
            match tokio::time::timeout_at(self.deadline, predicate()).await {
                Ok(Ok(value)) => return Ok(value),
                Ok(Err(now)) => seen = now,
                Err(_) => seen = format!("{seen} (and the last look did not return)"),
            }
            self.progress.update(&self.what, &seen);
            if Instant::now() + pause >= self.deadline {
                anyhow::bail!("expected {expected} within {:?}; seen: {seen}", self.patience);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Shows what is going on.
    pub fn show(&self, now: &str) {
        self.progress.update(&self.what, now);
    }

    /// How long the check may take.
    pub fn patience(&self) -> Duration {
        self.patience
    }
}

/// The checkout's commit and whether it has changes. A tree without git has neither.
pub(crate) fn git(paths: &Paths) -> (Option<String>, Option<bool>) {
    let run = |args: &[&str]| {
        let output = Command::new("git")
            .args(["-c", "safe.directory=*", "-C"])
            .arg(&paths.repository)
            .args(args)
            .output()
            .ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let commit = run(&["rev-parse", "HEAD"]);
    let dirty = run(&["status", "--porcelain"]).map(|changes| !changes.is_empty());
    (commit, dirty)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane() -> (tempfile::TempDir, Lane) {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::under(dir.path()).unwrap();
        let lane = Lane::begin(&paths, "smoke", 7, Progress::silent()).unwrap();
        (dir, lane)
    }

    fn read(dir: &std::path::Path) -> LaneResult {
        serde_json::from_slice(&std::fs::read(dir.join("result.json")).unwrap()).unwrap()
    }

    #[tokio::test]
    async fn a_lane_that_is_killed_left_a_failure() {
        let (_dir, mut lane) = lane();
        assert!(!read(lane.evidence.dir()).success);
        lane.check("first", Duration::from_secs(1), async |_| Ok("fine")).await.unwrap();
        let killed = read(lane.evidence.dir());
        assert!(!killed.success && killed.finished.is_none());
        assert_eq!(killed.checks.len(), 1);
    }

    #[tokio::test]
    async fn a_lane_that_begins_later_is_never_green() {
        let run = async |from: &str| {
            let (_dir, mut lane) = lane();
            lane.begin_at(from);
            let mut ran = Vec::new();
            for name in ["one", "two", "three"] {
                let check = lane.check(name, Duration::from_secs(1), async |_| {
                    ran.push(name);
                    Ok("held")
                });
                check.await.unwrap();
            }
            (ran, lane.finish(Ok(()), PathBuf::new()).await.unwrap().error.unwrap())
        };
        let (ran, error) = run("two").await;
        assert_eq!(ran, ["two", "three"]);
        assert!(error.contains("began at `two`"), "{error}");
        let (ran, error) = run("four").await;
        assert!(ran.is_empty() && error.contains("there are: one; two; three"), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_check_that_fails_says_what_was_expected_and_seen() {
        let (_dir, mut lane) = lane();
        let mut looks = 0;
        let outcome = lane
            .check("leader", Duration::from_secs(2), async |w| {
                w.until("a leader", || {
                    looks += 1;
                    let seen = format!("look {looks}: none");
                    async move { Err::<String, _>(seen) }
                })
                .await
            })
            .await;
        assert!(looks > 3);
        let dir = lane.evidence.dir().to_owned();
        let verdict = lane.finish(outcome, PathBuf::new()).await.unwrap();
        let error = verdict.error.unwrap();
        assert!(error.contains("check `leader` failed: expected a leader within 2s"), "{error}");
        assert!(error.contains(&format!("look {looks}: none")), "{error}");
        let result = read(&dir);
        assert!(!result.success && result.finished.is_some());
        assert_eq!((verdict.passed, verdict.failed), (0, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_check_that_hangs_fails() {
        let (_dir, mut lane) = lane();
        let hung = lane
            .check("hang", Duration::from_secs(1), async |_| {
                std::future::pending::<()>().await;
                Ok("never")
            })
            .await;
        assert!(format!("{:#}", hung.unwrap_err()).contains("hung"));
        let look = lane
            .check("hanging look", Duration::from_secs(1), async |w| {
                w.until("an answer", std::future::pending::<Seen<String>>).await
            })
            .await;
        assert!(format!("{:#}", look.unwrap_err()).contains("did not return"));
    }

    #[tokio::test]
    async fn a_lane_whose_checks_hold_is_green_and_one_that_errs_outside_is_not() {
        let (_dir, mut lane) = lane();
        lane.check("one", Duration::from_secs(1), async |w| w.until("it", || async { Ok("x") }).await)
            .await
            .unwrap();
        let dir = lane.evidence.dir().to_owned();
        assert!(lane.finish(Ok(()), PathBuf::new()).await.unwrap().error.is_none());
        assert!(read(&dir).success);
        let (_dir, lane) = self::lane();
        let dir = lane.evidence.dir().to_owned();
        lane.finish(Err(anyhow::anyhow!("the harness erred")), PathBuf::new()).await.unwrap();
        let result = read(&dir);
        assert!(!result.success);
        assert_eq!(result.error.as_deref(), Some("the harness erred"));
    }
}
