//! Groups go in, come back at once and after a restart; segments roll; positions are found. On the machine's own disk.
use crate::support::{TempDir, commit, frames, group, open};
use posthouse_engine::base::{Error, Locator, Lsn};
use posthouse_engine::log::FrameKind;
use std::sync::atomic::{AtomicBool, Ordering};

#[test]
fn what_is_committed_is_read_at_once_and_after_a_restart() {
    let dir = TempDir::new("log-basic");
    let disk = dir.disk();
    let mut wanted = Vec::new();
    let mut locators = Vec::new();
    let mut log = open(&disk, 20_000, Lsn(0)).unwrap();
    for number in 0..60 {
        let group = group(number, 1);
        locators.extend(commit(&mut log.writer, &group).unwrap());
        wanted.extend(group);
        let last = log.segments.read(*locators.last().unwrap()).unwrap();
        last.check().unwrap();
        assert_eq!(last.payload(), wanted.last().unwrap().payload);
        assert_eq!(log.segments.durable_end(), log.writer.end());
    }
    assert!(log.segments.files().len() > 3, "segments roll: {:?}", log.segments.files());
    assert_eq!(frames(&log.segments).unwrap(), wanted);
    let end = log.writer.end();
    drop(log);

    let log = open(&disk, 20_000, Lsn(0)).unwrap();
    assert_eq!((log.writer.end(), log.recovered.cut.clone()), (end, None));
    assert_eq!(frames(&log.segments).unwrap(), wanted);
    let events: Vec<_> =
        wanted.iter().filter(|frame| frame.kind == FrameKind::Events).map(|frame| &frame.payload).collect();
    assert_eq!(log.replayed.iter().map(|(_, payload)| payload).collect::<Vec<_>>(), events);
    for (at, wanted) in locators.iter().zip(&wanted) {
        let frame = log.segments.read(*at).unwrap();
        assert_eq!((frame.kind, frame.payload()), (wanted.kind, &wanted.payload[..]));
        let part = log.segments.read_part(*at, 3..20).unwrap();
        assert_eq!(&part[..], &wanted.payload[3..20.min(wanted.payload.len())]);
        assert_eq!(log.segments.locate(frame.lsn), Some(*at));
        assert_eq!(log.segments.lsn(*at), Some(frame.lsn));
    }
}

#[test]
fn replay_begins_at_the_checkpoint() {
    let dir = TempDir::new("log-replay");
    let disk = dir.disk();
    let mut log = open(&disk, 10_000, Lsn(0)).unwrap();
    let mut ends = Vec::new();
    for number in 0..30 {
        commit(&mut log.writer, &group(number, 2)).unwrap();
        ends.push(log.writer.end());
    }
    drop(log);
    for (number, end) in ends.iter().enumerate() {
        let log = open(&disk, 10_000, *end).unwrap();
        assert_eq!(log.replayed.len(), ends.len() - 1 - number, "one event frame for each group after the checkpoint");
        assert!(log.replayed.iter().all(|(lsn, _)| lsn >= end));
    }
    let beyond = Lsn(ends[29].0 + 1);
    assert!(matches!(open(&disk, 10_000, beyond), Err(Error::Corrupt { .. })), "a checkpoint newer than the log");
}

#[test]
fn a_dropped_group_leaves_nothing_and_seals_only_between_groups() {
    let dir = TempDir::new("log-abort");
    let disk = dir.disk();
    let mut log = open(&disk, 10_000, Lsn(0)).unwrap();
    commit(&mut log.writer, &group(0, 3)).unwrap();
    let end = log.writer.end();
    let at = log.writer.push(FrameKind::Message, 0, 0, &[b"never"]).unwrap();
    assert!(matches!(log.writer.seal(), Err(Error::Invalid(_))));
    assert!(log.segments.read(at).is_err(), "not before the commit");
    log.writer.abort();
    assert_eq!((log.writer.group_bytes(), log.writer.commit().unwrap()), (0, end));
    log.writer.seal().unwrap();
    let sealed_end = log.writer.end();
    assert_eq!(log.segments.frames(sealed_end).count(), 0);
    commit(&mut log.writer, &group(1, 3)).unwrap();
    assert_eq!(log.segments.files().len(), 2);
    assert_eq!(log.segments.frames(sealed_end).count(), group(1, 3).len());
    drop(log);
    assert_eq!(open(&disk, 10_000, sealed_end).unwrap().replayed.len(), 1);
}

