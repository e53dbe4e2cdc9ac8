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

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use recipe::Recipe;

/// The empty disk for the services' data.
pub const DATA: &str = "data";

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
