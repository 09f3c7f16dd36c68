//! docs/format.md held against the code: a checkpoint read by the page alone, piece by piece in the page's order, and STORE line by line.
use crate::help::{deliver, ids, open, people};
use posthouse_engine::base::MailboxId;
use posthouse_engine::base::bytes::Reader;
use posthouse_engine::directory::Quota;
use posthouse_engine::disk::Disk;
use posthouse_engine::disk::sim::SimDisk;
use posthouse_engine::index::Entry;
use std::path::Path;
use std::sync::Arc;

const PAGE: &str = include_str!("../../../docs/format.md");

/// The text of a piece in the page's table.
fn piece(name: &str) -> &'static str {
    let section = PAGE.split("\n## ").find(|section| section.starts_with("Index part\n")).expect("Index part");
    let row = section.lines().find(|line| line.starts_with(&format!("| {name} |"))).expect(name);
    row.trim_matches('|').split('|').nth(1).expect("a layout").trim()
}

/// Reads a piece: each of its fields by the kind that the page gives it. `fields` are (a word of the page, its kind).
struct ByPage<'a> {
    reader: Reader<'a>,
    text: &'static str,
    name: &'static str,
}

impl<'a> ByPage<'a> {
    fn new(name: &'static str, bytes: &'a [u8]) -> ByPage<'a> {
        ByPage { reader: Reader::new(bytes), text: piece(name), name }
    }

    /// The next field on the page begins with these words.
    fn field(&mut self, words: &str) {
        let at =
            self.text.find(words).unwrap_or_else(|| panic!("{}: {words:?} expected in {:?}", self.name, self.text));
        self.text = &self.text[at + words.len()..];
    }

    fn varint(&mut self, words: &str) -> u64 {
        self.field(words);
        self.reader.varint().expect(words)
    }

    fn text(&mut self, words: &str) -> String {
        self.field(words);
        self.reader.str().expect(words).to_owned()
    }

    fn u32(&mut self, words: &str) -> u32 {
        self.field(words);
        self.reader.u32().expect(words)
    }

    fn u64(&mut self, words: &str) -> u64 {
        self.field(words);
        self.reader.u64().expect(words)
    }

    /// Goes on with another piece, where this one has it.
    fn within(&mut self, name: &'static str) -> &'static str {
        std::mem::replace(&mut self.text, piece(name))
    }
}

fn section(bytes: &[u8], offset: u64, len: u64, crc: u32) -> &[u8] {
    let section = &bytes[offset as usize..(offset + len) as usize];
    assert_eq!(crc32fast::hash(section), crc);
    section
}

/// The part of a store with one account of one message, and its part number.
fn part() -> (Vec<u8>, Entry) {
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(1));
    let engine = open(&disk, 1).expect("opens");
    let all = people(&engine, 1, Quota::Default);
    deliver(&engine, &all, 1, 700).targets[0].as_ref().expect("delivered");
    let view = engine.mailbox(ids(&engine, 1)[0], MailboxId::INBOX).expect("INBOX");
    let entry = view.entries.get(0).expect("an entry");
    engine.close().expect("closes");
    let bytes = disk.map(Path::new("shards/00000/idx-0000000001.phi")).expect("a checkpoint").to_vec();
    (bytes, entry)
}

#[test]
fn a_checkpoint_is_read_by_the_page() {
    let (bytes, entry) = part();
    let end = bytes.len() - 24;
    let mut trailer = ByPage::new("trailer", &bytes[end..]);
    let (meta, len) = (trailer.u64("24 bytes: meta's offset u64"), trailer.u32("length u32"));
    let crc = trailer.u32("CRC-32 u32");
    trailer.field("`PHIDXEND`");
    assert_eq!(bytes[end + 16..], *b"PHIDXEND");
    assert!(PAGE.contains("part = \"PHIDX\" 0 0 2 ·") && bytes.starts_with(b"PHIDX\0\0\x02"));
    let mut meta = ByPage::new("meta", section(&bytes, meta, len.into(), crc));
    assert_eq!((meta.varint("shard v"), meta.varint("part v")), (0, 1));
    assert!(meta.varint("Lsn v") > 64);
    let (offset, len) = (meta.varint("offset v"), meta.varint("length v"));
    let table = section(&bytes, offset, len, meta.u32("CRC-32 u32 of the account table"));
    meta.field("the same of the state");
    let (offset, len) = (meta.reader.varint().expect("offset"), meta.reader.varint().expect("length"));
    assert_eq!(section(&bytes, offset, len, meta.reader.u32().expect("crc")), [0, 0], "no queue, no dictionaries");
    assert_eq!((meta.varint("count v of the parts it needs"), meta.varint("each v")), (1, 1));
    assert!(meta.reader.is_empty());
    let mut row = ByPage::new("account table", table);
    assert_eq!(table.len(), 24);
    row.field("rows of 24 bytes by account");
    let (account, at) = (row.u64("account u64"), row.u64("record's offset u64"));
    let len = row.u32("its length u32");
    assert_eq!(row.u32("zero u32"), 0);
    record(&bytes, &bytes[at as usize..][..len as usize], account, &entry);
}

