//! Every function that reads bytes from a disk or from the control socket has a fuzz target: the table below says which, and what in the
//! target leads to it. A new decoder without a line is a complaint, as is a line whose decoder or target is gone.
use super::lexer::{code_only, words};

/// A file, the decoders in it that others may call (whatever is called decode, parse or from_bytes, and more by name), the target, and what must stand in the target.
type Row = (&'static str, &'static [&'static str], &'static str, &'static str);

/// Where decoders of stored bytes and of the control socket live. What clients send is fuzzed as whole sessions.
const FOLDERS: [&str; 2] = ["engine/src/", "tools/src/"];

const TABLE: [Row; 57] = [
    ("engine/src/base/flags.rs", &["decode"], "event", "Event::decode"),
    ("engine/src/base/special_use.rs", &["decode"], "event", "Event::decode"),
    ("engine/src/base/uids.rs", &["decode"], "event", "Event::decode"),
    ("engine/src/delivery/cold.rs", &["message_in_block", "transactions"], "cold", "transactions(lsn"),
    ("engine/src/delivery/dictionaries.rs", &["decode"], "start", "writer.finish(Lsn(64), [state]"),
    ("engine/src/delivery/dictionary.rs", &["decoder", "decode"], "stored", "Dictionary::decode"),
    ("engine/src/delivery/unstage.rs", &["unstage", "summary", "summary_in_block"], "stored", "unstage(payload"),
    ("engine/src/directory/access/codec.rs", &["decode", "from_bytes"], "directory_event", "Event::decode"),
    ("engine/src/directory/address.rs", &["parse"], "members", "fuzz::members"),
    ("engine/src/directory/event.rs", &["decode"], "directory_event", "Event::decode"),
    ("engine/src/directory/snapshot.rs", &["decode_snapshot"], "snapshot", "decode_snapshot"),
    ("engine/src/engine/store_file.rs", &["parse"], "start", "open(\"STORE\""),
    ("engine/src/format/addresses.rs", &["decode"], "cold", "AddressTable::decode"),
    ("engine/src/format/block.rs", &["decode"], "cold", "Block::decode"),
    ("engine/src/format/dictionary.rs", &["decode"], "stored", "DictionaryHead::decode"),
    ("engine/src/format/event.rs", &["decode", "decode_all"], "event", "Event::decode"),
    ("engine/src/format/footer.rs", &["decode"], "segment", "Footer::decode"),
    ("engine/src/format/frame.rs", &["decode"], "frame", "FrameHeader::decode"),
    ("engine/src/format/mending.rs", &["decode"], "event", "Event::decode"),
    ("engine/src/format/message.rs", &["decode"], "stored", "MessageHead::decode"),
    ("engine/src/format/packed.rs", &["decode_head", "decode"], "cold", "packed::decode"),
    ("engine/src/format/part.rs", &["decode"], "stored", "PartHead::decode"),
    ("engine/src/format/recipe.rs", &["decode"], "stored", "recipe::decode"),
    ("engine/src/format/segment.rs", &["decode", "decode"], "segment", "Trailer::decode"),
    ("engine/src/index/entry.rs", &["decode"], "part", "Part::open"),
    ("engine/src/index/mime/address.rs", &["parse_addresses"], "mime", "summarize"),
    ("engine/src/index/mime/date.rs", &["parse_date"], "mime", "parse_date"),
    ("engine/src/index/mime/decode.rs", &["decode_head"], "summary", "SummaryRef::decode"),
    ("engine/src/index/mime/mod.rs", &["decode"], "summary", "SummaryRef::decode"),
    (
        "engine/src/index/mime/params.rs",
        &["parse_content_type", "parse_disposition", "parse_encoding", "parse_languages"],
        "mime",
        "summarize",
    ),
    ("engine/src/index/mime/parse.rs", &["parse"], "mime", "summarize"),
    ("engine/src/index/part.rs", &["open"], "part", "Part::open"),
    ("engine/src/index/record.rs", &["decode"], "part", "parts.load"),
    ("engine/src/index/uidls.rs", &["decode"], "event", "ids.decode(data)"),
    ("engine/src/log/names.rs", &["parse"], "damage", "swap(files"),
    ("engine/src/log/recovery.rs", &["open"], "recovery", "log::open"),
    ("engine/src/mailflow/counters.rs", &["decode"], "queue", "Counters::decode"),
    ("engine/src/queue/arrival.rs", &["decode"], "queue", "NewQueueItem::decode"),
    ("engine/src/queue/codec.rs", &["decode", "decode", "decode"], "queue", "NewQueueItem::decode"),
    ("engine/src/queue/reached.rs", &["decode_one"], "queue", "Queue::decode"),
    ("engine/src/rescue/inspect.rs", &["inspect"], "damage", "inspect(&disk"),
    ("engine/src/rescue/repair/mod.rs", &["plan"], "damage", "Repair::plan"),
    ("engine/src/rescue/salvage.rs", &["salvage"], "damage", "salvage(&disk"),
    ("engine/src/rescue/verify/mod.rs", &["verify"], "damage", "verify(disk"),
    ("engine/src/search/text/decode.rs", &["decode_body"], "search", "contains_text"),
    ("engine/src/search/text/word.rs", &["decoded_header"], "search", "decoded_header"),
    ("engine/src/trace/dmarc.rs", &[], "dmarc_log", "come_back::<DmarcRecord>"),
    ("engine/src/trace/login.rs", &["page"], "logins", "log.page"),
    ("engine/src/trace/mail.rs", &[], "mail_log", "come_back::<MailRecord>"),
    ("tools/src/carry/backup/list.rs", &["decode"], "carry", "fuzz::backup_list"),
    ("tools/src/carry/import/maildir.rs", &["parse_flags", "parse_keywords"], "carry", "fuzz::names"),
    ("tools/src/carry/import/uidl.rs", &["parse_format", "parse_uidlist", "parse_sizelist"], "carry", "fuzz::names"),
    ("tools/src/carry/import/mbox/mod.rs", &["file"], "carry", "fuzz::mbox"),
    ("tools/src/carry/manifest.rs", &["new"], "carry", "fuzz::manifest"),
    ("tools/src/config/mod.rs", &["parse"], "config", "fuzz::config"),
    ("tools/src/control/line.rs", &["read", "read_payload"], "control", "fuzz::control"),
    ("tools/src/time.rs", &["parse_rfc3339", "parse_day_or_rfc3339"], "carry", "fuzz::manifest"),
];

/// Names of the decoders in a file that others may call, those in `known` whatever they are called.
pub fn decoders(text: &str, known: &[&str]) -> Vec<String> {
    let code = code_only(text);
    let code = code.find("mod tests").map_or(&code[..], |tests| &code[..tests]);
    let mut out = Vec::new();
    for line in code.lines() {
        let all: Vec<&str> = words(line).into_iter().map(|(_, word)| word).collect();
        let name = all.iter().position(|word| *word == "fn").and_then(|at| all.get(at + 1));
        let Some(name) = name.filter(|_| all[0] == "pub") else { continue };
        if name.starts_with("decode") || name.starts_with("parse") || *name == "from_bytes" || known.contains(name) {
            out.push((*name).to_owned());
        }
    }
    out
}

/// Complaints about a source file: a decoder that has no line.
pub fn source(name: &str, text: &str) -> Vec<String> {
    if !FOLDERS.iter().any(|folder| name.starts_with(folder)) || name.contains("/tests") || name.ends_with("/fuzz.rs") {
        return Vec::new();
    }
    let row = TABLE.iter().find(|(file, ..)| *file == name);
    let known: &[&str] = row.map_or(&[], |row| row.1);
    let found = decoders(text, known);
    match found.iter().map(String::as_str).eq(known.iter().copied()) {
        true => Vec::new(),
        false => {
            vec![format!("{name}: decoders {found:?}, but tests/src/tidy/decoders.rs says that {known:?} are fuzzed")]
        }
    }
}

/// Complaints about the table: a file that is gone, or a target that does not lead where it says.
pub fn table(read: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
    let mut out = Vec::new();
    for (file, _, target, leads) in TABLE {
        if read(file).is_none() {
            out.push(format!("{file}: is not there, but has decoders that are fuzzed"));
        }
        let path = format!("fuzz/fuzz_targets/{target}.rs");
        if !read(&path).is_some_and(|text| text.contains(leads)) {
            out.push(format!("{path}: has no `{leads}`, which leads to the decoders of {file}"));
        }
    }
    out
}
