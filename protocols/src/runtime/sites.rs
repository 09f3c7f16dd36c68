//! Who has how many connections, and how many were new of late: a count for each client site. It never closes one.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Sites without an open connection that are remembered at most: a flood from more sites than that is none that a limit for each could hold.
const CLOSED_MAX: usize = 1 << 16;
/// With fewer sites than this nobody looks for those that may be forgotten; with more, once in `SWEEP`.
const SWEEP_MIN: usize = 1 << 10;
const SWEEP: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// `64:ff9b::/96`, behind which a translator has all of IPv4 (RFC 6052 section 2.1).
const TRANSLATED: u128 = 0x0064_ff9b << 96;

/// What counts as one client: an IPv4 address, or an IPv6 /64, which is what one site is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Site(IpAddr);

impl Site {
    pub(crate) fn of(ip: IpAddr) -> Site {
        Site(match ip.to_canonical() {
            // This machine itself stays known for what it is.
            IpAddr::V6(v6) if !v6.is_loopback() => match translated(u128::from(v6)) {
                Some(v4) => IpAddr::V4(v4),
                None => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
            },
            other => other,
        })
    }

    /// Tells this site from others where they wait for their turns; another number in each process, so that nobody can choose an address that
    /// shares somebody's line.
    pub(crate) fn number(self) -> u64 {
        static KEYS: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        KEYS.hash_one(self)
    }
}

/// The IPv4 address that a translator has made an IPv6 address of. This machine is none of them, whatever the address says.
fn translated(ip: u128) -> Option<Ipv4Addr> {
    let low = u32::try_from(ip ^ TRANSLATED).ok()?;
    Some(Ipv4Addr::from(low)).filter(|v4| !v4.is_loopback())
}

/// The connections of each site.
pub(super) struct Sites {
    open_max: usize,
    /// Between two connections, when they come evenly; `None`: they may come as they like.
    pace: Option<Duration>,
    known: HashMap<Site, Known>,
    /// How many of them have no connection open.
    closed: usize,
    /// When those were looked for last that may be forgotten.
    swept: Option<Instant>,
}

struct Known {
    open: usize,
    /// When all that came would have come if each had waited for its turn (the generic cell rate algorithm): at most a minute ahead.
    paid: Instant,
}

impl Sites {
    /// At most `open_max` connections open at a time for a site, and `minute_max` new ones within a minute (0: any number).
    pub(super) fn new(open_max: usize, minute_max: u32) -> Sites {
        let pace = (minute_max > 0).then(|| MINUTE / minute_max);
        Sites { open_max, pace, known: HashMap::new(), closed: 0, swept: None }
    }

    /// Counts one more; false: it is one too many, and was not counted.
    pub(super) fn enter(&mut self, site: Site, now: Instant) -> bool {
        let is_due = |swept| now.duration_since(swept) >= SWEEP;
        if self.known.len() >= SWEEP_MIN && self.swept.is_none_or(is_due) {
            self.sweep(now);
        }
        let next = self.next(site, now);
        let may = next.open <= self.open_max && next.paid <= now + MINUTE;
        if may {
            let before = self.known.insert(site, next);
            self.closed -= usize::from(before.is_some_and(|before| before.open == 0));
        }
        may
    }

    /// The site's count with one more.
    fn next(&self, site: Site, now: Instant) -> Known {
        let pace = self.pace.filter(|_| !site.0.is_loopback()).unwrap_or_default();
        let (open, paid) = self.known.get(&site).map_or((0, now), |known| (known.open, known.paid.max(now)));
        Known { open: open + 1, paid: paid + pace }
    }

    /// One less is open.
    pub(super) fn leave(&mut self, site: Site) {
        let Some(known) = self.known.get_mut(&site) else {
            return;
        };
        known.open -= 1;
        if known.open == 0 && (self.pace.is_none() || self.closed >= CLOSED_MAX) {
            self.known.remove(&site);
        } else if known.open == 0 {
            self.closed += 1;
        }
    }

    fn sweep(&mut self, now: Instant) {
        self.known.retain(|_, known| known.open > 0 || known.paid > now);
        self.closed = self.known.values().filter(|known| known.open == 0).count();
        self.swept = Some(now);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }
}

