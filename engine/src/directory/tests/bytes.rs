//! Bytes that no directory wrote: an error or a state that holds together, never a panic.
use proptest::prelude::*;
use proptest::sample::Index;

use super::super::{AccessChange, Algorithm, Change, Directory, Event, KeyState, Rule, ScopeName, SigningKey};
use super::history::history;
use super::town;
use crate::base::Error;
use crate::base::bytes::Reader;

/// The state after a history, and its log.
fn live(history: &[Vec<Change>]) -> (Directory, Vec<Event>) {
    let (mut directory, mut log) = (Directory::default(), Vec::new());
    for batch in history {
        for event in directory.plan_all(batch, 0).into_iter().flatten().flatten() {
            directory.apply(&event).expect("planned events fold");
            log.push(event);
        }
    }
    (directory, log)
}

/// Cut, overwritten or lengthened.
fn spoil(bytes: &mut Vec<u8>, spots: &[(Index, u8)], cut: Option<Index>) {
    for (spot, value) in spots.iter().filter(|_| !bytes.is_empty()).collect::<Vec<_>>() {
        let at = spot.index(bytes.len());
        bytes[at] = *value;
    }
    if let Some(cut) = cut.filter(|_| !bytes.is_empty()) {
        bytes.truncate(cut.index(bytes.len()));
    }
}

fn spots() -> impl Strategy<Value = Vec<(Index, u8)>> {
    proptest::collection::vec((any::<Index>(), any::<u8>()), 1..4)
}

proptest! {
    #[test]
    fn any_bytes_are_answered(bytes: Vec<u8>) {
        let _ = Event::decode(&mut Reader::new(&bytes));
        let _ = Directory::decode_snapshot(&bytes);
    }

    #[test]
    fn a_spoilt_event_is_refused_or_folds_whole(history in history(), spots in spots(), cut: Option<Index>) {
        let (mut directory, log) = live(&history);
        for event in &log {
            let mut bytes = Vec::new();
            event.encode(&mut bytes);
            spoil(&mut bytes, &spots, cut);
            let mut reader = Reader::new(&bytes);
            let Ok(decoded) = Event::decode(&mut reader) else { continue };
            let mut again = Vec::new();
            decoded.encode(&mut again);
            prop_assert_eq!(&again[..], &bytes[..reader.position()], "one encoding for {:?}", decoded);
            let before = directory.clone();
            match directory.apply(&decoded) {
                Ok(()) => prop_assert!(directory.check().is_ok(), "{:?} after {:?}", directory.check(), decoded),
                Err(Error::Corrupt { .. }) => prop_assert_eq!(&directory, &before),
                Err(other) => prop_assert!(false, "{}", other),
            }
        }
    }

    #[test]
    fn a_spoilt_snapshot_is_refused_or_holds_together(spots in spots(), cut: Option<Index>) {
        let mut bytes = Vec::new();
        town().encode_snapshot(&mut bytes);
        spoil(&mut bytes, &spots, cut);
        match Directory::decode_snapshot(&bytes) {
            Ok(directory) => prop_assert!(directory.check().is_ok(), "{:?}", directory.check()),
            Err(error) => prop_assert!(matches!(error, Error::Corrupt { .. }), "{}", error),
        }
    }
}

#[test]
fn events_out_of_their_place_are_corrupt() {
    let (mut directory, mut again) = (town(), town());
    for change in [super::member("new@acme.example"), super::group("list@acme.example", &[])] {
        for event in directory.plan(&change, 0).expect("allowed") {
            again.apply(&event).expect("once");
            assert!(matches!(again.apply(&event), Err(Error::Corrupt { .. })), "{event:?} twice");
            directory.apply(&event).expect("once");
        }
    }
    assert_eq!(directory, again);
    let ann = super::id_of(&again, "ann@acme.example");
    let opener = again.apply(&Event::AccountRemoved(ann));
    assert!(matches!(opener, Err(Error::Corrupt { .. })), "ann still opens a business mailbox");
    assert_eq!(directory, again);
}

#[test]
fn lists_out_of_order_are_refused() {
    let members = |members: [&str; 2]| {
        let change = Event::GroupSet {
            address: super::at("g@a.example"),
            name: None,
            members_add: members.map(super::at).to_vec(),
            members_remove: Vec::new(),
        };
        let mut bytes = Vec::new();
        change.encode(&mut bytes);
        Event::decode(&mut Reader::new(&bytes)).is_ok()
    };
    assert!(members(["a@a.example", "b@a.example"]));
    assert!(!members(["b@a.example", "a@a.example"]) && !members(["a@a.example", "a@a.example"]));
}

