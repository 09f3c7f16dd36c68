//! What the sending knows besides the queue, over a restart: policies of MTA-STS (RFC 8461 section 5.1 wants them to be kept), what came of TLS, and with them how
//! much members have sent. Written every minute and at the stop; a crash loses what came after.
use super::office::Office;
use super::tlsrpt::Reports;
use super::trust::{Policies, PolicyHosts};
use crate::limits;
use crate::runtime::{select, sleep, stopping};
use posthouse_engine::{Engine, Kept};
use std::sync::Arc;

/// Keeps it until the server stops, and once more then.
pub(super) async fn run(office: Arc<Office>) {
    let stop = stopping();
    while !stop.is_set() {
        let _ = select(sleep(limits::KEEP_EVERY), stop.wait()).await;
        keep(&office).await;
    }
}

/// Keeps it now.
pub(super) async fn keep(office: &Office) {
    let mut notes = Vec::new();
    if let Some(policies) = &office.policies {
        notes.push((Kept::StsPolicies, policies.encode(office.now()).await));
    }
    if let Some(reports) = &office.tls_reports {
        notes.push((Kept::TlsCounts, reports.tally.encode()));
    }
    let engine = office.engine.clone();
    let done = office.engine.work(move || {
        engine.keep_rates();
        for (kept, note) in notes {
            if let Err(why) = engine.keep(kept, &note) {
                tracing::warn!(%why, "what the next start should know could not be kept");
            }
        }
    });
    if let Err(why) = done.await {
        tracing::warn!(%why, "what the next start should know could not be kept");
    }
}

/// Policies of hosts, with those of before this start.
pub(super) fn policies(engine: &Engine, hosts: PolicyHosts, now: i64) -> Policies {
    let policies = Policies::new(hosts);
    if let Some(note) = engine.kept(Kept::StsPolicies) {
        policies.recall(&note, now);
    }
    policies
}

/// What was counted before this start.
pub(super) fn counts(engine: &Engine, reports: &Reports) {
    if let Some(note) = engine.kept(Kept::TlsCounts) {
        reports.tally.recall(&note);
    }
}
