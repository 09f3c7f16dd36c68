//! SPF (RFC 7208): the way through a domain's record and those that it includes, within the limits of look-ups. mail-auth reads records and asks about
//! single mechanisms; the way is here, since its own counts by the innermost qualifier where includes stand in each other. Judges nothing.
use super::Envelope;
use super::check::Asking;
use crate::limits;
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData};
use mail_auth::common::cache::NoCache;
use mail_auth::common::parse::TxtRecordParser;
use mail_auth::common::resolver::ToFqdn;
use mail_auth::spf::verify::{HasValidLabels, SpfParameters};
use mail_auth::spf::{Directive, Macro, Mechanism, Qualifier, Spf, Variables};
use mail_auth::{DnsError, Error, Parameters, RecordSet, ResolverCache, SpfOutput, SpfResult, Txt, Version};
use std::borrow::Borrow;
use std::hash::Hash;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicIsize, Ordering};
use std::time::Instant;

/// Section 2.4: the null sender is checked as postmaster at the name in HELO.
pub(super) async fn check(asking: &Asking, envelope: &Envelope) -> SpfOutput {
    let helo = envelope.helo.as_str();
    let (sender, domain) = match envelope.sender.as_str() {
        "" => (format!("postmaster@{helo}"), helo),
        sender => (sender.to_owned(), sender.rsplit_once('@').map_or(helo, |(_, domain)| domain)),
    };
    let mut way = Way { asking, ip: envelope.ip, helo, sender: &sender, asked: 0, voids: 0 };
    SpfOutput::new(domain.to_owned()).with_result(way.host(domain.to_owned()).await)
}

/// One evaluation, with what it has asked so far (section 4.6.4).
struct Way<'a> {
    asking: &'a Asking,
    ip: IpAddr,
    helo: &'a str,
    sender: &'a str,
    /// Terms that ask name servers.
    asked: usize,
    /// Those of them that found nothing.
    voids: usize,
}

/// An error ends the evaluation wherever it comes up.
type Found<T> = Result<T, SpfResult>;

