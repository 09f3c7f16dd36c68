//! A random history: actions, restarts, failing calls and power losses as a seed says, each step held against the plain truth.
use crate::actions::{Action, Answer, Asked, Mail, TRACE, World, ask};
use crate::help::{ids, message, people};
use crate::oracle::{Account, Entry, Mailbox};
use posthouse_engine::base::{AccountId, Error, Guid, MailboxId, SimClock, Uid, UidSet};
use posthouse_engine::directory::{AccountPatch, Change, Quota};
use posthouse_engine::disk::Disk;
use posthouse_engine::disk::sim::{Fault, Random, SimDisk};
use posthouse_engine::index::mime::SummaryRef;
use posthouse_engine::index::{self, diff};
use posthouse_engine::quota::model::Model;
use posthouse_engine::{Engine, Options};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

pub const PEOPLE: usize = 4;
const VIEWS_KEPT: usize = 12;

/// A view as somebody took it, and what it showed then.
struct Kept {
    who: usize,
    mailbox: u32,
    view: Arc<index::Mailbox>,
    shown: Mailbox,
}

pub struct History {
    pub name: String,
    pub random: Random,
    pub disk: SimDisk,
    pub shards: u16,
    pub engine: Option<Arc<Engine>>,
    pub ids: Vec<AccountId>,
    pub world: World,
    /// Sizes and lengths of the log that this history uses.
    bytes: (u32, u64),
    kept: Vec<Kept>,
    /// UIDVALIDITY of each mailbox that ever was; none may be used twice in an account.
    validities: BTreeMap<(usize, u32), u32>,
    /// What each content was made from.
    contents: BTreeMap<Guid, Mail>,
}

impl History {
    pub fn new(seed: u64, shards: u16) -> History {
        let mut random = Random::new(seed ^ 0x5eed);
        let bytes = (4_000 << random.below(5), 2_000 << random.below(7));
        let (disk, name) = (SimDisk::new(seed), format!("seed {seed} with {shards} shards"));
        let (kept, validities, contents) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
        let (world, ids, engine) = (World::default(), Vec::new(), None);
        let mut history = History { name, random, disk, shards, engine, ids, world, bytes, kept, validities, contents };
        history.engine = Some(history.open().expect("opens"));
        people(history.engine(), PEOPLE, Quota::Default);
        history.ids = ids_of(history.engine());
        history
    }

    pub fn engine(&self) -> &Engine {
        self.engine.as_ref().expect("the engine is open")
    }

    fn open(&self) -> Result<Arc<Engine>, Error> {
        let options = Options {
            disk: Arc::new(self.disk.clone()),
            clock: Arc::new(SimClock::at_ms(1_700_000_000_000)),
            shards: self.shards,
            segment_bytes_max: self.bytes.0,
            checkpoint_log_bytes: self.bytes.1,
            workers: 1,
        };
        Engine::open(options).map(|(engine, _)| engine)
    }

    /// Opens again, as often as failures that were ordered need it.
    pub fn reopen(&mut self) {
        for _ in 0..60 {
            if self.disk.list(Path::new("")).is_err() {
                self.disk = self.disk.crash();
            }
            match self.open() {
                Ok(engine) => {
                    self.engine = Some(engine);
                    return;
                }
                Err(Error::Io { .. } | Error::NoSpace | Error::Latched { .. }) => self.disk.set_free_bytes(u64::MAX),
                Err(why) => panic!("{}: opening: {why}", self.name),
            }
        }
        panic!("{}: it does not open any more", self.name);
    }

    /// Closes in order or not at all, perhaps loses the power or every derived file, opens again.
    pub fn restart(&mut self) {
        let engine = self.engine.take().expect("open");
        if self.random.chance(40) {
            self.disk = self.disk.crash();
        }
        let _ = engine.close();
        drop(engine);
        if self.random.chance(40) && self.disk.list(Path::new("")).is_ok() {
            self.remove_derived();
            // A view never outlives its engine, and from compacted segments chunks are cut otherwise: `diff` compares no such two.
            self.kept.clear();
        }
        self.reopen();
    }

    fn remove_derived(&self) {
        for dir in self.disk.list_dirs(Path::new("shards")).unwrap_or_default() {
            let dir = Path::new("shards").join(dir);
            for name in self.disk.list(&dir).unwrap_or_default().iter().filter(|name| name.starts_with("idx-")) {
                let _ = self.disk.remove(&dir.join(name));
            }
        }
    }

