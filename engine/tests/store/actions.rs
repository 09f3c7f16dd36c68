//! One step of a random history: what is asked, what the plain truth says to it, and how it is asked of the engine.
use crate::help::message;
use crate::oracle::{Account, Entry, Refusal};
use posthouse_engine::base::{AccountId, Bound, Error, FlagMode, Flags, Guid, MailboxId, ModSeq, Uid, UidSet};
use posthouse_engine::delivery::{Delivery, Place, Staged, Target};
use posthouse_engine::queue::NewQueueItem;
use posthouse_engine::{Append, Compact, Engine, Store};
use std::collections::{BTreeMap, BTreeSet};

pub const TRACE: &[u8] = b"Return-Path: <>\r\n";

/// A message of a history: its number and its bytes of text.
pub type Mail = (u32, usize);

#[derive(Clone, Debug)]
pub enum Action {
    /// To accounts (by number), into INBOX or a named mailbox; with a copy for the queue.
    Deliver {
        mail: Mail,
        to: Vec<(usize, Option<&'static str>)>,
        queue: bool,
    },
    Append {
        to: usize,
        mailbox: u32,
        mails: Vec<Mail>,
        flags: u16,
        keywords: Vec<String>,
    },
    Store {
        to: usize,
        mailbox: u32,
        uids: UidSet,
        mode: FlagMode,
        flags: u16,
        keywords: Vec<String>,
        since: Option<u64>,
    },
    Copy {
        to: usize,
        from: u32,
        into: u32,
        uids: UidSet,
        moves: bool,
    },
    Expunge {
        to: usize,
        mailbox: u32,
        uids: Option<UidSet>,
    },
    Remove {
        to: usize,
        mailbox: u32,
        uids: UidSet,
    },
    Create {
        to: usize,
        name: &'static str,
    },
    Delete {
        to: usize,
        name: &'static str,
    },
    Rename {
        to: usize,
        from: &'static str,
        name: &'static str,
    },
    Subscribe {
        to: usize,
        name: &'static str,
        on: bool,
    },
    Claim {
        to: usize,
        mailbox: u32,
    },
    QueueRemove {
        at: usize,
    },
    /// Fresh mail is compressed with a new dictionary from here on, if that pays.
    Train,
    /// Sealed segments are rewritten; what was replaced before is removed or kept.
    Compact {
        all: bool,
        keep: bool,
    },
}

/// One answer: in words when it was granted.
pub type Answer<E> = Result<String, E>;

/// Everything that is true.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct World {
    pub accounts: BTreeMap<usize, Account>,
    pub queue: BTreeSet<Guid>,
}

/// What an action needs besides itself: made before it is asked.
pub struct Ready {
    pub staged: Vec<Staged>,
    pub guids: Vec<Guid>,
    pub sizes: Vec<u32>,
    pub quota: Vec<Option<u64>>,
}

impl Action {
    pub fn mails(&self) -> Vec<Mail> {
        match self {
            Action::Deliver { mail, .. } => vec![*mail],
            Action::Append { mails, .. } => mails.clone(),
            _ => Vec::new(),
        }
    }

    pub fn prepare(&self, engine: &Engine, ids: &[AccountId]) -> Ready {
        let stage =
            |(number, bytes): Mail| engine.stage(TRACE.to_vec(), message(number, bytes)).wait().expect("staged");
        let staged: Vec<Staged> = self.mails().into_iter().map(stage).collect();
        let guids = staged.iter().map(Staged::guid).collect();
        let sizes = staged.iter().map(Staged::size_bytes).collect();
        Ready { staged, guids, sizes, quota: ids.iter().map(|id| engine.quota_bytes_max(*id)).collect() }
    }

    /// Accounts that the action may change, one for each answer.
    pub fn places(&self) -> Vec<usize> {
        match self {
            Action::Deliver { to, .. } => to.iter().map(|(to, _)| *to).collect(),
            Action::Append { to, .. }
            | Action::Store { to, .. }
            | Action::Copy { to, .. }
            | Action::Expunge { to, .. }
            | Action::Remove { to, .. }
            | Action::Create { to, .. }
            | Action::Delete { to, .. }
            | Action::Rename { to, .. }
            | Action::Subscribe { to, .. }
            | Action::Claim { to, .. } => vec![*to],
            Action::QueueRemove { .. } | Action::Train | Action::Compact { .. } => Vec::new(),
        }
    }
}

fn numbers(uids: &UidSet) -> Vec<u32> {
    uids.iter().map(|uid| uid.0).collect()
}

impl World {
    /// What the rules say; changes the world.
    pub fn expect(&mut self, action: &Action, ready: &Ready) -> Vec<Answer<Refusal>> {
        match action {
            Action::Deliver { to, queue, .. } => {
                if *queue {
                    self.queue.insert(ready.guids[0]);
                }
                to.iter().map(|(to, name)| self.deliver(*to, *name, ready)).collect()
            }
            Action::QueueRemove { at } => {
                let guid = self.queue.iter().nth(*at).copied();
                self.queue.retain(|item| Some(*item) != guid);
                Vec::new()
            }
            Action::Train | Action::Compact { .. } => Vec::new(),
            _ => vec![self.single(action, ready)],
        }
    }

