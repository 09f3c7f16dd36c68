//! Any file of a store as lines for people: headers, frames, events, footers, records. Damage is a line like any other, and the reading goes
//! on at the next frame that is believed. Changes nothing, refuses nothing.
use super::contents::{Contents, Unread, directory_events};
use super::describe::describe;
use super::finding::Kind;
use super::identify::{Unknown, identify};
use super::source::Source;
use super::walk::{Frame, Piece, Walk};
use crate::base::{Error, Result, SegmentId, ShardId};
use crate::disk::Disk;
use crate::engine::store_file;
use crate::format::addresses::AddressTable;
use crate::format::block::{Block, BlockRow};
use crate::format::frame::FRAME_ALIGN;
use crate::format::segment::{SEGMENT_HEADER_BYTES, SEGMENT_MAGIC, TRAILER_BYTES};
use crate::format::{Event, Footer, FrameKind, MessageHead, SegmentHeader, Trailer};
use crate::index::{PART_MAGIC, Part, mime};
use crate::log::Unit;
use std::path::Path;

/// One line, or a few that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Bytes from the file's start.
    pub offset: u64,
    /// `header`, `message`, `events`, `footer`, `trailer`, `damage`, ...
    pub what: &'static str,
    /// In words.
    pub text: String,
    /// What is inside: events, records.
    pub inside: Vec<String>,
}

/// Which part of a file to show.
#[derive(Clone, Copy, Debug, Default)]
pub struct Range {
    /// Begin at the first thing at or after this place.
    pub offset: u64,
    /// Show at most so many things; `None` is all.
    pub limit: Option<u64>,
}

/// Shows the file at `path`, which is relative to `disk`'s root.
///
/// # Errors
/// `Io`: the file cannot be opened. `Invalid`: it is none of a store's files.
pub fn inspect(disk: &dyn Disk, path: &Path, range: Range, show: &mut dyn FnMut(Line)) -> Result<()> {
    let mut source = Source::open(disk, path)?;
    let mut left = range.limit.unwrap_or(u64::MAX);
    let mut show = |line: Line| {
        let wanted = line.offset >= range.offset && left > 0;
        if wanted {
            left -= 1;
            show(line);
        }
        left > 0
    };
    let front = source.get(0, 8).map(<[u8]>::to_vec).unwrap_or_default();
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if front == SEGMENT_MAGIC || name.ends_with(".phl") {
        let contents = Contents::default();
        learn(disk, path, &contents);
        segment(&mut source, &name, &contents, &mut show);
        Ok(())
    } else if front == PART_MAGIC || name.ends_with(".phi") {
        part(disk, path, &mut show)
    } else if name == store_file::NAME {
        let text = source.read(0, source.len.min(store_file::BYTES_MAX) as usize).unwrap_or_default();
        let said = match store_file::parse(&text) {
            Ok(shards) => format!("{shards} account shards"),
            Err(why) => format!("damaged: {why}"),
        };
        let inside = String::from_utf8_lossy(&text).lines().map(str::to_owned).collect();
        show(Line { offset: 0, what: "store", text: said, inside });
        Ok(())
    } else {
        let name = &source.name;
        Err(Error::Invalid(format!("{name}: a segment (.phl), an index part (.phi) or STORE is expected")))
    }
}

type Show<'a> = &'a mut dyn FnMut(Line) -> bool;

/// Dictionaries stand in whatever segment first used them: those in the files beside this one are read from where their footers say.
fn learn(disk: &dyn Disk, path: &Path, contents: &Contents) {
    let dir = path.parent().unwrap_or(Path::new(""));
    for name in disk.list(dir).unwrap_or_default() {
        let Some(unit) = Unit::parse(&name) else { continue };
        let Ok(mut source) = Source::open(disk, &dir.join(&name)) else { continue };
        let Ok(identity) = identify(&mut source, ShardId(0), unit) else { continue };
        let header = identity.header;
        let trailer = source.len.checked_sub(TRAILER_BYTES as u64).and_then(|at| {
            let trailer = Trailer::decode(source.get(at, TRAILER_BYTES)?, header.salt).ok()?;
            Some(u64::from(trailer.footer_offset)..at)
        });
        let piece = trailer.and_then(|range| Walk::new(&mut source, contents, header, range).next());
        let Some(Piece::Frame(frame)) = piece else { continue };
        let Ok(footer) = Footer::decode(&frame.payload) else { continue };
        for (offset, _) in footer.table.iter().filter(|(_, kind)| *kind == FrameKind::Dictionary) {
            let range = u64::from(offset)..source.len;
            Walk::new(&mut source, contents, header, range).next();
        }
    }
}

