//! docs/format.md held against the events that repair writes, and those against arbitrary bytes.
use posthouse_engine::base::{AccountId, MailboxId, ModSeq, Uid};
use posthouse_engine::format::mending::filler_payload;
use posthouse_engine::format::{Event, Mending};
use proptest::prelude::*;

fn events() -> Vec<Mending> {
    let (account, mailbox) = (AccountId(300), MailboxId(6));
    vec![
        Mending::Void { len: 300 },
        Mending::EventsLost { len: 0 },
        Mending::EventsWhole,
        Mending::UidsRaised { account, mailbox, uid_next: Uid(70_000), modseq: ModSeq(1 << 40) },
        Mending::AccountPut { record: vec![1, 2, 3] },
        Mending::EntriesPut { account, mailbox, entries: vec![9; 128] },
    ]
}

#[test]
fn every_mending_event_has_its_row_and_comes_back() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/format.md");
    let page = std::fs::read_to_string(path).expect("docs/format.md");
    let section = page.split("### Mending events").nth(1).and_then(|rest| rest.split("\n#").next()).expect("a section");
    for mending in events() {
        let name = format!("{mending:?}").chars().take_while(|c| c.is_alphanumeric()).collect::<String>();
        let event = Event::Mending(mending);
        let mut bytes = Vec::new();
        event.encode(&mut bytes);
        assert!(section.contains(&format!("| {} | {name} |", bytes[0])), "{name} has tag {}", bytes[0]);
        assert_eq!(Event::decode_all(&bytes), Ok(vec![event]));
    }
    let rows = section.lines().filter(|line| line.starts_with("| 6")).count();
    assert_eq!(rows, events().len());
}

#[test]
fn fillers_are_zeros_and_nothing_else() {
    let mut payload = filler_payload(500, true);
    let last = payload.len() - 1;
    payload[last] = 1;
    assert!(Event::decode_all(&payload).is_err());
}

proptest! {
    #[test]
    fn damaged_mending_events_never_panic(which in 0usize..6, at in any::<prop::sample::Index>(), byte: u8, cut in any::<prop::sample::Index>()) {
        let mut bytes = Vec::new();
        Event::Mending(events()[which].clone()).encode(&mut bytes);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        bytes.truncate(cut.index(bytes.len()) + 1);
        if let Ok(events) = Event::decode_all(&bytes) {
            let mut again = Vec::new();
            events.iter().for_each(|event| event.encode(&mut again));
            prop_assert_eq!(again, bytes);
        }
    }
}
