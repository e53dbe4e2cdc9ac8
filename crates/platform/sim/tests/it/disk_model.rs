//! The disk against a model that knows, for every name and every byte, what a power cut may leave.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use kit::disk::Disk;
use proptest::prelude::*;
use sim::SimDisk;
use sim::disk::SECTOR;

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

#[derive(Clone, Debug)]
enum Step {
    Write { name: usize, offset: u64, length: usize, byte: u8 },
    Resize { name: usize, size: u64 },
    Sync { name: usize },
    Rename { from: usize, to: usize },
    Remove { name: usize },
    SyncDir,
    Crash { seed: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    let name = 0..NAMES.len();
    let reach = 4 * SECTOR;
    prop_oneof![
        8 => (name.clone(), 0..reach as u64, 1..reach, 1..=255u8)
            .prop_map(|(name, offset, length, byte)| Step::Write { name, offset, length, byte }),
        2 => (name.clone(), 0..reach as u64).prop_map(|(name, size)| Step::Resize { name, size }),
        3 => name.clone().prop_map(|name| Step::Sync { name }),
        3 => (name.clone(), name.clone()).prop_map(|(from, to)| Step::Rename { from, to }),
        2 => name.prop_map(|name| Step::Remove { name }),
        2 => Just(Step::SyncDir),
        2 => any::<u64>().prop_map(|seed| Step::Crash { seed }),
    ]
}

/// What a file was since its last sync; the newest last.
#[derive(Clone, Debug)]
struct Versions {
    contents: Vec<Vec<u8>>,
    shrunk: bool,
}

/// What names led to since the last sync of their directory; the newest last.
#[derive(Debug, Default)]
struct Model {
    files: BTreeMap<u64, Versions>,
    names: BTreeMap<usize, Vec<Option<u64>>>,
    next: u64,
}

impl Model {
    fn now(&self, name: usize) -> Option<u64> {
        self.names.get(&name).and_then(|history| *history.last().expect("never empty"))
    }

    fn lead(&mut self, name: usize, file: Option<u64>) {
        self.names.entry(name).or_insert_with(|| vec![None]).push(file);
    }

    fn open(&mut self, name: usize) -> u64 {
        if let Some(file) = self.now(name) {
            return file;
        }
        self.next += 1;
        self.files.insert(self.next, Versions { contents: vec![Vec::new()], shrunk: false });
        self.lead(name, Some(self.next));
        self.next
    }

    fn change(&mut self, file: u64, change: impl FnOnce(&mut Vec<u8>)) {
        let versions = self.files.get_mut(&file).expect("a file that a name led to");
        let mut content = versions.contents.last().expect("never empty").clone();
        let before = content.len();
        change(&mut content);
        versions.shrunk |= content.len() < before;
        versions.contents.push(content);
    }

    fn content(&self, name: usize) -> Option<&Vec<u8>> {
        self.now(name).map(|file| self.files[&file].contents.last().expect("never empty"))
    }

