//! Answers whether one more connection may come in: a limit in all and one per client address. It never looks at what a connection does.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many connections may be open at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// In all, over every listener.
    pub total: usize,
    /// From one address (IPv6: from one /64, which is what one site is given).
    pub per_ip: usize,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        ConnectionLimits { total: 20_000, per_ip: 1_000 }
    }
}

/// The count of open connections, shared by the reactors.
pub(crate) struct Limiter {
    limits: ConnectionLimits,
    counts: Mutex<Counts>,
}

struct Counts {
    total: usize,
    by_ip: HashMap<IpAddr, usize>,
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
                by_ip: HashMap::new(),
                by_reactor: vec![0; reactors],
                last_reactor: 0,
            }),
        })
    }

    /// Lets a connection in, on the reactor that has the fewest; `None` = over a limit.
    pub(crate) fn admit(self: &Arc<Self>, ip: IpAddr) -> Option<Permit> {
        let site = site_of(ip);
        let mut counts = self.lock();
        let from_site = counts.by_ip.get(&site).copied().unwrap_or(0);
        if counts.total >= self.limits.total || from_site >= self.limits.per_ip {
            return None;
        }
        counts.total += 1;
        counts.by_ip.insert(site, from_site + 1);
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
    site: IpAddr,
    /// Which reactor serves the connection.
    pub(crate) reactor: usize,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self.limiter.lock();
        counts.total -= 1;
        counts.by_reactor[self.reactor] -= 1;
        if let Some(count) = counts.by_ip.get_mut(&self.site) {
            *count -= 1;
            if *count == 0 {
                counts.by_ip.remove(&self.site);
            }
        }
    }
}

/// What counts as one client: an IPv4 address, or an IPv6 /64.
pub(crate) fn site_of(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(v6) => {
            let prefix = u128::from(v6) & !u128::from(u64::MAX);
            IpAddr::V6(prefix.into())
        }
        v4 => v4,
    }
}
