//! Refusals that come in numbers, by hosts that get no further than the door: the first of a kind is noted at once, those of the minute behind it as
//! one step that says how many. So the mail log tells of a flood and is not filled by it. No I/O.
use super::MailRecord;
use crate::base::limits;
use std::collections::HashMap;
use std::net::IpAddr;

/// How long refusals are gathered.
const MINUTE_MS: i64 = 60_000;

/// What refusals of one kind have in common. Without an address: those of all for whom there was no room.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Alike {
    from: Option<IpAddr>,
    by: String,
    policy: String,
    /// The login or the reverse-path that was tried.
    sender: String,
}

/// Those of a minute, the first one left out.
#[derive(Debug)]
struct Gathered {
    end_ms: i64,
    count: u32,
    last: MailRecord,
}

/// Refusals that are not noted yet.
#[derive(Debug, Default)]
pub(crate) struct Crowd {
    all: HashMap<Alike, Gathered>,
    /// When the first minute of those is over.
    due_ms: i64,
}

impl Crowd {
    /// Takes a refusal; the steps that are to be noted now.
    pub(crate) fn take(&mut self, record: MailRecord) -> Vec<MailRecord> {
        let mut told = self.due(record.when_ms);
        let (by, policy, sender) = (record.by.clone(), record.policy.clone(), record.sender.clone());
        let mut alike = Alike { from: record.peer.map(|peer| peer.ip()), by, policy, sender };
        if self.all.len() >= limits::MAIL_LOG_CROWD_MAX && !self.all.contains_key(&alike) {
            (alike.from, alike.sender) = (None, String::new());
        }
        let nobody = alike.from.is_none();
        match self.all.get_mut(&alike) {
            Some(known) => {
                known.count = known.count.saturating_add(1);
                known.last = if nobody { of_many(record) } else { record };
            }
            None => {
                let end_ms = record.when_ms.saturating_add(MINUTE_MS);
                self.due_ms = if self.all.is_empty() { end_ms } else { self.due_ms.min(end_ms) };
                self.all.insert(alike, Gathered { end_ms, count: 0, last: record.clone() });
                told.push(record);
            }
        }
        told
    }

    /// The steps of minutes that are over.
    pub(crate) fn due(&mut self, now_ms: i64) -> Vec<MailRecord> {
        // A clock that was set back must not keep anything for long.
        let is_over = |end_ms: i64| now_ms >= end_ms || end_ms - now_ms > MINUTE_MS;
        if self.all.is_empty() || !is_over(self.due_ms) {
            return Vec::new();
        }
        let over =
            self.all.extract_if(|_, one| is_over(one.end_ms)).filter_map(|(_, mut one)| step(&mut one)).collect();
        self.due_ms = self.all.values().map(|one| one.end_ms).min().unwrap_or(0);
        over
    }

    /// All that has come so far. Its minutes go on, so that whoever looks often has no more steps written.
    pub(crate) fn all(&mut self) -> Vec<MailRecord> {
        self.all.values_mut().filter_map(step).collect()
    }
}

/// Those that are not told of yet.
fn step(one: &mut Gathered) -> Option<MailRecord> {
    let count = std::mem::take(&mut one.count);
    (count > 0).then(|| MailRecord { count: if count > 1 { count } else { 0 }, ..one.last.clone() })
}

/// One of those for whom there was no room: it stands for many addresses.
fn of_many(record: MailRecord) -> MailRecord {
    let text = format!("from many addresses, the last one {}: {}", shown(&record), record.text);
    MailRecord { peer: None, sender: String::new(), connection: 0, session: String::new(), text, ..record }
}

fn shown(record: &MailRecord) -> String {
    record.peer.map_or_else(String::new, |peer| peer.ip().to_string())
}

#[cfg(test)]
mod tests {
    use super::super::Step;
    use super::*;

    fn refusal(when_ms: i64, host: u32, name: &str) -> MailRecord {
        let peer = Some((IpAddr::from(host.to_be_bytes()), 4000).into());
        let (policy, sender) = ("auth".to_owned(), name.to_owned());
        MailRecord { when_ms, step: Step::Refused, peer, policy, sender, ..MailRecord::default() }
    }

    fn told(records: &[MailRecord]) -> Vec<(i64, u32)> {
        let mut all: Vec<_> = records.iter().map(|record| (record.when_ms, record.count)).collect();
        all.sort_unstable();
        all
    }

    #[test]
    fn the_first_is_told_at_once_and_the_rest_of_its_minute_as_one() {
        let mut crowd = Crowd::default();
        assert_eq!(told(&crowd.take(refusal(1_000, 1, "a"))), [(1_000, 0)]);
        assert_eq!(told(&crowd.take(refusal(2_000, 1, "b"))), [(2_000, 0)], "another login is another kind");
        for at in 0..500 {
            assert_eq!(told(&crowd.take(refusal(3_000 + at, 1, "a"))), []);
        }
        assert_eq!(told(&crowd.due(60_999)), []);
        assert_eq!(told(&crowd.due(61_000)), [(3_499, 500)]);
        assert_eq!(told(&crowd.take(refusal(61_001, 1, "a"))), [(61_001, 0)], "a new minute");
        crowd.take(refusal(61_002, 1, "a"));
        assert_eq!(told(&crowd.all()), [(61_002, 0)], "one stands for itself");
        assert_eq!(told(&crowd.all()), []);
        assert_eq!(told(&crowd.take(refusal(61_003, 1, "a"))), [], "who looks begins no new minute");
        assert_eq!(told(&crowd.due(i64::MAX)), [(61_003, 0)]);
    }

    #[test]
    fn a_flood_from_everywhere_is_bounded() {
        let mut crowd = Crowd::default();
        let steps: usize = (0..100_000).map(|host| crowd.take(refusal(i64::from(host) / 10, host, "")).len()).sum();
        assert_eq!(steps, limits::MAIL_LOG_CROWD_MAX + 1);
        let rest = crowd.all();
        let counted: u32 = rest.iter().map(|record| record.count.max(1)).sum();
        assert_eq!((rest.len(), counted as usize), (1, 100_000 - steps));
        assert!(rest[0].peer.is_none() && rest[0].text.starts_with("from many addresses, the last one 0.1.134.159"));
    }

    #[test]
    fn a_clock_that_is_set_back_keeps_nothing() {
        let mut crowd = Crowd::default();
        crowd.take(refusal(1_000_000, 1, ""));
        crowd.take(refusal(1_000_001, 1, ""));
        assert_eq!(told(&crowd.due(500_000)), [(1_000_001, 0)]);
    }
}
