//! What this program would change in a store that an older one wrote, whether the older one can still open it, and until when. Reads headers
//! only, changes nothing, and judges no damage: that is `verify`'s.
use crate::base::{Error, Result, ShardId};
use crate::disk::Disk;
use crate::engine::{checkpoint, shard_dir, store_file};
use crate::format::SegmentHeader;
use crate::format::segment::{SEGMENT_HEADER_BYTES, SEGMENT_VERSION};
use crate::index::PART_MAGIC;
use crate::log::Unit;
use std::collections::BTreeMap;
use std::path::Path;

/// One shard's log by the versions of its segments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardVersions {
    /// `0`, `1`, ... or `control`.
    pub name: String,
    /// How many segments are of which version.
    pub segments: BTreeMap<u16, u64>,
    /// The version of the last segment, which the next change would go to if it is of this program's.
    pub tail_version: u16,
    /// Index parts of another layout than this program's.
    pub foreign_parts: u64,
}

/// Whether the program before this one can still open the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Back {
    /// Every segment is of a version that it reads.
    Open,
    /// It refuses this segment, the first of this program's version beside older ones.
    Ended {
        /// The segment's path.
        file: String,
    },
    /// Every segment is of this program's version: the store was made by it, or nothing older is left.
    NoneNeeded,
}

/// What is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upgrade {
    /// The control shard last.
    pub shards: Vec<ShardVersions>,
    /// The way back.
    pub back: Back,
    /// Segments that this program does not read: of a newer one, or damaged.
    pub unreadable: Vec<String>,
}

impl Upgrade {
    /// The version that this program writes.
    pub const WRITES: u16 = SEGMENT_VERSION;
    /// The oldest version that it reads.
    pub const READS_FROM: u16 = SEGMENT_VERSION - 1;

    /// What using the store with this program would change, in a line for each shard and kind; nothing if it is as this program writes it.
    pub fn changes(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for shard in &self.shards {
            let (name, version) = (&shard.name, shard.tail_version);
            if version != 0 && version < SEGMENT_VERSION {
                lines.push(format!(
                    "shard {name}: its first change seals the last segment, of version {version}, and begins one of version {SEGMENT_VERSION}"
                ));
            }
            if shard.foreign_parts > 0 {
                lines.push(format!(
                    "shard {name}: {} index parts are of another layout; the first start replays the log and makes them anew",
                    shard.foreign_parts
                ));
            }
        }
        lines
    }
}

/// Looks at the headers of every file.
///
/// # Errors
/// `NotFound`: there is no store. `Corrupt`: STORE cannot be read. `Io`.
pub fn check_upgrade(disk: &dyn Disk) -> Result<Upgrade> {
    let count = store_file::read(disk)?;
    let count = count.ok_or_else(|| Error::NotFound("a store in this directory".into()))?;
    let mut found = Upgrade { shards: Vec::new(), back: Back::Open, unreadable: Vec::new() };
    let mut first_new = None;
    for shard in (0..count).map(ShardId).chain([ShardId::CONTROL]) {
        let versions = one_shard(disk, shard, &mut first_new, &mut found.unreadable)?;
        found.shards.push(versions);
    }
    let older = found.shards.iter().any(|shard| shard.segments.keys().any(|version| *version < SEGMENT_VERSION));
    found.back = match first_new {
        None => Back::Open,
        Some(file) if older => Back::Ended { file },
        Some(_) => Back::NoneNeeded,
    };
    Ok(found)
}

fn one_shard(
    disk: &dyn Disk,
    shard: ShardId,
    first_new: &mut Option<String>,
    unreadable: &mut Vec<String>,
) -> Result<ShardVersions> {
    let dir = shard_dir(shard);
    let name = if shard == ShardId::CONTROL { "control".to_owned() } else { shard.to_string() };
    let mut versions = ShardVersions { name, segments: BTreeMap::new(), tail_version: 0, foreign_parts: 0 };
    let names = disk.list(&dir);
    for name in names.map_err(|why| Error::io(format!("list {}", disk.full_path(&dir).display()), why))? {
        let path = dir.join(&name);
        let shown = disk.full_path(&path).display().to_string();
        if checkpoint::part_number(&name).is_some() {
            let foreign = head(disk, &path, PART_MAGIC.len()).is_none_or(|bytes| bytes != PART_MAGIC);
            versions.foreign_parts += u64::from(foreign);
        }
        if Unit::parse(&name).is_none() {
            continue;
        }
        let bytes = head(disk, &path, SEGMENT_HEADER_BYTES).unwrap_or_default();
        match SegmentHeader::decode(&bytes) {
            Ok(header) => {
                *versions.segments.entry(header.version).or_default() += 1;
                versions.tail_version = header.version;
                if header.version >= SEGMENT_VERSION {
                    first_new.get_or_insert(shown);
                }
            }
            Err(why) => unreadable.push(format!("{shown}: {why}")),
        }
    }
    Ok(versions)
}

/// The first bytes of a file; `None` if there are fewer or they cannot be read.
fn head(disk: &dyn Disk, path: &Path, len: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; len];
    disk.open(path).ok()?.read_exact_at(&mut bytes, 0).ok()?;
    Some(bytes)
}
