//! Asks for SPF, DKIM, ARC and DMARC of one message, and says what came of it as facts and as Authentication-Results (RFC 8601). Judges nothing.
use super::seen::{self, Seen};
use super::{Envelope, Seal, names, sign, spf};
use crate::limits;
use mail_auth::common::cache::NoCache;
use mail_auth::common::crypto::Algorithm;
use mail_auth::common::headers::{Header, HeaderWriter};
use mail_auth::common::to_a_label;
use mail_auth::dkim::{DkimError, Signature};
use mail_auth::dmarc::verify::DmarcParameters;
use mail_auth::{
    ArcOutput, AuthenticatedMessage, AuthenticationResults, DkimOutput, DkimResult, DmarcOutput, DmarcResult, DnsError,
    Error, MessageAuthenticator, Parameters, SpfOutput, SpfResult, Txt, arc, dmarc,
};
use posthouse_engine::mailflow::{Dmarc, Facts, Outcome, Policy};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// What every check works with.
pub(super) struct Asking {
    pub(super) names: MessageAuthenticator,
    pub(super) hostname: String,
    pub(super) timeout: Duration,
    pub(super) keeps_dmarc: bool,
}

/// What came of the checks of one message.
pub(super) struct Done {
    pub(super) facts: Facts,
    /// For the top of the message.
    pub(super) fields: Vec<u8>,
    /// What a report tells.
    pub(super) seen: Option<Box<Seen>>,
    /// The author's domain wants something done with what is forged, and a check that could prove the author has no answer yet.
    pub(super) is_open: bool,
}

/// Checks a message whose header is within the bounds; `None`: it is not, and nothing is known of it.
pub(super) async fn run(
    asking: &Arc<Asking>,
    envelope: &Envelope,
    message: &[u8],
    seal: Option<&Seal>,
) -> Option<Done> {
    if !has_bounded_header(message) {
        return None;
    }
    let deadline = Instant::now() + asking.timeout;
    let names = &asking.names;
    let Some(mut parsed) = AuthenticatedMessage::parse(message) else {
        return Some(without_header(asking, envelope, deadline).await);
    };
    let historic = keep_few(&mut parsed);
    let author = author(&parsed);
    let (spf, keys, arc_found, policies) = tokio::join!(
        spf(asking, envelope, deadline),
        names::keys(asking, &parsed, deadline),
        timeout_at(deadline, names.verify_arc(&parsed)),
        names::policies(asking, &author, deadline),
    );
    // All that remains to be asked is about names of the author's own, and has time of its own (RFC 7489 section 6.6.3).
    let deadline = Instant::now() + asking.timeout;
    let dkim = timeout_at(deadline, names.verify_dkim(Parameters::new(&parsed).with_txt_cache(&keys))).await;
    let mut dkim = dkim.unwrap_or_else(|_| vec![DkimOutput::temp_err(late())]);
    let failed = || DkimOutput::perm_err(Error::Dkim(DkimError::UnsupportedAlgorithm));
    dkim.extend(historic.iter().map(|one| failed().with_signature(one)));
    let arc = arc_found.unwrap_or_else(|_| ArcOutput::default().with_result(DkimResult::TempError(late())));
    let domain = envelope.sender.rsplit_once('@').map_or(envelope.helo.as_str(), |(_, domain)| domain);
    let question = Parameters::new(DmarcParameters::new(&parsed, &dkim, domain, &spf)).with_txt_cache(&policies);
    let late_dmarc = |_| DmarcOutput::default().with_domain(&author).with_spf_result(DmarcResult::TempError(late()));
    let dmarc = timeout_at(deadline, names.verify_dmarc(question)).await.unwrap_or_else(late_dmarc);

    let results = results(asking, envelope, &parsed, (&spf, &dkim, &arc, &dmarc));
    let mut fields = seal.map_or_else(Vec::new, |seal| sign::seal(seal, &parsed, &results, &arc));
    fields.extend_from_slice(results.to_header().as_bytes());
    let facts = Facts { spf: of_spf(&spf), dkim: of_dkim(&dkim), arc: of_one(arc.result()), dmarc: of_dmarc(&dmarc) };
    let mut seen = None;
    if asking.keeps_dmarc {
        let found = seen::seen((names, &policies), (envelope.ip, &envelope.sender), (&spf, &dkim, &dmarc));
        seen = timeout_at(deadline, found).await.ok().flatten().map(Box::new);
    }
    let is_proven = || is_aligned(&author, &spf, &dkim);
    let is_open = facts.dmarc == Dmarc::TempError && is_enforced(&dmarc, &policies, is_proven);
    Some(Done { facts, fields, seen, is_open })
}

/// Whether the author's domain wants something done with what is forged. Where one of the names above it gave no answer, and so no record is known to be the
/// author's, any that is known counts, but not against mail that is proven to be the author's.
fn is_enforced(found: &DmarcOutput, policies: &names::Known, is_proven: impl Fn() -> bool) -> bool {
    match found.dmarc_record() {
        Some(_) => matches!(found.policy(), dmarc::Policy::Reject | dmarc::Policy::Quarantine),
        None => policies.enforces() && !is_proven(),
    }
}

/// Whether a check that has passed is about the author's domain, or one above or below it: as far as that can be said without the record.
fn is_aligned(author: &str, spf: &SpfOutput, dkim: &[DkimOutput<'_>]) -> bool {
    let is_near = |domain: &str| {
        let domain = to_a_label(domain);
        is_below(&domain, author) || is_below(author, &domain)
    };
    let signs = |one: &DkimOutput<'_>| {
        *one.result() == DkimResult::Pass && one.signature().is_some_and(|signature| is_near(&signature.d))
    };
    (spf.result() == SpfResult::Pass && is_near(spf.domain())) || dkim.iter().any(signs)
}

