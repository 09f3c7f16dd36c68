//! Counts sessions by day, domain and policy. Bounded: what comes when it is full is not counted.
use crate::limits;
use crate::wire::DAY;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
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

/// Why a session was not as it should be (section 4.3).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::outbound) struct Failed {
    /// `result-type`.
    pub(in crate::outbound) result: &'static str,
    /// Our address, and the host's, when there was a connection.
    pub(in crate::outbound) ips: Option<(IpAddr, IpAddr)>,
    pub(in crate::outbound) host: String,
}

/// What came of the sessions under one policy.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) successes: u64,
    pub(super) failures: u64,
    pub(super) details: HashMap<Failed, u64>,
}

/// One domain's day, counted from 1970-01-01 UTC.
#[derive(Debug)]
pub(super) struct Day {
    pub(super) day: i64,
    pub(super) domain: Arc<str>,
    pub(super) policies: Vec<(Arc<Published>, Counts)>,
}

/// See above.
#[derive(Default)]
pub(in crate::outbound) struct Tally(pub(super) Mutex<BTreeMap<(i64, Arc<str>), Policies>>);

pub(super) type Policies = Vec<(Arc<Published>, Counts)>;

impl Tally {
    /// A session at `now`, seconds since 1970 UTC.
    pub(in crate::outbound) fn note(&self, now: i64, published: &Arc<Published>, came: Result<(), Failed>) {
        let mut days = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (now.div_euclid(DAY), published.domain.clone());
        if days.len() >= limits::TLSRPT_DOMAINS_MAX && !days.contains_key(&key) {
            return;
        }
        let policies = days.entry(key).or_default();
        let at = match policies.iter().position(|(known, _)| known == published) {
            Some(at) => at,
            None if policies.len() >= limits::TLSRPT_POLICIES_MAX => return,
            None => {
                policies.push((published.clone(), Counts::default()));
                policies.len() - 1
            }
        };
        policies[at].1.count(came);
    }

    /// Whether something is counted of days before that one.
    pub(super) fn has_before(&self, day: i64) -> bool {
        let days = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        days.keys().next().is_some_and(|(first, _)| *first < day)
    }

    /// Takes out what is of days before that one.
    pub(super) fn take_before(&self, day: i64) -> Vec<Day> {
        let mut days = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let rest = days.split_off(&(day, Arc::from("")));
        let over = std::mem::replace(&mut *days, rest);
        over.into_iter().map(|((day, domain), policies)| Day { day, domain, policies }).collect()
    }
}

impl Counts {
    fn count(&mut self, came: Result<(), Failed>) {
        let Err(failed) = came else {
            self.successes += 1;
            return;
        };
        self.failures += 1;
        if self.details.len() < limits::TLSRPT_DETAILS_MAX || self.details.contains_key(&failed) {
            *self.details.entry(failed).or_default() += 1;
        }
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
}
