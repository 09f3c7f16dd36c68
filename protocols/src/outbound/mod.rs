//! Mail to other hosts: takes what waits in the engine's queue to the hosts that its domains' name servers, the routes or the relay name, and
//! notes what came of it. Everything that must survive a crash is in the queue; what is here can be made again from it.
//!
//! `clerk` watches the queue, `plan` says what goes next, `session` serves a destination over one connection (`connect`, `client/`), `settle`
//! notes results and `notice` the reports about them; `tlsrpt/` tells domains what came of TLS with them. `resolve/` asks name servers, `trust/` says what a
//! host must prove, `keeping` has it outlive a restart, `route` knows the routes, `retry` the schedule, `lanes` the order within a destination, `room` the memory for all of it; `lines` puts messages that came as bytes in lines.
mod clerk;
mod client;
mod connect;
mod content;
mod ids;
mod keeping;
mod lanes;
mod lines;
mod local;
mod notice;
mod office;
mod plan;
pub mod resolve;
mod retry;
mod room;
mod route;
mod session;
mod settings;
mod settle;
mod tls;
mod tlsrpt;
mod trust;

#[cfg(test)]
mod tests;

pub(crate) use lines::in_lines;
pub use settings::{Families, Login, Relay, Route, Security, Settings};
pub use tls::TlsConfigs;
pub use tlsrpt::Reports;
pub use trust::PolicyHosts;

use crate::runtime::Spawner;
use crate::verify::Verifier;
use office::{Office, Parts};
use posthouse_engine::Engine;
use posthouse_engine::base::Clock;
use resolve::Resolve;
use std::sync::Arc;

/// The sending of the queue, while the server runs. Dropping the handle does not end it: the server's stop does.
pub struct Outbound(Arc<Office>);

/// What it works with.
pub struct Means {
    /// The store.
    pub engine: Arc<Engine>,
    /// The time, the same as the store's.
    pub clock: Arc<dyn Clock>,
    /// Our name at EHLO and in reports.
    pub hostname: String,
    /// Signs answers for members who are away.
    pub verifier: Option<Arc<Verifier>>,
    /// Who answers for names.
    pub names: Arc<dyn Resolve>,
    /// For connections that we open.
    pub tls: TlsConfigs,
    /// Who has policies of MTA-STS; `None`: they are not asked for.
    pub policies: Option<PolicyHosts>,
    /// That domains get reports about TLS; `None`: none do.
    pub tls_reports: Option<Reports>,
    /// What the operator decides.
    pub settings: Settings,
}

impl Outbound {
    /// Begins to send what is in the queue, on the reactors of a server, until that is stopped: then each connection ends after the message that
    /// it is at.
    pub fn start(means: Means, spawner: Spawner) -> Outbound {
        let Means { engine, clock, hostname, verifier, names, tls, policies, tls_reports, settings } = means;
        let spawn = Box::new(move |job: Box<dyn FnOnce() -> crate::runtime::SessionFuture + Send>| spawner.spawn(job));
        let policies = policies.map(|hosts| keeping::policies(&engine, hosts, clock.now()));
        if let Some(reports) = &tls_reports {
            keeping::counts(&engine, reports);
        }
        let office = Office::new(Parts {
            engine,
            clock,
            names,
            settings,
            hostname,
            verifier,
            tls,
            policies,
            tls_reports,
            spawn,
        });
        let there = office.clone();
        (office.spawn)(Box::new(move || Box::pin(clerk::run(there))));
        let there = office.clone();
        (office.spawn)(Box::new(move || Box::pin(keeping::run(there))));
        if office.tls_reports.is_some() {
            let there = office.clone();
            (office.spawn)(Box::new(move || Box::pin(tlsrpt::run(there))));
        }
        Outbound(office)
    }

    /// Messages that are ready or under way (counted for each destination), and connections.
    pub fn counts(&self) -> (usize, usize) {
        self.0.plan().counts()
    }
}