/// How often something may happen that a client site brings about, counted as its new connections are: so many within a minute. This machine itself
/// may always.
pub struct Pace(Mutex<Sites>);

impl Pace {
    /// `minute_max` times within a minute; 0: any number.
    pub fn new(minute_max: u32) -> Pace {
        Pace(Mutex::new(Sites::new(usize::MAX, minute_max)))
    }

    /// It has happened as often as it may, for now.
    pub(crate) fn is_over(&self, ip: IpAddr, now: Instant) -> bool {
        self.sites().next(Site::of(ip), now).paid > now + MINUTE
    }

    /// It has happened.
    pub(crate) fn count(&self, ip: IpAddr, now: Instant) {
        let (mut sites, site) = (self.sites(), Site::of(ip));
        if sites.enter(site, now) {
            sites.leave(site);
        }
    }

    fn sites(&self) -> MutexGuard<'_, Sites> {
        // The counts are whole between any two statements.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(last: u8) -> Site {
        Site::of(IpAddr::from([192, 0, 2, last]))
    }

    #[test]
    fn a_site_has_a_minutes_worth_at_once_and_then_its_pace() {
        let mut sites = Sites::new(1_000, 60);
        let start = Instant::now();
        let at_once = (0..100).filter(|_| sites.enter(site(1), start)).count();
        assert_eq!(at_once, 60);
        assert!(sites.enter(site(2), start), "others are not held up");
        let later = start + Duration::from_millis(10_500);
        assert_eq!((0..100).filter(|_| sites.enter(site(1), later)).count(), 10, "one a second");
        // Open connections are not new ones.
        (0..70).for_each(|_| sites.leave(site(1)));
        assert!(!sites.enter(site(1), later) && sites.enter(site(1), start + MINUTE));
    }

    #[test]
    fn this_machine_itself_is_not_counted() {
        let mut sites = Sites::new(1_000, 1);
        let now = Instant::now();
        for local in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            let local = Site::of(local.parse().expect("an address"));
            assert!((0..50).all(|_| sites.enter(local, now)), "{local:?}");
        }
        let neighbours = ["2001:db8::1", "2001:db8::2"].map(|ip| Site::of(ip.parse().expect("an address")));
        assert!(sites.enter(neighbours[0], now) && !sites.enter(neighbours[1], now), "one /64");
    }

    #[test]
    fn what_is_no_connection_has_a_pace_too() {
        let (pace, start) = (Pace::new(60), Instant::now());
        let ip = |text: &str| text.parse().expect("an address");
        let host = ip("192.0.2.1");
        (0..60).for_each(|_| {
            assert!(!pace.is_over(host, start));
            pace.count(host, start);
        });
        assert!(pace.is_over(host, start) && !pace.is_over(ip("192.0.2.2"), start));
        assert!(!pace.is_over(host, start + Duration::from_secs(1)), "one a second");
        for always in [(Pace::new(1), ip("127.0.0.1")), (Pace::new(0), host)] {
            (0..9).for_each(|_| always.0.count(always.1, start));
            assert!(!always.0.is_over(always.1, start));
        }
    }

    #[test]
    fn who_left_long_ago_is_forgotten() {
        let mut sites = Sites::new(1_000, 60);
        let start = Instant::now();
        let of = |n: u32| Site::of(IpAddr::from(n.to_be_bytes()));
        for n in 0..100_000_u32 {
            assert!(sites.enter(of(n + 1), start));
            sites.leave(of(n + 1));
        }
        assert!(sites.len() <= CLOSED_MAX + 1, "{}", sites.len());
        assert!(sites.enter(of(7), start + MINUTE));
        assert_eq!(sites.len(), 1);
    }

    #[test]
    fn clients_behind_a_translator_are_told_apart() {
        let site = |ip: &str| Site::of(ip.parse().expect("an address"));
        assert_ne!(site("64:ff9b::192.0.2.1"), site("64:ff9b::192.0.2.2"));
        assert_eq!(site("64:ff9b::192.0.2.1"), site("192.0.2.1"));
        assert_ne!(site("64:ff9b::127.0.0.1"), site("127.0.0.1"), "this machine does not come through a translator");
        assert_eq!(site("64:ff9b:1::192.0.2.1"), site("64:ff9b:1::192.0.2.2"), "another prefix");
    }
}
