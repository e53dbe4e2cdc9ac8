//! Bits that flip, files that vanish: damage is refused by name and place, a torn tail is not.

use std::path::{Path, PathBuf};

use kit::disk::Disk;
use quorum::wal::WalError;
use sim::disk::Call;

use crate::world::{DIR, World, all, append, entry, fill, mark, run, small};

const FRAME_MAGIC: &[u8] = b"UCWF";
const FRAME_HEAD: usize = 64;

/// A log of three segments with two groups, closed by a crash after it went idle.
async fn three_segments() -> World {
    let mut world = World::open(small()).await;
    for i in 0.. {
        fill(&world.log(1), 1, 900).await;
        fill(&world.log(2), 1, 300).await;
        if i % 7 == 0 {
            append(&world.log(2), vec![]).await.expect("nothing to do");
            world.log(2).save_vote(format!("vote {i}").into()).await.expect("durable");
        }
        if world.wal().stats().segments == 3 && i % 5 == 4 {
            break;
        }
    }
    // A crash that keeps everything: the last watermark is on the platter.
    world.wal().close().await.expect("written");
    world.crash(0).await;
    world
}

/// The places of all frames in a segment.
fn frames(content: &[u8]) -> Vec<usize> {
    (4096..content.len()).step_by(64).filter(|at| content[*at..].starts_with(FRAME_MAGIC)).collect()
}

fn name(path: &Path) -> &str {
    path.file_name().and_then(|n| n.to_str()).expect("a name")
}

fn assert_damaged(error: &WalError, path: &Path, lowest: usize, highest: usize) {
    let text = error.to_string();
    let WalError::Damaged { segment, offset, .. } = error else { panic!("not refused as damage: {text}") };
    assert_eq!(segment, path, "{text}");
    assert!((lowest as u64..=highest as u64).contains(offset), "{text}, wanted {lowest}..={highest}");
    assert!(text.contains(name(path)) && text.ends_with("restore this replica from its peers"), "{text}");
}

/// Flips a bit of a copy of the log's state and opens it.
async fn open_with_flip(world: &mut World, path: &Path, at: usize, bit: u8) -> Result<(), WalError> {
    assert!(world.disk.flip_bit(path, at as u64, bit).expect("the file is there"));
    let result = world.start().await;
    world.kill().await;
    result
}

#[test]
fn wal_a_flipped_bit_below_the_watermark_is_refused_with_its_place() {
    run(async {
        let mut world = three_segments().await;
        let paths: Vec<PathBuf> = world.segments().into_iter().take(3).collect();
        assert_eq!(paths.len(), 3);
        let mut flips = 0;
        for (i, path) in paths.iter().enumerate() {
            let content = world.content(path);
            let frames = frames(&content);
            // The last frame of the log is the watermark itself; the last of the others is a seal.
            let is_last = i == paths.len() - 1;
            let places = if is_last { &frames[..frames.len() - 1] } else { &frames[..] };
            let ends = frames.iter().skip(1).copied().chain([frames[frames.len() - 1] + FRAME_HEAD]);
            let header = [(0, 4096)];
            for (start, end) in header.into_iter().chain(places.iter().copied().zip(ends)) {
                let step = ((end - start) / 5).max(1);
                for at in (start..end).step_by(step).chain([end - 1]) {
                    let bit = u8::try_from(at % 8).expect("below 8");
                    let error = open_with_flip(&mut world, path, at, bit).await;
                    assert_damaged(&error.expect_err("opened"), path, start, start);
                    assert!(world.disk.flip_bit(path, at as u64, bit).expect("the file is there"));
                    flips += 1;
                }
            }
        }
        assert!(flips > 300, "only {flips} flips were tried");
        world.restart().await;
    });
}

#[test]
fn wal_a_refused_log_is_left_as_it_was() {
    run(async {
        let mut world = three_segments().await;
        let path = world.segments().remove(1);
        let error = open_with_flip(&mut world, &path, 5000, 3).await;
        assert!(error.is_err());
        let before = world.disk.files();
        assert!(world.start().await.is_err());
        world.kill().await;
        assert_eq!(world.disk.files(), before);
    });
}

#[test]
fn wal_a_broken_watermark_after_the_last_batch_costs_nothing() {
    run(async {
        let mut world = three_segments().await;
        let path = world.segments().remove(2);
        let last = *frames(&world.content(&path)).last().expect("a watermark");
        open_with_flip(&mut world, &path, last + 20, 1).await.expect("nothing of value was there");
        world.restart().await;
        let next = world.log(1).state().last.expect("entries").index + 1;
        assert_eq!(all(&world.log(1)).await.len() as u64, next);
    });
}

#[test]
fn wal_a_torn_tail_opens_with_everything_before_it() {
    for seed in 0..60 {
        run(async {
            let mut world = World::open(small()).await;
            fill(&world.log(1), 3, 700).await;
            // The write comes through, in part or in whole, and its sync does not.
            world.disk.cut_power_at(2);
            assert!(append(&world.log(1), vec![entry(1, 3, 6000)]).await.is_err());
            world.crash_and_restart(seed).await;
            let found = all(&world.log(1)).await;
            assert_eq!(found[..3], [entry(1, 0, 700), entry(1, 1, 700), entry(1, 2, 700)]);
            assert!(found.len() == 3 || found[3..] == [entry(1, 3, 6000)]);
            // What is left of the torn batch never comes back, whatever is written over it.
            for i in 0..3 {
                let next = world.log(1).state().last.expect("entries").index + 1;
                append(&world.log(1), vec![entry(2, next, 100 * i)]).await.expect("durable");
                let before = all(&world.log(1)).await;
                world.crash_and_restart(seed + i as u64).await;
                assert_eq!(all(&world.log(1)).await, before);
            }
        });
    }
}

