//! What name servers say of the names in one message. All are asked at once and each has the whole time, so that one that is silent, as a sender may
//! arrange, takes nothing from the others. Judges nothing.
use super::check::{Asking, late};
use hickory_resolver::proto::op::ResponseCode;
use mail_auth::common::cache::NoCache;
use mail_auth::common::parse::TxtRecordParser;
use mail_auth::common::resolver::{ToFqdn, UnwrapTxtRecord};
use mail_auth::common::verify::{DomainKey, VerifySignature};
use mail_auth::dmarc::{Dmarc, Policy};
use mail_auth::{AuthenticatedMessage, DnsError, Error, ResolverCache, Txt};
use std::borrow::Borrow;
use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant as StdInstant;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

/// Of a name with more labels, only its last seven and what is above them are asked about beside itself (RFC 9989 section 4.10).
const LABELS_WALKED: usize = 7;

/// Answers, errors among them, by name; mail-auth asks here first.
#[derive(Default)]
pub(super) struct Known(Mutex<HashMap<Box<str>, Txt>>);

impl Known {
    fn all(&self) -> MutexGuard<'_, HashMap<Box<str>, Txt>> {
        // Each entry is whole or not there.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a policy among them asks for more than to be told.
    pub(super) fn enforces(&self) -> bool {
        self.all().values().any(|known| match known {
            Txt::Dmarc(record) => [record.p, record.sp, record.np].into_iter().any(|policy| match policy {
                Policy::Reject => true,
                // RFC 9989 section 4.7: a test takes one level off.
                Policy::Quarantine => !record.t,
                Policy::None | Policy::Unspecified => false,
            }),
            _ => false,
        })
    }
}

impl ResolverCache<Box<str>, Txt> for Known {
    fn get<Q>(&self, name: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.all().get(name).cloned()
    }

    fn remove<Q>(&self, name: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.all().remove(name)
    }

    fn insert(&self, name: Box<str>, answer: Txt, _: StdInstant) {
        self.all().insert(name, answer);
    }
}

/// The keys of a message's DKIM signatures.
pub(super) async fn keys(asking: &Arc<Asking>, message: &AuthenticatedMessage<'_>, until: Instant) -> Known {
    let names = message.dkim_headers.iter().map(|one| one.header.domain_key());
    look_up::<DomainKey>(asking, names.collect(), until, Txt::DomainKey).await
}

/// What the author's domain and those above it ask for (RFC 9989 section 4.10). A name that can stand in no question has no record.
pub(super) async fn policies(asking: &Arc<Asking>, author: &str, until: Instant) -> Known {
    let names = walk(author).into_iter().map(|name| format!("_dmarc.{name}."));
    let known = look_up::<Dmarc>(asking, names.collect(), until, Txt::Dmarc).await;
    for answer in known.all().values_mut() {
        if matches!(answer, Txt::Error(Error::ParseError)) {
            *answer = Txt::Error(Error::Dns(DnsError::RecordNotFound(ResponseCode::NXDomain)));
        }
    }
    known
}

/// The names that are asked about a domain's policy, itself first.
fn walk(domain: &str) -> Vec<&str> {
    let ends: Vec<usize> =
        std::iter::once(0).chain(memchr::memchr_iter(b'.', domain.as_bytes()).map(|at| at + 1)).collect();
    let above = ends.iter().skip(1.max(ends.len().saturating_sub(LABELS_WALKED)));
    if ends.len() < 2 { Vec::new() } else { [0].iter().chain(above).map(|at| &domain[*at..]).collect() }
}

async fn look_up<T>(asking: &Arc<Asking>, names: BTreeSet<String>, until: Instant, of: fn(Arc<T>) -> Txt) -> Known
where
    T: TxtRecordParser + UnwrapTxtRecord + Into<Txt> + Send + Sync + 'static,
{
    let mut asked = JoinSet::new();
    for name in names {
        let asking = asking.clone();
        asked.spawn(async move {
            let found = asking.names.txt_lookup::<T>(&name, None::<&NoCache<Box<str>, Txt>>);
            let found = timeout_at(until, found).await.unwrap_or_else(|_| Err(late()));
            (name.to_fqdn().into(), found.map_or_else(Txt::Error, of))
        });
    }
    let known = Known::default();
    while let Some(answered) = asked.join_next().await {
        known.all().extend(answered);
    }
    known
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_asked_up_to_the_top_and_long_ones_with_a_leap() {
        assert_eq!(walk("a.test"), ["a.test", "test"]);
        assert_eq!(walk("test"), [""; 0]);
        assert_eq!(walk("1.2.3.4.5.6.test").len(), 7);
        let long = walk("0.1.2.3.4.5.6.7.8.test");
        assert_eq!((long[0], long[1], long.len()), ("0.1.2.3.4.5.6.7.8.test", "3.4.5.6.7.8.test", 8));
        assert_eq!(walk("0.1.2.3.4.5.6.test")[..2], ["0.1.2.3.4.5.6.test", "1.2.3.4.5.6.test"]);
    }
}