fn record(part: &[u8], bytes: &[u8], account: u64, entry: &Entry) {
    let mut record = ByPage::new("account record", bytes);
    assert_eq!(record.varint("account v"), account);
    assert_eq!((record.varint("used bytes v"), record.varint("messages v")), (entry.size_bytes.into(), 1));
    assert_eq!(record.varint("next mailbox v"), 6);
    record.varint("next UIDVALIDITY v");
    let subscribed: Vec<String> = (0..record.varint("count v of subscriptions s"))
        .map(|_| record.reader.str().expect("a name").to_owned())
        .collect();
    assert_eq!(subscribed.len(), 5);
    record.field("annotations");
    assert_eq!(record.reader.varint().expect("their count"), 0);
    let count = record.varint("count v of mailboxes");
    assert_eq!(count, 5);
    for number in 1..=count {
        let outer = record.within("mailbox in it");
        mailbox(part, &mut record, number, entry);
        record.text = outer;
    }
    let crc = record.u32("CRC-32 u32 of all before it");
    assert_eq!(crc, crc32fast::hash(&bytes[..bytes.len() - 4]));
    assert!(record.reader.is_empty());
}

fn mailbox(part: &[u8], record: &mut ByPage<'_>, number: u64, entry: &Entry) {
    let inbox = number == 1;
    assert_eq!(record.varint("id v"), number);
    assert_eq!(record.text("name s") == "INBOX", inbox);
    record.varint("UIDVALIDITY v");
    assert_eq!(record.varint("UIDNEXT v"), if inbox { 2 } else { 1 });
    assert_eq!(record.varint("highest modseq v"), if inbox { entry.modseq.0 } else { 1 });
    record.field("special use u8");
    record.reader.u8().expect("a special use");
    assert_eq!(record.varint("count v of keywords s"), 0);
    assert_eq!((record.varint("unseen v"), record.varint("deleted v")), (inbox.into(), 0));
    assert_eq!(record.varint("size v"), if inbox { entry.size_bytes.into() } else { 0 });
    record.varint("recent from v");
    record.field("expunged");
    assert_eq!(record.reader.varint().expect("its count"), 0);
    record.field("annotations");
    assert_eq!(record.reader.varint().expect("their count"), 0);
    let chunks = record.varint("count v of chunks");
    assert_eq!(chunks, inbox.into());
    if !inbox {
        return;
    }
    let outer = record.within("chunk in it");
    assert_eq!((record.varint("base uid v"), record.varint("last uid less base v")), (1, 0));
    assert_eq!((record.varint("entries v"), record.varint("highest modseq v")), (1, entry.modseq.0));
    assert_eq!(record.varint("part v"), 1);
    let offset = record.varint("offset v");
    let chunk = section(part, offset, Entry::BYTES as u64, record.u32("CRC-32 u32"));
    assert_eq!(Entry::decode(chunk), Ok(*entry));
    record.text = outer;
}

#[test]
fn store_is_the_text_that_the_page_shows() {
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(1));
    drop(open(&disk, 3).expect("opens"));
    let bytes = disk.map(Path::new("STORE")).expect("STORE").to_vec();
    let row = PAGE.lines().find(|line| line.starts_with("| `STORE` |")).expect("its row");
    let shown: Vec<&str> = row.split('`').skip(3).step_by(2).collect();
    let text = String::from_utf8(bytes).expect("text");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((shown[0], shown[1]), (lines[0], lines[1]));
    assert_eq!((shown[2].replace('N', "3"), shown[3]), (lines[2].to_owned(), "crc XXXXXXXX"));
    let crc = crc32fast::hash(&text.as_bytes()[..text.len() - lines[3].len() - 1]);
    assert_eq!(lines[3], format!("crc {crc:08x}"));
}
