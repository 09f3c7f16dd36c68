//! The file STORE: says once and for all how many shards a store has. Written when all of them are there, never changed; a store whose
//! STORE is lost is not begun anew.
use super::shard::dir;
use crate::base::{Error, Result, ShardId};
use crate::disk::Disk;
use crate::format::segment::SEGMENT_HEADER_BYTES;
use std::io::ErrorKind;
use std::path::Path;

/// The file's name.
pub(crate) const NAME: &str = "STORE";
const FORMAT: u32 = 1;
/// Bytes that are looked at; the file has about fifty.
pub(crate) const BYTES_MAX: u64 = 4096;

/// The number of account shards; `None` in a directory that holds no store.
///
/// # Errors
/// `Corrupt`: STORE is not what was written or is missing, or a shard is.
pub(crate) fn read(disk: &dyn Disk) -> Result<Option<u16>> {
    let path = Path::new(NAME);
    let shown = disk.full_path(path).display().to_string();
    match disk.open(path) {
        Ok(file) => {
            let io = |why| Error::io(format!("read {shown}"), why);
            let len = file.len().map_err(io)?;
            let mut text = vec![0; usize::try_from(len.min(BYTES_MAX)).unwrap_or(0)];
            file.read_exact_at(&mut text, 0).map_err(io)?;
            let shards = parse(&text).map_err(|what| Error::corrupt(&shown, 0, what))?;
            check_shards(disk, &shown, shards).map(|()| Some(shards))
        }
        Err(why) if why.kind() == ErrorKind::NotFound => match in_use(disk)?.first() {
            None => Ok(None),
            Some(shard) => {
                let what = format!("it is missing, and {shard} is in use: how many shards there are is not known");
                Err(Error::corrupt(shown, 0, what))
            }
        },
        Err(why) => Err(Error::io(format!("open {shown}"), why)),
    }
}

/// The number of shards in the bytes of STORE.
pub(crate) fn parse(bytes: &[u8]) -> Result<u16, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "text expected")?;
    let lines: Vec<&str> = text.lines().collect();
    let (first, format, shards, crc) = match lines[..] {
        [first, format, shards, crc] => (first, format, shards, Some(crc)),
        // As programs of segment version 1 wrote it.
        [first, format, shards] => (first, format, shards, None),
        _ => return Err("four lines expected".into()),
    };
    if first != "posthouse store" || !text.ends_with('\n') {
        return Err("a first line `posthouse store` and a last line's end expected".into());
    }
    let value = |line: &str, key: &str| {
        let value = line.strip_prefix(key).and_then(|rest| rest.strip_prefix(' ')).map(str::to_owned);
        value.ok_or_else(|| format!("a line `{key} VALUE` expected"))
    };
    let format: u32 = value(format, "format")?.parse().map_err(|_| "format: a number expected")?;
    if format != FORMAT {
        return Err(format!("format {format}: this posthouse reads format {FORMAT}"));
    }
    if let Some(crc) = crc {
        let proven = crc32fast::hash(&text.as_bytes()[..text.len() - crc.len() - 1]);
        if value(crc, "crc")? != format!("{proven:08x}") {
            return Err("the crc of the lines before expected in the last line".into());
        }
    }
    let shards = value(shards, "shards")?.parse().ok();
    shards.filter(|shards| (1..u16::MAX).contains(shards)).ok_or_else(|| "shards: 1 to 65534 expected".into())
}

/// What STORE says for that number of shards.
pub(crate) fn text(shards: u16) -> String {
    let text = format!("posthouse store\nformat {FORMAT}\nshards {shards}\n");
    let crc = crc32fast::hash(text.as_bytes());
    format!("{text}crc {crc:08x}\n")
}

/// Every shard that STORE names has at least a segment, and no other holds anything.
fn check_shards(disk: &dyn Disk, shown: &str, shards: u16) -> Result<()> {
    for shard in (0..shards).map(ShardId).chain([ShardId::CONTROL]) {
        let there = match disk.list(&dir(shard)) {
            Ok(names) => names.iter().any(|name| name.ends_with(".phl")),
            Err(why) if why.kind() == ErrorKind::NotFound => false,
            Err(why) => return Err(Error::io(format!("list {}", disk.full_path(&dir(shard)).display()), why)),
        };
        if !there {
            let what = "the segments of a shard expected, as STORE says; they are missing";
            return Err(Error::corrupt(disk.full_path(&dir(shard)).display().to_string(), 0, what));
        }
    }
    let ours = |name: &String| name == "control" || name.parse::<u16>().is_ok_and(|number| number < shards);
    match in_use(disk)?.iter().find(|name| !ours(name)) {
        None => Ok(()),
        Some(other) => Err(Error::corrupt(shown, 0, format!("{shards} shards, but shards/{other} is in use too"))),
    }
}

/// The directories of shards that hold more than a segment's header.
fn in_use(disk: &dyn Disk) -> Result<Vec<String>> {
    let root = Path::new("shards");
    let io = |why| Error::io(format!("list {}", disk.full_path(root).display()), why);
    let dirs = match disk.list_dirs(root) {
        Err(why) if why.kind() == ErrorKind::NotFound => Vec::new(),
        listed => listed.map_err(io)?,
    };
    let mut used = Vec::new();
    for name in dirs {
        let dir = root.join(&name);
        let mut holds = false;
        for file in disk.list(&dir).map_err(io)? {
            let path = dir.join(&file);
            holds |= file.ends_with(".phi");
            if file.ends_with(".phl") {
                let len = disk.open(&path).and_then(|file| file.len());
                let io = |why| Error::io(format!("read {}", disk.full_path(&path).display()), why);
                holds |= len.map_err(io)? > SEGMENT_HEADER_BYTES as u64;
            }
        }
        if holds {
            used.push(name);
        }
    }
    Ok(used)
}

/// How many shards a new store may have.
pub(super) fn check_count(shards: u16) -> Result<()> {
    if shards == 0 || shards == u16::MAX {
        return Err(Error::Invalid("shards: 1 to 65534 are allowed".into()));
    }
    Ok(())
}

/// Writes STORE; every shard's log is made and durable.
pub(crate) fn write(disk: &dyn Disk, shards: u16) -> Result<()> {
    let shown = disk.full_path(Path::new(NAME)).display().to_string();
    let io = |why| Error::io(format!("write {shown}"), why);
    let temporary = Path::new("STORE.tmp");
    match disk.remove(temporary) {
        Err(why) if why.kind() != ErrorKind::NotFound => return Err(io(why)),
        _ => {}
    }
    let file = disk.create(temporary).map_err(io)?;
    file.write_at(text(shards).as_bytes(), 0).map_err(io)?;
    file.sync_data().map_err(io)?;
    disk.rename(temporary, Path::new(NAME)).map_err(io)?;
    disk.sync_dir(Path::new("")).map_err(io)
}