/// Whether a domain is the other one or below it. A top-level domain has no authors.
fn is_below(one: &str, other: &str) -> bool {
    let above = one.len().checked_sub(other.len()).and_then(|at| one.split_at_checked(at));
    other.contains('.')
        && above
            .is_some_and(|(above, end)| end.eq_ignore_ascii_case(other) && (above.is_empty() || above.ends_with('.')))
}

/// A message without a header says nothing of who wrote it.
async fn without_header(asking: &Asking, envelope: &Envelope, deadline: Instant) -> Done {
    let spf = spf(asking, envelope, deadline).await;
    let facts = Facts { spf: of_spf(&spf), dkim: Outcome::None, arc: Outcome::None, dmarc: Dmarc::None };
    let results = with_spf(AuthenticationResults::new(&asking.hostname), &spf, envelope);
    Done { facts, fields: results.to_header().into(), seen: None, is_open: false }
}

/// Whether the header is one that SMTP takes: what looks for each of many names in each of many fields would take minutes, and never lets go.
fn has_bounded_header(message: &[u8]) -> bool {
    let (mut at, mut fields) = (0, 0);
    while at < message.len() {
        let rest = &message[at..];
        let line = memchr::memchr(b'\n', rest).map_or(rest, |lf| &rest[..=lf]);
        if matches!(line, b"\r\n" | b"\n") {
            break;
        }
        fields += usize::from(!matches!(line[0], b' ' | b'\t'));
        at += line.len();
        if fields > limits::SMTP_HEADER_FIELDS_MAX || at > limits::SMTP_HEADER_BYTES_MAX {
            return false;
        }
    }
    true
}

/// The domain that DMARC asks about; empty: there is none.
fn author(message: &AuthenticatedMessage<'_>) -> String {
    let domain = message.from.first().and_then(|from| from.rsplit_once('@')).map_or("", |(_, domain)| domain);
    to_a_label(domain).into_owned()
}

/// Leaves the signatures that are checked: those that may prove the author come first, so that others cannot keep them from it. Gives those by SHA-1, which
/// have failed for good whatever they say (RFC 8301 section 3.1).
fn keep_few(message: &mut AuthenticatedMessage<'_>) -> Vec<Signature> {
    let author = author(message);
    // What is no domain is no author either, and SMTP refuses it.
    message.from.retain(|from| from.rsplit_once('@').is_none_or(|(_, domain)| is_name(domain)));
    let signatures = &mut message.dkim_headers;
    signatures.retain(|one| is_sensible(&one.header.h, [&one.header.d, &one.header.s], &one.header.i));
    signatures.sort_by_cached_key(|one| {
        let domain = to_a_label(&one.header.d);
        !is_below(&domain, &author) && !is_below(&author, &domain)
    });
    let historic = signatures.extract_if(.., |one| one.header.a == Algorithm::RsaSha1);
    let mut historic: Vec<Signature> = historic.map(|one| one.header).collect();
    historic.truncate(limits::VERIFY_SIGNATURES_MAX);
    signatures.truncate(limits::VERIFY_SIGNATURES_MAX);
    for one in signatures {
        // Both would have more names asked for: who else may sign, and who hears of what fails.
        (one.header.atps, one.header.r) = (None, false);
    }
    let is_sound = |one: &Header<'_, arc::Signature>| {
        one.header.a != Algorithm::RsaSha1 && is_sensible(&one.header.h, [&one.header.d, &one.header.s], "")
    };
    let is_whole = message.ams_headers.iter().all(is_sound)
        && message.as_headers.iter().all(|one| one.header.a != Algorithm::RsaSha1);
    if !is_whole {
        // Without its seals it is broken.
        message.as_headers.clear();
    }
    message.errors.truncate(limits::VERIFY_SIGNATURES_MAX);
    historic
}

fn is_sensible(covers: &[String], names: [&String; 2], identity: &str) -> bool {
    covers.len() <= limits::VERIFY_SIGNED_NAMES_MAX
        && names.iter().all(|name| is_name(name))
        && identity.len() <= limits::VERIFY_IDENTITY_BYTES_MAX
}

fn is_name(name: &str) -> bool {
    name.len() <= limits::VERIFY_NAME_BYTES_MAX
}

async fn spf(asking: &Asking, envelope: &Envelope, deadline: Instant) -> SpfOutput {
    let found = timeout_at(deadline, spf::check(asking, envelope)).await;
    found.unwrap_or_else(|_| SpfOutput::new(String::new()).with_result(SpfResult::TempError))
}

/// What was found, as it stands in a header.
fn results<'a>(
    asking: &'a Asking,
    envelope: &Envelope,
    message: &AuthenticatedMessage<'_>,
    (spf, dkim, arc, dmarc): (&SpfOutput, &[DkimOutput<'_>], &ArcOutput<'_>, &DmarcOutput),
) -> AuthenticationResults<'a> {
    let from = message.from.first().map_or("", String::as_str);
    let mut results = with_spf(AuthenticationResults::new(&asking.hostname), spf, envelope);
    results = results.with_dkim_results(dkim, from);
    if *arc.result() != DkimResult::None {
        results = results.with_arc_result(arc, envelope.ip);
    }
    if message.from.is_empty() { results } else { results.with_dmarc_result(dmarc) }
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

pub(super) fn late() -> Error {
    Error::Dns(DnsError::Resolver("no answer in time".into()))
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