    fn opened(&mut self, to: usize) -> &mut Account {
        self.accounts.entry(to).or_insert_with(Account::new)
    }

    fn deliver(&mut self, to: usize, name: Option<&str>, ready: &Ready) -> Answer<Refusal> {
        let account = self.opened(to);
        account.charge(u64::from(ready.sizes[0]), ready.quota[to])?;
        let mailbox = match name {
            None => 1,
            Some(name) => account.named(name).map_or_else(|| account.create(name), Ok)?,
        };
        let uid = account.add(mailbox, entry(ready, 0, 0, &[]));
        Ok(format!("{mailbox}:{uid}"))
    }

    fn single(&mut self, action: &Action, ready: &Ready) -> Answer<Refusal> {
        let known = |world: &mut World, to: &usize| world.accounts.contains_key(to).then_some(()).ok_or("NotFound");
        match action {
            Action::Append { to, mailbox, mails, flags, keywords } => {
                let account = self.opened(*to);
                account.charge(ready.sizes.iter().map(|size| u64::from(*size)).sum(), ready.quota[*to])?;
                account.mailboxes.get(mailbox).ok_or("NotFound")?;
                let add = |at| account.add(*mailbox, entry(ready, at, *flags, keywords));
                Ok(format!("{:?}", (0..mails.len()).map(add).collect::<Vec<u32>>()))
            }
            Action::Copy { to, from, into, uids, moves } => {
                known(self, to)?;
                let within = |uid| uids.contains(Uid(uid));
                Ok(format!("{:?}", self.opened(*to).copy(*from, *into, &within, ready.quota[*to], *moves)?))
            }
            Action::Create { to, name } => Ok(self.opened(*to).create(name)?.to_string()),
            Action::Delete { to, name } => self.opened(*to).delete(name).map(|()| String::new()),
            Action::Rename { to, from, name } => self.opened(*to).rename(from, name).map(|()| String::new()),
            Action::Subscribe { to, name, on } => {
                let names = &mut self.opened(*to).subscriptions;
                if *on {
                    names.insert((*name).to_owned())
                } else {
                    names.remove(*name)
                };
                Ok(String::new())
            }
            Action::Store { to, mailbox, .. }
            | Action::Expunge { to, mailbox, .. }
            | Action::Remove { to, mailbox, .. }
            | Action::Claim { to, mailbox } => {
                known(self, to)?;
                let mailbox = self.opened(*to).mailboxes.get_mut(mailbox).ok_or("NotFound")?;
                Ok(in_mailbox(mailbox, action))
            }
            Action::Deliver { .. } | Action::QueueRemove { .. } | Action::Train | Action::Compact { .. } => {
                unreachable!("answered elsewhere")
            }
        }
    }
}

fn entry(ready: &Ready, at: usize, flags: u16, keywords: &[String]) -> Entry {
    let keywords = keywords.iter().map(|name| name.to_ascii_lowercase()).collect();
    Entry { guid: ready.guids[at], size: ready.sizes[at], flags, keywords, modseq: 0 }
}

fn in_mailbox(mailbox: &mut crate::oracle::Mailbox, action: &Action) -> String {
    match action {
        Action::Store { uids, mode, flags, keywords, since, .. } => {
            let named: BTreeSet<String> = keywords.iter().map(|name| name.to_ascii_lowercase()).collect();
            let change = |old: &mut u16, words: &mut BTreeSet<String>| match mode {
                FlagMode::Replace => (*old, *words) = (*flags, named.clone()),
                FlagMode::Add => {
                    *old |= flags;
                    words.extend(named.iter().cloned());
                }
                FlagMode::Remove => {
                    *old &= !flags;
                    words.retain(|word| !named.contains(word));
                }
            };
            let modified = mailbox.store(&|uid| uids.contains(Uid(uid)), *since, &change);
            format!("{modified:?} {}", mailbox.modseq)
        }
        Action::Expunge { uids, .. } => {
            let chosen = |uid| uids.as_ref().is_none_or(|uids| uids.contains(Uid(uid)));
            format!("{:?}", mailbox.expunge(|uid, entry| entry.flags & Flags::DELETED.0 != 0 && chosen(uid)))
        }
        Action::Remove { uids, .. } => format!("{:?}", mailbox.expunge(|uid, _| uids.contains(Uid(uid)))),
        Action::Claim { .. } => {
            let from = std::mem::replace(&mut mailbox.recent_from, mailbox.uid_next);
            from.to_string()
        }
        _ => unreachable!("not within one mailbox"),
    }
}

/// What the engine said: to each account, and to the queue's part.
pub struct Asked {
    pub answers: Vec<Answer<Error>>,
    pub queued: Result<(), Error>,
}

