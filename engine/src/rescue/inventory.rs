//! Which files a data directory holds and what each of them is, whatever its name says: STORE, segments, index parts, and what is nobody's.
//! Reads headers, and frames only where a header is damaged. Changes nothing.
use super::finding::{Finding, Kind};
use super::identify::{Identity, Unknown, identify};
use super::source::Source;
use crate::base::{Error, Lsn, Result, SegmentId, ShardId};
use crate::disk::Disk;
use crate::engine::store_file;
use crate::format::segment::SEGMENT_HEADER_BYTES;
use crate::log::{Unit, choose_units};
use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// A segment's file.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    /// Where it lies; not where it should when it is misplaced.
    pub(super) path: PathBuf,
    /// For people.
    pub(super) name: String,
    pub(super) id: SegmentId,
    /// What its name says, or should say.
    pub(super) unit: Unit,
    pub(super) identity: Identity,
    pub(super) len: u64,
    pub(super) misplaced: bool,
}

impl Segment {
    pub(super) fn first_lsn(&self) -> Lsn {
        self.identity.header.first_lsn
    }

    pub(super) fn is_compacted(&self) -> bool {
        self.unit.generation > 0
    }

    /// The end of the log that it stands for when its own bytes should be `len`.
    pub(super) fn end(&self, len: u64) -> Lsn {
        Lsn(self.first_lsn().0 + self.identity.header.covers.map_or(len, |covers| covers.bytes))
    }
}

impl Log {
    /// The file that stands for segment `id`.
    pub(super) fn segment(&self, id: SegmentId) -> Option<&Segment> {
        self.segments.iter().find(|segment| segment.unit.first <= id && id <= segment.unit.last)
    }

    /// Its path for people, whether it is there or not.
    pub(super) fn name_of(&self, disk: &dyn Disk, id: SegmentId) -> String {
        let missing = || disk.full_path(&crate::log::segment_path(&self.dir, id)).display().to_string();
        self.segment(id).map_or_else(missing, |segment| segment.name.clone())
    }
}

/// One shard's files.
#[derive(Clone, Debug, Default)]
pub(super) struct Log {
    pub(super) dir: PathBuf,
    /// By id; each begins at or after the end of the one before as far as headers tell.
    pub(super) segments: Vec<Segment>,
    /// What compacted segments have replaced and is kept for a time.
    pub(super) retired: Vec<Segment>,
    /// Compacted segments that what they replaced takes the place of again.
    pub(super) undone: Vec<PathBuf>,
    /// Files with a segment's name that are none of this log.
    pub(super) strangers: Vec<PathBuf>,
    /// A file of a newer program: nothing of this log is judged.
    pub(super) newer: Option<String>,
    /// Names of index parts.
    pub(super) parts: Vec<String>,
}

/// A data directory.
pub(super) struct Inventory {
    /// The number of account shards as STORE says.
    pub(super) shards: Result<u16, String>,
    /// By shard; the control shard is the last.
    pub(super) logs: BTreeMap<ShardId, Log>,
    pub(super) findings: Vec<Finding>,
    /// A segment that is there and cannot be opened: what it holds is not known, which is another thing than that it is lost.
    pub(super) unopened: Option<Error>,
}

impl Inventory {
    /// Bytes of all segments.
    pub(super) fn total_bytes(&self) -> u64 {
        self.logs.values().flat_map(|log| &log.segments).map(|segment| segment.len).sum()
    }

    /// Whether there is anything of a store at all.
    pub(super) fn is_empty(&self) -> bool {
        self.shards.is_err() && self.logs.values().all(|log| log.segments.is_empty() && log.parts.is_empty())
    }
}

/// The shard whose directory has this name.
fn shard_of(name: &str) -> Option<ShardId> {
    match name {
        "control" => Some(ShardId::CONTROL),
        _ => name.parse().ok().map(ShardId).filter(|shard| name.len() == 5 && *shard != ShardId::CONTROL),
    }
}

/// The ending of a segment that a repair has written and not yet put in its place.
pub(super) const MENDING: &str = "mending";

/// A file with a segment's name and what it is.
struct Found {
    path: PathBuf,
    place: (ShardId, Unit),
    len: u64,
    identity: Result<Identity, Unknown>,
}

impl Found {
    /// Which segment it says that it is.
    fn claim(&self) -> Option<(ShardId, Unit)> {
        let header = &self.identity.as_ref().ok()?.header;
        // Only a file's name knows its generation.
        let generation = header.covers.map_or(0, |_| self.place.1.generation.max(1));
        Some((header.shard, Unit { first: header.segment, last: header.last_segment(), generation }))
    }
}