    pub fn fault(&mut self) {
        let faults = [Fault::Io, Fault::NoSpace, Fault::ShortWrite, Fault::SyncFails];
        let at = self.disk.ops() + self.random.below(24);
        match self.random.below(10) {
            0 => self.disk.crash_at(at),
            1 => self.disk.set_free_bytes(self.random.below(3_000)),
            2 => self.disk.set_free_bytes(u64::MAX),
            kind => self.disk.fail_at(at, faults[kind as usize % 4]),
        }
    }

    pub fn set_quota(&mut self) {
        let who = self.random.below(PEOPLE as u64);
        let quota = match self.random.below(3) {
            0 => Quota::Unlimited,
            _ => Quota::Bytes(self.random.below(20_000)),
        };
        let address = crate::help::address(&format!("m{who}@example.test"));
        let set = AccountPatch { quota: Some(quota), ..AccountPatch::default() };
        let _ = self.engine().change_directory(vec![Change::AccountSet { address, set }]).wait();
    }

    /// One action, asked and held against what the rules say; whether the engine is still fit for work.
    pub fn act(&mut self, action: &Action) -> bool {
        let ready = action.prepare(self.engine(), &self.ids);
        self.contents.extend(ready.guids.iter().copied().zip(action.mails()));
        let mut after = self.world.clone();
        let expected = after.expect(action, &ready);
        let places = action.places();
        let Asked { answers, queued } = ask(self.engine(), &self.ids, action, ready);
        let failed: BTreeSet<usize> =
            answers.iter().zip(&places).filter(|(answer, _)| is_failure(answer)).map(|(_, who)| *who).collect();
        let queue_failed = queued.is_err();
        for ((answer, expected), who) in answers.iter().zip(&expected).zip(&places) {
            assert!(
                failed.contains(who) || word(answer) == *expected,
                "{}: {action:?}: {answer:?}, not {expected:?}",
                self.name
            );
        }
        let is_latched = |answer: &Answer<Error>| matches!(answer, Err(Error::Latched { .. }));
        let latched: BTreeSet<usize> =
            answers.iter().zip(&places).filter(|(answer, _)| is_latched(answer)).map(|(_, who)| *who).collect();
        let queue_latched = matches!(queued, Err(Error::Latched { .. }));
        if !latched.is_empty() || queue_latched {
            self.check_latched(&latched);
        }
        // What failed shows nothing, whatever a restart may find of it.
        let live = self.mixed(&after, &|who| !failed.contains(&who), !queue_failed);
        if latched.is_empty() && !queue_latched {
            self.world = live;
            self.check();
            return true;
        }
        self.check_against(&live);
        self.engine = None;
        self.reopen();
        let found: BTreeMap<usize, Account> = self.read_all();
        let before = self.world.clone();
        let only_full: BTreeSet<usize> = failed.difference(&latched).copied().collect();
        for who in 0..PEOPLE {
            let (found, before, after) = (found.get(&who), before.accounts.get(&who), after.accounts.get(&who));
            assert!(
                found == after && !only_full.contains(&who) || failed.contains(&who) && found == before,
                "{}: {action:?}, after the restart: {found:#?}",
                self.name
            );
        }
        let queue: BTreeSet<_> = self.engine().queue().iter().map(|item| item.guid).collect();
        assert!(queue == after.queue || queue == before.queue, "{}: the queue", self.name);
        self.world = World { accounts: found, queue };
        self.check();
        false
    }

    /// A shard that could not sync says why and takes nothing any more.
    fn check_latched(&self, latched: &BTreeSet<usize>) {
        let status = self.engine().status();
        assert!(status.shards.iter().any(|shard| shard.latched.is_some()), "{}: status says why", self.name);
        for who in latched {
            let again = self.engine().create_mailbox(self.ids[*who], "again", None).wait();
            assert!(matches!(again, Err(Error::Latched { .. })), "{}: latched for ever, not {again:?}", self.name);
        }
    }

    /// The world after an action that only those whom `done` names have seen.
    fn mixed(&self, after: &World, done: &dyn Fn(usize) -> bool, queue: bool) -> World {
        let pick = |who: usize| if done(who) { after.accounts.get(&who) } else { self.world.accounts.get(&who) };
        let accounts = (0..PEOPLE).filter_map(|who| Some((who, pick(who)?.clone()))).collect();
        World { accounts, queue: if queue { after.queue.clone() } else { self.world.queue.clone() } }
    }

    pub fn check(&mut self) {
        self.check_against(&self.world);
        self.check_validities();
        self.check_contents();
        self.check_kept();
        self.keep_one();
    }

    fn check_against(&self, world: &World) {
        let found = self.read_all();
        for who in 0..PEOPLE {
            assert_eq!(found.get(&who), world.accounts.get(&who), "{}: account {who}", self.name);
        }
        let queue: BTreeSet<_> = self.engine().queue().iter().map(|item| item.guid).collect();
        assert_eq!(queue, world.queue, "{}: the queue", self.name);
    }