/// Asks the engine.
pub fn ask(engine: &Engine, ids: &[AccountId], action: &Action, ready: Ready) -> Asked {
    match action {
        Action::Deliver { to, queue, .. } => deliver(engine, ids, to, *queue, ready),
        Action::QueueRemove { at } => {
            let mut items = engine.queue();
            items.sort_by_key(|item| item.guid);
            let queued = items.get(*at).map_or(Ok(()), |item| engine.queue_remove(item.id).wait());
            Asked { answers: Vec::new(), queued }
        }
        Action::Compact { all, keep } => {
            let cold_after_ms = if *all { 0 } else { i64::MAX };
            let keep_ms = if *keep { i64::MAX } else { 0 };
            let request =
                Compact { cold_after_ms, dead_percent: 20, bytes_per_second: 0, keep_ms, leave_free_bytes: 0 };
            // A disk that fails makes no difference to anybody but the compaction.
            let _ = engine.compact(request).wait();
            Asked { answers: Vec::new(), queued: Ok(()) }
        }
        Action::Train => {
            engine.train_dictionary();
            Asked { answers: Vec::new(), queued: Ok(()) }
        }
        _ => Asked { answers: vec![ask_single(engine, ids[action.places()[0]], action, ready)], queued: Ok(()) },
    }
}

fn deliver(
    engine: &Engine,
    ids: &[AccountId],
    to: &[(usize, Option<&'static str>)],
    queue: bool,
    ready: Ready,
) -> Asked {
    let target = |(to, name): &(usize, Option<&str>)| Target {
        account: ids[*to],
        place: name.map_or(Place::Inbox, |name| Place::Named(name.into())),
        flags: Flags::NONE,
        bound: ready.quota[*to].map(Bound::of_bytes),
    };
    let targets = to.iter().map(target).collect();
    let item = NewQueueItem { account: None, sender: "a@b".into(), recipients: Vec::new(), ..NewQueueItem::default() };
    let queue = if queue { vec![item] } else { Vec::new() };
    let staged = ready.staged.into_iter().next().expect("one message");
    let outcome = engine.deliver(Delivery { staged, targets, queue }).wait();
    let word = |answer: Result<posthouse_engine::delivery::Delivered, Error>| {
        answer.map(|delivered| format!("{}:{}", delivered.mailbox, delivered.uid))
    };
    Asked { answers: outcome.targets.into_iter().map(word).collect(), queued: outcome.queued }
}

fn ask_single(engine: &Engine, id: AccountId, action: &Action, ready: Ready) -> Answer<Error> {
    match action {
        Action::Append { mailbox, flags, keywords, .. } => {
            let append =
                |staged| Append { staged, flags: Flags(*flags), keywords: keywords.clone(), internal_date: None };
            let messages = ready.staged.into_iter().map(append).collect();
            let done = engine.append(id, MailboxId(*mailbox), messages).wait()?;
            Ok(format!("{:?}", numbers(&done.uids)))
        }
        Action::Store { mailbox, uids, mode, flags, keywords, since, .. } => {
            let (uids, keywords) = (uids.clone(), keywords.clone());
            let store = Store { uids, mode: *mode, flags: Flags(*flags), keywords, unchanged_since: since.map(ModSeq) };
            let done = engine.store(id, MailboxId(*mailbox), store).wait()?;
            Ok(format!("{:?} {}", numbers(&done.modified), done.modseq))
        }
        Action::Copy { from, into, uids, moves, .. } => {
            let (from, into) = (MailboxId(*from), MailboxId(*into));
            let done = match moves {
                true => engine.move_entries(id, from, uids.clone(), into).wait()?,
                false => engine.copy(id, from, uids.clone(), into).wait()?,
            };
            let pairs: Vec<(u32, u32)> = done.from.iter().zip(done.to.iter()).map(|(a, b)| (a.0, b.0)).collect();
            Ok(format!("{pairs:?}"))
        }
        Action::Expunge { mailbox, uids, .. } => {
            let gone = engine.expunge(id, MailboxId(*mailbox), uids.clone()).wait()?;
            Ok(format!("{:?}", numbers(&gone)))
        }
        Action::Remove { mailbox, uids, .. } => {
            let gone = engine.remove(id, MailboxId(*mailbox), uids.clone()).wait()?;
            Ok(format!("{:?}", numbers(&gone)))
        }
        Action::Create { name, .. } => Ok(engine.create_mailbox(id, name, None).wait()?.to_string()),
        Action::Delete { name, .. } => engine.delete_mailbox(id, name).wait().map(|()| String::new()),
        Action::Rename { from, name, .. } => engine.rename_mailbox(id, from, name).wait().map(|()| String::new()),
        Action::Subscribe { name, on, .. } => engine.subscribe(id, name, *on).wait().map(|()| String::new()),
        Action::Claim { mailbox, .. } => Ok(engine.claim_recent(id, MailboxId(*mailbox)).wait()?.to_string()),
        Action::Deliver { .. } | Action::QueueRemove { .. } | Action::Train | Action::Compact { .. } => {
            unreachable!("asked elsewhere")
        }
    }
}
