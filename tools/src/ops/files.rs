//! Which files a copy of the store needs, and how much of each: what a backup asks. Reads none of them.
use super::Response;
use posthouse_engine::Engine;
use serde::{Deserialize, Serialize};

/// One shard's log, as of one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardFilesRow {
    /// Its directory, from the data directory on.
    pub dir: String,
    /// In the order of the log.
    pub files: Vec<FileRow>,
}

/// One segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRow {
    /// Its name in the shard's directory.
    pub name: String,
    /// Bytes of it that are durable and never change.
    pub bytes: u64,
    /// Whether it never grows either.
    pub sealed: bool,
}

pub(super) fn files(engine: &Engine) -> Response {
    let shards = engine.files().into_iter().map(|shard| ShardFilesRow {
        dir: shard.dir.to_string_lossy().into_owned(),
        files: shard
            .files
            .iter()
            .map(|file| FileRow { name: file.name.clone(), bytes: file.len_bytes, sealed: file.sealed })
            .collect(),
    });
    Response::Files { shards: shards.collect() }
}