fn segment(source: &mut Source, name: &str, contents: &Contents, show: Show<'_>) {
    let nobody = Unit { first: SegmentId(0), last: SegmentId(0), generation: 0 };
    let unit = Unit::parse(name).unwrap_or(nobody);
    let control = source.path.components().any(|part| part.as_os_str() == "control");
    let shard = if control { ShardId::CONTROL } else { ShardId(0) };
    let header = match identify(source, shard, unit) {
        Ok(identity) => {
            let text = header_words(&identity.header, source.len);
            show(Line { offset: 0, what: "header", text, inside: Vec::new() });
            if let Some(damage) = identity.damage {
                show(damage_line(0, damage));
            }
            identity.header
        }
        Err(Unknown::Newer(why) | Unknown::Nothing(why)) => {
            show(damage_line(0, format!("{why}; no frame in the file is believed")));
            return;
        }
    };
    let mut at = SEGMENT_HEADER_BYTES as u64;
    let mut after_footer = false;
    while at < source.len {
        let end = source.len;
        let piece = if after_footer {
            let good = trailer_is_good(source, &header, at);
            Some(Piece::Trailer { range: at..end, good })
        } else {
            Walk::new(source, contents, header, at..end).next()
        };
        let Some(piece) = piece else { return };
        let line = match piece {
            Piece::Frame(frame) => {
                at = frame.end();
                after_footer = frame.header.kind == FrameKind::Footer;
                frame_line(&frame, &header, contents)
            }
            Piece::Gap { range, why, cut } => {
                at = range.end;
                let cut = cut.map_or(String::new(), |header| format!(" (a {:?} frame is cut off here)", header.kind));
                damage_line(range.start, format!("{} bytes that are no frame: {why}{cut}", range.end - range.start))
            }
            Piece::Trailer { range, good } => {
                at = range.end;
                let text =
                    if good { "sealed".to_owned() } else { format!("{} bytes, damaged", range.end - range.start) };
                Line { offset: range.start, what: "trailer", text, inside: Vec::new() }
            }
        };
        if !show(line) {
            return;
        }
    }
}

fn trailer_is_good(source: &mut Source, header: &SegmentHeader, at: u64) -> bool {
    let len = (source.len - at) as usize;
    let bytes = source.get(at, len.min(64)).unwrap_or_default();
    crate::format::Trailer::decode(bytes, header.salt).is_ok() && len == crate::format::segment::TRAILER_BYTES
}

fn header_words(header: &SegmentHeader, len: u64) -> String {
    let shard = if header.shard == ShardId::CONTROL { "control".to_owned() } else { header.shard.to_string() };
    let stands = match header.covers {
        Some(covers) => format!(
            ", stands for segments {} to {}, {} bytes of log",
            header.segment,
            header.last_segment(),
            covers.bytes
        ),
        None => String::new(),
    };
    format!(
        "segment {} of shard {shard}, epoch {}, first lsn {}, created {} ms, salt {:08x}, {len} bytes{stands}",
        header.segment, header.epoch, header.first_lsn, header.created_ms, header.salt
    )
}

fn damage_line(offset: u64, text: String) -> Line {
    Line { offset, what: "damage", text, inside: Vec::new() }
}

fn frame_line(frame: &Frame, segment: &SegmentHeader, contents: &Contents) -> Line {
    let header = &frame.header;
    let mut text = format!("lsn {}, {} bytes", header.lsn, header.payload_len);
    if header.is_zstd() {
        text.push_str(", zstd");
    }
    if header.dictionary != 0 {
        text.push_str(&format!(", dictionary {}", header.dictionary));
    }
    text.push_str(&format!(", group from {}", frame.offset.saturating_sub(u64::from(header.group_back))));
    if header.ends_group() {
        text.push_str(", ends it");
    }
    if let Some(mended) = &frame.mended {
        text.push_str(&format!("; {mended}; shown as mended"));
    }
    if !frame.whole {
        text.push_str("; DAMAGED: the payload differs from its crc");
    }
    if !frame.padding_clean {
        text.push_str("; the padding is not zero");
    }
    let (what, inside) = match header.kind {
        FrameKind::Message => ("message", message_words(frame, contents)),
        FrameKind::Events => ("events", events_words(frame, segment.shard)),
        FrameKind::Footer => ("footer", footer_words(frame)),
        FrameKind::Dictionary => ("dictionary", Vec::new()),
        FrameKind::Part => ("part", Vec::new()),
        FrameKind::Block => ("block", block_words(frame, contents)),
        FrameKind::Addresses => ("addresses", addresses_words(frame)),
    };
    Line { offset: frame.offset, what, text, inside }
}

