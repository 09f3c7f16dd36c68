//! The index as a fold against plain maps: random events, and checkpoints between them that put all or some of it into index parts. Whatever
//! a session asks (by position, by uid, by a set of uids, what changed, what is gone) is what the maps say.
use crate::cases;
use posthouse_engine::base::{
    AccountId, FlagMode, Flags, Guid, Keywords, Locator, Lsn, MailboxId, ModSeq, SegmentId, ShardId, Uid, UidSet,
};
use posthouse_engine::disk::Map;
use posthouse_engine::format::{DeliveredTo, Event, Mending};
use posthouse_engine::index::{Account, Accounts, DEFAULT_MAILBOXES, Entry, Part, PartWriter, Parts, Vanished};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const ACCOUNTS: u64 = 3;

#[derive(Clone, Debug)]
enum Step {
    /// So many messages with the flags of the first one on; more than a chunk's 512 now and then.
    Deliver {
        who: u64,
        mailbox: u8,
        count: u32,
        size: u32,
        flags: u16,
        jump: u32,
    },
    Flags {
        who: u64,
        mailbox: u8,
        uids: Vec<(u32, u32)>,
        mode: u8,
        flags: u16,
    },
    Expunge {
        who: u64,
        mailbox: u8,
        uids: Vec<(u32, u32)>,
    },
    Skip {
        who: u64,
        mailbox: u8,
        jump: u32,
    },
    Raise {
        who: u64,
        mailbox: u8,
        uids: u32,
        modseqs: u64,
    },
    Claim {
        who: u64,
        mailbox: u8,
        back: u32,
    },
    Make {
        who: u64,
        name: u8,
    },
    Rename {
        who: u64,
        mailbox: u8,
        name: u8,
    },
    Remove {
        who: u64,
        mailbox: u8,
    },
    Subscribe {
        who: u64,
        name: u8,
        on: bool,
    },
    Annotate {
        who: u64,
        mailbox: u8,
        name: u8,
        value: Option<u8>,
    },
    Purge {
        who: u64,
    },
    /// A part over those that are there; the next start begins from them.
    Checkpoint {
        restart: bool,
    },
}

fn uids() -> impl Strategy<Value = Vec<(u32, u32)>> {
    let last = prop_oneof![8 => 0..20u32, 2 => 0..900u32, 1 => Just(u32::MAX)];
    vec((1..1_500u32, last), 1..4)
        .prop_map(|all| all.into_iter().map(|(first, len)| (first, first.saturating_add(len))).collect())
}

fn step() -> impl Strategy<Value = Step> {
    let (who, mailbox) = (|| 1..=ACCOUNTS, || 0..8u8);
    let count = prop_oneof![6 => 1..5u32, 1 => 400..700u32];
    let jump = || prop_oneof![5 => Just(0u32), 1 => 1..50u32];
    prop_oneof![
        8 => (who(), mailbox(), count, 1..5_000u32, 0..32u16, jump())
            .prop_map(|(who, mailbox, count, size, flags, jump)| Step::Deliver { who, mailbox, count, size, flags, jump }),
        5 => (who(), mailbox(), uids(), 0..3u8, 0..32u16)
            .prop_map(|(who, mailbox, uids, mode, flags)| Step::Flags { who, mailbox, uids, mode, flags }),
        5 => (who(), mailbox(), uids()).prop_map(|(who, mailbox, uids)| Step::Expunge { who, mailbox, uids }),
        1 => (who(), mailbox(), jump()).prop_map(|(who, mailbox, jump)| Step::Skip { who, mailbox, jump }),
        1 => (who(), mailbox(), 0..100u32, 0..100u64)
            .prop_map(|(who, mailbox, uids, modseqs)| Step::Raise { who, mailbox, uids, modseqs }),
        1 => (who(), mailbox(), 0..3u32).prop_map(|(who, mailbox, back)| Step::Claim { who, mailbox, back }),
        2 => (who(), 0..6u8).prop_map(|(who, name)| Step::Make { who, name }),
        1 => (who(), mailbox(), 0..6u8).prop_map(|(who, mailbox, name)| Step::Rename { who, mailbox, name }),
        1 => (who(), mailbox()).prop_map(|(who, mailbox)| Step::Remove { who, mailbox }),
        1 => (who(), 0..6u8, any::<bool>()).prop_map(|(who, name, on)| Step::Subscribe { who, name, on }),
        1 => (who(), mailbox(), 0..3u8, any::<Option<u8>>())
            .prop_map(|(who, mailbox, name, value)| Step::Annotate { who, mailbox, name, value }),
        1 => who().prop_filter("seldom", |who| *who == ACCOUNTS).prop_map(|who| Step::Purge { who }),
        4 => any::<bool>().prop_map(|restart| Step::Checkpoint { restart }),
    ]
}