/// Takes stock.
pub(super) fn take(disk: &dyn Disk) -> Result<Inventory> {
    let empty = |shards| Inventory { shards, logs: BTreeMap::new(), findings: Vec::new(), unopened: None };
    let (mut inventory, mut quiet) = (empty(store(disk)), empty(Ok(0)));
    if let Err(why) = &inventory.shards {
        let name = disk.full_path(Path::new(store_file::NAME)).display().to_string();
        inventory.findings.push(Finding::damage(Kind::Store, name, why.clone()));
    }
    let root = Path::new("shards");
    let dirs = match disk.list_dirs(root) {
        Err(why) if why.kind() == ErrorKind::NotFound => Vec::new(),
        listed => listed.map_err(|why| Error::io(format!("list {}", disk.full_path(root).display()), why))?,
    };
    let (mut pool, mut mending) = (Vec::new(), Vec::new());
    for (name, shard) in dirs.iter().filter_map(|name| Some((name, shard_of(name)?))) {
        let dir = root.join(name);
        let names = disk.list(&dir);
        let names = names.map_err(|why| Error::io(format!("list {}", disk.full_path(&dir).display()), why))?;
        let mut log = Log { dir: dir.clone(), ..Log::default() };
        for name in names {
            if let Some(unit) = Unit::parse(&name) {
                pool.push(look(disk, &dir.join(&name), (shard, unit), &mut inventory));
            } else if Path::new(&name).extension().is_some_and(|end| end == MENDING) {
                // Segment 0 is none: wherever it belongs, it is not there yet. What is wrong with a half-written one is nobody's concern.
                let nowhere = Unit { first: SegmentId(0), last: SegmentId(0), generation: 0 };
                mending.push(look(disk, &dir.join(&name), (shard, nowhere), &mut quiet));
            } else if name.ends_with(".phi") {
                log.parts.push(name);
            }
        }
        inventory.logs.insert(shard, log);
    }
    let claimed: BTreeSet<_> = pool.iter().filter_map(Found::claim).collect();
    let only = |found: &Found| {
        let whole = found.identity.as_ref().is_ok_and(|identity| identity.damage.is_none());
        whole && found.claim().is_some_and(|claim| !claimed.contains(&claim))
    };
    pool.extend(mending.into_iter().filter(only));
    assign(disk, pool, &mut inventory);
    expected_shards(disk, &mut inventory);
    inventory.logs.values_mut().for_each(in_order);
    Ok(inventory)
}

/// One shard's files, looked at again. A server that writes meanwhile makes segments all the time: what a checkpoint says of the log can be held
/// only against files that were listed after the checkpoint was read.
pub(super) fn again(disk: &dyn Disk, shard: ShardId) -> Result<Log> {
    let log = take(disk)?.logs.remove(&shard);
    Ok(log.unwrap_or_else(|| Log { dir: crate::engine::shard_dir(shard), ..Log::default() }))
}

fn store(disk: &dyn Disk) -> Result<u16, String> {
    let missing = |why: std::io::Error| match why.kind() {
        ErrorKind::NotFound => "it is missing: how many shards there are is not known".to_owned(),
        _ => why.to_string(),
    };
    let file = disk.open(Path::new(store_file::NAME)).map_err(missing)?;
    let len = file.len().map_err(missing)?.min(store_file::BYTES_MAX);
    let mut bytes = vec![0; len as usize];
    file.read_exact_at(&mut bytes, 0).map_err(missing)?;
    store_file::parse(&bytes)
}

fn look(disk: &dyn Disk, path: &Path, place: (ShardId, Unit), inventory: &mut Inventory) -> Found {
    let name = disk.full_path(path).display().to_string();
    match Source::open(disk, path) {
        Ok(mut source) => {
            let identity = identify(&mut source, place.0, place.1);
            Found { path: path.to_owned(), place, len: source.len, identity }
        }
        Err(why) => {
            inventory.findings.push(Finding::damage(Kind::File, name, why.to_string()));
            let found =
                Found { path: path.to_owned(), place, len: 0, identity: Err(Unknown::Nothing(why.to_string())) };
            inventory.unopened.get_or_insert(why);
            found
        }
    }
}