fn block_words(frame: &Frame, contents: &Contents) -> Vec<String> {
    let Ok(block) = Block::decode(&frame.payload) else { return vec!["no rows of a block".into()] };
    let words = |(index, row): (usize, &BlockRow)| {
        let stood = u64::from(row.stood) * FRAME_ALIGN as u64;
        let line =
            format!("{index}: guid {}, {} bytes, crc {:08x}, stood at {stood}", row.guid, row.size_bytes, row.crc);
        let summary = contents.block_summary(&frame.header, &frame.payload, index);
        let said = summary.ok().and_then(|one| describe(mime::envelope(&one).ok()?)).unwrap_or_default();
        match contents.block_message(&frame.header, &frame.payload, index) {
            Ok(_) => format!("{line}, {said}"),
            Err(why) => format!("{line}, {said}: {why}"),
        }
    };
    block.rows.iter().enumerate().map(words).collect()
}

fn addresses_words(frame: &Frame) -> Vec<String> {
    match AddressTable::decode(&frame.payload) {
        Ok(table) => vec![format!("{} places of {} segments", table.len(), table.starts.len())],
        Err(why) => vec![why.to_string()],
    }
}

fn message_words(frame: &Frame, contents: &Contents) -> Vec<String> {
    let Ok(head) = MessageHead::decode(&frame.payload) else { return vec!["no head of a message".into()] };
    let mut lines = vec![format!("guid {}, {} bytes, crc {:08x}", head.guid, head.size_bytes, head.crc)];
    match contents.summary(&frame.header, &frame.payload) {
        Ok(summary) => {
            let envelope = mime::envelope(&summary).ok().and_then(describe);
            lines.extend(envelope);
        }
        Err(why) => lines.push(format!("the summary cannot be read: {why}")),
    }
    match contents.message(&frame.header, &frame.payload) {
        Err(Unread::Damaged(why)) => lines.push(format!("DAMAGED: {why}")),
        Err(Unread::Needs(why)) => lines.push(format!("not readable by itself: {why}")),
        Ok(_) => {}
    }
    lines
}

fn events_words(frame: &Frame, shard: ShardId) -> Vec<String> {
    let mut lines = Vec::new();
    if shard == ShardId::CONTROL {
        match directory_events(&frame.payload) {
            Ok(events) => lines.extend(events.iter().map(|event| without_secrets(format!("{event:?}")))),
            Err(why) => lines.push(format!("DAMAGED: {why}")),
        }
        return lines;
    }
    match Event::decode_all(&frame.payload) {
        Ok(events) => lines.extend(events.iter().map(|event| format!("{event:?}"))),
        Err(why) => lines.push(format!("DAMAGED: {why}")),
    }
    lines
}

/// A password's hash is nobody's to read over a shoulder.
fn without_secrets(mut text: String) -> String {
    while let Some(start) = text.find("$argon2") {
        let len = text[start..].find('"').unwrap_or(text.len() - start);
        text.replace_range(start..start + len, "(hash)");
    }
    text
}

fn footer_words(frame: &Frame) -> Vec<String> {
    match Footer::decode(&frame.payload) {
        Ok(footer) => vec![format!(
            "{} messages ({} bytes), {} events ({} bytes), {} dictionaries, hash {:08x}",
            footer.messages,
            footer.message_bytes,
            footer.events,
            footer.event_bytes,
            footer.dictionaries,
            footer.crc_of_crcs
        )],
        Err(why) => vec![format!("DAMAGED: {why}")],
    }
}

/// An index part: what it says of itself, and a line for each account.
fn part(disk: &dyn Disk, path: &Path, show: Show<'_>) -> Result<()> {
    let name = disk.full_path(path).display().to_string();
    let map = disk.map(path).map_err(|why| Error::io(format!("read {name}"), why))?;
    let part = match Part::open(&name, map) {
        Ok(part) => part,
        Err(Error::Corrupt { offset, what, .. }) => {
            show(damage_line(offset, what));
            return Ok(());
        }
        Err(why) => return Err(why),
    };
    let shard = if part.shard() == ShardId::CONTROL { "control".to_owned() } else { part.shard().to_string() };
    let text = format!(
        "part {} of shard {shard}, as of lsn {}, needs parts {:?}, state of {} bytes, {} bytes",
        part.id(),
        part.lsn(),
        part.needs(),
        part.state().len(),
        part.len_bytes()
    );
    show(Line { offset: 0, what: Kind::Checkpoint.name(), text, inside: Vec::new() });
    for id in part.accounts() {
        let (offset, said) = part.describe(id);
        let line = match said {
            Ok(lines) => Line { offset, what: "account", text: format!("account {id}"), inside: lines },
            Err(why) => damage_line(offset, format!("account {id}: {why}")),
        };
        if !show(line) {
            return Ok(());
        }
    }
    Ok(())
}