/// size, flags, modseq.
type Plain = (u32, u16, u64);

#[derive(Clone, Debug, Default)]
struct Box {
    name: String,
    uid_next: u32,
    modseq: u64,
    recent_from: u32,
    entries: BTreeMap<u32, Plain>,
    gone: BTreeMap<u32, u64>,
    notes: BTreeMap<String, Vec<u8>>,
}

#[derive(Clone, Debug, Default)]
struct Person {
    boxes: BTreeMap<u32, Box>,
    next: u32,
    validity_next: u32,
    subscriptions: BTreeSet<String>,
}

struct Case {
    accounts: Accounts,
    people: BTreeMap<u64, Person>,
    parts: u32,
}

fn new_box(name: &str) -> Box {
    Box { name: name.to_owned(), uid_next: 1, modseq: 1, recent_from: 1, ..Box::default() }
}

impl Case {
    fn new() -> Case {
        let (mut accounts, mut people) = (Accounts::default(), BTreeMap::new());
        for id in 1..=ACCOUNTS {
            accounts.apply(&Event::AccountOpened { account: AccountId(id), uid_validity: 10 }).expect("opened");
            let names = || DEFAULT_MAILBOXES.iter().map(|(name, _)| *name);
            let boxes: BTreeMap<u32, Box> = (1..).zip(names().map(new_box)).collect();
            let (next, validity_next) = (boxes.len() as u32 + 1, 10 + boxes.len() as u32);
            let subscriptions = names().map(str::to_owned).collect();
            people.insert(id, Person { boxes, next, validity_next, subscriptions });
        }
        Case { accounts, people, parts: 0 }
    }

    fn place(&mut self, who: u64, mailbox: u8) -> Option<(AccountId, MailboxId, &mut Box)> {
        let person = self.people.get_mut(&who)?;
        let count = person.boxes.len();
        let (id, found) = person.boxes.iter_mut().nth(usize::from(mailbox) % count.max(1))?;
        Some((AccountId(who), MailboxId(*id), found))
    }

    fn apply(&mut self, event: &Event) {
        self.accounts.apply(event).unwrap_or_else(|why| panic!("{event:?}: {why}"));
    }

