//! From the configuration, a host's TLSA records and its domain's MTA-STS policy to what one connection must have. Judges no certificate.
use super::dane::{self, Dane};
use super::sts::{Mode, Policy};
use crate::dsn::Reply;
use crate::limits;
use crate::outbound::office::Office;
use crate::outbound::resolve::{Found, NoAnswer, Tlsa};
use crate::outbound::route::Destination;
use crate::outbound::settings::Security;
use crate::outbound::tls::TlsConfigs;
use crate::runtime::timeout;
use posthouse_engine::queue::TlsDemand;
use rustls::ClientConfig;
use std::sync::Arc;

/// REQUIRETLS cannot be had (RFC 8689 section 4.2.1).
pub(in crate::outbound) const NO_REQUIRETLS: &str = "5.7.30";

/// For one host.
#[derive(Clone)]
pub(in crate::outbound) struct Guard {
    pub(in crate::outbound) security: Security,
    /// Judges its certificate.
    pub(in crate::outbound) config: Arc<ClientConfig>,
    /// The name that we tell in the handshake (SNI).
    pub(in crate::outbound) name: String,
    /// What a certificate that passes has proven, in the words of the log.
    pub(in crate::outbound) trust: &'static str,
    /// Its name and its certificate prove the host: nobody on the way could have changed either.
    proven: bool,
    /// It must promise to keep to TLS itself (REQUIRETLS).
    pub(in crate::outbound) keeps_tls: bool,
    /// Who demands more than the configuration.
    demands: Option<&'static str>,
}

impl Guard {
    /// What the configuration says, and nobody else.
    pub(in crate::outbound) fn configured(security: Security, tls: &TlsConfigs, host: &str) -> Guard {
        let proven = matches!(security, Security::Verified | Security::Implicit);
        let (config, trust) = if proven { (&tls.proven, "verified") } else { (&tls.any, "unverified") };
        let (config, name) = (config.clone(), host.to_owned());
        Guard { security, config, name, trust, proven: false, keeps_tls: false, demands: None }
    }

    /// What TLSA records at `base` ask for; `names` are those that an authority of theirs may have certified besides (RFC 7672 section 3.2.2).
    pub(in crate::outbound) fn dane(
        security: Security,
        tls: &TlsConfigs,
        (base, owner): (&str, &str),
        records: Vec<Tlsa>,
        names: &[&str],
    ) -> Guard {
        let demands = Some("which its TLSA records demand");
        let mut guard = Guard { demands, ..Guard::configured(security, tls, base) };
        if security == Security::Opportunistic {
            guard.security = Security::Required;
        }
        let usable = dane::usable(records);
        if usable.is_empty() {
            // RFC 7672 section 2.2: TLS, but nothing to know the host by.
            return guard;
        }
        if security == Security::Verified {
            // What its own domain says of the certificate is at least as good as what an authority says.
            guard.security = Security::Required;
        }
        let names: Vec<&str> = [base].into_iter().chain(names.iter().copied()).collect();
        (guard.config, guard.trust) = (tls.judged_by(Dane::new(owner, usable, &names)), "dane");
        guard.proven = true;
        guard
    }

    /// What a policy of MTA-STS asks for (RFC 8461 section 4.1).
    fn sts(tls: &TlsConfigs, host: &str) -> Guard {
        let demands = Some("which the MTA-STS policy of its domain demands");
        Guard { trust: "mta-sts", proven: true, demands, ..Guard::configured(Security::Verified, tls, host) }
    }

    /// For a complaint that the host has no TLS.
    pub(in crate::outbound) fn demand(&self) -> String {
        self.demands.map_or_else(String::new, |who| format!(", {who}"))
    }
}

/// The guards of a destination's hosts; name servers are asked once for each.
pub(in crate::outbound) struct Guards<'a> {
    office: &'a Office,
    destination: &'a Destination,
    security: Security,
    /// The policy of the destination, once it has been asked for.
    policy: Option<Option<Arc<Policy>>>,
    /// The last host's: its addresses come one after the other.
    last: Option<(String, Result<Guard, Reply>)>,
}

