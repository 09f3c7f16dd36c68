//! From the configuration, a host's TLSA records and its domain's MTA-STS policy to what one connection must have. Judges no certificate.
use super::dane::{self, Dane};
use super::results::{self, FAILED, NO_TLSA};
use super::sts::{Known, Mode, Policy};
use crate::dsn::Reply;
use crate::limits;
use crate::outbound::office::Office;
use crate::outbound::resolve::{Found, NoAnswer, Tlsa};
use crate::outbound::route::Destination;
use crate::outbound::settings::Security;
use crate::outbound::tls::{Chain, Judge, TlsConfigs};
use crate::outbound::tlsrpt::{Failed, Kind, Published};
use crate::runtime::timeout;
use posthouse_engine::queue::TlsDemand;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, Error, RootCertStore};
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

/// REQUIRETLS cannot be had (RFC 8689 section 4.2.1).
pub(in crate::outbound) const NO_REQUIRETLS: &str = "5.7.30";

/// The same where it is TLS that cannot be had.
pub(in crate::outbound) const NO_ENCRYPTION: &str = "5.7.10";

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
    /// Under which policy what comes of it is counted; `None`: it is not.
    pub(in crate::outbound) published: Option<Arc<Published>>,
    /// What a policy that is only tested would have refused.
    pub(in crate::outbound) objection: Arc<OnceLock<&'static str>>,
}

