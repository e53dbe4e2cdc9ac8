//! Which kernel modules must be loaded, and in which order. Pure.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};

/// The files of some modules and of all that these need, each after what it needs. `dependencies` is the text of
/// `modules.dep`, `builtin` that of `modules.builtin`; what is built in needs no file.
pub fn load_order(dependencies: &str, builtin: &str, wanted: &[String]) -> Result<Vec<String>> {
    let built_in: BTreeSet<String> = builtin.lines().map(name).collect();
    let mut known = BTreeMap::new();
    for (file, needs) in dependencies.lines().filter_map(|line| line.split_once(':')) {
        known.insert(name(file), (file, needs.split_whitespace().collect::<Vec<_>>()));
    }
    let mut order = Vec::new();
    for module in wanted.iter().map(|module| name(module)).filter(|module| !built_in.contains(module)) {
        let (file, needs) =
            known.get(&module).with_context(|| format!("the kernel has no module {module}"))?;
        // modules.dep lists all of them, the deepest last.
        for file in needs.iter().rev().chain([file]) {
            if !order.iter().any(|loaded| loaded == file) {
                order.push((*file).to_owned());
            }
        }
    }
    Ok(order)
}

/// As the kernel calls a module whose file this is.
fn name(file: &str) -> String {
    let base = file.rsplit('/').next().unwrap_or(file);
    base.split(".ko").next().unwrap_or(base).replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEPENDENCIES: &str = "\
kernel/fs/ext4/ext4.ko.xz: kernel/fs/jbd2/jbd2.ko.xz kernel/lib/crc16.ko.xz
kernel/fs/jbd2/jbd2.ko.xz:
kernel/lib/crc16.ko.xz:
kernel/drivers/virtio/virtio_pci.ko.xz: kernel/drivers/virtio/virtio.ko.xz kernel/drivers/virtio/virtio_ring.ko.xz
kernel/drivers/virtio/virtio.ko.xz: kernel/drivers/virtio/virtio_ring.ko.xz
kernel/drivers/virtio/virtio_ring.ko.xz:
kernel/drivers/block/virtio-blk.ko.xz: kernel/drivers/virtio/virtio.ko.xz kernel/drivers/virtio/virtio_ring.ko.xz
";

    fn order(builtin: &str, wanted: &[&str]) -> Vec<String> {
        let wanted: Vec<String> = wanted.iter().map(|&module| module.to_owned()).collect();
        load_order(DEPENDENCIES, builtin, &wanted).unwrap().iter().map(|file| name(file)).collect()
    }

    #[test]
    fn what_a_module_needs_comes_before_it_and_once() {
        let loaded = order("", &["virtio_pci", "virtio_blk", "ext4"]);
        assert_eq!(loaded, ["virtio_ring", "virtio", "virtio_pci", "virtio_blk", "crc16", "jbd2", "ext4"]);
    }

    #[test]
    fn what_is_built_in_is_not_loaded() {
        assert_eq!(order("kernel/fs/ext4/ext4.ko\n", &["ext4"]), [""; 0]);
    }

    #[test]
    fn a_module_that_does_not_exist_is_named() {
        let told = load_order(DEPENDENCIES, "", &["zfs".to_owned()]).unwrap_err().to_string();
        assert_eq!(told, "the kernel has no module zfs");
    }
}