#[test]
fn limits_are_answered_and_wrong_places_refused() {
    let dir = TempDir::new("log-limits");
    let disk = dir.disk();
    let mut log = open(&disk, 10_000, Lsn(0)).unwrap();
    let large = vec![0; 65 << 20];
    assert!(matches!(log.writer.push(FrameKind::Events, 0, 0, &[&large]), Err(Error::Limit(_))));
    assert!(matches!(log.writer.push(FrameKind::Footer, 0, 0, &[]), Err(Error::Invalid(_))));
    let at = commit(&mut log.writer, &group(0, 4)).unwrap()[0];
    for offset in [0, 8, at.offset + 8, at.offset + 1, u32::MAX, u32::MAX - 7] {
        let wrong = Locator { offset, ..at };
        assert!(matches!(log.segments.read(wrong), Err(Error::Corrupt { .. })), "{wrong}");
    }
    let nowhere = Locator { segment: posthouse_engine::base::SegmentId(9), ..at };
    assert!(matches!(log.segments.read(nowhere), Err(Error::NotFound(_))));
}

#[test]
fn large_payloads_and_their_parts_are_read_from_the_tail() {
    let dir = TempDir::new("log-large");
    let disk = dir.disk();
    let mut log = open(&disk, 10_000, Lsn(0)).unwrap();
    let large: Vec<u8> = (0..300_000u32).map(|at| (at / 7) as u8).collect();
    let at = log.writer.push(FrameKind::Message, 1, 0, &[&large]).unwrap();
    log.writer.commit().unwrap();
    for sealed in [false, true] {
        if sealed {
            log.writer.seal().unwrap();
        }
        let frame = log.segments.read(at).unwrap();
        frame.check().unwrap();
        assert!(frame.payload() == large && frame.is_zstd());
        for range in [0..10, 100_000..100_010, 0..100_000, 70_000..usize::MAX, 299_999..400_000, 400_000..500_000] {
            let part = log.segments.read_part(at, range.clone()).unwrap();
            let end = range.end.min(large.len());
            assert!(part[..] == large[range.start.min(end)..end], "{range:?} sealed {sealed}");
        }
        assert!(log.segments.is_resident(at, 100), "it was written a moment ago");
    }
}

#[test]
fn readers_and_the_feed_see_whole_groups_while_the_log_grows_and_rolls() {
    let dir = TempDir::new("log-readers");
    let disk = dir.disk();
    let mut log = open(&disk, 8_000, Lsn(0)).unwrap();
    let done = AtomicBool::new(false);
    let groups = 300;
    let segments = &log.segments;
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let (mut at, mut seen) = (Lsn(0), 0u32);
                loop {
                    let last = done.load(Ordering::Acquire);
                    let mut feed = segments.frames(at);
                    for frame in feed.by_ref() {
                        let (lsn, locator, frame) = frame.unwrap();
                        frame.check().unwrap();
                        assert_eq!((frame.lsn, segments.locate(lsn)), (lsn, Some(locator)));
                        assert_eq!(frame.payload(), [seen as u8; 700]);
                        assert!(lsn >= at && segments.read_part(locator, 0..1).unwrap()[..] == [seen as u8]);
                        seen += 1;
                    }
                    assert_eq!(seen % 2, 0, "groups of two");
                    at = feed.position();
                    if last {
                        break;
                    }
                }
                assert_eq!(seen, groups * 2);
            });
        }
        for number in 0..groups {
            for frame in 0..2 {
                log.writer.push(FrameKind::Events, 0, 0, &[&[(number * 2 + frame) as u8; 700]]).unwrap();
            }
            log.writer.commit().unwrap();
        }
        done.store(true, Ordering::Release);
    });
}