impl Guard {
    /// What the configuration says, and nobody else.
    pub(in crate::outbound) fn configured(security: Security, tls: &TlsConfigs, host: &str) -> Guard {
        let proven = matches!(security, Security::Verified | Security::Implicit);
        let (config, trust) = if proven { (&tls.proven, "verified") } else { (&tls.any, "unverified") };
        let (config, name) = (config.clone(), host.to_owned());
        let objection = Arc::default();
        let (proven, keeps_tls, demands, published) = (false, false, None, None);
        Guard { security, config, name, trust, proven, keeps_tls, demands, published, objection }
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

    /// What a policy of MTA-STS asks for (RFC 8461 section 4).
    fn sts(tls: &TlsConfigs, host: &str) -> Guard {
        let demands = Some("which the MTA-STS policy of its domain demands");
        Guard { trust: "mta-sts", proven: true, demands, ..Guard::configured(Security::Verified, tls, host) }
    }

    /// As the configuration has it, with an eye on what a policy that is only tested asks for (RFC 8461 section 5).
    pub(in crate::outbound) fn tested(security: Security, tls: &TlsConfigs, host: &str, policy: &Policy) -> Guard {
        let mut guard = Guard::configured(security, tls, host);
        if !policy.takes(host) {
            let _ = guard.objection.set(FAILED);
        } else if security != Security::Verified {
            guard.config = tls.judged_by(Observer {
                host: host.to_owned(),
                roots: tls.roots.clone(),
                seen: guard.objection.clone(),
            });
        }
        guard
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
    policy: Option<Arc<Known>>,
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
                if let Some(records) = self.records(&owner, &host.name).await? {
                    let published =
                        self.counted(Kind::Tlsa, records.iter().map(ToString::to_string), [host.name.clone()]);
                    let guard = Guard::dane(self.security, tls, (base, &owner), records, &self.names(host));
                    return Ok(Guard { published, ..guard });
                }
            }
        }
        let Some(policy) = self.policy().await.filter(|policy| policy.mode != Mode::None) else {
            let published = self.counted(Kind::NoPolicyFound, [], []);
            return Ok(Guard { published, ..Guard::configured(self.security, tls, &host.name) });
        };
        let published = self.counted(Kind::Sts, policy.lines.iter().cloned(), policy.mx.iter().cloned());
        if policy.mode == Mode::Testing {
            return Ok(Guard { published, ..Guard::tested(self.security, tls, &host.name, &policy) });
        }
        if !policy.takes(&host.name) {
            self.failed(published.as_ref(), FAILED, &host.name);
            return Err(Reply::own("4.7.5", format!("MTA-STS: {} is no host of the domain's policy", host.name)));
        }
        let guard = Guard { published, ..Guard::sts(tls, &host.name) };
        // TLS from the first byte proves the same name.
        Ok(if self.security == Security::Implicit { Guard { security: self.security, ..guard } } else { guard })
    }

    /// A policy of the destination that sessions are counted under, if they are.
    fn counted(
        &self,
        kind: Kind,
        lines: impl IntoIterator<Item = String>,
        mx: impl IntoIterator<Item = String>,
    ) -> Option<Arc<Published>> {
        let Destination::Domain(domain, _) = self.destination else { return None };
        self.office.tls_reports.as_ref()?;
        Some(Arc::new(Published::new(domain.clone(), kind, lines, mx)))
    }

    fn failed(&self, published: Option<&Arc<Published>>, result: &'static str, host: &str) {
        if let Some(published) = published {
            self.office.note_tls(published, Err(Failed { result, ips: None, host: host.to_owned() }));
        }
    }

    /// Domains have policies, and so have relays with a name (RFC 8461 section 3.4).
    async fn policy(&mut self) -> Option<Arc<Policy>> {
        let policies = self.office.policies.as_ref()?;
        let domain = match self.destination {
            Destination::Domain(domain, _) => domain.to_string(),
            Destination::Relay(relay, _) => relay.host.to_ascii_lowercase(),
            Destination::Local | Destination::From(..) => return None,
        };
        if self.policy.is_none() && !domain.starts_with('[') && domain.parse::<IpAddr>().is_err() {
            let known = policies.of(&*self.office.names, &domain, self.office.now()).await;
            if let Some(failed) = known.failed.filter(|_| known.policy.is_none()) {
                self.failed(self.counted(Kind::Sts, [], []).as_ref(), failed, &format!("mta-sts.{domain}"));
            }
            self.policy = Some(Arc::new(known));
        }
        self.policy.as_ref().and_then(|known| known.policy.clone())
    }

    /// TLSA records. Where nobody can say whether there are any somebody may be hiding them (RFC 7672 section 2.1.2).
    async fn records(&self, owner: &str, host: &str) -> Result<Option<Vec<Tlsa>>, Reply> {
        let late = || Err(NoAnswer::Failed("they took too long".into()));
        match timeout(limits::OUTBOUND_RESOLVE_MAX, self.office.names.tlsa(owner)).await.unwrap_or_else(late) {
            Ok(records) => Ok(Some(records)),
            Err(NoAnswer::NoName | NoAnswer::NoRecord) => Ok(None),
            Err(why) => {
                self.failed(self.counted(Kind::Tlsa, [], [host.to_owned()]).as_ref(), NO_TLSA, host);
                Err(Reply::own("4.4.3", format!("DANE: TLSA of {owner}: {why}")))
            }
        }
    }

    fn names<'b>(&'b self, host: &'b Found) -> Vec<&'b str> {
        let domain = if let Destination::Domain(domain, _) = self.destination { Some(&**domain) } else { None };
        [&*host.name].into_iter().chain(domain).collect()
    }
}

/// Lets everybody pass, and remembers who would not have.
#[derive(Debug)]
struct Observer {
    host: String,
    roots: Arc<RootCertStore>,
    seen: Arc<OnceLock<&'static str>>,
}

impl Judge for Observer {
    fn judge(&self, chain: &Chain<'_>) -> Result<(), Error> {
        let judged = || {
            let name = ServerName::try_from(self.host.clone()).map_err(|error| Error::General(error.to_string()))?;
            let verifier =
                WebPkiServerVerifier::builder_with_provider(self.roots.clone(), chain.provider.clone()).build();
            let verifier = verifier.map_err(|error| Error::General(error.to_string()))?;
            verifier.verify_server_cert(chain.end_entity, chain.others, &name, &[], chain.now)
        };
        if let Err(error) = judged() {
            let _ = self.seen.set(results::of_tls(&error));
        }
        Ok(())
    }
}