    fn take(&mut self, step: &Step) -> Option<()> {
        match step {
            Step::Deliver { who, mailbox, count, size, flags, jump } => {
                for at in 0..*count {
                    let (account, mailbox, found) = self.place(*who, *mailbox)?;
                    let uid = found.uid_next + if at == 0 { *jump } else { 0 };
                    found.modseq += 1;
                    found.uid_next = uid + 1;
                    let flags = if at % 3 == 0 { *flags } else { 0 };
                    found.entries.insert(uid, (*size, flags, found.modseq));
                    let (uid, modseq, flags) = (Uid(uid), ModSeq(found.modseq), Flags(flags));
                    let to = vec![DeliveredTo { account, mailbox, uid, modseq, flags, keywords: Keywords(0) }];
                    let locator = Locator { segment: SegmentId(1), offset: uid.0 };
                    let (guid, size_bytes) = (Guid([9; 16]), *size);
                    self.apply(&Event::Delivered { guid, locator, size_bytes, internal_date: 5, save_date: 6, to });
                }
            }
            Step::Flags { who, mailbox, uids, mode, flags } => self.flags(*who, *mailbox, uids, *mode, *flags)?,
            Step::Expunge { who, mailbox, uids } => {
                let uids = UidSet::from_ranges(uids.clone());
                let (account, mailbox, found) = self.place(*who, *mailbox)?;
                found.modseq += 1;
                let modseq = found.modseq;
                let goes: Vec<u32> = found.entries.keys().filter(|uid| uids.contains(Uid(**uid))).copied().collect();
                for uid in goes {
                    found.entries.remove(&uid);
                    found.gone.insert(uid, modseq);
                }
                self.apply(&Event::Expunged { account, mailbox, modseq: ModSeq(modseq), uids });
            }
            Step::Skip { who, mailbox, jump } => {
                let (account, mailbox, found) = self.place(*who, *mailbox)?;
                let uid = found.uid_next + jump;
                (found.uid_next, found.modseq) = (uid + 1, found.modseq + 1);
                let modseq = ModSeq(found.modseq);
                self.apply(&Event::Skipped { account, mailbox, uid: Uid(uid), modseq });
            }
            Step::Raise { who, mailbox, uids, modseqs } => {
                let (account, mailbox, found) = self.place(*who, *mailbox)?;
                found.uid_next += uids;
                found.modseq += modseqs;
                let (uid_next, modseq) = (Uid(found.uid_next), ModSeq(found.modseq));
                self.apply(&Event::Mending(Mending::UidsRaised { account, mailbox, uid_next, modseq }));
            }
            Step::Claim { who, mailbox, back } => {
                let (account, mailbox, found) = self.place(*who, *mailbox)?;
                found.recent_from = found.uid_next.saturating_sub(*back);
                let uid = Uid(found.recent_from);
                self.apply(&Event::RecentClaimed { account, mailbox, uid });
            }
            Step::Annotate { who, mailbox, name, value } => {
                let (account, mailbox, found) = self.place(*who, *mailbox)?;
                let (name, value) = (format!("/private/{name}"), value.map(|byte| vec![byte; usize::from(byte)]));
                match &value {
                    Some(value) => drop(found.notes.insert(name.clone(), value.clone())),
                    None => drop(found.notes.remove(&name)),
                }
                self.apply(&Event::MetadataSet { account, mailbox, name, value });
            }
            Step::Checkpoint { restart } => self.checkpoint(*restart),
            _ => self.mailboxes(step)?,
        }
        Some(())
    }

    fn flags(&mut self, who: u64, mailbox: u8, uids: &[(u32, u32)], mode: u8, flags: u16) -> Option<()> {
        let uids = UidSet::from_ranges(uids.to_vec());
        let (account, mailbox, found) = self.place(who, mailbox)?;
        found.modseq += 1;
        let modseq = found.modseq;
        for (_, entry) in found.entries.iter_mut().filter(|(uid, _)| uids.contains(Uid(**uid))) {
            let new = [flags, entry.1 | flags, entry.1 & !flags][usize::from(mode)];
            if new != entry.1 {
                (entry.1, entry.2) = (new, modseq);
            }
        }
        let mode = [FlagMode::Replace, FlagMode::Add, FlagMode::Remove][usize::from(mode)];
        let (modseq, flags, keywords) = (ModSeq(modseq), Flags(flags), Keywords(0));
        self.apply(&Event::FlagsChanged { account, mailbox, modseq, mode, flags, keywords, uids });
        Some(())
    }

    fn mailboxes(&mut self, step: &Step) -> Option<()> {
        match step {
            Step::Make { who, name } => {
                let name = format!("made {name}");
                let person = self.people.get_mut(who).filter(|person| !person.boxes.is_empty())?;
                let (id, uid_validity) = (person.next, person.validity_next);
                (person.next, person.validity_next) = (id + 1, uid_validity + 1);
                person.boxes.insert(id, new_box(&name));
                let (account, mailbox) = (AccountId(*who), MailboxId(id));
                self.apply(&Event::MailboxMade { account, mailbox, uid_validity, special_use: None, name });
            }
            Step::Rename { who, mailbox, name } => {
                let name = format!("renamed {name}");
                let (account, mailbox, found) = self.place(*who, *mailbox)?;
                found.name.clone_from(&name);
                self.apply(&Event::MailboxRenamed { account, mailbox, name });
            }
            Step::Remove { who, mailbox } => {
                let (account, mailbox, _) = self.place(*who, *mailbox)?;
                // INBOX is never removed.
                if mailbox != MailboxId::INBOX {
                    self.people.get_mut(who)?.boxes.remove(&mailbox.0);
                    self.apply(&Event::MailboxRemoved { account, mailbox });
                }
            }
            Step::Subscribe { who, name, on } => {
                let name = format!("made {name}");
                let names = &mut self.people.get_mut(who)?.subscriptions;
                if *on {
                    names.insert(name.clone());
                } else {
                    names.remove(&name);
                }
                self.apply(&Event::Subscribed { account: AccountId(*who), on: *on, name });
            }
            Step::Purge { who } => {
                let person = self.people.get_mut(who)?;
                (person.boxes, person.subscriptions) = (BTreeMap::new(), BTreeSet::new());
                self.apply(&Event::AccountPurged { account: AccountId(*who) });
            }
            _ => unreachable!("answered elsewhere"),
        }
        Some(())
    }

