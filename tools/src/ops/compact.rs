//! Compaction as an operator steers it: begin, look, wait, go on, stop. The engine does the work and keeps the pace.
use super::Response;
use posthouse_engine::{Compact, CompactStatus, Engine};
use serde::{Deserialize, Serialize};

/// What is to be done about compaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case")]
pub enum CompactAct {
    /// Begins a run; answers at once.
    Start {
        /// Sealed segments that are older are rewritten whatever is dead in them; milliseconds.
        cold_after_ms: i64,
        /// Those of which so many percent of the messages are dead are, however old.
        dead_percent: u8,
        /// Bytes of mail a second; 0: as fast as it goes.
        bytes_per_second: u64,
        /// What was replaced so long ago is removed; milliseconds.
        keep_ms: i64,
        /// Bytes that stay free on the disk.
        #[serde(default = "leave_free_bytes")]
        leave_free_bytes: u64,
    },
    /// How far it is, or what the last run did.
    Status,
    /// Waits, now or as soon as there is a run.
    Pause,
    /// Goes on.
    Resume,
    /// Ends the run; what is replaced stays so.
    Stop,
}

/// How far compaction is, or what the last run did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompactionView {
    /// Whether one runs now.
    pub running: bool,
    /// Whether it waits to be told to go on.
    pub paused: bool,
    /// Whether the last run was stopped before its end.
    pub stopped: bool,
    /// Segments that were chosen.
    pub segments_chosen: u64,
    /// Of these, replaced so far.
    pub segments_done: u64,
    /// Messages moved so far.
    pub messages: u64,
    /// Bytes of them, uncompressed.
    pub message_bytes: u64,
    /// Messages that were read back from what was written and found to be the same.
    pub proven: u64,
    /// Bytes of the files that were replaced.
    pub bytes_before: u64,
    /// Bytes of the files that replaced them.
    pub bytes_after: u64,
    /// Bytes of replaced files that are still kept.
    pub retired_bytes: u64,
    /// Bytes of replaced files that were removed.
    pub removed_bytes: u64,
    /// Why the last run failed, if it did.
    pub failed: Option<String>,
    /// Why it left segments that were chosen as they were, if it did.
    #[serde(default)]
    pub left: Option<String>,
}

impl From<CompactStatus> for CompactionView {
    fn from(status: CompactStatus) -> CompactionView {
        CompactionView {
            running: status.running,
            paused: status.paused,
            stopped: status.stopped,
            segments_chosen: status.segments_chosen,
            segments_done: status.segments_done,
            messages: status.messages,
            message_bytes: status.message_bytes,
            proven: status.proven,
            bytes_before: status.bytes_before,
            bytes_after: status.bytes_after,
            retired_bytes: status.retired_bytes,
            removed_bytes: status.removed_bytes,
            failed: status.failed,
            left: status.left,
        }
    }
}

/// For who does not say.
fn leave_free_bytes() -> u64 {
    Compact::default().leave_free_bytes
}

pub(super) fn act(engine: &Engine, act: CompactAct) -> Result<Response, super::Failure> {
    match act {
        CompactAct::Start { cold_after_ms, dead_percent, bytes_per_second, keep_ms, leave_free_bytes } => {
            if engine.compact_status().running {
                let text = "a compaction runs already; posthouse compact --status shows it";
                return Err(super::Failure::new(super::Kind::TryAgain, text));
            }
            let request = Compact { cold_after_ms, dead_percent, bytes_per_second, keep_ms, leave_free_bytes };
            drop(engine.compact(request));
        }
        CompactAct::Status => {}
        CompactAct::Pause => engine.compact_pause(true),
        CompactAct::Resume => engine.compact_pause(false),
        CompactAct::Stop => engine.compact_stop(),
    }
    Ok(Response::Compaction { status: engine.compact_status().into() })
}
