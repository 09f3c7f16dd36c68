//! Finds messages in the mail log and all that became of them. Reads files; not for reactor threads.
use super::{MailLog, MailRecord, Step};
use crate::base::{Result, limits};
use std::collections::HashSet;
use std::net::IpAddr;
use std::ops::ControlFlow;

/// How many times over the files a chain of messages is followed: a report about a copy for a group within a group.
const LINKS_MAX: usize = 8;

/// Which messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailKey {
    /// With that id, or on the connection with that id.
    Id(u64),
    /// With that number in the queue.
    Queue(u64),
    /// With that Message-ID; brackets do not matter.
    MessageId(String),
    /// From or to that address, in any case; or everybody at `@domain`. Who has tried to log in under it counts too.
    Address(String),
    /// Brought by the host at that address, or what that host was refused.
    Peer(IpAddr),
}

/// Which steps.
#[derive(Clone, Debug, Default)]
pub struct MailFilter {
    /// All steps of messages that one of these names; none: all steps of the time.
    pub keys: Vec<MailKey>,
    /// Only steps from here on, milliseconds since 1970-01-01 UTC.
    pub since_ms: Option<i64>,
    /// Only steps before this.
    pub until_ms: Option<i64>,
}

/// A step as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailRow {
    /// Names it while its file is there: greater is newer.
    pub position: u64,
    /// It.
    pub record: MailRecord,
}

/// Some steps, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MailPage {
    /// They.
    pub rows: Vec<MailRow>,
    /// What to ask `after` for the next page; `None`: this was the last.
    pub next: Option<u64>,
    /// More messages fit than are looked after; the newest of them are left out.
    pub cut: bool,
}

/// The messages that were found, by both of their numbers, and the connections that they came on.
#[derive(Default)]
struct Found {
    ids: HashSet<u64>,
    queue: HashSet<u64>,
    connections: HashSet<u64>,
    cut: bool,
}

/// It is about a connection, or somebody who got none, and no message.
fn is_before_mail(record: &MailRecord) -> bool {
    [record.id, record.queue, record.from_queue] == [0; 3] && matches!(record.step, Step::Refused | Step::Login)
}

impl Found {
    fn has(&self, record: &MailRecord) -> bool {
        (record.id != 0 && self.ids.contains(&record.id))
            || (is_before_mail(record) && self.connections.contains(&record.connection))
            || [record.queue, record.from_queue].iter().any(|queue| *queue != 0 && self.queue.contains(queue))
    }

    fn len(&self) -> usize {
        self.ids.len() + self.queue.len() + self.connections.len()
    }

    fn add(&mut self, record: &MailRecord) {
        if self.len() >= limits::MAIL_LOG_FOUND_MAX {
            self.cut = true;
            return;
        }
        if record.id != 0 {
            self.ids.insert(record.id);
        }
        if record.connection != 0 {
            self.connections.insert(record.connection);
        }
        self.queue.extend([record.queue, record.from_queue].iter().filter(|queue| **queue != 0));
    }
}

impl MailKey {
    fn names(&self, record: &MailRecord) -> bool {
        let bare = |id: &str| id.trim_matches(['<', '>', ' ']).to_owned();
        match self {
            MailKey::Id(id) => record.id == *id || record.connection == *id,
            MailKey::Peer(ip) => record.peer.is_some_and(|peer| peer.ip().to_canonical() == ip.to_canonical()),
            MailKey::Queue(queue) => record.queue == *queue,
            MailKey::MessageId(id) => !record.message_id.is_empty() && bare(&record.message_id) == bare(id),
            // What is said of several recipients names them all.
            MailKey::Address(address) => [&*record.sender].into_iter().chain(record.recipient.split(',')).any(|one| {
                let at = if address.starts_with('@') { one.rfind('@').unwrap_or(one.len()) } else { 0 };
                !one.is_empty() && one[at..].to_lowercase() == address.to_lowercase()
            }),
        }
    }
}

impl MailFilter {
    fn names(&self, record: &MailRecord) -> bool {
        self.in_time(record) && self.keys.iter().any(|key| key.names(record))
    }

    fn in_time(&self, record: &MailRecord) -> bool {
        self.since_ms.is_none_or(|since| record.when_ms >= since)
            && self.until_ms.is_none_or(|until| record.when_ms < until)
    }
}

impl MailLog {
    /// Up to `rows_max` steps that the filter takes, the oldest first, newer than `after`.
    ///
    /// # Errors
    /// The disk's.
    pub fn find(&self, filter: &MailFilter, after: Option<u64>, rows_max: usize) -> Result<MailPage> {
        self.write()?;
        let found = if filter.keys.is_empty() { None } else { Some(self.messages(filter)?) };
        let mut page = MailPage { cut: found.as_ref().is_some_and(|found| found.cut), ..MailPage::default() };
        self.walk(filter.since_ms, after.unwrap_or(0), |position, record| {
            let wanted = match &found {
                Some(found) => {
                    found.has(&record)
                        || record.step == Step::Gap && filter.in_time(&record)
                        || is_before_mail(&record) && filter.names(&record)
                }
                None => filter.in_time(&record) && record.step != Step::Ended,
            };
            if !wanted {
                return ControlFlow::Continue(());
            }
            if page.rows.len() == rows_max {
                page.next = page.rows.last().map(|last| last.position);
                return ControlFlow::Break(());
            }
            page.rows.push(MailRow { position, record });
            ControlFlow::Continue(())
        })?;
        Ok(page)
    }

    /// Which messages the keys mean. Steps before a message is queued know its id, those after it its number in the queue, and one step both;
    /// what comes of a queued message has a number of its own. So the files are gone over until nothing more is learned.
    fn messages(&self, filter: &MailFilter) -> Result<Found> {
        let mut found = Found::default();
        self.walk(filter.since_ms, 0, |_, record| {
            if filter.names(&record) {
                found.add(&record);
            }
            ControlFlow::Continue(())
        })?;
        for _ in 0..LINKS_MAX {
            let before = found.len();
            self.walk(filter.since_ms, 0, |_, record| {
                let numbers = [record.id, record.queue, record.from_queue, record.connection];
                if numbers.iter().filter(|number| **number != 0).count() > 1 && found.has(&record) {
                    found.add(&record);
                }
                ControlFlow::Continue(())
            })?;
            if found.len() == before {
                break;
            }
        }
        Ok(found)
    }
}
