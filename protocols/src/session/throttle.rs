//! How long a login must wait after failures, by client address and by account, and when an address hears no at once.
//! Counts in bounded memory; never sleeps and never checks a password.
use crate::limits;
use crate::runtime::Site;
use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Counts of failed logins. Shared by all protocols, so that trying IMAP after SMTP gains nothing.
#[derive(Debug, Default)]
pub struct Throttle {
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    addresses: Table<Site>,
    names: Table<Box<str>>,
    /// Failures from an address for a name: slips of one who then gets it right.
    pairs: HashMap<(Site, Box<str>), Failures>,
}

/// A guess under way. It counts from its beginning, so that guesses on parallel connections do not all see what was before the first of
/// them; dropped without [`Guess::ended`] it is a failure.
#[derive(Debug)]
pub struct Guess<'a> {
    throttle: &'a Throttle,
    site: Site,
    name: Box<str>,
    wait: Duration,
    begun: Instant,
    ended: bool,
}

/// No guess is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The first one from there since its failures began to count: only that one is worth a line in a log of bounded size.
    pub first: bool,
}

impl Throttle {
    /// A guess from `address` for the account `name` at `now`.
    ///
    /// # Errors
    /// Too many failures from this address: refuse without a check.
    pub fn begin(&self, address: IpAddr, name: &str, now: Instant) -> Result<Guess<'_>, Refusal> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let (site, name) = (Site::of(address), Box::<str>::from(key(name)));
        let from_address = counts.addresses.count(&site, now);
        // A proxy or webmail on this machine speaks for many: it waits, but is not shut out.
        if from_address >= limits::LOGIN_FAILURES_MAX && !address.to_canonical().is_loopback() {
            let first =
                counts.addresses.failures.get_mut(&site).is_some_and(|it| !std::mem::replace(&mut it.told, true));
            return Err(Refusal { first });
        }
        let for_name = counts.names.count(&name, now);
        counts.addresses.begin(site);
        counts.names.begin(name.clone());
        let wait = delay(from_address.max(for_name));
        Ok(Guess { throttle: self, site, name, wait, begun: now, ended: false })
    }
}

impl Guess<'_> {
    /// How long to wait before the password is checked.
    pub fn wait(&self) -> Duration {
        self.wait
    }

    /// It was none: nothing could be checked.
    pub fn unanswered(mut self) {
        self.ended = true;
        let mut counts = self.throttle.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.addresses.end(&self.site);
        counts.names.end(&self.name);
    }

    /// Notes how it ended.
    pub fn ended(mut self, now: Instant, success: bool) {
        self.note(now, success);
    }

    fn note(&mut self, now: Instant, success: bool) {
        self.ended = true;
        let mut counts = self.throttle.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.addresses.end(&self.site);
        counts.names.end(&self.name);
        let pair = (self.site, self.name.clone());
        if success {
            counts.names.failures.remove(&self.name);
            // The slips before it were its owner's, and no guesses; those for other names still count, so that an account of one's own
            // does not buy guesses at others.
            if let Some(own) = counts.pairs.remove(&pair) {
                // No more than a person makes: else a guesser behind its victim's own address gets all back with each of its logins.
                let slips = own.left(now).min(limits::LOGIN_FAILURES_FREE);
                if let Some(from_there) = counts.addresses.failures.get_mut(&self.site) {
                    from_there.take(slips, now);
                }
            }
            return;
        }
        note(&mut counts.pairs, pair, now);
        note(&mut counts.addresses.failures, self.site, now);
        note(&mut counts.names.failures, self.name.clone(), now);
    }
}

impl Drop for Guess<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.note(self.begun, false);
        }
    }
}

#[derive(Debug)]
struct Table<K> {
    failures: HashMap<K, Failures>,
    /// Guesses whose outcome is not known yet; as many as there are connections at most.
    in_flight: HashMap<K, u32>,
}

impl<K> Default for Table<K> {
    fn default() -> Table<K> {
        Table { failures: HashMap::new(), in_flight: HashMap::new() }
    }
}

impl<K: Eq + Hash> Table<K> {
    /// Failures, and guesses under way beyond those that honest clients make at a time: members behind one address all come at once after
    /// a restart.
    fn count(&self, key: &K, now: Instant) -> u32 {
        let failures = self.failures.get(key).map_or(0, |failures| failures.left(now));
        let free = if failures == 0 { limits::LOGIN_PARALLEL_MAX } else { limits::LOGIN_PARALLEL_AFTER_FAILURE_MAX };
        failures.saturating_add(self.in_flight.get(key).map_or(0, |under_way| under_way.saturating_sub(free)))
    }