    fn checkpoint(&mut self, restart: bool) {
        self.parts += 1;
        let dirty = self.accounts.take_dirty();
        let older = self.accounts.parts().list().to_vec();
        let kept = older.iter().map(|part| part.id()).collect();
        let mut file = Vec::new();
        let mut sink = |bytes: &[u8]| {
            file.extend_from_slice(bytes);
            Ok(())
        };
        let mut writer = PartWriter::new(ShardId(0), self.parts, kept, &mut sink).expect("a sink that takes all");
        dirty.iter().for_each(|account| writer.account(account).expect("written"));
        writer.finish(Lsn(u64::from(self.parts)), [b""], &older).expect("written");
        let part = Part::open("part", Map::owned(file)).expect("what was written is whole");
        let parts = Arc::new(Parts::new(std::iter::once(Arc::new(part)).chain(older).collect()));
        match restart {
            true => self.accounts = Accounts::new(parts),
            false => drop(self.accounts.rebase(parts)),
        }
    }

    fn check(&mut self) {
        for (id, person) in &self.people {
            let account = self.accounts.get(AccountId(*id)).expect("readable").expect("there").clone();
            let ids: Vec<u32> = account.mailboxes.iter().map(|mailbox| mailbox.id.0).collect();
            assert_eq!(ids, person.boxes.keys().copied().collect::<Vec<_>>(), "mailboxes of {id}");
            let all = || person.boxes.values().flat_map(|found| found.entries.values());
            assert_eq!(account.used_bytes, all().map(|entry| u64::from(entry.0)).sum::<u64>(), "usage of {id}");
            assert_eq!(account.messages, all().count() as u64, "messages of {id}");
            let subscriptions: BTreeSet<String> = account.subscriptions.iter().map(ToString::to_string).collect();
            assert_eq!(subscriptions, person.subscriptions, "subscriptions of {id}");
            person.boxes.iter().for_each(|(mailbox, found)| check_box(&account, MailboxId(*mailbox), found));
        }
    }
}

fn plain(entry: &Entry) -> (u32, Plain) {
    assert_eq!((entry.guid, entry.locator.offset), (Guid([9; 16]), entry.uid.0));
    (entry.uid.0, (entry.size_bytes, entry.flags.0, entry.modseq.0))
}

