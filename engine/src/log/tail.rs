//! The growing segment of a shard: its file, its length, its frame table; made, sealed and named here. Never holds uncommitted frames.
use crate::base::SegmentId;
use std::path::{Path, PathBuf};

/// `<dir>/seg-0000000001.phl`.
pub(super) fn segment_path(dir: &Path, id: SegmentId) -> PathBuf {
    dir.join(format!("seg-{:010}.phl", id.0))
}
