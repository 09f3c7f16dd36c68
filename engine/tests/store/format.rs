//! docs/format.md held against the code: each table's tags and offsets are what the encoders write.
use posthouse_engine::base::bytes::Reader;
use posthouse_engine::base::{
    AccountId, FlagMode, Flags, Guid, Keywords, Locator, MailboxId, ModSeq, QueueId, SegmentId, Uid, UidSet,
};
use posthouse_engine::format::{DeliveredTo, Event, Tried};
use posthouse_engine::index::Entry;
use proptest::prelude::*;

fn document() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/format.md");
    std::fs::read_to_string(path).expect("docs/format.md")
}

fn section(title: &str) -> Vec<Vec<String>> {
    let document = document();
    let start = document.find(title).unwrap_or_else(|| panic!("{title} in docs/format.md"));
    let rows = document[start + title.len()..].lines().take_while(|line| !line.starts_with('#'));
    rows.filter(|line| line.starts_with("| "))
        .map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect())
        .collect()
}

fn events() -> Vec<Event> {
    let (account, mailbox, modseq) = (AccountId(300), MailboxId(6), ModSeq(70_000));
    let uids = UidSet::from_ranges([(1, 1), (5, 900)]);
    let (guid, locator) = (Guid([9; 16]), Locator { segment: SegmentId(3), offset: 4096 });
    let to = DeliveredTo { account, mailbox, uid: Uid(7), modseq, flags: Flags::SEEN, keywords: Keywords(1 << 63) };
    vec![
        Event::AccountOpened { account, uid_validity: 17 },
        Event::MailboxMade { account, mailbox, uid_validity: 18, special_use: None, name: "项目".into() },
        Event::MailboxRenamed { account, mailbox, name: "a/b".into() },
        Event::MailboxRemoved { account, mailbox },
        Event::Subscribed { account, on: true, name: "a".into() },
        Event::KeywordMade { account, mailbox, name: "$Forwarded".into() },
        Event::Delivered { guid, locator, size_bytes: 5000, internal_date: -1, save_date: 1, to: vec![to.clone(), to] },
        Event::FlagsChanged {
            account,
            mailbox,
            modseq,
            mode: FlagMode::Remove,
            flags: Flags::DELETED,
            keywords: Keywords(2),
            uids: uids.clone(),
        },
        Event::Expunged { account, mailbox, modseq, uids: uids.clone() },
        Event::SeenChanged { account, mailbox, reader: AccountId(301), modseq, on: true, uids },
        Event::RecentClaimed { account, mailbox, uid: Uid(8) },
        Event::Queued { id: QueueId(65_536), guid, locator, size_bytes: 9, created: 5, item: vec![0; 4] },
        Event::QueueChanged { id: QueueId(65_536), state: 2, next_try: 6 },
        Event::QueueRemoved { id: QueueId(65_536) },
        Event::QueueTried {
            id: QueueId(65_536),
            tried: vec![Tried { recipient: 300, fate: 1, next_try: 7, reply: "250 ok".into() }],
        },
        Event::QueueWarned { id: QueueId(65_536), recipients: vec![0, 300] },
        Event::Reached { origin: guid, id: QueueId(65_536), recipient: 300, when: 5, accounts: vec![account] },
        Event::ReachedForgotten { origins: vec![guid] },
        Event::MetadataSet { account, mailbox, name: "/private/comment".into(), value: Some(vec![0, 255]) },
        Event::AccountPurged { account },
        Event::Skipped { account, mailbox, uid: Uid(9), modseq },
    ]
}

#[test]
fn every_shard_event_has_its_row_and_comes_back() {
    let rows = section("## Shard events");
    for event in events() {
        let mut bytes = Vec::new();
        event.encode(&mut bytes);
        let name = format!("{event:?}");
        let name = name.split([' ', '{']).next().expect("a name");
        assert!(rows.iter().any(|row| row[0] == bytes[0].to_string() && row[1] == name), "{name} has tag {}", bytes[0]);
        assert_eq!(Event::decode_all(&bytes), Ok(vec![event]));
    }
    assert_eq!(rows.len(), events().len() + 1, "a row for each event and the heading");
}

#[test]
fn an_entry_lies_as_the_table_says() {
    let entry = Entry {
        uid: Uid(0x0101_0101),
        size_bytes: 0x0202_0202,
        modseq: ModSeq(0x0303_0303_0303_0303),
        keywords: Keywords(0x0404_0404_0404_0404),
        internal_date: 0x0505_0505_0505_0505,
        save_date: 0x0606_0606,
        locator: Locator { segment: SegmentId(0x0707_0707), offset: 0x0808_0808 },
        flags: Flags(0x0909),
        guid: Guid([0x0b; 16]),
    };
    let mut bytes = Vec::new();
    entry.encode(&mut bytes);
    assert_eq!(bytes.len(), Entry::BYTES);
    assert_eq!(Entry::decode(&bytes), Ok(entry));
    let rows = section("### Entry");
    let numbers = |row: &Vec<String>| Some((row[0].parse::<usize>().ok()?, row[1].parse::<usize>().ok()?));
    for (number, (offset, len)) in rows.iter().filter_map(numbers).enumerate() {
        let expected = if len == 2 && offset == 46 { 0 } else { number as u8 + 1 };
        assert!(bytes[offset..offset + len].iter().all(|byte| *byte == expected), "row at offset {offset}");
    }
    assert_eq!(rows.iter().filter_map(numbers).map(|(_, len)| len).sum::<usize>(), Entry::BYTES);
}

proptest! {
    #[test]
    fn damaged_events_never_panic(which in 0usize..20, at in any::<prop::sample::Index>(), byte: u8, cut in any::<prop::sample::Index>()) {
        let mut bytes = Vec::new();
        events()[which].encode(&mut bytes);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        bytes.truncate(cut.index(bytes.len()) + 1);
        // What is decoded is encoded to the same bytes: no two encodings of one event.
        if let Ok(events) = Event::decode_all(&bytes) {
            let mut again = Vec::new();
            events.iter().for_each(|event| event.encode(&mut again));
            prop_assert_eq!(events.len(), Event::decode_all(&again).map_or(0, |events| events.len()));
        }
        let _ = Entry::decode(&bytes);
        let _ = UidSet::decode(&mut Reader::new(&bytes));
    }
}
