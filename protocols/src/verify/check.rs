//! Asks for SPF, DKIM, ARC and DMARC of one message, and says what came of it as facts and as Authentication-Results (RFC 8601). Judges nothing.
use super::seen::{self, Seen};
use super::{Envelope, sign};
use crate::limits;
use mail_auth::common::cache::NoCache;
use mail_auth::common::headers::HeaderWriter;
use mail_auth::dmarc::verify::DmarcParameters;
use mail_auth::spf::verify::SpfParameters;
use mail_auth::{
    ArcOutput, AuthenticatedMessage, AuthenticationResults, DkimOutput, DkimResult, DmarcOutput, DmarcResult, DnsError,
    Error, MessageAuthenticator, SpfOutput, SpfResult, Txt, dmarc,
};
use posthouse_engine::directory::SigningKey;
use posthouse_engine::mailflow::{Dmarc, Facts, Outcome, Policy};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// What every check works with.
pub(super) struct Asking {
    pub(super) names: MessageAuthenticator,
    pub(super) hostname: String,
    pub(super) timeout: Duration,
    pub(super) keeps_dmarc: bool,
}

/// The facts, the fields for the top of the message, and what a report tells.
pub(super) async fn run(
    asking: &Asking,
    envelope: &Envelope,
    message: &[u8],
    seal: Option<&SigningKey>,
) -> (Facts, Vec<u8>, Option<Box<Seen>>) {
    let deadline = Instant::now() + asking.timeout;
    let names = &asking.names;
    let mut spf = SpfOutput::new(String::new()).with_result(SpfResult::TempError);
    let Some(mut parsed) = AuthenticatedMessage::parse(message) else {
        // A message without a header says nothing of who wrote it.
        if let Ok(found) = timeout_at(deadline, names.verify_spf(spf_question(asking, envelope))).await {
            spf = found;
        }
        let facts = Facts { spf: of_spf(&spf), dkim: Outcome::None, arc: Outcome::None, dmarc: Dmarc::None };
        let results = with_spf(AuthenticationResults::new(&asking.hostname), &spf, envelope);
        return (facts, results.to_header().into(), None);
    };
    parsed.dkim_headers.truncate(limits::VERIFY_SIGNATURES_MAX);
    let (spf_found, dkim_found, arc_found) = tokio::join!(
        timeout_at(deadline, names.verify_spf(spf_question(asking, envelope))),
        timeout_at(deadline, names.verify_dkim(&parsed)),
        timeout_at(deadline, names.verify_arc(&parsed)),
    );
    spf = spf_found.unwrap_or(spf);
    let dkim = dkim_found.unwrap_or_else(|_| vec![DkimOutput::temp_err(late())]);
    let arc = arc_found.unwrap_or_else(|_| ArcOutput::default().with_result(DkimResult::TempError(late())));
    let domain = envelope.sender.rsplit_once('@').map_or(envelope.helo.as_str(), |(_, domain)| domain);
    let question = DmarcParameters::new(&parsed, &dkim, domain, &spf);
    let late_dmarc = || DmarcOutput::default().with_spf_result(DmarcResult::TempError(late()));
    let found = timeout_at(deadline, names.verify_dmarc(question)).await;
    let dmarc = found.unwrap_or_else(|_| late_dmarc());

    let from = parsed.from.first().map_or("", String::as_str);
    let mut results = with_spf(AuthenticationResults::new(&asking.hostname), &spf, envelope);
    results = results.with_dkim_results(&dkim, from);
    if *arc.result() != DkimResult::None {
        results = results.with_arc_result(&arc, envelope.ip);
    }
    if !parsed.from.is_empty() {
        results = results.with_dmarc_result(&dmarc);
    }
    let mut fields = seal.map_or_else(Vec::new, |key| sign::seal(key, &parsed, &results, &arc));
    fields.extend_from_slice(results.to_header().as_bytes());
    let facts = Facts { spf: of_spf(&spf), dkim: of_dkim(&dkim), arc: of_one(arc.result()), dmarc: of_dmarc(&dmarc) };
    let mut seen = None;
    if asking.keeps_dmarc {
        let found = seen::seen(names, (envelope.ip, &envelope.sender), (&spf, &dkim, &dmarc));
        seen = timeout_at(deadline, found).await.ok().flatten().map(Box::new);
    }
    (facts, fields, seen)
}

