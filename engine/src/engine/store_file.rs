//! The file STORE: says once and for all how many shards a store has. Written before the first use, never changed.
use crate::base::{Error, Result, ShardId};
use crate::disk::Disk;
use std::path::Path;

const NAME: &str = "STORE";
const FORMAT: u32 = 1;

/// The number of account shards: read from STORE, or `shards` in a directory that has none yet.
pub(super) fn open_or_make(disk: &dyn Disk, shards: u16) -> Result<u16> {
    let path = Path::new(NAME);
    let shown = disk.full_path(path).display().to_string();
    match disk.open(path) {
        Ok(file) => {
            let io = |why| Error::io(format!("read {shown}"), why);
            let len = file.len().map_err(io)?;
            let mut text = vec![0; usize::try_from(len.min(4096)).unwrap_or(0)];
            file.read_exact_at(&mut text, 0).map_err(io)?;
            parse(&text).map_err(|what| Error::corrupt(shown, 0, what))
        }
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => make(disk, shards, &shown).map(|()| shards),
        Err(why) => Err(Error::io(format!("open {shown}"), why)),
    }
}

fn parse(text: &[u8]) -> Result<u16, String> {
    let text = std::str::from_utf8(text).map_err(|_| "text expected")?;
    let value = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
        line.ok_or_else(|| format!("a line `{key} NUMBER` expected"))
    };
    let format: u32 = value("format")?.parse().map_err(|_| "format: a number expected")?;
    if format != FORMAT {
        return Err(format!("format {format}: this posthouse reads format {FORMAT}"));
    }
    value("shards")?.parse().ok().filter(|shards| *shards > 0).ok_or_else(|| "shards: 1 to 65534 expected".into())
}

fn make(disk: &dyn Disk, shards: u16, shown: &str) -> Result<()> {
    let io = |why| Error::io(format!("write {shown}"), why);
    if shards == 0 || shards == u16::MAX {
        return Err(Error::Invalid("shards: 1 to 65534 are allowed".into()));
    }
    for shard in (0..shards).map(ShardId).chain([ShardId::CONTROL]) {
        disk.create_dir(&super::shard::dir(shard)).map_err(io)?;
    }
    let shards_dir = Path::new("shards");
    disk.sync_dir(shards_dir).map_err(io)?;
    disk.sync_dir(Path::new("")).map_err(io)?;
    let temporary = Path::new("STORE.tmp");
    match disk.remove(temporary) {
        Err(why) if why.kind() != std::io::ErrorKind::NotFound => return Err(io(why)),
        _ => {}
    }
    let file = disk.create(temporary).map_err(io)?;
    file.write_at(format!("posthouse store\nformat {FORMAT}\nshards {shards}\n").as_bytes(), 0).map_err(io)?;
    file.sync_data().map_err(io)?;
    disk.rename(temporary, Path::new(NAME)).map_err(io)?;
    disk.sync_dir(Path::new("")).map_err(io)
}
