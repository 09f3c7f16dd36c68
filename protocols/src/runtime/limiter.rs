//! Answers whether one more connection may come in: a limit in all and one per client address. It never looks at what a connection does.

use super::sites::{Site, Sites};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// How many connections may be open at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// In all, over every listener.
    pub total: usize,
    /// From one address (IPv6: from one /64, which is what one site is given).
    pub per_ip: usize,
    /// New ones within a minute from one address, as above; 0: any number. Those of this machine itself are not counted.
    pub per_ip_minute: u32,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        ConnectionLimits { total: 20_000, per_ip: 1_000, per_ip_minute: 6_000 }
    }
}

/// The count of open connections, shared by the reactors.
pub(crate) struct Limiter {
    limits: ConnectionLimits,
    counts: Mutex<Counts>,
}

struct Counts {
    total: usize,
    by_site: Sites,
    /// Connections per reactor: where the next one goes.
    by_reactor: Vec<usize>,
    last_reactor: usize,
}

impl Limiter {
    pub(crate) fn new(limits: ConnectionLimits, reactors: usize) -> Arc<Limiter> {
        Arc::new(Limiter {
            limits,
            counts: Mutex::new(Counts {
                total: 0,
                by_site: Sites::new(limits.per_ip, limits.per_ip_minute),
                by_reactor: vec![0; reactors],
                last_reactor: 0,
            }),
        })
    }

    /// Lets a connection in, on the reactor that has the fewest; `None` = over a limit. One without a client's address counts in all only, until
    /// its client is known.
    pub(crate) fn admit(self: &Arc<Self>, client: Option<IpAddr>) -> Option<Permit> {
        let mut counts = self.lock();
        if counts.total >= self.limits.total {
            return None;
        }
        let site = client.map(Site::of);
        if let Some(site) = site {
            counts.by_site.enter(site, Instant::now()).then_some(())?;
        }
        counts.total += 1;
        let reactor = counts.least_loaded();
        counts.by_reactor[reactor] += 1;
        counts.last_reactor = reactor;
        drop(counts);
        Some(Permit { limiter: self.clone(), site, reactor })
    }

    pub(crate) fn total(&self) -> usize {
        self.lock().total
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        // The counts are whole between any two statements, so a panic elsewhere cannot have torn them.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    /// The reactor with the fewest connections; among equals the one after the last choice, so that a few connections spread.
    fn least_loaded(&self) -> usize {
        let n = self.by_reactor.len();
        (1..=n).map(|step| (self.last_reactor + step) % n).min_by_key(|reactor| self.by_reactor[*reactor]).unwrap_or(0)
    }
}

/// The right of one connection to be open; dropping it gives the place back.
pub(crate) struct Permit {
    limiter: Arc<Limiter>,
    site: Option<Site>,
    /// Which reactor serves the connection.
    pub(crate) reactor: usize,
}

impl Permit {
    /// From now on the connection counts as one from there; false: there are as many from there as may be, and it counts as before.
    pub(crate) fn is_of(&mut self, client: IpAddr) -> bool {
        let site = Site::of(client);
        if self.site == Some(site) {
            return true;
        }
        let mut counts = self.limiter.lock();
        let may = counts.by_site.enter(site, Instant::now());
        if let Some(before) = self.site.filter(|_| may) {
            counts.by_site.leave(before);
        }
        drop(counts);
        if may {
            self.site = Some(site);
        }
        may
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self.limiter.lock();
        counts.total -= 1;
        counts.by_reactor[self.reactor] -= 1;
        if let Some(site) = self.site {
            counts.by_site.leave(site);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_by_way_of_a_proxy_count_where_they_come_from() {
        let limiter = Limiter::new(ConnectionLimits { total: 5, per_ip: 2, per_ip_minute: 0 }, 1);
        let ip = |last| IpAddr::from([192, 0, 2, last]);
        let mut by_proxy: Vec<Permit> = (0..4).map(|_| limiter.admit(None).expect("no client yet")).collect();
        assert!(by_proxy[0].is_of(ip(1)) && by_proxy[1].is_of(ip(1)) && by_proxy[1].is_of(ip(1)));
        assert!(!by_proxy[2].is_of(ip(1)), "a third from there");
        assert!(limiter.admit(Some(ip(1))).is_none(), "directly neither");
        assert!(by_proxy[1].is_of(ip(2)) && by_proxy[2].is_of(ip(1)), "one has become another client's");
        drop(by_proxy);
        assert_eq!((limiter.total(), limiter.lock().by_site.len()), (0, 0));
    }
}
