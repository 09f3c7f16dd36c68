//! Counts sessions by day, domain and policy. Bounded: what comes when it is full is not counted.
use crate::limits;
use crate::wire::DAY;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::ops::Bound;
use std::sync::{Arc, Mutex, PoisonError};

/// What kind of policy a session went by (RFC 8460 section 4.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::outbound) enum Kind {
    Tlsa,
    Sts,
    NoPolicyFound,
}

/// A domain's policy as it was found.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::outbound) struct Published {
    /// In A-labels.
    pub(in crate::outbound) domain: Arc<str>,
    pub(in crate::outbound) kind: Kind,
    /// Its records, or its lines.
    pub(in crate::outbound) lines: Vec<String>,
    /// The hosts that it allows.
    pub(in crate::outbound) mx: Vec<String>,
}

impl Published {
    /// With as much of what the domain says as a report tells.
    pub(in crate::outbound) fn new(
        domain: Arc<str>,
        kind: Kind,
        lines: impl IntoIterator<Item = String>,
        mx: impl IntoIterator<Item = String>,
    ) -> Published {
        Published { domain, kind, lines: first(lines), mx: first(mx) }
    }

    fn size_bytes(&self) -> usize {
        let texts = self.lines.iter().chain(&self.mx).map(|text| text.len() + ENTRY_BYTES);
        self.domain.len() + ENTRY_BYTES + texts.sum::<usize>()
    }
}

fn first(texts: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut bytes = 0;
    let fits = |text: &String| {
        bytes += text.len();
        bytes <= limits::TLSRPT_TEXT_BYTES_MAX
    };
    texts.into_iter().take_while(fits).collect()
}

/// Why a session was not as it should be (section 4.3).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::outbound) struct Failed {
    /// `result-type`.
    pub(in crate::outbound) result: &'static str,
    /// Our address, and the host's, when there was a connection.
    pub(in crate::outbound) ips: Option<(IpAddr, IpAddr)>,
    pub(in crate::outbound) host: String,
}

impl Failed {
    fn size_bytes(&self) -> usize {
        self.host.len() + ENTRY_BYTES
    }
}

/// What came of the sessions under one policy.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    pub(super) successes: u64,
    pub(super) failures: u64,
    pub(super) details: HashMap<Failed, u64>,
}

/// One domain's day, counted from 1970-01-01 UTC.
#[derive(Clone, Debug)]
pub(super) struct Day {
    pub(super) day: i64,
    pub(super) domain: Arc<str>,
    pub(super) policies: Policies,
}

/// A day and a domain.
pub(super) type Key = (i64, Arc<str>);

/// See above.
#[derive(Default)]
pub(in crate::outbound) struct Tally(pub(super) Mutex<Days>);

/// What is counted.
#[derive(Default)]
pub(super) struct Days {
    pub(super) all: BTreeMap<Key, Policies>,
    /// What it takes.
    size_bytes: usize,
}

pub(super) type Policies = Vec<(Arc<Published>, Counts)>;

/// What an entry takes beside its texts.
const ENTRY_BYTES: usize = 64;

impl Days {
    /// Whether there is room for so many bytes more, which are taken then.
    fn hold(&mut self, more_bytes: usize) -> bool {
        let fits = self.size_bytes + more_bytes <= limits::TLSRPT_BYTES_MAX;
        self.size_bytes += if fits { more_bytes } else { 0 };
        fits
    }

    /// Puts a domain's day in; false when there is no room.
    pub(super) fn insert(&mut self, key: Key, policies: Policies) -> bool {
        let fits = self.all.len() < limits::TLSRPT_DOMAINS_MAX && self.hold(size_bytes(&policies));
        if fits && let Some(before) = self.all.insert(key, policies) {
            self.size_bytes -= size_bytes(&before);
        }
        fits
    }
}

fn size_bytes(policies: &[(Arc<Published>, Counts)]) -> usize {
    let details = |counts: &Counts| counts.details.keys().map(Failed::size_bytes).sum::<usize>();
    policies.iter().map(|(published, counts)| published.size_bytes() + details(counts)).sum()
}

impl Tally {
    /// A session at `now`, seconds since 1970 UTC.
    pub(in crate::outbound) fn note(&self, now: i64, published: &Arc<Published>, came: Result<(), Failed>) {
        let mut days = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let days = &mut *days;
        let key = (now.div_euclid(DAY), published.domain.clone());
        let known = days.all.get(&key).map_or(&[][..], Vec::as_slice);
        if !known.iter().any(|(known, _)| known == published) {
            let is_full = match known.len() {
                0 => days.all.len() >= limits::TLSRPT_DOMAINS_MAX,
                some => some >= limits::TLSRPT_POLICIES_MAX,
            };
            if is_full || !days.hold(published.size_bytes()) {
                return;
            }
            days.all.entry(key.clone()).or_default().push((published.clone(), Counts::default()));
        }
        let mut policies = days.all.get_mut(&key).into_iter().flatten();
        if let Some((_, counts)) = policies.find(|(known, _)| known == published) {
            let room = limits::TLSRPT_BYTES_MAX - days.size_bytes;
            days.size_bytes += counts.count(came, room);
        }
    }

    /// Whether something is counted of days before that one.
    pub(super) fn has_before(&self, day: i64) -> bool {
        let days = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        days.all.keys().next().is_some_and(|(first, _)| *first < day)
    }

