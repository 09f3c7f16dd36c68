//! Which policy counts for a domain now: the one that is kept, unless its record tells of another or it grows old (RFC 8461 sections 3.3 and 5.1).
use super::super::results::{BAD_POLICY, NO_POLICY};
use super::fetch::Fetch;
use super::policy::{self, Policy};
use crate::limits;
use crate::outbound::resolve::Resolve;
use crate::runtime::timeout;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Policies of domains, in memory.
pub(in crate::outbound) struct Policies {
    hosts: Box<dyn Fetch>,
    /// Each behind a lock of its own: who comes while a policy is fetched waits for it.
    domains: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Kept>>>>,
}

/// What is known of a domain's policy.
#[derive(Default)]
pub(in crate::outbound) struct Known {
    pub(in crate::outbound) policy: Option<Arc<Policy>>,
    /// Why it could not be had the last time, as reports about TLS name that.
    pub(in crate::outbound) failed: Option<&'static str>,
}

#[derive(Default)]
struct Kept {
    /// What the record said when the policy was fetched.
    id: String,
    policy: Option<Arc<Policy>>,
    /// Seconds since 1970 UTC: it counts until then, ...
    until: i64,
    /// ... and is fetched again from then on, ...
    fresh_until: i64,
    /// ... but not before.
    not_before: i64,
    failed: Option<&'static str>,
}

impl Kept {
    fn valid(&self, now: i64) -> Option<Arc<Policy>> {
        self.policy.clone().filter(|_| now < self.until)
    }

    fn is_fresh(&self, id: &str, now: i64) -> bool {
        self.id == id && now < self.fresh_until && self.valid(now).is_some()
    }
}

impl Policies {
    pub(in crate::outbound) fn new(hosts: impl Fetch) -> Policies {
        Policies { hosts: Box::new(hosts), domains: Mutex::default() }
    }

    /// The policy that counts for a domain in A-labels at `now`, seconds since 1970 UTC. Waits for its record and for the policy itself, each as long as
    /// they may take.
    pub(in crate::outbound) async fn of(&self, names: &dyn Resolve, domain: &str, now: i64) -> Known {
        let record = timeout(limits::OUTBOUND_RESOLVE_MAX, names.txt(&format!("_mta-sts.{domain}"))).await;
        let records = record.and_then(Result::ok).unwrap_or_default();
        let Some(id) = policy::id(&records) else {
            // Somebody may be hiding the record: what was promised still counts.
            let Some(kept) = self.lock().get(domain).cloned() else { return Known::default() };
            let policy = kept.lock().await.valid(now);
            return Known { policy, failed: None };
        };
        let kept = self.kept(domain, now);
        let mut kept = kept.lock().await;
        if !kept.is_fresh(&id, now) && now >= kept.not_before {
            match self.fetch(domain).await {
                Ok(policy) => {
                    let age = i64::from(policy.max_age);
                    let policy = Some(Arc::new(policy));
                    *kept = Kept { id, policy, until: now + age, fresh_until: now + age / 2, ..Kept::default() };
                }
                Err((failed, why)) => {
                    tracing::warn!(domain, why, "the MTA-STS policy cannot be had");
                    kept.failed = Some(failed);
                    kept.not_before = now + limits::STS_PAUSE_SECONDS;
                }
            }
        }
        Known { policy: kept.valid(now), failed: kept.failed }
    }

    async fn fetch(&self, domain: &str) -> Result<Policy, (&'static str, String)> {
        let bytes = self.hosts.fetch(domain).await.map_err(|why| (NO_POLICY, why))?;
        let policy = Policy::parse(&bytes).map_err(|why| (BAD_POLICY, why))?;
        tracing::info!(domain, mode = ?policy.mode, max_age = policy.max_age, "MTA-STS policy");
        Ok(policy)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<tokio::sync::Mutex<Kept>>>> {
        self.domains.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A domain's place; others make room when there are too many.
    fn kept(&self, domain: &str, now: i64) -> Arc<tokio::sync::Mutex<Kept>> {
        let mut domains = self.lock();
        if let Some(kept) = domains.get(domain) {
            return kept.clone();
        }
        if domains.len() >= limits::STS_DOMAINS_MAX {
            domains.retain(|_, kept| kept.try_lock().map_or(true, |kept| kept.valid(now).is_some()));
        }
        if domains.len() >= limits::STS_DOMAINS_MAX
            && let Some(any) = domains.keys().next().cloned()
        {
            domains.remove(&any);
        }
        domains.entry(domain.to_owned()).or_default().clone()
    }
}