    /// After a crash the disk is what it is; from there on it is the only truth.
    fn adopt(&mut self, found: &BTreeMap<usize, Vec<u8>>) {
        *self = Self::default();
        for (name, content) in found {
            let file = self.open(*name);
            self.files.insert(file, Versions { contents: vec![content.clone()], shrunk: false });
            self.names.insert(*name, vec![Some(file)]);
        }
    }
}

impl Versions {
    /// Whether a power cut may leave these bytes.
    fn allow(&self, found: &[u8]) -> bool {
        let lengths: BTreeSet<usize> = self.contents.iter().map(Vec::len).collect();
        let byte = |content: &[u8], at: usize| content.get(at).copied().unwrap_or(0);
        let bytes = |at: usize| self.contents.iter().any(|content| byte(content, at) == found[at]);
        // Only a truncation may mix moments within a sector: a new block may lie where the old one lay.
        let sector = |start: usize| {
            let span = start..(start + SECTOR).min(found.len());
            self.contents.iter().any(|content| span.clone().all(|at| byte(content, at) == found[at]))
        };
        lengths.contains(&found.len())
            && (0..found.len()).all(bytes)
            && (self.shrunk || (0..found.len()).step_by(SECTOR).all(sector))
    }
}

fn found(disk: &SimDisk) -> BTreeMap<usize, Vec<u8>> {
    let number = |path: &PathBuf| NAMES.iter().position(|n| path.ends_with(n)).expect("a name of ours");
    disk.files().iter().map(|(path, content)| (number(path), content.clone())).collect()
}

fn path(name: usize) -> PathBuf {
    Path::new("/data").join(NAMES[name])
}

fn act(disk: &SimDisk, model: &mut Model, step: &Step) -> Result<(), TestCaseError> {
    match *step {
        Step::Write { name, offset, length, byte } => {
            disk.open(&path(name), true).unwrap().write_all_at(&vec![byte; length], offset).unwrap();
            let (file, start) = (model.open(name), offset as usize);
            model.change(file, |content| {
                content.resize(content.len().max(start + length), 0);
                content[start..start + length].fill(byte);
            });
        }
        Step::Resize { name, size } => {
            disk.open(&path(name), true).unwrap().set_size(size).unwrap();
            let file = model.open(name);
            model.change(file, |content| content.resize(size as usize, 0));
        }
        Step::Sync { name } => {
            if let Ok(file) = disk.open(&path(name), false) {
                file.sync_data().unwrap();
                let file = model.open(name);
                let versions = model.files.get_mut(&file).unwrap();
                *versions = Versions {
                    contents: versions.contents.split_off(versions.contents.len() - 1),
                    shrunk: false,
                };
            }
        }
        Step::Rename { from, to } => {
            let moved = disk.rename(&path(from), &path(to)).is_ok();
            prop_assert_eq!(moved, model.now(from).is_some());
            if moved && from != to {
                let file = model.now(from);
                model.lead(to, file);
                model.lead(from, None);
            }
        }
        Step::Remove { name } => {
            let removed = disk.remove(&path(name)).is_ok();
            prop_assert_eq!(removed, model.now(name).is_some());
            if removed {
                model.lead(name, None);
            }
        }
        Step::SyncDir => {
            disk.sync_dir(Path::new("/data")).unwrap();
            for history in model.names.values_mut() {
                history.drain(..history.len() - 1);
            }
        }
        Step::Crash { seed } => crash(disk, model, seed)?,
    }
    let found = found(disk);
    for (name, text) in NAMES.iter().enumerate() {
        prop_assert_eq!(found.get(&name), model.content(name), "what readers see of {}", text);
    }
    Ok(())
}

fn crash(disk: &SimDisk, model: &mut Model, seed: u64) -> Result<(), TestCaseError> {
    let open = disk.open(&path(0), false);
    disk.crash(seed);
    if let Ok(handle) = open {
        prop_assert!(
            handle.size().is_err() && handle.write_all_at(b"x", 0).is_err(),
            "a handle outlived the crash"
        );
    }
    let found = found(disk);
    for (name, history) in &model.names {
        let content = found.get(name);
        let allowed = history.iter().any(|file| match (file, content) {
            (None, None) => true,
            (Some(file), Some(content)) => model.files[file].allow(content),
            _ => false,
        });
        prop_assert!(allowed, "{} became {content:?}, out of {history:?}", NAMES[*name]);
    }
    model.adopt(&found);
    Ok(())
}

fn play(steps: &[Step]) -> Result<BTreeMap<PathBuf, Vec<u8>>, TestCaseError> {
    let disk = SimDisk::new(1);
    disk.create_dir_all(Path::new("/data")).unwrap();
    let mut model = Model::default();
    for step in steps {
        act(&disk, &mut model, step)?;
    }
    Ok(disk.files())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn readers_see_everything_and_a_crash_leaves_only_what_it_may(steps in prop::collection::vec(step(), 1..60)) {
        let first = play(&steps)?;
        prop_assert_eq!(first, play(&steps)?, "the same steps and seeds left another disk");
    }
}

/// The model forbids too much or too little only if all it allows can happen: look for the extremes.
#[test]
fn every_kind_of_fate_happens() {
    let mut left = BTreeSet::new();
    for seed in 0..200 {
        let disk = SimDisk::new(0);
        disk.create_dir_all(Path::new("/data")).unwrap();
        let file = disk.open(&path(0), true).unwrap();
        file.write_all_at(&[1; 2 * SECTOR], 0).unwrap();
        file.sync_data().unwrap();
        disk.sync_dir(Path::new("/data")).unwrap();
        file.write_all_at(&[2; 3 * SECTOR], 0).unwrap();
        disk.crash(seed);
        let content = &disk.files()[&path(0)];
        left.insert(content.chunks(SECTOR).map(|sector| sector[0]).collect::<Vec<_>>());
    }
    for wanted in [&[1, 1][..], &[2, 2, 2], &[2, 1], &[1, 2], &[1, 1, 0], &[1, 2, 2], &[1, 1, 2]] {
        assert!(left.contains(wanted), "{wanted:?} never happened, only {left:?}");
    }
}