fn check_box(account: &Account, id: MailboxId, wanted: &Box) {
    let mailbox = account.mailbox(id).expect("there");
    let counters = (&*mailbox.name, mailbox.uid_next.0, mailbox.highest_modseq.0, mailbox.recent_from.0);
    assert_eq!(counters, (wanted.name.as_str(), wanted.uid_next, wanted.modseq, wanted.recent_from));
    let entries = &mailbox.entries;
    let read: Vec<(u32, Plain)> = entries.range(0..entries.len()).map(|entry| plain(&entry.expect("read"))).collect();
    assert_eq!(read, wanted.entries.clone().into_iter().collect::<Vec<_>>(), "entries of {id}");
    let count = |holds: &dyn Fn(&Plain) -> bool| wanted.entries.values().filter(|entry| holds(entry)).count() as u32;
    assert_eq!(mailbox.unseen, count(&|entry| entry.1 & Flags::SEEN.0 == 0), "unseen of {id}");
    assert_eq!(mailbox.deleted, count(&|entry| entry.1 & Flags::DELETED.0 != 0), "deleted of {id}");
    assert_eq!(mailbox.size_bytes, wanted.entries.values().map(|entry| u64::from(entry.0)).sum::<u64>());
    let notes: Vec<(&str, &[u8])> = mailbox.metadata.iter().collect();
    assert_eq!(notes, wanted.notes.iter().map(|(name, value)| (&**name, &**value)).collect::<Vec<_>>());
    // Every uid near an edge, and positions of a few others.
    let step = (read.len() / 50).max(1);
    for (position, (uid, entry)) in read.iter().enumerate().step_by(step) {
        assert_eq!(plain(&entries.get(position).expect("read")), (*uid, *entry));
        assert_eq!(entries.position(Uid(*uid)).expect("read"), Some(position));
        for near in [uid.saturating_sub(1), uid + 1] {
            let below = wanted.entries.range(..near).count();
            assert_eq!(entries.lower_bound(Uid(near)).expect("read"), below, "entries below {near}");
            let there = wanted.entries.contains_key(&near).then_some(below);
            assert_eq!(entries.position(Uid(near)).expect("read"), there, "position of {near}");
        }
    }
    assert!(entries.get(entries.len()).is_err());
    let middle = wanted.uid_next / 2;
    for ranges in [vec![(1, u32::MAX)], vec![(middle.max(1), middle + 7)], vec![(2, 3), (middle + 9, u32::MAX)]] {
        let uids = UidSet::from_ranges(ranges);
        let found: Vec<u32> = entries.in_uids(&uids).map(|found| found.expect("read").1.uid.0).collect();
        let expected: Vec<u32> = wanted.entries.keys().filter(|uid| uids.contains(Uid(**uid))).copied().collect();
        assert_eq!(found, expected, "the entries of {uids:?}");
        let among: Vec<u32> = entries.among(&uids).expect("read").iter().map(|uid| uid.0).collect();
        assert_eq!(among, expected, "those among {uids:?}");
        for since in [0, wanted.modseq / 2, wanted.modseq.saturating_sub(1), wanted.modseq] {
            let vanished = mailbox.vanished_since(ModSeq(since), &uids).expect("read");
            let (mut walk, mut pieces) = (Vanished::new(mailbox, ModSeq(since), &uids), UidSet::new());
            while walk.next(mailbox, 3, &mut pieces).expect("read") {}
            assert_eq!(pieces, vanished, "found three entries at a time");
            let is_told = |uid: &&u32| vanished.contains(Uid(**uid));
            let gone = wanted.gone.iter().filter(|(uid, at)| **at > since && uids.contains(Uid(**uid)));
            assert!(gone.map(|(uid, _)| uid).all(|uid| is_told(&uid)), "gone since {since}: {vanished:?}");
            assert_eq!(wanted.entries.keys().find(is_told), None, "still there: {vanished:?}");
            let last = vanished.ranges().last().map_or(0, |range| range.1);
            assert!(last < wanted.uid_next && vanished.ranges().iter().all(|range| uids.contains(Uid(range.0))));
            assert!(since < wanted.modseq || vanished.is_empty(), "nothing is gone since now: {vanished:?}");
        }
    }
}

#[test]
fn the_index_is_what_plain_maps_say() {
    cases::check(120, vec(step(), 1..50), |steps| {
        let mut case = Case::new();
        for step in &steps {
            // A step at a mailbox of an account that was purged does nothing.
            let _ = case.take(step);
            case.check();
        }
        case.checkpoint(true);
        case.check();
    });
}

/// Else the next one would have the same, and a checkpoint with both is refused.
#[test]
fn the_last_id_is_no_mailboxs() {
    let (account, mut accounts) = (AccountId(1), Accounts::default());
    accounts.apply(&Event::AccountOpened { account, uid_validity: 1 }).expect("it is new");
    let mut make = |id| {
        let (special_use, name) = (None, format!("box {id}"));
        accounts.apply(&Event::MailboxMade { account, mailbox: MailboxId(id), uid_validity: 9, special_use, name })
    };
    assert!(make(u32::MAX).is_err());
    make(u32::MAX - 1).expect("the last but one");
    assert!(make(u32::MAX).is_err() && make(u32::MAX - 1).is_err());
}

#[test]
fn an_event_that_names_a_far_mailbox_makes_none_up() {
    let (account, mut accounts) = (AccountId(1), Accounts::default());
    let removed = |id| Event::MailboxRemoved { account, mailbox: MailboxId(id) };
    let made_up =
        accounts.missing_before(&removed(8)).expect("the account, and three behind those that it begins with");
    assert_eq!(made_up.len(), 4);
    assert!(accounts.missing_before(&removed(30_000)).is_err());
    assert_eq!(accounts.missing_before(&removed(9)).expect("one more").len(), 1);
}