/// Gives every segment its file: the one of its name if that is it, else a file that says it is this segment.
fn assign(disk: &dyn Disk, pool: Vec<Found>, inventory: &mut Inventory) {
    let mut at_home: BTreeMap<ShardId, Vec<Unit>> = BTreeMap::new();
    for found in pool.iter().filter(|found| found.claim() == Some(found.place)) {
        at_home.entry(found.place.0).or_default().push(found.place.1);
    }
    let retired: BTreeSet<(ShardId, Unit)> = at_home
        .iter()
        .flat_map(|(shard, units)| choose_units(units.clone()).1.into_iter().map(|(old, _)| (*shard, old)))
        .collect();
    let mut taken: BTreeSet<(ShardId, SegmentId)> = BTreeSet::new();
    for (shard, units) in &at_home {
        taken.extend(units.iter().flat_map(|unit| (unit.first.0..=unit.last.0).map(|id| (*shard, SegmentId(id)))));
    }
    for found in pool {
        let name = disk.full_path(&found.path).display().to_string();
        let claims = found.claim();
        let (shard, _) = found.place;
        let identity = match found.identity {
            Ok(identity) => identity,
            Err(Unknown::Newer(what)) => {
                inventory.findings.push(Finding::damage(Kind::Header, name, what.clone()));
                log_of(inventory, shard).newer = Some(what);
                continue;
            }
            Err(Unknown::Nothing(what)) => {
                // A segment whose making a crash interrupted has no frames; a start makes it again.
                if found.len > SEGMENT_HEADER_BYTES as u64 || found.place.1.generation > 0 {
                    let what = format!("{what}, and no frame in it is believed: nothing of it can be read");
                    inventory.findings.push(Finding::damage(Kind::File, name, what).range(&(0..found.len)));
                }
                log_of(inventory, shard).strangers.push(found.path);
                continue;
            }
        };
        let Some((owner, unit)) = claims else { continue };
        let (id, misplaced) = (unit.first, (owner, unit) != found.place);
        let is_retired = retired.contains(&(owner, unit));
        if let Some(what) = &identity.damage {
            let finding = match is_retired {
                false => Finding::damage(Kind::Header, &name, format!("{what}; it can be made again")),
                true => Finding::note(
                    Kind::Header,
                    &name,
                    format!("{what}; compaction has replaced it, and it is no undo any more"),
                ),
            };
            inventory.findings.push(finding.range(&(0..SEGMENT_HEADER_BYTES as u64)));
        }
        if misplaced && !taken.insert((owner, id)) {
            let what = format!("it is a copy of segment {id} of shard {owner}, which is there, under a wrong name");
            inventory.findings.push(Finding::damage(Kind::File, name, what));
            log_of(inventory, shard).strangers.push(found.path);
            continue;
        }
        if misplaced {
            let what = format!("it is segment {id} of shard {owner} under a wrong name");
            inventory.findings.push(Finding::damage(Kind::File, &name, what));
        }
        let segment = Segment { path: found.path, name, id, unit, identity, len: found.len, misplaced };
        let log = log_of(inventory, owner);
        if is_retired { log.retired.push(segment) } else { log.segments.push(segment) }
    }
}

fn log_of(inventory: &mut Inventory, shard: ShardId) -> &mut Log {
    let dir = crate::engine::shard_dir(shard);
    inventory.logs.entry(shard).or_insert_with(|| Log { dir, ..Log::default() })
}

/// Every shard that STORE names has a log, and no other has.
fn expected_shards(disk: &dyn Disk, inventory: &mut Inventory) {
    let Ok(count) = inventory.shards else { return };
    for shard in (0..count).map(ShardId).chain([ShardId::CONTROL]) {
        let log = log_of(inventory, shard);
        if log.segments.is_empty() && log.newer.is_none() && log.strangers.is_empty() {
            let name = disk.full_path(&log.dir).display().to_string();
            inventory.findings.push(Finding::damage(Kind::File, name, "the segments of a shard are missing"));
        }
    }
    for (shard, log) in inventory.logs.range(ShardId(count)..ShardId::CONTROL) {
        let used = log.parts.is_empty() && log.segments.iter().all(|one| one.len <= SEGMENT_HEADER_BYTES as u64);
        if !used {
            let name = disk.full_path(&log.dir).display().to_string();
            let what = format!("shard {shard} is in use, but STORE says that there are {count} shards");
            inventory.findings.push(Finding::damage(Kind::Store, name, what));
        }
    }
}

/// Sorts a log's segments; one that begins before the one before it does is none of this log.
fn in_order(log: &mut Log) {
    log.segments.sort_by_key(|segment| segment.id);
    let mut begin = None;
    let segments = std::mem::take(&mut log.segments);
    for segment in segments {
        if begin.is_some_and(|begin| segment.first_lsn() <= begin) {
            log.strangers.push(segment.path);
            continue;
        }
        begin = Some(segment.first_lsn());
        log.segments.push(segment);
    }
    // A damaged header may not say for how much of the log it stands.
    for at in 1..log.segments.len() {
        let (next, first) = (log.segments[at].first_lsn().0, log.segments[at - 1].first_lsn().0);
        let identity = &mut log.segments[at - 1].identity;
        if let (Some(covers), Some(_)) = (&mut identity.header.covers, &identity.damage) {
            covers.bytes = next - first;
        }
    }
}
