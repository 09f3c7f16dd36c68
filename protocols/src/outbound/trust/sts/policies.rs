//! Which policy counts for a domain now: the one that is kept, unless its record tells of another or it grows old (RFC 8461 sections 3.3 and 5.1).
use super::super::results::{BAD_POLICY, NO_POLICY};
use super::fetch::Fetch;
use super::policy::{self, Mode, Policy};
use crate::limits;
use crate::outbound::resolve::Resolve;
use crate::runtime::timeout;
use posthouse_engine::base::bytes::{DecodeError, Put, Reader};
use posthouse_engine::base::limits::KEPT_BYTES_MAX;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// By their codes.
const MODES: [Mode; 3] = [Mode::Enforce, Mode::Testing, Mode::None];

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

    /// A pause that is longer than any was set before the clock was set back.
    fn pauses(&self, now: i64) -> bool {
        now < self.not_before && self.not_before <= now + limits::STS_PAUSE_SECONDS
    }

    fn is_fresh(&self, id: &str, now: i64) -> bool {
        self.id == id && now < self.fresh_until && self.valid(now).is_some()
    }
}

impl Kept {
    fn encode(&self, domain: &str, now: i64, out: &mut Vec<u8>) {
        let Some(policy) = self.valid(now) else { return };
        out.put_str(domain);
        out.put_str(&self.id);
        out.put_i64(self.until);
        out.put_i64(self.fresh_until);
        out.put_u8(MODES.iter().position(|mode| *mode == policy.mode).unwrap_or(0) as u8);
        out.put_u32(policy.max_age);
        for texts in [&policy.mx, &policy.lines] {
            out.put_varint(texts.len() as u64);
            texts.iter().for_each(|text| out.put_str(text));
        }
    }

    fn decode(reader: &mut Reader<'_>, now: i64) -> Result<(String, Kept), DecodeError> {
        let (domain, id) = (reader.str()?.to_owned(), reader.str()?.to_owned());
        // A clock that was wrong then makes no policy last longer than it may.
        let until = reader.i64()?.min(now.saturating_add(limits::STS_AGE_SECONDS_MAX as i64));
        let fresh_until = reader.i64()?;
        let Some(mode) = MODES.get(usize::from(reader.u8()?)).copied() else {
            return reader.error("a mode of 0 to 2 expected before this byte");
        };
        let max_age = reader.u32()?;
        let mut texts =
            || (0..reader.count()?).map(|_| Ok(reader.str()?.to_owned())).collect::<Result<_, DecodeError>>();
        let policy = Policy { mode, max_age, mx: texts()?, lines: texts()? };
        Ok((domain, Kept { id, policy: Some(Arc::new(policy)), until, fresh_until, ..Kept::default() }))
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
        if !kept.is_fresh(&id, now) && !kept.pauses(now) {
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

    /// The policies that count at `now`, as bytes (docs/format.md, "Kept notes"); nothing for none. Waits for those that are being fetched.
    pub(in crate::outbound) async fn encode(&self, now: i64) -> Vec<u8> {
        let mut out = Vec::new();
        let mut all: Vec<_> = self.lock().iter().map(|(domain, kept)| (domain.clone(), kept.clone())).collect();
        all.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        for (domain, kept) in all {
            let before = out.len();
            kept.lock().await.encode(&domain, now, &mut out);
            if out.len() > KEPT_BYTES_MAX {
                out.truncate(before);
                break;
            }
        }
        out
    }

    /// Takes in what was kept, as far as it can be read and still counts.
    pub(in crate::outbound) fn recall(&self, bytes: &[u8], now: i64) {
        let mut reader = Reader::new(bytes);
        let mut domains = self.lock();
        while !reader.is_empty() && domains.len() < limits::STS_DOMAINS_MAX {
            match Kept::decode(&mut reader, now) {
                Ok((domain, kept)) if kept.valid(now).is_some() => {
                    domains.insert(domain, Arc::new(tokio::sync::Mutex::new(kept)));
                }
                Ok(_) => {}
                Err(why) => {
                    tracing::warn!(%why, "policies of MTA-STS from before this start cannot be read whole");
                    return;
                }
            }
        }
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
