//! How long a login must wait after failures, by client address and by account, and when an address hears no at once.
//! Counts in bounded memory; never sleeps and never checks a password.
use crate::limits;
use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What a login attempt gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Check the password after this time.
    After(Duration),
    /// Too many failures from this address: refuse without a check.
    Refuse,
}

/// Counts of failed logins. Shared by all protocols, so that trying IMAP after SMTP gains nothing.
#[derive(Debug, Default)]
pub struct Throttle {
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    addresses: HashMap<IpAddr, Failures>,
    names: HashMap<Box<str>, Failures>,
}

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    last: Instant,
}

impl Failures {
    fn is_over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.last) >= limits::LOGIN_FAILURES_KEPT
    }
}

impl Throttle {
    /// What an attempt from `address` for the account `name` gets at `now`.
    pub fn before(&self, address: IpAddr, name: &str, now: Instant) -> Verdict {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let address = site(address);
        let count = |failures: Option<&Failures>| failures.filter(|f| !f.is_over(now)).map_or(0, |f| f.count);
        let from_address = count(counts.addresses.get(&address));
        // A proxy or webmail on this machine speaks for many: it waits, but is not shut out.
        if from_address >= limits::LOGIN_FAILURES_MAX && !address.is_loopback() {
            return Verdict::Refuse;
        }
        let for_name = count(counts.names.get(key(name).as_str()));
        Verdict::After(delay(from_address.max(for_name)))
    }

    /// Notes how the attempt ended.
    pub fn after(&self, address: IpAddr, name: &str, now: Instant, success: bool) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if success {
            counts.names.remove(key(name).as_str());
            return;
        }
        note(&mut counts.addresses, site(address), now);
        note(&mut counts.names, key(name).into(), now);
    }
}

/// Nothing for the first slips, then doubling up to a bound.
fn delay(failures: u32) -> Duration {
    let Some(over) = failures.checked_sub(limits::LOGIN_FAILURES_FREE) else {
        return Duration::ZERO;
    };
    let doubled = limits::LOGIN_DELAY_MIN.saturating_mul(1 << over.min(16));
    doubled.min(limits::LOGIN_DELAY_MAX)
}

fn note<K: Eq + Hash>(failures: &mut HashMap<K, Failures>, key: K, now: Instant) {
    if failures.len() >= limits::LOGIN_FAILURE_ENTRIES_MAX && !failures.contains_key(&key) {
        failures.retain(|_, failures| !failures.is_over(now));
        if failures.len() >= limits::LOGIN_FAILURE_ENTRIES_MAX {
            // So many at once is an attack by many addresses: counting each of them would not hold it off.
            failures.clear();
        }
    }
    let entry = failures.entry(key).or_insert(Failures { count: 0, last: now });
    if entry.is_over(now) {
        entry.count = 0;
    }
    entry.count = entry.count.saturating_add(1);
    entry.last = now;
}

/// One client: an IPv4 address or an IPv6 /64, which is what one site is given.
fn site(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) if !v6.is_loopback() => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
        other => other,
    }
}

/// Bounded, and without case, as names are.
fn key(name: &str) -> String {
    name.chars().take(limits::LOGIN_NAME_CHARS_KEPT).collect::<String>().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    const IP: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    #[test]
    fn failures_slow_down_the_account_everywhere_and_shut_out_the_address() {
        let throttle = Throttle::default();
        let now = Instant::now();
        assert_eq!(throttle.before(IP, "a", now), Verdict::After(Duration::ZERO));
        for _ in 0..limits::LOGIN_FAILURES_MAX {
            assert_ne!(throttle.before(IP, "a", now), Verdict::Refuse);
            throttle.after(IP, "a", now, false);
        }
        assert_eq!(throttle.before(IP, "b", now), Verdict::Refuse);
        assert_eq!(throttle.before(OTHER, "A", now), Verdict::After(limits::LOGIN_DELAY_MAX));
        assert_eq!(throttle.before(OTHER, "b", now), Verdict::After(Duration::ZERO));
        throttle.after(OTHER, "a", now, true);
        assert_eq!(throttle.before(OTHER, "a", now), Verdict::After(Duration::ZERO));
        let later = now + limits::LOGIN_FAILURES_KEPT;
        assert_eq!(throttle.before(IP, "a", later), Verdict::After(Duration::ZERO));
    }

    #[test]
    fn memory_is_bounded() {
        let throttle = Throttle::default();
        let now = Instant::now();
        for n in 0..limits::LOGIN_FAILURE_ENTRIES_MAX as u32 + 10 {
            throttle.after(IpAddr::V4(n.into()), &n.to_string(), now, false);
        }
        let counts = throttle.counts.lock().unwrap();
        assert!(counts.addresses.len() <= limits::LOGIN_FAILURE_ENTRIES_MAX);
        assert!(counts.names.len() <= limits::LOGIN_FAILURE_ENTRIES_MAX);
    }
}
