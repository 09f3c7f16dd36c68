//! What DNS blocklists and allowlists say of a host (RFC 5782): several zones are asked at once, each counts with its weight, and the sum is a fact for
//! the mail flow. A zone that gives no answer in time, or answers as none does that means it, counts nothing: mail is taken. Judges nothing.
use crate::limits;
use crate::outbound::resolve::{NoAnswer, Resolve};
use crate::runtime::{now, timeout};
use posthouse_engine::directory::Network;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// Its name, in small letters, without a dot at the end.
    pub name: String,
    /// What a host in it counts; less than 0 speaks for the host.
    pub weight: i32,
    /// Which of its answers count; none: all of 127.0.0.0/8 but the errors in 127.255.255.0/24.
    pub replies: Vec<Network>,
}

/// What an operator decides about it.
#[derive(Clone, Debug)]
pub struct ListSettings {
    /// All that are asked.
    pub zones: Vec<Zone>,
    /// Hosts that are asked about nowhere.
    pub allow: Vec<Network>,
    /// From which sum on mail is refused; `None`: never.
    pub reject_from: Option<i32>,
    /// From which sum on mail goes to Junk; `None`: never.
    pub junk_from: Option<i32>,
    /// How long all zones together may take.
    pub timeout: Duration,
    /// How long an answer is kept; one that is not whole is asked for again sooner.
    pub keep: Duration,
}

/// What the zones say of a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The sum of the weights.
    pub score: i32,
    /// Where it is listed.
    pub zones: Vec<String>,
    /// Zones that gave no answer.
    pub failed: Vec<String>,
}

impl Listing {
    /// For logs, as in `dnsbl=3 (zen.test)`; empty when nothing is to be said.
    pub(crate) fn shown(&self) -> String {
        let failed = self.failed.iter().map(|zone| format!("{zone}: no answer"));
        let all: Vec<String> = self.zones.iter().cloned().chain(failed).collect();
        if all.is_empty() { String::new() } else { format!("dnsbl={} ({})", self.score, all.join(", ")) }
    }
}

/// Asks, and remembers for a while.
pub struct Blocklists {
    settings: ListSettings,
    names: Arc<dyn Resolve>,
    known: Mutex<Known>,
}

/// Answers and until when they hold, the newer half and the older. A full newer half becomes the older one, whatever that held is forgotten: no answer
/// is ever looked for among the others, and for whom there was no room yesterday there is today.
#[derive(Default)]
struct Known {
    newer: HashMap<IpAddr, (Instant, Arc<Listing>)>,
    older: HashMap<IpAddr, (Instant, Arc<Listing>)>,
}

impl Known {
    fn get(&self, ip: IpAddr) -> Option<Arc<Listing>> {
        let (until, listing) = self.newer.get(&ip).or_else(|| self.older.get(&ip))?;
        (*until > now()).then(|| listing.clone())
    }

    fn insert(&mut self, ip: IpAddr, until: Instant, listing: Arc<Listing>) {
        if self.newer.len() >= limits::DNSBL_KEPT_MAX / 2 && !self.newer.contains_key(&ip) {
            self.older = std::mem::take(&mut self.newer);
        }
        self.newer.insert(ip, (until, listing));
    }
}

impl Blocklists {
    /// Asks nobody yet.
    pub fn new(settings: ListSettings, names: Arc<dyn Resolve>) -> Blocklists {
        Blocklists { settings, names, known: Mutex::default() }
    }