#[test]
fn wal_a_missing_segment_is_refused_by_name() {
    for missing in 0..3 {
        run(async {
            let mut world = three_segments().await;
            let path = world.segments().remove(missing);
            world.disk.remove(&path).expect("removed");
            let error = world.start().await.expect_err("opened without a segment");
            match missing {
                // Without the first, the next one's checkpoint tells of entries that are nowhere.
                0 => {
                    let next = world.segments().remove(0);
                    assert_damaged(&error, &next, 4096, 4096);
                    assert!(error.to_string().contains("entry 0 of group 1 is in no segment"), "{error}");
                }
                1 => assert_damaged(&error, &path, 0, 0),
                // The last one is followed by nothing, or by one made ahead.
                _ => assert_damaged(&error, &path, 0, 0),
            }
        });
    }
}

#[test]
fn wal_a_log_of_which_only_the_end_is_left_is_not_taken_for_a_new_one() {
    run(async {
        let mut world = three_segments().await;
        // Without the directory's other files this one is whole and empty.
        world.restart().await;
        tokio::task::yield_now().await;
        world.kill().await;
        let paths = world.segments();
        let (empty, others) = paths.split_last().expect("segments");
        assert!(frames(&world.content(empty)).is_empty());
        for path in others {
            world.disk.remove(path).expect("removed");
        }
        let error = world.start().await.expect_err("opened an empty log");
        assert_damaged(&error, others.last().expect("a segment before it"), 0, 0);
    });
}

#[test]
fn wal_a_cut_file_is_refused() {
    run(async {
        let mut world = three_segments().await;
        for (i, path) in world.segments().into_iter().take(2).enumerate() {
            let whole = world.content(&path);
            let file = world.disk.open(&path, false).expect("there");
            file.set_size(9000).expect("cut");
            let error = world.start().await.expect_err("opened a cut file");
            world.kill().await;
            assert_damaged(&error, &path, 4096, 9000);
            file.set_size(100).expect("cut");
            let error = world.start().await.expect_err("opened a stump");
            world.kill().await;
            assert_damaged(&error, &path, 0, 0);
            file.write_all_at(&whole, 0).expect("restored");
            assert!(i < 2);
        }
        world.restart().await;
    });
}

#[test]
fn wal_an_unknown_version_is_refused_clearly() {
    run(async {
        let mut world = three_segments().await;
        let path = world.segments().remove(0);
        let mut block = world.content(&path)[..4096].to_vec();
        block[12..16].copy_from_slice(&9u32.to_le_bytes());
        let crc = crc32c::crc32c(&block[12..]);
        block[8..12].copy_from_slice(&crc.to_le_bytes());
        world.disk.open(&path, false).and_then(|f| f.write_all_at(&block, 0)).expect("written");
        let error = world.start().await.expect_err("opened").to_string();
        assert!(error.contains("format version 9, this program reads version 1"), "{error}");
        assert!(error.contains("run the version that wrote it"), "{error}");
    });
}

#[test]
fn wal_an_unreadable_sector_is_named() {
    run(async {
        let mut world = three_segments().await;
        let path = world.segments().remove(1);
        world.disk.spoil_sector(&path, 6000).expect("there");
        let error = world.start().await.expect_err("opened").to_string();
        assert!(error.contains("cannot read") && error.contains(name(&path)), "{error}");
    });
}

#[test]
fn wal_a_read_is_checked_against_its_sum() {
    run(async {
        let world = World::open(small()).await;
        let log = world.log(1);
        fill(&log, 30, 900).await;
        let path = world.segments().remove(0);
        let content = world.content(&path);
        let at = content.windows(8).position(|w| w == b"entry 2 ").expect("on the disk");
        assert!(world.disk.flip_bit(&path, at as u64 + 3, 0).expect("there"));
        let error = log.read(2, 3, 1).await.expect_err("read damage").to_string();
        assert!(error.contains(name(&path)) && error.contains("entry 2 of group 1"), "{error}");
        assert_eq!(log.read(1, 2, 1).await.expect("its neighbour is whole"), [entry(1, 1, 900)]);
        assert!(world.disk.calls(Call::Read) > 0, "it came from the cache");
    });
}

#[test]
fn wal_files_of_others_are_left_alone() {
    run(async {
        let mut world = World::open(small()).await;
        let lock = Path::new(DIR).join("LOCK");
        world.disk.open(&lock, true).and_then(|f| f.write_all_at(b"mine", 0)).expect("written");
        fill(&world.log(1), 3, 100).await;
        world.restart().await;
        assert_eq!(world.content(&lock), b"mine");
        assert_eq!(world.log(1).state().last, Some(mark(1, 2)));
    });
}
