//! Writes the image of a segment beside its place, proves it by reading it back, and puts it there. Everything that goes is kept first.
use super::image::Image;
use crate::base::{Error, Result};
use crate::disk::{Disk, File};
use crate::format::frame::FRAME_HEADER_BYTES;
use crate::rescue::contents::Contents;
use crate::rescue::finding::Finding;
use crate::rescue::inventory;
use crate::rescue::keep::{flat, keep_range};
use crate::rescue::layout::{Layout, Reading};
use crate::rescue::source::Source;
use crate::rescue::walk::{Piece, Walk};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Bytes copied at once.
const COPY_BYTES: u64 = 1 << 20;
/// Zeros of this many bytes are left to the file system.
const SPARSE_BYTES: usize = 4096;

/// Where an image is written before it goes to its place; what it is made from may lie there, left by an attempt that was interrupted.
fn temporary(image: &Image) -> PathBuf {
    let path = image.to.with_extension(inventory::MENDING);
    if image.from.as_ref() == Some(&path) { image.to.with_extension("again") } else { path }
}

/// Writes and proves the image; its place is as before. Gives the paths of what was kept of the old file.
pub(super) fn write(disk: &dyn Disk, image: &Image, contents: &Contents, stamp: i64) -> Result<Vec<PathBuf>> {
    let mut kept = Vec::new();
    if let Some(from) = &image.from {
        for range in &image.cut {
            let stem = format!("{}-at-{}-{stamp}.cut", flat(from), range.start);
            kept.push(keep_range(disk, from, range.clone(), &stem)?);
        }
    }
    let path = temporary(image);
    let shown = disk.full_path(&path).display().to_string();
    let failed = |why| Error::io(format!("write {shown}"), why);
    match disk.remove(&path) {
        Err(why) if why.kind() != ErrorKind::NotFound => return Err(failed(why)),
        _ => {}
    }
    if let Some(dir) = image.to.parent() {
        disk.create_dir(dir).and_then(|()| dir.ancestors().try_for_each(|dir| disk.sync_dir(dir))).map_err(failed)?;
    }
    let file = disk.create(&path).map_err(failed)?;
    fill_file(disk, image, contents, &*file).map_err(|why| match why {
        Failed::Io(why) => failed(why),
        Failed::Engine(why) => why,
    })?;
    file.sync_data().map_err(failed)?;
    prove(disk, image, contents, &path)?;
    Ok(kept)
}

enum Failed {
    Io(std::io::Error),
    Engine(Error),
}

impl From<std::io::Error> for Failed {
    fn from(why: std::io::Error) -> Failed {
        Failed::Io(why)
    }
}

impl From<Error> for Failed {
    fn from(why: Error) -> Failed {
        Failed::Engine(why)
    }
}

fn fill_file(disk: &dyn Disk, image: &Image, contents: &Contents, file: &dyn File) -> Result<(), Failed> {
    file.set_len(image.len)?;
    if let Some(from) = &image.from {
        let mut source = Source::open(disk, from)?;
        copy(&mut source, image, file)?;
        for frame in &image.mended {
            let mut walk = Walk::new(&mut source, contents, image.header, frame.offset..image.len);
            let Some(Piece::Frame(mended)) = walk.next().filter(is_whole) else {
                let why = Error::corrupt(&source.name, frame.offset, "it cannot be mended as planned");
                return Err(why.into());
            };
            let mut bytes = mended.header.encode(image.header.salt).to_vec();
            bytes.extend_from_slice(&mended.payload);
            bytes.resize(mended.header.frame_bytes(), 0);
            file.write_at(&bytes, frame.offset)?;
        }
    }
    if let Some(made) = &image.made {
        file.write_at(&made.header.encode(image.header.salt), made.offset)?;
        file.write_at(&made.payload, made.offset + FRAME_HEADER_BYTES as u64)?;
    }
    file.write_at(&image.header.encode(), 0)?;
    for filler in &image.fillers {
        let payload = filler.payload();
        let header = filler.header(image.header.first_lsn, &payload);
        file.write_at(&header.encode(image.header.salt), filler.offset)?;
        sparse(file, &payload, filler.offset + FRAME_HEADER_BYTES as u64)?;
    }
    if let Some((at, bytes)) = image.ending() {
        file.write_at(&bytes, at)?;
    }
    Ok(())
}

fn is_whole(piece: &Piece) -> bool {
    matches!(piece, Piece::Frame(frame) if frame.whole)
}

/// Copies the old file but for what is cut.
fn copy(source: &mut Source, image: &Image, file: &dyn File) -> Result<(), Failed> {
    let mut at = 0;
    let end = source.len.min(image.len);
    while at < end {
        if let Some(cut) = image.cut.iter().find(|cut| cut.contains(&at)) {
            at = cut.end;
            continue;
        }
        let next = image.cut.iter().map(|cut| cut.start).filter(|start| *start > at).min().unwrap_or(end).min(end);
        let len = COPY_BYTES.min(next - at);
        let unread = format!("bytes {at} to {} of {} cannot be read", at + len, source.name);
        let bytes = source.get(at, len as usize).ok_or_else(|| Failed::Io(std::io::Error::other(unread)))?;
        file.write_at(bytes, at)?;
        at += len;
    }
    Ok(())
}

/// Writes bytes into a part of a file that is zero already.
fn sparse(file: &dyn File, bytes: &[u8], at: u64) -> std::io::Result<()> {
    for (number, block) in bytes.chunks(SPARSE_BYTES).enumerate() {
        if block.iter().any(|byte| *byte != 0) {
            file.write_at(block, at + (number * SPARSE_BYTES) as u64)?;
        }
    }
    Ok(())
}

/// The image read back is without any fault and as long as it should be.
fn prove(disk: &dyn Disk, image: &Image, contents: &Contents, path: &Path) -> Result<()> {
    let mut source = Source::open(disk, path)?;
    let (name, distrusted) = (source.name.clone(), BTreeMap::new());
    let mut found: Option<Finding> = None;
    let mut tell = |finding: Finding| {
        found.get_or_insert(finding);
    };
    let mut visit = |_: crate::rescue::layout::Visit<'_>| Ok(());
    let (source, distrusted) = (&mut source, &distrusted);
    let header = image.header;
    let reading = Reading { source, contents, header, distrusted, tell: &mut tell, visit: &mut visit };
    let layout: Layout = match image.footer {
        Some(_) => reading.sealed(Some(image.len))?,
        None => reading.last(image.len, false)?,
    };
    match found {
        Some(finding) => {
            Err(Error::corrupt(name, finding.offset.unwrap_or(0), format!("not mended: {}", finding.what)))
        }
        None if layout.damaged || layout.len != image.len => {
            Err(Error::corrupt(name, layout.len, format!("a mended segment of {} bytes expected", image.len)))
        }
        None => Ok(()),
    }
}

/// Puts the proven image in its place. The directory is to be synced when all are.
pub(super) fn place(disk: &dyn Disk, image: &Image) -> Result<()> {
    let path = temporary(image);
    let placed = disk.rename(&path, &image.to);
    placed.map_err(|why| Error::io(format!("rename {}", disk.full_path(&path).display()), why))
}