#[test]
fn nothing_may_follow_a_snapshot() {
    let mut bytes = Vec::new();
    town().encode_snapshot(&mut bytes);
    assert_eq!(Directory::decode_snapshot(&bytes).ok(), Some(town()));
    bytes.push(0);
    assert!(Directory::decode_snapshot(&bytes).is_err());
}

/// Snapshots without a secret, without rules and keys, and without a bin, as earlier versions of posthouse wrote them.
#[test]
fn earlier_versions_of_the_snapshot_are_read() {
    let mut bytes = Vec::new();
    town().encode_snapshot(&mut bytes);
    assert_eq!((bytes[0], bytes.pop()), (4, Some(0)), "the secret comes last");
    bytes[0] = 3;
    assert_eq!(Directory::decode_snapshot(&bytes).ok(), Some(town()));
    assert_eq!((bytes.pop(), bytes.pop()), (Some(0), Some(0)), "before it the counts of keys and rules");
    bytes[0] = 2;
    assert_eq!(Directory::decode_snapshot(&bytes).ok(), Some(town()));
    assert_eq!(bytes.pop(), Some(0), "before them the bin's count");
    bytes[0] = 1;
    assert_eq!(Directory::decode_snapshot(&bytes).ok(), Some(town()));
    bytes[0] = 5;
    assert!(Directory::decode_snapshot(&bytes).is_err());
}

/// docs/format.md says of each tag what the code says, and knows no other.
#[test]
fn the_table_of_events_is_that_of_the_code() {
    let page = include_str!("../../../../docs/format.md");
    let section = page.split("## Directory events").nth(1).and_then(|rest| rest.split("\n## ").next()).unwrap_or("");
    let rows = section.lines().filter_map(|line| {
        let mut cells = line.split('|').map(str::trim).skip(1);
        Some((cells.next()?.parse::<u8>().ok()?, cells.next()?.trim_matches('`')))
    });
    let mut documented = 0;
    for (tag, name) in rows {
        // One that has no fields is whole with its tag.
        let at = Event::decode(&mut Reader::new(&[tag])).map_or_else(|error| error.at, |_| 1);
        assert_eq!(at, 1, "tag {tag} ({name}) is unknown");
        documented += 1;
    }
    let known =
        (0..=u8::MAX).filter(|tag| Event::decode(&mut Reader::new(&[*tag])).map_or_else(|why| why.at > 0, |_| true));
    assert_eq!(known.count(), documented, "each tag has its row");
    let id = crate::base::AccountId(1);
    let key = Change::KeyAdd(SigningKey {
        domain: "a.example".into(),
        selector: "s".into(),
        algorithm: Algorithm::Rsa,
        state: KeyState::Next,
        private: Box::new([1]),
        public: Box::new([2]),
        created: 0,
    });
    let rule: Rule = "block b.example".parse().expect("a rule");
    let (_, log) = live(&[vec![
        super::tenant("acme"),
        super::domain("acme", "a.example"),
        super::member("a@a.example"),
        Change::AccountRemove { address: super::at("a@a.example") },
        Change::AccountRestore { id, address: None },
        Change::AccountRemove { address: super::at("a@a.example") },
        Change::AccountPurgeBegin { id },
        Change::AccountPurgeEnd { id },
        key.clone(),
        Change::KeySet { domain: "a.example".into(), selector: "s".into(), state: KeyState::Active },
        Change::KeyRemove { domain: "a.example".into(), selector: "s".into() },
        Change::RuleAdd { scope: ScopeName::Tenant("acme".into()), rule: rule.clone() },
        Change::RuleRemove { scope: ScopeName::Tenant("acme".into()), rule },
        Change::Access(AccessChange::SecretMake([1; 32])),
    ]]);
    assert_eq!(log.len(), 14);
    for event in &log {
        let mut bytes = Vec::new();
        event.encode(&mut bytes);
        let name = format!("{event:?}").chars().take_while(|c| c.is_alphanumeric()).collect::<String>();
        assert!(section.contains(&format!("| {} | `{name}` |", bytes[0])), "{name} is tag {}", bytes[0]);
    }
}