    fn read_all(&self) -> BTreeMap<usize, Account> {
        let read = |(who, id): (usize, &AccountId)| match self.engine().account(*id) {
            Ok(account) => Some((who, read(&account, &self.name))),
            Err(Error::NotFound(_)) => None,
            Err(why) => panic!("{}: account {who}: {why}", self.name),
        };
        self.ids.iter().enumerate().filter_map(read).collect()
    }

    fn check_validities(&mut self) {
        for (who, id) in self.ids.iter().enumerate() {
            let Ok(account) = self.engine.as_ref().expect("open").account(*id) else { continue };
            for mailbox in &account.mailboxes {
                let holder = *self.validities.entry((who, mailbox.uid_validity)).or_insert(mailbox.id.0);
                assert_eq!(holder, mailbox.id.0, "{}: UIDVALIDITY {} twice", self.name, mailbox.uid_validity);
            }
        }
    }

    /// A few messages, some of them picked from any mailbox, are byte for byte what was handed in.
    fn check_contents(&mut self) {
        for _ in 0..3 {
            let (who, from) = (self.random.below(PEOPLE as u64) as usize, self.random.bits());
            let Some(account) = self.world.accounts.get(&who) else { continue };
            let all: Vec<(u32, u32)> =
                account.mailboxes.iter().flat_map(|(id, shown)| shown.entries.keys().map(|uid| (*id, *uid))).collect();
            let Some((mailbox, uid)) = all.get(from as usize % all.len().max(1)) else { continue };
            let view = self.engine().mailbox(self.ids[who], MailboxId(*mailbox)).expect("the mailbox is there");
            let at = view.entries.position(Uid(*uid)).expect("readable").expect("the entry is there");
            let entry = view.entries.get(at).expect("readable");
            let found = self.engine().message(self.ids[who], &entry).wait();
            let summary = self.engine().summary(self.ids[who], &entry);
            // Asked last: what is written beside this may be what switches the machine off.
            if self.disk.list(Path::new("")).is_err() {
                return;
            }
            let found = found.unwrap_or_else(|why| panic!("{}: message {uid} of {mailbox}: {why}", self.name));
            let (number, bytes) = self.contents[&entry.guid];
            assert_eq!(&found[..], [TRACE, &message(number, bytes)].concat(), "{}: uid {uid} of {mailbox}", self.name);
            let summary = summary.unwrap_or_else(|why| panic!("{}: summary {uid} of {mailbox}: {why}", self.name));
            assert!(SummaryRef::decode(&summary).is_ok(), "{}: a summary", self.name);
        }
    }

    /// The way from every older view to now, as `diff` tells it, is the one between what they showed.
    fn check_kept(&mut self) {
        for kept in &self.kept {
            assert_eq!(show(&kept.view, &self.name), kept.shown, "{}: a view never changes", self.name);
            let Ok(now) = self.engine().mailbox(self.ids[kept.who], MailboxId(kept.mailbox)) else { continue };
            let new = show(&now, &self.name);
            let found = diff(&kept.view, &now).unwrap_or_else(|why| panic!("{}: {why}", self.name));
            let old = &kept.shown.entries;
            let gone: Vec<u32> = old.keys().filter(|uid| !new.entries.contains_key(uid)).copied().collect();
            let differs =
                |(uid, entry): &(&u32, &Entry)| new.entries.get(uid).is_some_and(|now| now.modseq != entry.modseq);
            let changed: Vec<u32> = old.iter().filter(differs).map(|(uid, _)| *uid).collect();
            let numbers = |uids: &posthouse_engine::base::UidSet| uids.iter().map(|Uid(uid)| uid).collect::<Vec<_>>();
            assert_eq!(numbers(&found.expunged), gone, "{}: expunged", self.name);
            assert_eq!(numbers(&found.changed), changed, "{}: changed", self.name);
            let appended = new.entries.keys().filter(|uid| **uid >= kept.shown.uid_next).count();
            assert_eq!(found.appended, appended, "{}: appended", self.name);
            self.check_vanished(kept, &now, &new, &gone);
        }
    }

