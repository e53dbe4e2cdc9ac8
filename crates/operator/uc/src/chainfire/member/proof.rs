//! What is kept of a change of members: the plan, what was seen before each step, what came of it.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Serialize;

use super::model::{Observed, Wanted};
use super::plan::Proven;

/// Of the file.
const SCHEMA: u32 = 1;

/// The whole record.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Proof {
    schema_version: u32,
    /// Whether the members are as wanted.
    pub(crate) success: bool,
    /// Why not.
    pub(crate) error: Option<String>,
    started: String,
    finished: Option<String>,
    wanted: Vec<Wanted>,
    /// As it was seen at the beginning; what was done is in `steps`.
    plan: Vec<Proven>,
    steps: Vec<Record>,
    /// As they are at the end.
    pub(crate) members: Option<Observed>,
}

/// One step.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Record {
    #[serde(flatten)]
    proven: Proven,
    /// The members right before it: what its proof is about.
    observed: Observed,
    started: String,
    finished: Option<String>,
    /// What each attempt was told, and at last `done`.
    outcomes: Vec<String>,
}

/// The record and its file, which is whole after every line.
#[derive(Debug)]
pub(crate) struct Keeper {
    path: PathBuf,
    /// What is kept.
    pub(crate) proof: Proof,
}

impl Keeper {
    /// Begins a file, which must not exist: an earlier proof is not overwritten.
    pub(crate) fn begin(path: Option<&Path>, wanted: &[Wanted], plan: Vec<Proven>) -> anyhow::Result<Self> {
        let started = jiff::Timestamp::now();
        let named =
            || PathBuf::from(format!("chainfire-members-{}.json", started.strftime("%Y%m%dT%H%M%S%.3fZ")));
        let path = path.map_or_else(named, Path::to_owned);
        File::create_new(&path)
            .with_context(|| format!("cannot begin the proof {}; it must not exist yet", path.display()))?;
        let proof = Proof {
            schema_version: SCHEMA,
            success: false,
            error: Some("it did not end: it was stopped, or still runs".to_owned()),
            started: started.to_string(),
            finished: None,
            wanted: wanted.to_vec(),
            plan,
            steps: Vec::new(),
            members: None,
        };
        let keeper = Self { path, proof };
        keeper.write()?;
        Ok(keeper)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes down what is about to be done. Nothing is done that was not written down.
    pub(crate) fn step(&mut self, proven: Proven, observed: Observed) -> anyhow::Result<()> {
        let started = jiff::Timestamp::now().to_string();
        self.proof.steps.push(Record { proven, observed, started, finished: None, outcomes: Vec::new() });
        self.write()
    }

    /// Writes down what an attempt was told; whether that is new.
    pub(crate) fn outcome(&mut self, said: &str) -> anyhow::Result<bool> {
        let Some(step) = self.proof.steps.last_mut() else { return Ok(false) };
        if step.outcomes.last().is_some_and(|last| last == said) {
            return Ok(false);
        }
        step.outcomes.push(said.to_owned());
        self.write()?;
        Ok(true)
    }

    /// Writes down how the step ended.
    pub(crate) fn end(&mut self, how: &str) -> anyhow::Result<()> {
        if let Some(step) = self.proof.steps.last_mut() {
            step.outcomes.push(how.to_owned());
            step.finished = Some(jiff::Timestamp::now().to_string());
        }
        self.write()
    }

    /// Writes the end down.
    pub(crate) fn finish(&mut self, error: Option<String>) -> anyhow::Result<()> {
        self.proof.success = error.is_none();
        self.proof.error = error;
        self.proof.finished = Some(jiff::Timestamp::now().to_string());
        self.write()
    }

    /// Old or new after a crash, never half.
    fn write(&self) -> anyhow::Result<()> {
        let draft = self.path.with_extension("json.draft");
        let write = || -> std::io::Result<()> {
            let mut file = File::create(&draft)?;
            file.write_all(&serde_json::to_vec_pretty(&self.proof)?)?;
            file.write_all(b"\n")?;
            file.sync_all()?;
            std::fs::rename(&draft, &self.path)
        };
        write().with_context(|| format!("cannot write the proof {}", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::plan::next;
    use super::super::plan_tests::{group, wanted};
    use super::*;

    #[test]
    fn the_file_shows_how_far_it_was_at_any_time_and_is_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("proof.json");
        let read =
            || -> serde_json::Value { serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap() };
        let (observed, wanted) = (group(3), wanted(&[1, 2, 4]));
        let mut keeper = Keeper::begin(Some(&path), &wanted, Vec::new()).unwrap();
        assert_eq!(read()["success"], false);
        let step = next(&observed, &wanted).unwrap().expect("a step");
        keeper.step(step, observed).unwrap();
        assert!(keeper.outcome("etcdserver: unhealthy cluster").unwrap());
        assert!(!keeper.outcome("etcdserver: unhealthy cluster").unwrap(), "told once");
        assert_eq!(read()["steps"][0]["finished"], serde_json::Value::Null);
        keeper.end("done").unwrap();
        assert_eq!(read()["steps"][0]["outcomes"].as_array().map(Vec::len), Some(2));
        assert_eq!(read()["steps"][0]["action"], "add-learner");
        keeper.finish(None).unwrap();
        assert_eq!(read()["success"], true);
        assert!(Keeper::begin(Some(&path), &wanted, Vec::new()).is_err());
    }
}
