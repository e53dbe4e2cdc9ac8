//! The images that machines of a cluster boot: made once by Debian's own tools, kept by the hash of their recipe.
//!
//! [`recipe`] is what goes in; [`build`] cooks it on the host, without a loop mount and without running anything
//! in a guest. What comes out is a directory named by the recipe's hash: a kernel, an initial RAM disk of a
//! megabyte, and one disk image for each layer. Nothing of the cloud is in them: the binaries travel on a disk
//! of their own ([`payload`]), so that a rebuilt program never rebuilds a guest.
//!
//! An image directory is whole or not there: it is made under another name and renamed at the end.

pub mod build;
mod initrd;
mod mirror;
pub mod modules;
pub mod payload;
pub mod recipe;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};

pub use recipe::Recipe;

/// The empty disk for the services' data.
pub const DATA: &str = "data";

/// What every file's size was when it was made.
const SIZES: &str = "sizes.json";

/// Writes down what is in a directory of images, for [`Images::check`].
pub fn seal(dir: &Path) -> Result<()> {
    let mut sizes = BTreeMap::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        sizes.insert(entry.file_name().to_string_lossy().into_owned(), entry.metadata()?.len());
    }
    let path = dir.join(SIZES);
    fs::write(&path, serde_json::to_vec_pretty(&sizes)?)
        .with_context(|| format!("cannot write {}", path.display()))
}

/// The images of one recipe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Images {
    dir: PathBuf,
    /// The recipe's hash.
    pub digest: String,
}

impl Images {
    /// Where a recipe's images are, or would be.
    pub fn of(root: &Path, recipe: &Recipe) -> Self {
        let digest = recipe.digest();
        Self { dir: root.join(&digest), digest }
    }

    /// Whether they were made.
    pub fn exist(&self) -> bool {
        self.dir.is_dir()
    }

    /// Whether they are as they were made, as far as their sizes tell. A machine of an image that is cut off fails
    /// in ways that look like anything else.
    pub fn check(&self) -> Result<()> {
        let dir = self.dir.display();
        let help = || format!("remove {dir} and run ./cluster clean; the next build makes the images anew");
        let text = fs::read_to_string(self.dir.join(SIZES));
        let sizes: BTreeMap<String, u64> =
            serde_json::from_str(&text.with_context(help)?).with_context(help)?;
        for (name, size) in sizes {
            let found = fs::metadata(self.dir.join(&name)).map_or(0, |meta| meta.len());
            ensure!(found == size, "{name} of {dir} has {found} bytes, not {size}: {}", help());
        }
        Ok(())
    }

    /// The kernel.
    pub fn kernel(&self) -> PathBuf {
        self.dir.join("vmlinuz")
    }

    /// The initial RAM disk.
    pub fn initrd(&self) -> PathBuf {
        self.dir.join("initrd")
    }

    /// The disk of a layer, qcow2: to be put below an overlay, never written.
    pub fn disk(&self, layer: &str) -> PathBuf {
        self.dir.join(format!("{layer}.qcow2"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_that_is_cut_off_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let images = Images { dir: dir.path().to_owned(), digest: String::new() };
        assert!(images.check().is_err());
        fs::write(images.kernel(), "kernel").unwrap();
        fs::write(images.disk("base"), "disk").unwrap();
        seal(dir.path()).unwrap();
        images.check().unwrap();
        fs::write(images.disk("base"), "dis").unwrap();
        let told = images.check().unwrap_err().to_string();
        assert!(told.contains("base.qcow2") && told.contains("3 bytes, not 4"), "{told}");
        fs::remove_file(images.disk("base")).unwrap();
        assert!(images.check().is_err());
    }
}