    /// What comes next after `after` of days before that one, the newest day first: names that nobody answers for are asked again for days, and hold
    /// up no report that is new. It stays until it is removed: it is kept over a restart until then.
    pub(super) fn next_before(&self, day: i64, after: Option<&Key>) -> Option<Day> {
        let days = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let first_of = |day: i64| -> Key { (day, "".into()) };
        let same_day = after
            .and_then(|after| days.all.range((Bound::Excluded(after), Bound::Excluded(&first_of(after.0 + 1)))).next());
        let ((day, domain), policies) = same_day.or_else(|| {
            let ((before, _), _) = days.all.range(..first_of(after.map_or(day, |after| after.0))).next_back()?;
            days.all.range(first_of(*before)..).next()
        })?;
        Some(Day { day: *day, domain: domain.clone(), policies: policies.clone() })
    }

    /// Its report is sent, or is never to be.
    pub(super) fn remove(&self, key: &Key) {
        let mut days = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(policies) = days.all.remove(key) {
            days.size_bytes -= size_bytes(&policies);
        }
    }
}

impl Day {
    pub(super) fn key(&self) -> Key {
        (self.day, self.domain.clone())
    }
}

impl Counts {
    /// Gives the bytes that it takes more, of those that there is room for.
    fn count(&mut self, came: Result<(), Failed>, room_bytes: usize) -> usize {
        let Err(failed) = came else {
            self.successes += 1;
            return 0;
        };
        self.failures += 1;
        if let Some(count) = self.details.get_mut(&failed) {
            *count += 1;
            return 0;
        }
        let size_bytes = failed.size_bytes();
        if self.details.len() >= limits::TLSRPT_DETAILS_MAX || size_bytes > room_bytes {
            return 0;
        }
        self.details.insert(failed, 1);
        size_bytes
    }
}

#[cfg(test)]
impl Tally {
    /// Takes out what is of days before that one.
    pub(super) fn take_before(&self, day: i64) -> Vec<Day> {
        let take = || self.next_before(day, None).inspect(|one| self.remove(&one.key()));
        std::iter::from_fn(take).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn published(domain: &str, line: &str) -> Arc<Published> {
        Arc::new(Published { domain: domain.into(), kind: Kind::Tlsa, lines: vec![line.into()], mx: Vec::new() })
    }

    #[test]
    fn sessions_are_counted_by_day_domain_and_policy_within_bounds() {
        let tally = Tally::default();
        let failed = |number: usize| Failed { result: "validation-failure", ips: None, host: format!("mx{number}") };
        for number in 0..2 * limits::TLSRPT_DETAILS_MAX {
            tally.note(5, &published("a.test", "1"), Err(failed(number)));
        }
        tally.note(6, &published("a.test", "1"), Err(failed(0)));
        for number in 0..2 * limits::TLSRPT_POLICIES_MAX {
            tally.note(DAY - 1, &published("b.test", &number.to_string()), Ok(()));
        }
        tally.note(DAY, &published("a.test", "1"), Ok(()));
        assert!(tally.take_before(0).is_empty());
        let days = tally.take_before(1);
        let names: Vec<_> = days.iter().map(|day| (day.day, &*day.domain, day.policies.len())).collect();
        assert_eq!(names, [(0, "a.test", 1), (0, "b.test", limits::TLSRPT_POLICIES_MAX)]);
        let counts = &days[0].policies[0].1;
        assert_eq!(counts.failures, 2 * limits::TLSRPT_DETAILS_MAX as u64 + 1, "all are counted");
        assert_eq!(counts.details.len(), limits::TLSRPT_DETAILS_MAX);
        assert_eq!(counts.details[&failed(0)], 2);
        assert_eq!(tally.take_before(2).len(), 1, "the next day is its own");
        for number in 0..=limits::TLSRPT_DOMAINS_MAX {
            tally.note(0, &published(&format!("{number}.test"), "1"), Ok(()));
        }
        assert_eq!(tally.take_before(1).len(), limits::TLSRPT_DOMAINS_MAX);
    }

    /// What domains write about themselves, as long as they like, is bounded in bytes.
    #[test]
    fn what_is_kept_is_bounded_in_bytes() {
        let tally = Tally::default();
        let long = "x".repeat(limits::STS_POLICY_BYTES_MAX);
        for number in 0..2000 {
            tally.note(0, &published(&format!("{number}.test"), &long), Ok(()));
        }
        let days = tally.take_before(1);
        let lines = days.iter().flat_map(|day| &day.policies).flat_map(|(published, _)| &published.lines);
        let kept: usize = lines.map(String::len).sum();
        assert!(kept > 0 && kept <= posthouse_engine::base::limits::KEPT_BYTES_MAX, "{kept}");
        // What is taken out makes room.
        tally.note(DAY, &published("a.test", &long), Ok(()));
        assert_eq!(tally.take_before(2).len(), 1);
        let lines = (0..limits::TLSRPT_TEXT_BYTES_MAX).map(|_| "mx".to_owned());
        let cut = Published::new("a.test".into(), Kind::Sts, lines.clone(), lines);
        assert_eq!(
            (cut.lines.len(), cut.mx.len()),
            (limits::TLSRPT_TEXT_BYTES_MAX / 2, limits::TLSRPT_TEXT_BYTES_MAX / 2)
        );
    }
}