    fn begin(&mut self, key: K) {
        *self.in_flight.entry(key).or_default() += 1;
    }

    fn end(&mut self, key: &K) {
        if let Some(under_way) = self.in_flight.get_mut(key) {
            *under_way = under_way.saturating_sub(1);
            if *under_way == 0 {
                self.in_flight.remove(key);
            }
        }
    }
}

/// After so long one failure less counts: all that shut an address out are gone after `LOGIN_FAILURES_KEPT`.
const RUN_OFF: Duration =
    Duration::from_millis(limits::LOGIN_FAILURES_KEPT.as_millis() as u64 / limits::LOGIN_FAILURES_MAX as u64);

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    /// From when on they run off.
    last: Instant,
    /// A refusal was told.
    told: bool,
}

impl Failures {
    /// What still counts: failures run off one by one, whether new ones come or not. Many people behind one address make a slip now and
    /// then, and are never shut out by that; a guesser gets no more of them than before.
    fn left(&self, now: Instant) -> u32 {
        let gone = now.saturating_duration_since(self.last).as_millis() / RUN_OFF.as_millis();
        self.count.saturating_sub(u32::try_from(gone).unwrap_or(u32::MAX))
    }

    fn is_over(&self, now: Instant) -> bool {
        self.left(now) == 0
    }

    /// Forgets what has run off; what is left of the running time counts on.
    fn settle(&mut self, now: Instant) {
        let left = self.left(now);
        if left == 0 {
            (self.count, self.last, self.told) = (0, now, false);
            return;
        }
        self.last += RUN_OFF * (self.count - left);
        self.count = left;
    }

