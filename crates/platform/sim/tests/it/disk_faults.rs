//! Every fault does what it says, and nothing else.

use std::io;
use std::path::Path;

use kit::disk::{Disk, File};
use sim::SimDisk;
use sim::disk::{Call, SECTOR};

const DIR: &str = "/data";

fn disk() -> SimDisk {
    let disk = SimDisk::new(1);
    disk.create_dir_all(Path::new(DIR)).unwrap();
    disk
}

fn path(name: &str) -> std::path::PathBuf {
    Path::new(DIR).join(name)
}

/// A durable file with this content.
fn durable(disk: &SimDisk, name: &str, content: &[u8]) -> Box<dyn File> {
    let file = disk.open(&path(name), true).unwrap();
    file.write_all_at(content, 0).unwrap();
    file.sync_data().unwrap();
    disk.sync_dir(Path::new(DIR)).unwrap();
    file
}

fn read(disk: &SimDisk, name: &str) -> Vec<u8> {
    let file = disk.open(&path(name), false).unwrap();
    let mut content = vec![0; file.size().unwrap() as usize];
    kit::disk::read_exact_at(&*file, &mut content, 0).unwrap();
    content
}

#[test]
fn the_nth_sync_fails_once_and_later_syncs_do_not_repair_it() {
    let mut lost = 0;
    for seed in 0..50 {
        let disk = SimDisk::new(seed);
        disk.create_dir_all(Path::new(DIR)).unwrap();
        let file = durable(&disk, "log", b"old");
        disk.fail_nth(Call::Sync, 2);
        file.sync_data().unwrap();
        file.write_all_at(b"new", 0).unwrap();
        let error = file.sync_data().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EIO));
        assert_eq!(read(&disk, "log"), b"new", "the page cache goes on showing it");
        file.sync_data().unwrap();
        disk.crash(seed);
        lost += u32::from(read(&disk, "log") == b"old");
    }
    assert!((1..50).contains(&lost), "a failed sync lost its data {lost} times out of 50");
}

#[test]
fn a_lying_disk_says_yes_and_does_nothing() {
    let mut lost = 0;
    for seed in 0..50 {
        let disk = disk();
        disk.lie_about_syncs(true);
        durable(&disk, "log", b"acknowledged");
        disk.crash(seed);
        lost += u32::from(!disk.files().contains_key(&path("log")));
        disk.crash(seed);
        durable(&disk, "log", b"acknowledged");
        disk.crash(seed);
        assert_eq!(read(&disk, "log"), b"acknowledged", "a crash ends the lying");
    }
    assert!(lost > 0, "the disk lied and lost nothing");
}

#[test]
fn a_full_disk_takes_what_fits_and_frees_what_is_removed() {
    let disk = disk();
    let file = durable(&disk, "log", b"12345678");
    disk.set_capacity(Some(10));
    let error = file.write_all_at(b"abcdef", 8).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    assert_eq!(read(&disk, "log"), b"12345678ab");
    file.write_all_at(b"overwrite!", 0).expect("overwriting needs no room");
    assert_eq!(file.set_size(11).unwrap_err().kind(), io::ErrorKind::StorageFull);
    let other = disk.open(&path("other"), true).unwrap();
    assert!(other.write_all_at(b"x", 0).is_err());
    drop(file);
    disk.remove(&path("log")).unwrap();
    other.write_all_at(b"0123456789", 0).unwrap();
    disk.set_capacity(None);
    other.write_all_at(b"more", 10).unwrap();
}

#[test]
fn a_flipped_bit_and_a_spoiled_sector_stay() {
    let disk = disk();
    let file = durable(&disk, "log", &[0; 2 * SECTOR]);
    assert!(disk.flip_bit(&path("log"), 700, 3).unwrap());
    assert!(!disk.flip_bit(&path("log"), 5000, 0).unwrap());
    disk.crash(0);
    assert_eq!(read(&disk, "log")[700], 8);
    assert!(file.size().is_err(), "a handle outlived the crash");
    disk.spoil_sector(&path("log"), 700).unwrap();
    let file = disk.open(&path("log"), false).unwrap();
    let mut sector = [0; SECTOR];
    assert_eq!(file.read_at(&mut sector, 0).unwrap(), SECTOR);
    assert_eq!(file.read_at(&mut sector, 1).unwrap_err().raw_os_error(), Some(libc::EIO));
}

#[test]
fn the_power_goes_in_mid_call_and_stays_away_until_the_crash() {
    let disk = disk();
    let file = durable(&disk, "log", b"old");
    let before = disk.changes();
    disk.cut_power_at(2);
    file.write_all_at(b"new", 0).unwrap();
    assert!(file.sync_data().is_err());
    assert_eq!(disk.changes(), before + 2);
    assert!(
        file.size().is_err() && disk.list(Path::new(DIR)).is_err() && disk.open(&path("x"), true).is_err()
    );
    assert!(disk.sync_dir(Path::new(DIR)).is_err() && disk.create_dir_all(Path::new("/x")).is_err());
    let outcomes: std::collections::BTreeSet<_> = (0..50).map(replay_cut_write).collect();
    assert_eq!(outcomes.len(), 2, "a write cut by the power came out only as {outcomes:?}");
    disk.crash(1);
    disk.list(Path::new(DIR)).expect("the power is back");
}

fn replay_cut_write(seed: u64) -> Vec<u8> {
    let disk = disk();
    let file = durable(&disk, "log", b"old");
    disk.cut_power_at(1);
    assert!(file.write_all_at(b"new", 0).is_err());
    disk.crash(seed);
    read(&disk, "log")
}

#[test]
fn a_replaced_file_stays_readable_through_its_handle() {
    let disk = disk();
    let old = durable(&disk, "log", b"old");
    durable(&disk, "draft", b"new");
    disk.rename(&path("draft"), &path("log")).unwrap();
    let mut content = [0; 3];
    kit::disk::read_exact_at(&*old, &mut content, 0).unwrap();
    assert_eq!((&content, &read(&disk, "log")[..]), (b"old", &b"new"[..]));
    assert_eq!(disk.list(Path::new(DIR)).unwrap(), ["log"]);
}

#[test]
fn an_unsynced_rename_never_leaves_a_file_under_two_names() {
    for seed in 0..200 {
        let disk = disk();
        durable(&disk, "one", b"content");
        disk.rename(&path("one"), &path("two")).unwrap();
        disk.rename(&path("two"), &path("three")).unwrap();
        disk.open(&path("alone"), true).unwrap();
        disk.crash(seed);
        let mut names = disk.list(Path::new(DIR)).unwrap();
        names.retain(|name| name != "alone");
        assert_eq!(names.len(), 1, "seed {seed} left {names:?}");
    }
}

#[test]
fn what_it_refuses() {
    let disk = disk();
    disk.create_dir_all(Path::new("/other")).unwrap();
    durable(&disk, "log", b"x");
    assert!(disk.rename(&path("log"), Path::new("/other/log")).is_err());
    assert_eq!(disk.open(&path("none"), false).err().unwrap().kind(), io::ErrorKind::NotFound);
    assert_eq!(disk.open(Path::new("/nowhere/x"), true).err().unwrap().kind(), io::ErrorKind::NotFound);
    assert_eq!(disk.open(Path::new(DIR), true).err().unwrap().kind(), io::ErrorKind::IsADirectory);
    assert!(disk.list(Path::new("/nowhere")).is_err() && disk.sync_dir(Path::new("/nowhere")).is_err());
}
