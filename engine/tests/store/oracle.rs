//! The plain truth that random histories are held against: maps, rules taken from the RFCs, nothing clever. Never looks into the engine.
use posthouse_engine::base::Guid;
use std::collections::{BTreeMap, BTreeSet};

/// Names of the mailboxes every account begins with.
pub const DEFAULTS: [&str; 5] = ["INBOX", "Drafts", "Sent", "Junk", "Trash"];

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub guid: Guid,
    pub size: u32,
    pub flags: u16,
    pub keywords: BTreeSet<String>,
    pub modseq: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    pub name: String,
    pub uid_next: u32,
    pub modseq: u64,
    pub recent_from: u32,
    pub entries: BTreeMap<u32, Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub mailboxes: BTreeMap<u32, Mailbox>,
    pub next: u32,
    pub subscriptions: BTreeSet<String>,
}

/// Why something is refused.
pub type Refusal = &'static str;

impl Mailbox {
    fn new(name: &str) -> Mailbox {
        Mailbox { name: name.into(), uid_next: 1, modseq: 1, recent_from: 1, entries: BTreeMap::new() }
    }

    fn add(&mut self, mut entry: Entry) -> u32 {
        self.modseq += 1;
        entry.modseq = self.modseq;
        self.entries.insert(self.uid_next, entry);
        self.uid_next += 1;
        self.uid_next - 1
    }

    /// Removes the uids that `goes` names; answers which.
    pub fn expunge(&mut self, goes: impl Fn(u32, &Entry) -> bool) -> Vec<u32> {
        let gone: Vec<u32> =
            self.entries.iter().filter(|(uid, entry)| goes(**uid, entry)).map(|(uid, _)| *uid).collect();
        self.modseq += u64::from(!gone.is_empty());
        self.entries.retain(|uid, _| !gone.contains(uid));
        gone
    }

    /// Changes flags; the uids left alone for `unchanged_since`.
    pub fn store(
        &mut self,
        uids: &dyn Fn(u32) -> bool,
        unchanged_since: Option<u64>,
        change: &dyn Fn(&mut u16, &mut BTreeSet<String>),
    ) -> Vec<u32> {
        let (mut modified, mut changed) = (Vec::new(), false);
        for (uid, entry) in self.entries.iter_mut().filter(|(uid, _)| uids(**uid)) {
            if unchanged_since.is_some_and(|bound| entry.modseq > bound) {
                modified.push(*uid);
                continue;
            }
            let before = entry.clone();
            change(&mut entry.flags, &mut entry.keywords);
            if *entry != before {
                entry.modseq = self.modseq + 1;
                changed = true;
            }
        }
        self.modseq += u64::from(changed);
        modified
    }
}

impl Account {
    pub fn new() -> Account {
        let mailboxes = (1..).zip(DEFAULTS.iter().map(|name| Mailbox::new(name))).collect();
        Account { mailboxes, next: 6, subscriptions: DEFAULTS.iter().map(|name| (*name).to_owned()).collect() }
    }

    pub fn used_bytes(&self) -> u64 {
        self.mailboxes.values().flat_map(|mailbox| mailbox.entries.values()).map(|entry| u64::from(entry.size)).sum()
    }

    pub fn named(&self, name: &str) -> Option<u32> {
        self.mailboxes.iter().find(|(_, mailbox)| mailbox.name == name).map(|(id, _)| *id)
    }

    pub fn charge(&self, size: u64, quota: Option<u64>) -> Result<(), Refusal> {
        if self.used_bytes() + size > quota.unwrap_or(u64::MAX) { Err("OverQuota") } else { Ok(()) }
    }

    pub fn add(&mut self, mailbox: u32, entry: Entry) -> u32 {
        self.mailboxes.get_mut(&mailbox).expect("it was looked up").add(entry)
    }

    fn make(&mut self, name: &str) -> u32 {
        self.mailboxes.insert(self.next, Mailbox::new(name));
        self.next += 1;
        self.next - 1
    }

    fn make_parents(&mut self, name: &str) {
        for (at, _) in name.match_indices('/') {
            if self.named(&name[..at]).is_none() {
                self.make(&name[..at]);
            }
        }
    }

    pub fn create(&mut self, name: &str) -> Result<u32, Refusal> {
        if self.named(name).is_some() {
            return Err("Exists");
        }
        self.make_parents(name);
        Ok(self.make(name))
    }

    pub fn delete(&mut self, name: &str) -> Result<(), Refusal> {
        let id = self.named(name).ok_or("NotFound")?;
        if id == 1 {
            return Err("Invalid");
        }
        self.mailboxes.remove(&id);
        Ok(())
    }

    pub fn rename(&mut self, from: &str, to: &str) -> Result<(), Refusal> {
        let id = self.named(from).ok_or("NotFound")?;
        if self.named(to).is_some() {
            return Err("Exists");
        }
        if id == 1 {
            let made = self.create(to)?;
            return self.copy(1, made, &|_| true, None, true).map(drop);
        }
        let below = format!("{from}/");
        if to.starts_with(&below) {
            return Err("Invalid");
        }
        let children = self.mailboxes.values().filter_map(|mailbox| mailbox.name.strip_prefix(&below));
        if children.map(|rest| format!("{to}/{rest}")).any(|name| self.named(&name).is_some()) {
            return Err("Exists");
        }
        self.make_parents(to);
        for (at, mailbox) in &mut self.mailboxes {
            if *at == id {
                mailbox.name = to.into();
            } else if let Some(rest) = mailbox.name.strip_prefix(&below) {
                mailbox.name = format!("{to}/{rest}");
            }
        }
        Ok(())
    }

    /// COPY or MOVE; pairs of old and new uids.
    pub fn copy(
        &mut self,
        from: u32,
        to: u32,
        uids: &dyn Fn(u32) -> bool,
        quota: Option<u64>,
        moves: bool,
    ) -> Result<Vec<(u32, u32)>, Refusal> {
        let source = self.mailboxes.get(&from).ok_or("NotFound")?;
        if !self.mailboxes.contains_key(&to) {
            return Err("NotFound");
        }
        let found: Vec<(u32, Entry)> =
            source.entries.iter().filter(|(uid, _)| uids(**uid)).map(|(uid, entry)| (*uid, entry.clone())).collect();
        if !moves {
            self.charge(found.iter().map(|(_, entry)| u64::from(entry.size)).sum(), quota)?;
        }
        let pairs: Vec<(u32, u32)> = found.into_iter().map(|(uid, entry)| (uid, self.add(to, entry))).collect();
        if moves && !pairs.is_empty() {
            let old: BTreeSet<u32> = pairs.iter().map(|pair| pair.0).collect();
            self.mailboxes.get_mut(&from).expect("looked up").expunge(|uid, _| old.contains(&uid));
        }
        Ok(pairs)
    }
}