impl Way<'_> {
    /// What a domain says (section 4, `check_host`). As deep as terms may ask.
    fn host(&mut self, domain: String) -> Pin<Box<dyn Future<Output = SpfResult> + Send + '_>> {
        Box::pin(async move { self.evaluate(&domain).await.unwrap_or_else(|error| error) })
    }

    async fn evaluate(&mut self, domain: &str) -> Found<SpfResult> {
        let record = self.record(domain).await?;
        for Directive { qualifier, mechanism } in &record.directives {
            if self.matches(domain, mechanism).await? {
                return Ok(qualifier.into());
            }
        }
        let Some(target) = &record.redirect else { return Ok(SpfResult::Neutral) };
        self.count()?;
        // Section 6.1: what is redirected to has a record.
        match self.host(self.name(target, domain)).await {
            SpfResult::None => Err(SpfResult::PermError),
            found => Ok(found),
        }
    }

    async fn matches(&mut self, domain: &str, mechanism: &Mechanism) -> Found<bool> {
        match mechanism {
            Mechanism::All => return Ok(true),
            Mechanism::Ip4 { .. } | Mechanism::Ip6 { .. } => {}
            _ => self.count()?,
        }
        let Mechanism::Include { macro_string } = mechanism else { return self.ask(domain, mechanism).await };
        // Section 5.2.
        match self.host(self.name(macro_string, domain)).await {
            SpfResult::Pass => Ok(true),
            SpfResult::Fail | SpfResult::SoftFail | SpfResult::Neutral => Ok(false),
            SpfResult::TempError => Err(SpfResult::TempError),
            SpfResult::PermError | SpfResult::None => Err(SpfResult::PermError),
        }
    }

    fn count(&mut self) -> Found<()> {
        self.asked += 1;
        if self.asked > limits::VERIFY_SPF_TERMS_MAX { Err(SpfResult::PermError) } else { Ok(()) }
    }

    /// Whether a mechanism other than an include matches: as if the record had no other.
    async fn ask(&mut self, domain: &str, mechanism: &Mechanism) -> Found<bool> {
        let directives = [Directive::new(Qualifier::Pass, mechanism.clone())].into();
        let alone = Spf { version: Version::V1, directives, exp: None, redirect: None, ra: None, rp: 0, rr: 0 };
        let (alone, answers) = (Alone(Arc::new(alone)), Answers::default());
        let question = Parameters {
            params: SpfParameters::new(self.ip, domain, self.helo, &self.asking.hostname, self.sender),
            cache_txt: Some(&alone),
            cache_mx: Some(&answers),
            cache_ptr: None::<&NoCache<IpAddr, RecordSet<Box<str>>>>,
            cache_ipv4: Some(&answers),
            cache_ipv6: Some(&answers),
        };
        match self.asking.names.check_host(question).await.result() {
            SpfResult::Pass => Ok(true),
            SpfResult::Neutral => {
                self.voids += usize::from(answers.lacks_some());
                if self.voids > limits::VERIFY_SPF_VOIDS_MAX { Err(SpfResult::PermError) } else { Ok(false) }
            }
            SpfResult::TempError => Err(SpfResult::TempError),
            _ => Err(SpfResult::PermError),
        }
    }

    /// The one record of a domain (section 4.5).
    async fn record(&self, domain: &str) -> Found<Spf> {
        if domain.len() > 255 || !domain.has_valid_labels() {
            return Err(SpfResult::None);
        }
        let name = Name::from_str_relaxed(domain.to_fqdn()).map_err(|_| SpfResult::None)?;
        let found = self.asking.names.resolver().txt_lookup(name).await.map_err(|error| match Error::from(error) {
            Error::Dns(DnsError::RecordNotFound(ResponseCode::NXDomain | ResponseCode::NoError)) => SpfResult::None,
            _ => SpfResult::TempError,
        })?;
        let texts = found.answers().iter().filter_map(|record| match &record.data {
            RData::TXT(txt) => Some(txt.txt_data.concat()),
            _ => None,
        });
        let mut ours = texts.filter(|text| is_spf(text));
        let record = ours.next().ok_or(SpfResult::None)?;
        if ours.next().is_some() {
            return Err(SpfResult::PermError);
        }
        Spf::parse(&record).map_err(|_| SpfResult::PermError)
    }

    /// A domain that a term names (section 7). Nobody proves the name that `%{p}` stands for, and so it is `unknown` (section 7.3).
    fn name(&self, spec: &Macro, domain: &str) -> String {
        let mut values = Variables::new();
        values.set_ip(&self.ip);
        values.set_sender(self.sender.as_bytes());
        values.set_domain(domain.as_bytes());
        values.set_helo_domain(self.helo.as_bytes());
        values.set_host_domain(self.asking.hostname.as_bytes());
        values.set_validated_domain(&b"unknown"[..]);
        spec.eval(&values, domain, false).trim_end_matches('.').to_owned()
    }
}

fn is_spf(text: &[u8]) -> bool {
    let version = b"v=spf1";
    text.get(..version.len()).is_some_and(|start| start.eq_ignore_ascii_case(version))
        && text.get(version.len()).is_none_or(|next| *next == b' ')
}

/// The record that every domain seems to have.
struct Alone(Arc<Spf>);

impl ResolverCache<Box<str>, Txt> for Alone {
    fn get<Q>(&self, _: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        Some(Txt::Spf(self.0.clone()))
    }

    fn remove<Q>(&self, _: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        None
    }

    fn insert(&self, _: Box<str>, _: Txt, _: Instant) {}
}

/// Questions that have no answer: each is looked for here first, and what is found is brought here.
#[derive(Default)]
struct Answers(AtomicIsize);

impl Answers {
    fn lacks_some(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }
}

impl<V> ResolverCache<Box<str>, V> for Answers {
    fn get<Q>(&self, _: &Q) -> Option<V>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.0.fetch_add(1, Ordering::Relaxed);
        None
    }

    fn remove<Q>(&self, _: &Q) -> Option<V>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        None
    }

    fn insert(&self, _: Box<str>, _: V, _: Instant) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