/// Which of these addresses agree to get reports about a domain; `None`: there is no answer. Each is asked about by itself: a name server that is
/// silent about one must not keep the others from their report.
pub(super) async fn takes_reports(asking: &Asking, domain: &str, addresses: &[String]) -> Option<Vec<String>> {
    let deadline = Instant::now() + asking.timeout;
    let (mut allowed, mut all_known) = (Vec::new(), true);
    for address in addresses {
        let cache = None::<&NoCache<Box<str>, Txt>>;
        let found = asking.names.verify_dmarc_report_address(domain, std::slice::from_ref(address), cache);
        match timeout_at(deadline, found).await.ok().flatten() {
            Some(found) => allowed.extend(found.into_iter().cloned()),
            None => all_known = false,
        }
    }
    (all_known || !allowed.is_empty()).then_some(allowed)
}

fn late() -> Error {
    Error::Dns(DnsError::Resolver("no answer in time".into()))
}

/// RFC 7208 section 2.4: the null sender is checked as postmaster at the name in HELO.
fn spf_question<'a>(asking: &'a Asking, envelope: &'a Envelope) -> SpfParameters<'a> {
    let (ip, helo) = (envelope.ip, envelope.helo.as_str());
    if envelope.sender.is_empty() {
        SpfParameters::verify_ehlo(ip, helo, &asking.hostname)
    } else {
        SpfParameters::verify_mail_from(ip, helo, &asking.hostname, &envelope.sender)
    }
}

fn with_spf<'a>(results: AuthenticationResults<'a>, spf: &SpfOutput, envelope: &Envelope) -> AuthenticationResults<'a> {
    if envelope.sender.is_empty() {
        return results.with_spf_ehlo_result(spf, envelope.ip, &envelope.helo);
    }
    results.with_spf_mailfrom_result(spf, envelope.ip, &envelope.sender, &envelope.helo)
}

fn of_spf(spf: &SpfOutput) -> Outcome {
    match spf.result() {
        SpfResult::Pass => Outcome::Pass,
        SpfResult::Fail => Outcome::Fail,
        SpfResult::SoftFail | SpfResult::Neutral => Outcome::Weak,
        SpfResult::TempError => Outcome::TempError,
        SpfResult::PermError => Outcome::PermError,
        SpfResult::None => Outcome::None,
    }
}

fn of_one(result: &DkimResult) -> Outcome {
    match result {
        DkimResult::Pass => Outcome::Pass,
        DkimResult::Fail(_) | DkimResult::Neutral(_) => Outcome::Fail,
        DkimResult::PermError(_) => Outcome::PermError,
        DkimResult::TempError(_) => Outcome::TempError,
        DkimResult::None => Outcome::None,
    }
}

/// One signature that holds is enough (RFC 6376 section 6.1).
fn of_dkim(all: &[DkimOutput<'_>]) -> Outcome {
    let rank = |outcome: &Outcome| match outcome {
        Outcome::Pass => 4,
        Outcome::TempError => 3,
        Outcome::Fail => 2,
        Outcome::PermError => 1,
        _ => 0,
    };
    all.iter().map(|one| of_one(one.result())).max_by_key(rank).unwrap_or(Outcome::None)
}

fn of_dmarc(found: &DmarcOutput) -> Dmarc {
    match found.result() {
        DmarcResult::Pass => Dmarc::Pass,
        DmarcResult::TempError(_) => Dmarc::TempError,
        DmarcResult::PermError(_) => Dmarc::PermError,
        DmarcResult::None => Dmarc::None,
        DmarcResult::Fail(_) => Dmarc::Fail(match found.policy() {
            dmarc::Policy::Reject => Policy::Reject,
            dmarc::Policy::Quarantine => Policy::Quarantine,
            dmarc::Policy::None | dmarc::Policy::Unspecified => Policy::None,
        }),
    }
}
