//! Proves the control shard: its log, and its checkpoint against what the log adds up to.
use super::{Verify, error_finding};
use crate::base::{Lsn, Result, ShardId};
use crate::directory::Directory;
use crate::engine::replay::Replay;
use crate::format::FrameKind;
use crate::index::Parts;
use crate::rescue::contents::Contents;
use crate::rescue::finding::{Finding, Kind, Told, Watch};
use crate::rescue::inventory::Log;
use crate::rescue::survey::{Item, Survey};

impl Verify<'_> {
    /// The directory as the log says, or, where events of it are lost, as the checkpoint does.
    pub(super) fn control(&mut self, log: &Log, watch: Watch<'_>) -> Result<Directory> {
        if log.newer.is_some() {
            return Ok(Directory::default());
        }
        let parts = self.checkpoint(ShardId::CONTROL, log, watch)?;
        let log = &*self.log(ShardId::CONTROL, log)?;
        self.report.segments += log.segments.len() as u64;
        let contents = Contents::default();
        let covered = self.covered(&parts);
        let survey = Survey {
            disk: self.disk,
            log,
            contents: &contents,
            covered,
            live: self.live,
            distrusted: &Default::default(),
        };
        let mut fold = ControlFold { directory: Directory::default(), replay: Replay::default(), compared: false };
        let mut events = 0;
        let file = self.disk.full_path(&log.dir).display().to_string();
        survey.run(&mut self.done, watch, &mut |item, watch| {
            match item {
                Item::Frame { lsn, frame, at } if frame.header.kind == FrameKind::Events => {
                    events += 1;
                    fold.compare(lsn, &parts, watch);
                    if let Err(why) = fold.replay.control(&mut fold.directory, &frame.payload) {
                        let what = format!("segment {}: the events cannot be folded in: {why}", at.segment);
                        watch(Told::Finding(&Finding::damage(Kind::Events, &file, what).at(u64::from(at.offset))));
                        fold.replay.forced = true;
                    }
                }
                Item::Frame { at, frame, .. } => {
                    let what =
                        format!("segment {}: a frame of events expected, {:?} found", at.segment, frame.header.kind);
                    watch(Told::Finding(&Finding::damage(Kind::Events, &file, what).at(frame.offset)));
                }
                Item::Hole { lsn, hole, .. } if hole.loses_events() => {
                    fold.compare(Lsn(lsn.start), &parts, watch);
                    fold.replay.forced = true;
                }
                // The directory's log is never compacted.
                Item::Hole { .. } | Item::Block { .. } | Item::Gone { .. } => {}
            }
            Ok(())
        })?;
        self.report.events += events;
        fold.compare(Lsn(u64::MAX), &parts, watch);
        Ok(fold.best(&parts))
    }
}

struct ControlFold {
    directory: Directory,
    replay: Replay,
    compared: bool,
}

impl ControlFold {
    /// Once the fold has come to the checkpoint, both say the same.
    fn compare(&mut self, next: Lsn, parts: &Parts, watch: Watch<'_>) {
        if self.compared || next < parts.lsn() {
            return;
        }
        self.compared = true;
        let Some(part) = parts.list().first() else { return };
        match Directory::decode_snapshot(part.state()) {
            Err(why) => watch(Told::Finding(&error_finding(Kind::Checkpoint, &why))),
            // What the log has lost the checkpoint has still.
            Ok(_) if self.replay.is_lenient() => {}
            Ok(snapshot) if snapshot == self.directory => {}
            Ok(_) => {
                let what = "the directory in this checkpoint is not what the log adds up to; rebuild makes it anew";
                watch(Told::Finding(&Finding::damage(Kind::Checkpoint, part.file_name(), what)));
            }
        }
    }

    fn best(self, parts: &Parts) -> Directory {
        let lost = self.replay.forced;
        let snapshot = parts.list().first().filter(|_| lost);
        snapshot.and_then(|part| Directory::decode_snapshot(part.state()).ok()).unwrap_or(self.directory)
    }
}