    /// Who saw the older view and knows its modseq is told of every entry that has gone since, and of none that is there.
    fn check_vanished(&self, kept: &Kept, now: &index::Mailbox, new: &Mailbox, gone: &[u32]) {
        let all = UidSet::range(Uid(1), Uid(u32::MAX));
        let modseq = kept.view.highest_modseq;
        let vanished = now.vanished_since(modseq, &all).unwrap_or_else(|why| panic!("{}: {why}", self.name));
        assert!(
            gone.iter().all(|uid| vanished.contains(Uid(*uid))),
            "{}: vanished {vanished:?} of {gone:?}",
            self.name
        );
        for uid in vanished.iter() {
            assert!(!new.entries.contains_key(&uid.0) && uid.0 < new.uid_next, "{}: {uid} has vanished", self.name);
            assert!(
                kept.shown.entries.contains_key(&uid.0) || uid.0 >= kept.shown.uid_next,
                "{}: {uid} had vanished before",
                self.name
            );
        }
        let known = UidSet::range(Uid(2), Uid(5));
        let some = now.vanished_since(modseq, &known).unwrap_or_else(|why| panic!("{}: {why}", self.name));
        assert!(some.iter().all(|uid| vanished.contains(uid) && known.contains(uid)), "{}: {some:?}", self.name);
        assert_eq!(some.len(), vanished.iter().filter(|uid| known.contains(*uid)).count() as u64, "{}", self.name);
    }

    fn keep_one(&mut self) {
        let (who, mailbox) = (self.random.below(PEOPLE as u64) as usize, 1 + self.random.below(8) as u32);
        if let Ok(view) = self.engine().mailbox(self.ids[who], MailboxId(mailbox)) {
            let shown = show(&view, &self.name);
            if self.kept.len() == VIEWS_KEPT {
                self.kept.remove(self.random.below(VIEWS_KEPT as u64) as usize);
            }
            self.kept.push(Kept { who, mailbox, view, shown });
        }
    }
}

fn ids_of(engine: &Engine) -> Vec<AccountId> {
    ids(engine, PEOPLE)
}

/// The engine failed, as opposed to: it refused.
fn is_failure(answer: &Answer<Error>) -> bool {
    matches!(answer, Err(Error::NoSpace | Error::Latched { .. }))
}

fn word(answer: &Answer<Error>) -> Answer<&'static str> {
    answer.clone().map_err(|why| match why {
        Error::OverQuota { .. } => "OverQuota",
        Error::NotFound(_) => "NotFound",
        Error::Exists(_) => "Exists",
        Error::Invalid(_) => "Invalid",
        why => panic!("an answer that nothing here explains: {why}"),
    })
}

/// An account in the words of the plain truth; its sums are proven on the way.
fn read(account: &index::Account, name: &str) -> Account {
    let mut model = Model::default();
    let mut mailboxes = BTreeMap::new();
    for mailbox in &account.mailboxes {
        let shown = show(mailbox, name);
        for (uid, entry) in &shown.entries {
            assert!(model.add((account.id, mailbox.id, Uid(*uid)), u64::from(entry.size)));
        }
        mailboxes.insert(mailbox.id.0, shown);
    }
    assert_eq!(u128::from(account.used_bytes), model.used_bytes(account.id), "{name}: usage is the sum of the sizes");
    let messages: usize = mailboxes.values().map(|mailbox| mailbox.entries.len()).sum();
    assert_eq!(account.messages, messages as u64, "{name}: messages");
    let subscriptions = account.subscriptions.iter().map(ToString::to_string).collect();
    Account { mailboxes, next: account.mailbox_next.0, subscriptions }
}

fn show(mailbox: &index::Mailbox, name: &str) -> Mailbox {
    let mut entries = BTreeMap::new();
    for entry in mailbox.entries.range(0..mailbox.entries.len()) {
        let entry = entry.unwrap_or_else(|why| panic!("{name}: {why}"));
        let words = mailbox.keywords.iter().enumerate().filter(|(bit, _)| entry.keywords.0 >> bit & 1 == 1);
        let keywords = words.map(|(_, word)| word.to_ascii_lowercase()).collect();
        let (guid, size, flags, modseq) = (entry.guid, entry.size_bytes, entry.flags.0, entry.modseq.0);
        assert!(entries.insert(entry.uid.0, Entry { guid, size, flags, keywords, modseq }).is_none());
    }
    let (seen, deleted) = (|entry: &&Entry| entry.flags & 1 == 0, |entry: &&Entry| entry.flags & 8 != 0);
    assert_eq!(mailbox.unseen as usize, entries.values().filter(seen).count(), "{name}: unseen");
    assert_eq!(mailbox.deleted as usize, entries.values().filter(deleted).count(), "{name}: deleted");
    assert_eq!(mailbox.size_bytes, entries.values().map(|entry| u64::from(entry.size)).sum::<u64>(), "{name}: bytes");
    Mailbox {
        name: mailbox.name.to_string(),
        uid_next: mailbox.uid_next.0,
        modseq: mailbox.highest_modseq.0,
        recent_from: mailbox.recent_from.0,
        entries,
    }
}