impl<'a> Guards<'a> {
    pub(in crate::outbound) fn new(office: &'a Office, destination: &'a Destination, security: Security) -> Guards<'a> {
        Guards { office, destination, security, policy: None, last: None }
    }

    /// What a host at that port must have; why it must not be connected to at all.
    pub(in crate::outbound) async fn of(&mut self, host: &Found, port: u16) -> Result<Guard, Reply> {
        if let Some((name, known)) = &self.last
            && *name == host.name
        {
            return known.clone();
        }
        let guard = self.find(host, port).await;
        self.last = Some((host.name.clone(), guard.clone()));
        guard
    }

    async fn find(&mut self, host: &Found, port: u16) -> Result<Guard, Reply> {
        let guard = self.published(host, port).await?;
        match self.destination.tls() {
            TlsDemand::Required => self.required(host, guard).await,
            _ => Ok(guard),
        }
    }

    /// RFC 8689 section 4.2.1: nobody on the way may have chosen the host, and its certificate proves its name.
    async fn required(&mut self, host: &Found, mut guard: Guard) -> Result<Guard, Reply> {
        let is_named = matches!(self.destination, Destination::Relay(..)) || !host.tlsa_bases.is_empty();
        let has_tls = self.security != Security::Plain;
        if !guard.proven && has_tls && (is_named || self.policy().await.is_some_and(|policy| policy.takes(&host.name)))
        {
            let security = if self.security == Security::Implicit { self.security } else { Security::Verified };
            guard = Guard { proven: true, ..Guard::configured(security, &self.office.tls, &host.name) };
        }
        guard.keeps_tls = true;
        match guard.proven {
            true => Ok(guard),
            false => {
                let what =
                    format!("REQUIRETLS: nothing proves that {} takes the mail, or it would go without TLS", host.name);
                Err(Reply::own(NO_REQUIRETLS, what))
            }
        }
    }

    /// What the domain demands, if it may. DANE counts before MTA-STS (RFC 8461 section 2).
    async fn published(&mut self, host: &Found, port: u16) -> Result<Guard, Reply> {
        let tls = &self.office.tls;
        if self.security == Security::Plain || self.destination.tls() == TlsDemand::NotRequired {
            return Ok(Guard::configured(self.security, tls, &host.name));
        }
        if self.office.settings.dane {
            for base in &*host.tlsa_bases {
                let owner = format!("_{port}._tcp.{base}");
                if let Some(records) = self.records(&owner).await? {
                    return Ok(Guard::dane(self.security, tls, (base, &owner), records, &self.names(host)));
                }
            }
        }
        match self.policy().await {
            Some(policy) if policy.mode == Mode::Enforce => match policy.takes(&host.name) {
                true => Ok(Guard::sts(tls, &host.name)),
                false => Err(Reply::own("4.7.5", format!("MTA-STS: {} is no host of the domain's policy", host.name))),
            },
            _ => Ok(Guard::configured(self.security, tls, &host.name)),
        }
    }

    /// Domains have policies; what the operator names has none.
    async fn policy(&mut self) -> Option<Arc<Policy>> {
        let (Destination::Domain(domain, _), Some(policies)) = (self.destination, &self.office.policies) else {
            return None;
        };
        if self.policy.is_none() && !domain.starts_with('[') {
            self.policy = Some(policies.of(&*self.office.names, domain, self.office.now()).await);
        }
        self.policy.clone().flatten()
    }

    /// TLSA records. Where nobody can say whether there are any somebody may be hiding them (RFC 7672 section 2.1.2).
    async fn records(&self, owner: &str) -> Result<Option<Vec<Tlsa>>, Reply> {
        let late = || Err(NoAnswer::Failed("they took too long".into()));
        match timeout(limits::OUTBOUND_RESOLVE_MAX, self.office.names.tlsa(owner)).await.unwrap_or_else(late) {
            Ok(records) => Ok(Some(records)),
            Err(NoAnswer::NoName | NoAnswer::NoRecord) => Ok(None),
            Err(why) => Err(Reply::own("4.4.3", format!("DANE: TLSA of {owner}: {why}"))),
        }
    }

    fn names<'b>(&'b self, host: &'b Found) -> Vec<&'b str> {
        let domain = if let Destination::Domain(domain, _) = self.destination { Some(&**domain) } else { None };
        [&*host.name].into_iter().chain(domain).collect()
    }
}
