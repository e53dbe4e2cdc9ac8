//! What the images of a node are made of, and the name that follows from it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::initrd;

/// Counts up when the same recipe is to be cooked in another way.
const METHOD: u32 = 3;

/// The recipe, as `images/node.toml` and `images/files` have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// What is written down.
    pub plan: Plan,
    /// What is laid over the packages, by path.
    pub files: Vec<Overlay>,
}

/// `node.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Debian's release.
    pub suite: String,
    /// Of the root file system.
    pub size_mib: u32,
    /// Of the file system for the services' data.
    pub data_mib: u32,
    /// Kernel modules that the initial RAM disk loads.
    pub modules: Vec<String>,
    /// Units that start although Debian says nothing of it.
    pub enabled: Vec<String>,
    /// Units that only start when something asks for them.
    pub disabled: Vec<String>,
    /// Units that never start.
    pub masked: Vec<String>,
    /// Each adds to the one before.
    #[serde(rename = "layer")]
    pub layers: Vec<Layer>,
}

/// Packages that one image has and the one before lacks.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// The image's name.
    pub name: String,
    /// Debian packages.
    pub packages: Vec<String>,
}

/// A file that is laid over the packages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overlay {
    /// Where, without the slash in front.
    pub path: PathBuf,
    /// What.
    pub content: Content,
}

/// What is at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A file.
    File {
        /// Permission bits.
        mode: u32,
        /// Its bytes.
        bytes: Vec<u8>,
    },
    /// A symbolic link.
    Link(PathBuf),
}

impl Recipe {
    /// Reads a directory.
    pub fn load(dir: &Path) -> Result<Self> {
        let path = dir.join("node.toml");
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let plan: Plan = toml::from_str(&text).with_context(|| format!("{} is no recipe", path.display()))?;
        ensure!(!plan.layers.is_empty(), "{} has no [[layer]]", path.display());
        let mut files = Vec::new();
        let tree = dir.join("files");
        if tree.is_dir() {
            collect(&tree, Path::new(""), &mut files)
                .with_context(|| format!("cannot read {}", tree.display()))?;
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self { plan, files })
    }

    /// A name that changes with anything in the recipe: sixteen hexadecimal digits.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        let mut part = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        };
        part(&METHOD.to_be_bytes());
        part(initrd::INIT.as_bytes());
        let Plan { suite, size_mib, data_mib, modules, enabled, disabled, masked, layers } = &self.plan;
        part(suite.as_bytes());
        part(&size_mib.to_be_bytes());
        part(&data_mib.to_be_bytes());
        for list in
            [modules, enabled, disabled, masked].into_iter().chain(layers.iter().map(|layer| &layer.packages))
        {
            part(list.join("\n").as_bytes());
        }
        for layer in layers {
            part(layer.name.as_bytes());
        }
        for file in &self.files {
            part(file.path.as_os_str().as_encoded_bytes());
            match &file.content {
                Content::File { mode, bytes } => {
                    part(&mode.to_be_bytes());
                    part(bytes);
                }
                Content::Link(target) => part(target.as_os_str().as_encoded_bytes()),
            }
        }
        hash.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

fn collect(root: &Path, below: &Path, files: &mut Vec<Overlay>) -> Result<()> {
    for entry in fs::read_dir(root.join(below))? {
        let entry = entry?;
        let path = below.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            collect(root, &path, files)?;
            continue;
        }
        let content = match kind.is_symlink() {
            true => Content::Link(fs::read_link(entry.path())?),
            false => {
                let mode = entry.metadata()?.permissions().mode() & 0o777;
                Content::File { mode, bytes: fs::read(entry.path())? }
            }
        };
        files.push(Overlay { path, content });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe() -> (tempfile::TempDir, Recipe) {
        let dir = tempfile::tempdir().unwrap();
        let text = "suite = \"trixie\"\nsize_mib = 10\ndata_mib = 10\nmodules = [\"a\"]\nenabled = []\ndisabled = []\nmasked = []\n[[layer]]\nname = \"base\"\npackages = [\"x\", \"y\"]\n";
        fs::write(dir.path().join("node.toml"), text).unwrap();
        fs::create_dir_all(dir.path().join("files/etc")).unwrap();
        fs::write(dir.path().join("files/etc/motd"), "hello").unwrap();
        let recipe = Recipe::load(dir.path()).unwrap();
        (dir, recipe)
    }

    #[test]
    fn everything_in_it_is_in_its_name() {
        let (dir, recipe) = recipe();
        let name = recipe.digest();
        assert_eq!(Recipe::load(dir.path()).unwrap().digest(), name);
        let changes: [fn(&mut Recipe); 8] = [
            |r| r.plan.suite.push('x'),
            |r| r.plan.size_mib += 1,
            |r| r.plan.modules[0].push('x'),
            |r| r.plan.layers[0].packages[1].push('x'),
            |r| r.plan.data_mib += 1,
            |r| r.files[0].content = Content::File { mode: 0o644, bytes: b"hallo".to_vec() },
            |r| r.files[0].content = Content::File { mode: 0o600, bytes: b"hello".to_vec() },
            |r| r.files[0].content = Content::Link("hello".into()),
        ];
        for change in changes {
            let mut other = recipe.clone();
            change(&mut other);
            assert_ne!(other.digest(), name, "{other:?}");
        }
    }

    #[test]
    fn a_recipe_that_cannot_be_cooked_says_why() {
        let (dir, _) = recipe();
        fs::write(dir.path().join("node.toml"), "suite = 7").unwrap();
        let told = format!("{:#}", Recipe::load(dir.path()).unwrap_err());
        assert!(told.contains("node.toml is no recipe") && told.contains("suite"), "{told}");
    }

    #[test]
    fn the_recipe_of_the_repository_is_one() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../images");
        let recipe = Recipe::load(&dir).unwrap();
        assert_eq!(
            recipe.plan.layers.iter().map(|l| l.name.as_str()).collect::<Vec<_>>(),
            ["base", "worker"]
        );
    }
}