    fn take(&mut self, slips: u32, now: Instant) {
        self.settle(now);
        self.count = self.count.saturating_sub(slips);
        self.told &= self.count > 0;
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
    let entry = failures.entry(key).or_insert(Failures { count: 0, last: now, told: false });
    entry.settle(now);
    entry.count = entry.count.saturating_add(1).min(2 * limits::LOGIN_FAILURES_MAX);
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

    /// How long a guess must wait; it fails then.
    fn fail(throttle: &Throttle, address: IpAddr, name: &str, now: Instant) -> Option<Duration> {
        let guess = throttle.begin(address, name, now).ok()?;
        let wait = guess.wait();
        guess.ended(now, false);
        Some(wait)
    }

    /// How long a guess would have to wait.
    fn told(throttle: &Throttle, address: IpAddr, name: &str, now: Instant) -> Option<Duration> {
        let guess = throttle.begin(address, name, now).ok()?;
        let wait = guess.wait();
        guess.unanswered();
        Some(wait)
    }

    #[test]
    fn failures_slow_down_the_account_everywhere_and_shut_out_the_address() {
        let throttle = Throttle::default();
        let now = Instant::now();
        assert_eq!(told(&throttle, IP, "a", now), Some(Duration::ZERO));
        for _ in 0..limits::LOGIN_FAILURES_MAX {
            assert!(fail(&throttle, IP, "a", now).is_some());
        }
        let refused = [0, 1, 2].map(|_| throttle.begin(IP, "b", now).expect_err("it is shut out").first);
        assert_eq!(refused, [true, false, false], "one line for the log");
        assert_eq!(told(&throttle, OTHER, "A", now), Some(limits::LOGIN_DELAY_MAX));
        assert_eq!(told(&throttle, OTHER, "b", now), Some(Duration::ZERO));
        throttle.begin(OTHER, "a", now).expect("it may").ended(now, true);
        assert_eq!(told(&throttle, OTHER, "a", now), Some(Duration::ZERO));
        let later = now + limits::LOGIN_FAILURES_KEPT;
        assert_eq!(told(&throttle, IP, "a", later), Some(Duration::ZERO));
    }

    #[test]
    fn parallel_guesses_count_before_their_outcome_is_known() {
        let throttle = Throttle::default();
        let now = Instant::now();
        // Members who come all at once, all with the right password.
        let honest: Vec<_> = (0..200).map(|n| throttle.begin(IP, &n.to_string(), now).expect("it may")).collect();
        assert!(honest.iter().all(|guess| guess.wait().is_zero()));
        honest.into_iter().for_each(|guess| guess.ended(now, true));
        // One failure, and the next thousand on parallel connections are not all let through.
        assert_eq!(fail(&throttle, IP, "a", now), Some(Duration::ZERO));
        let guesses: Vec<_> = (0..1_000).map_while(|_| throttle.begin(IP, "a", now).ok()).collect();
        assert!(guesses.len() < 100, "{}", guesses.len());
        let at_once = guesses.iter().filter(|guess| guess.wait().is_zero()).count();
        assert!(at_once <= 40, "{at_once}");
        // Connections that break off have guessed all the same.
        drop(guesses);
        assert_eq!(told(&throttle, IP, "a", now), None);
        assert_eq!(told(&throttle, OTHER, "a", now), Some(limits::LOGIN_DELAY_MAX));
        let counts = throttle.counts.lock().unwrap();
        assert!(counts.addresses.in_flight.is_empty() && counts.names.in_flight.is_empty());
    }

    /// An office behind one address: a few people slip now and then all day, and nobody is ever shut out.
    #[test]
    fn failures_run_off_while_new_ones_come() {
        let throttle = Throttle::default();
        let begun = Instant::now();
        for minute in 0..24 * 60u64 {
            let now = begun + Duration::from_secs(60 * minute);
            assert!(fail(&throttle, IP, &format!("member{minute}"), now).is_some(), "minute {minute}");
        }
        // A guesser gets no more than before: one guess for each failure that runs off.
        let later = begun + Duration::from_secs(48 * 3600);
        let mut guessed = 0;
        for second in 0..3600u64 {
            guessed += u32::from(fail(&throttle, OTHER, "a", later + Duration::from_secs(second)).is_some());
        }
        let bound = limits::LOGIN_FAILURES_MAX + (3600 / RUN_OFF.as_secs()) as u32;
        assert!((limits::LOGIN_FAILURES_MAX..=bound + 1).contains(&guessed), "{guessed} of {bound}");
    }

    /// Who gets it right in the end has made slips, not guesses; an account of one's own buys no guesses at others.
    #[test]
    fn a_success_takes_back_its_own_slips_and_no_others() {
        let throttle = Throttle::default();
        let now = Instant::now();
        for _ in 0..10 {
            for _ in 0..3 {
                fail(&throttle, IP, "clumsy", now).expect("not shut out");
            }
            throttle.begin(IP, "clumsy", now).expect("not shut out").ended(now, true);
        }
        assert_eq!(told(&throttle, IP, "other", now), Some(Duration::ZERO));
        for _ in 0..limits::LOGIN_FAILURES_MAX - 1 {
            fail(&throttle, IP, "victim", now).expect("not shut out yet");
            throttle.begin(IP, "own", now).expect("not shut out yet").ended(now, true);
        }
        fail(&throttle, IP, "victim", now).expect("the last one");
        assert_eq!(told(&throttle, IP, "own", now), None);
    }

    #[test]
    fn what_could_not_be_checked_counts_neither_way() {
        let throttle = Throttle::default();
        let now = Instant::now();
        for _ in 0..=limits::LOGIN_FAILURES_FREE {
            fail(&throttle, IP, "a", now).expect("not shut out");
        }
        for _ in 0..2 * limits::LOGIN_FAILURES_MAX {
            throttle.begin(IP, "a", now).expect("not shut out").unanswered();
        }
        assert_eq!(told(&throttle, IP, "a", now), Some(2 * limits::LOGIN_DELAY_MIN), "as after the failures");
        let counts = throttle.counts.lock().unwrap();
        assert!(counts.addresses.in_flight.is_empty() && counts.names.in_flight.is_empty());
    }

    #[test]
    fn memory_is_bounded() {
        let throttle = Throttle::default();
        let now = Instant::now();
        for n in 0..limits::LOGIN_FAILURE_ENTRIES_MAX as u32 + 10 {
            fail(&throttle, IpAddr::V4(n.into()), &n.to_string(), now);
        }
        let counts = throttle.counts.lock().unwrap();
        assert!(counts.addresses.failures.len() <= limits::LOGIN_FAILURE_ENTRIES_MAX);
        assert!(counts.names.failures.len() <= limits::LOGIN_FAILURE_ENTRIES_MAX);
    }
}