    pub(crate) fn settings(&self) -> &ListSettings {
        &self.settings
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Each entry is whole or not there.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is said of a host; `None`: nobody is asked about it.
    pub(crate) async fn ask(&self, ip: IpAddr) -> Option<Arc<Listing>> {
        let ip = ip.to_canonical();
        if self.settings.allow.iter().any(|network| network.contains(&ip)) {
            return None;
        }
        let found = self.known().get(ip);
        if found.is_some() {
            return found;
        }
        let listing = Arc::new(self.ask_zones(ip).await);
        let keep =
            if listing.failed.is_empty() { self.settings.keep } else { limits::DNSBL_RETRY.min(self.settings.keep) };
        self.known().insert(ip, now() + keep, listing.clone());
        Some(listing)
    }

    async fn ask_zones(&self, ip: IpAddr) -> Listing {
        let deadline = now() + self.settings.timeout;
        let reversed = reversed(ip);
        // All questions are on their way before the first answer is waited for.
        let zones = self.settings.zones.iter();
        let asked: Vec<_> = zones.map(|zone| (zone, self.names.ipv4(&format!("{reversed}{}", zone.name)))).collect();
        let mut listing = Listing::default();
        for (zone, answer) in asked {
            match timeout(deadline.saturating_duration_since(now()), answer).await {
                Some(Ok(replies)) => listing.add(zone, &replies),
                Some(Err(NoAnswer::NoName | NoAnswer::NoRecord)) => {}
                Some(Err(NoAnswer::Failed(why))) => {
                    tracing::debug!(%ip, zone = zone.name, why, "no answer of a DNS blocklist");
                    listing.failed.push(zone.name.clone());
                }
                None => listing.failed.push(zone.name.clone()),
            }
        }
        listing
    }
}

impl Listing {
    fn add(&mut self, zone: &Zone, replies: &[Ipv4Addr]) {
        if replies.iter().any(|reply| zone.counts(*reply)) {
            self.score = self.score.saturating_add(zone.weight);
            self.zones.push(zone.name.clone());
        } else if replies.iter().any(|reply| is_error(*reply)) {
            // A zone that is gone, or that refuses us, may answer so for every host.
            tracing::warn!(
                zone = zone.name,
                ?replies,
                "a DNS blocklist answers with an error; its answers count nothing"
            );
            self.failed.push(zone.name.clone());
        }
    }
}

/// What no list means as a listing (RFC 5782 section 2.1), and by which some say that they do not serve us.
fn is_error(reply: Ipv4Addr) -> bool {
    let [first, second, third, _] = reply.octets();
    first != 127 || (second, third) == (255, 255)
}

impl Zone {
    fn counts(&self, reply: Ipv4Addr) -> bool {
        !is_error(reply) && (self.replies.is_empty() || self.replies.iter().any(|one| one.contains(&IpAddr::V4(reply))))
    }
}

/// The part before the zone's name (RFC 5782 sections 2.1 and 2.4), with its dot.
fn reversed(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            format!("{d}.{c}.{b}.{a}.")
        }
        IpAddr::V6(ip) => {
            let nibbles = ip.octets().into_iter().rev().flat_map(|byte| [byte & 15, byte >> 4]);
            nibbles.map(|nibble| format!("{nibble:x}.")).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbound::resolve::{Addresses, Answer, FixedNames, MailHosts, Tlsa};
    use crate::runtime::{sim, sleep};
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Counts questions; a zone named `slow` answers never.
    struct Counting(FixedNames, Arc<AtomicUsize>);

    impl Resolve for Counting {
        fn mx(&self, domain: &str) -> Answer<MailHosts> {
            Resolve::mx(&self.0, domain)
        }

        fn addresses(&self, host: &str) -> Answer<Addresses> {
            self.1.fetch_add(1, Ordering::Relaxed);
            if host.ends_with("slow.test") { Box::pin(std::future::pending()) } else { self.0.addresses(host) }
        }

        fn tlsa(&self, name: &str) -> Answer<Vec<Tlsa>> {
            Resolve::tlsa(&self.0, name)
        }

        fn txt(&self, name: &str) -> Answer<Vec<String>> {
            Resolve::txt(&self.0, name)
        }
    }

    fn zone(name: &str, weight: i32, replies: &[&str]) -> Zone {
        let replies = replies.iter().map(|reply| reply.parse().expect("a network")).collect();
        Zone { name: name.into(), weight, replies }
    }

    fn lists(zones: Vec<Zone>) -> (Arc<Blocklists>, Arc<AtomicUsize>) {
        let names = FixedNames::default()
            .host("7.100.51.198.bad.test", &["127.0.0.2"])
            .host("7.100.51.198.many.test", &["127.0.0.9", "127.0.0.4"])
            .host("7.100.51.198.good.test", &["127.0.5.1"])
            .host("7.100.51.198.gone.test", &["203.0.113.80"])
            .host("7.100.51.198.closed.test", &["127.255.255.254"])
            .no_host("7.100.51.198.broken.test", NoAnswer::Failed("SERVFAIL".into()))
            .host("7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.bad.test", &["127.0.0.2"]);
        let count = Arc::new(AtomicUsize::new(0));
        let settings = ListSettings {
            zones,
            allow: vec!["192.0.2.0/24".parse().expect("a network")],
            reject_from: Some(5),
            junk_from: Some(2),
            timeout: Duration::from_secs(5),
            keep: Duration::from_secs(600),
        };
        (Arc::new(Blocklists::new(settings, Arc::new(Counting(names, count.clone())))), count)
    }

    #[test]
    fn weights_are_summed_and_errors_count_nothing() {
        sim::run_alone(|_| async move {
            let (lists, _) = lists(vec![
                zone("bad.test", 3, &[]),
                zone("many.test", 4, &["127.0.0.4/31"]),
                zone("many.test", 9, &["127.0.0.2/32"]),
                zone("good.test", -2, &[]),
                zone("gone.test", 8, &[]),
                zone("closed.test", 8, &[]),
                zone("broken.test", 8, &[]),
                zone("none.test", 8, &[]),
            ]);
            let found = lists.ask("198.51.100.7".parse().expect("an address")).await.expect("it is asked about");
            assert_eq!(
                (found.score, &found.zones[..]),
                (5, &["bad.test", "many.test", "good.test"].map(String::from)[..])
            );
            assert_eq!(found.failed, ["gone.test", "closed.test", "broken.test"]);
            assert!(
                found.shown().starts_with("dnsbl=5 (bad.test, many.test, good.test, gone.test: no answer"),
                "{}",
                found.shown()
            );
            let six = lists.ask("2001:db8::7".parse().expect("an address")).await.expect("it is asked about");
            assert_eq!((six.score, &six.zones[..]), (3, &["bad.test".to_owned()][..]));
            assert_eq!(lists.ask("192.0.2.1".parse().expect("an address")).await, None, "an own allowlist");
        });
    }

    #[test]
    fn answers_are_kept_and_what_did_not_come_is_asked_again() {
        sim::run_alone(|_| async move {
            let ip = "::ffff:198.51.100.7".parse().expect("an address");
            let (whole, count) = lists(vec![zone("bad.test", 3, &[])]);
            for _ in 0..3 {
                assert_eq!(whole.ask(ip).await.expect("asked").score, 3);
            }
            assert_eq!(count.load(Ordering::Relaxed), 1);
            sleep(Duration::from_secs(601)).await;
            whole.ask(ip).await;
            assert_eq!(count.load(Ordering::Relaxed), 2);
            let (slow, count) = lists(vec![zone("slow.test", 9, &[]), zone("bad.test", 3, &[])]);
            let begun = now();
            let found = slow.ask(ip).await.expect("asked");
            assert_eq!((found.score, &found.failed[..]), (3, &["slow.test".to_owned()][..]));
            assert_eq!(now() - begun, Duration::from_secs(5));
            sleep(limits::DNSBL_RETRY).await;
            slow.ask(ip).await;
            assert_eq!(count.load(Ordering::Relaxed), 4);
        });
    }

    /// However many hosts come, what is kept is bounded, and of the last ones as many as half of that are always kept.
    #[test]
    fn the_last_hosts_are_kept_however_many_came_before() {
        sim::run_alone(|_| async move {
            let (lists, _) = lists(Vec::new());
            let half = limits::DNSBL_KEPT_MAX as u32 / 2;
            let host = |number: u32| IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + number));
            let (until, listing) = (now() + Duration::from_secs(600), Arc::new(Listing::default()));
            for number in 0..half * 5 / 2 {
                lists.known().insert(host(number), until, listing.clone());
            }
            assert!((half * 3 / 2..half * 5 / 2).all(|number| lists.known().get(host(number)).is_some()));
            let known = lists.known();
            let kept = known.newer.len() + known.older.len();
            assert!(kept <= limits::DNSBL_KEPT_MAX, "{kept}");
        });
    }
}
