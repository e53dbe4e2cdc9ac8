//! A directory: which names lead to which files, now and after a power cut.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::fate::Fate;
use super::inode::Inode;

/// A file, shared by its names and its open handles.
pub(super) type Node = Arc<Mutex<Inode>>;

/// Names of one directory. Like [`Inode`], but for names.
#[derive(Debug, Default)]
pub(super) struct Directory {
    durable: BTreeMap<String, Node>,
    volatile: BTreeMap<String, Node>,
    pending: Vec<Change>,
}

/// One atomic change: what each name that it touches leads to afterwards.
#[derive(Clone, Debug)]
struct Change(Vec<(String, Option<Node>)>);

impl Directory {
    pub(super) fn get(&self, name: &str) -> Option<&Node> {
        self.volatile.get(name)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        self.volatile.keys()
    }

    pub(super) fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.volatile.values()
    }

    pub(super) fn create(&mut self, name: &str) -> Node {
        let node = Node::default();
        self.change(Change(vec![(name.to_owned(), Some(node.clone()))]));
        node
    }

    /// False: there is no such name.
    pub(super) fn rename(&mut self, from: &str, to: &str) -> bool {
        let Some(node) = self.volatile.get(from).cloned() else { return false };
        if from != to {
            self.change(Change(vec![(from.to_owned(), None), (to.to_owned(), Some(node))]));
        }
        true
    }

    /// False: there is no such name.
    pub(super) fn remove(&mut self, name: &str) -> bool {
        let there = self.volatile.contains_key(name);
        if there {
            self.change(Change(vec![(name.to_owned(), None)]));
        }
        there
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.volatile);
        self.pending.push(change);
    }

    /// All names reach the platter.
    pub(super) fn sync(&mut self) {
        for change in self.pending.drain(..) {
            change.apply(&mut self.durable);
        }
    }

    /// Some changes reach the platter and the rest never will.
    pub(super) fn scatter(&mut self, rng: &mut ChaCha8Rng) {
        match Fate::draw(rng) {
            Fate::Lost => self.pending.clear(),
            Fate::Kept => self.sync(),
            Fate::Torn => self.tear(rng),
        }
    }

    /// A power cut.
    pub(super) fn crash(&mut self, rng: &mut ChaCha8Rng) {
        self.scatter(rng);
        self.volatile.clone_from(&self.durable);
        for node in self.volatile.values() {
            super::lock(node).crash(rng);
        }
    }

    /// Changes that share a name keep their order, so of each such chain a beginning survives; chains know
    /// nothing of each other, so any mixture of beginnings may.
    fn tear(&mut self, rng: &mut ChaCha8Rng) {
        let pending = std::mem::take(&mut self.pending);
        let chains = chains(&pending);
        let mut left = BTreeMap::new();
        for chain in &chains {
            let length = chains.iter().filter(|c| *c == chain).count();
            left.entry(*chain).or_insert_with(|| rng.random_range(0..=length));
        }
        for (change, chain) in pending.iter().zip(&chains) {
            let left = left.get_mut(chain).expect("every chain got a length");
            if *left > 0 {
                *left -= 1;
                change.apply(&mut self.durable);
            }
        }
    }
}

impl Change {
    fn apply(&self, names: &mut BTreeMap<String, Node>) {
        for (name, node) in &self.0 {
            match node {
                Some(node) => names.insert(name.clone(), node.clone()),
                None => names.remove(name),
            };
        }
    }
}

/// For each change, the number of the chain that it belongs to.
fn chains(changes: &[Change]) -> Vec<usize> {
    let mut chain_of: BTreeMap<&str, usize> = BTreeMap::new();
    let mut chains: Vec<usize> = Vec::new();
    for (number, Change(touched)) in changes.iter().enumerate() {
        chains.push(number);
        for (name, _) in touched {
            if let Some(old) = chain_of.insert(name, number) {
                chains.iter_mut().filter(|c| **c == old).for_each(|c| *c = number);
                chain_of.values_mut().filter(|c| **c == old).for_each(|c| *c = number);
            }
        }
    }
    chains
}
