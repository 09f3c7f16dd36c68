//! Sends the reports of a day that is over, to the addresses that each domain names (RFC 8460 section 3). Counts nothing. What is counted for a report stays
//! until the report is in the queue, or nobody is to have it.
use super::tally::{Day, Tally};
use super::write::Reporter;
use crate::http::{Client, Request, Url};
use crate::limits;
use crate::outbound::keeping;
use crate::outbound::office::Office;
use crate::outbound::resolve::NoAnswer;
use crate::runtime::{Either, select, sleep, stopping, timeout};
use crate::verify::Verifier;
use crate::wire::DAY;
use mail_auth::common::parse::TxtRecordParser;
use mail_auth::mta_sts::{ReportUri, TlsRpt};
use posthouse_engine::base::Error;
use posthouse_engine::delivery::Delivery;
use posthouse_engine::directory::{Address, KeyState, SigningKey};
use posthouse_engine::queue::{NewQueueItem, QueueRecipient, TlsDemand};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

const HOUR: i64 = 3600;
/// Days after which a report that could not be sent is given up.
const DAYS_BACK: i64 = 3;

/// That reports are sent, and as whom.
pub struct Reports {
    from: Address,
    verifier: Option<Arc<Verifier>>,
    web: Client,
    pub(in crate::outbound) tally: Tally,
}

impl Reports {
    /// Reports from `from`, signed with its domain's keys. For reports that are posted the authorities are those in the PEM file, or the system's; so
    /// are the name servers.
    ///
    /// # Errors
    /// One of them cannot be read, or the thread that posts cannot start.
    pub fn start(
        from: Address,
        verifier: Option<Arc<Verifier>>,
        authorities: Option<&Path>,
        servers: &[SocketAddr],
    ) -> io::Result<Reports> {
        let web = Client::start("tls-reports", authorities, servers, limits::TLSRPT_POSTS_MAX)?;
        Ok(Reports { from, verifier, web, tally: Tally::default() })
    }
}

/// Why a report was not sent.
enum Unsent {
    /// It may go later.
    Now(String),
    /// It is not to go.
    Ever(String),
}

/// Sends what there is of each day within an hour after its end, until the server stops; what could not be sent, an hour later again.
pub(in crate::outbound) async fn run(office: Arc<Office>) {
    let stop = stopping();
    let hour = |random: u64| (random % HOUR as u64) as i64;
    let today = office.now().div_euclid(DAY);
    // What was counted before a restart over midnight waits no longer than the rest would have.
    let is_late = office.tls_reports.as_ref().is_some_and(|reports| reports.tally.has_before(today));
    let begin = if is_late { office.now() } else { (today + 1) * DAY };
    let mut at = begin + hour(office.random());
    while !stop.is_set() {
        let _ = select(sleep(limits::TLSRPT_LOOK), stop.wait()).await;
        let now = office.now();
        let today = now.div_euclid(DAY);
        let midnight = (today + 1) * DAY;
        // The clock may have been set back since.
        at = at.min(midnight + HOUR);
        if now >= at && !stop.is_set() {
            let whole = send_before(&office, today).await;
            let next = midnight + hour(office.random());
            // From its end on: a day of many names that nobody answers for takes long.
            at = if whole { next } else { next.min(office.now() + HOUR) };
            // So that no restart sends it again.
            keeping::keep(&office).await;
        }
    }
}

/// All that is counted of days before that one, the newest of them first, one domain after the other; whether none of it is left for later.
pub(in crate::outbound) async fn send_before(office: &Office, day: i64) -> bool {
    let Some(reports) = &office.tls_reports else { return true };
    let (stop, mut after, mut whole) = (stopping(), None, true);
    while let Some(one) = reports.tally.next_before(day, after.as_ref()) {
        if stop.is_set() {
            return false;
        }
        let key = one.key();
        let again = match send(office, reports, &one).await {
            Err(Unsent::Now(_)) if stop.is_set() => return false,
            Err(Unsent::Now(why)) => {
                let again = one.day >= day - DAYS_BACK;
                tracing::warn!(domain = %one.domain, why, again, "a report about TLS was not sent");
                again
            }
            Err(Unsent::Ever(why)) => {
                tracing::warn!(domain = %one.domain, why, again = false, "a report about TLS was not sent");
                false
            }
            Ok(()) => false,
        };
        if again {
            whole = false;
        } else {
            reports.tally.remove(&key);
        }
        after = Some(key);
    }
    whole
}

/// `Ok` also when nobody wants it.
async fn send(office: &Office, reports: &Reports, day: &Day) -> Result<(), Unsent> {
    let Some(to) = wanted(&records(office, &day.domain).await.map_err(Unsent::Now)?) else { return Ok(()) };
    let (number, contact) = (office.report_number(), reports.from.as_str());
    let reporter = Reporter { hostname: &office.hostname, contact, number, now: office.now() };
    let packed = reporter.packed(day);
    let (mut addresses, mut urls) = (Vec::new(), Vec::new());
    for uri in to.rua.into_iter().take(limits::TLSRPT_TARGETS_MAX) {
        match uri {
            ReportUri::Http(url) => urls.push(url),
            ReportUri::Mail(to) => match Address::parse(to.split('?').next().unwrap_or_default()) {
                Ok(address) => addresses.push(address),
                Err(why) => tracing::warn!(domain = %day.domain, to, %why, "a report about TLS was not sent"),
            },
        }
    }
    let mailed = mail(office, reports, &reporter, (day, &packed), &addresses).await;
    if let Err(Unsent::Now(_)) = mailed {
        // Before anybody has it: it goes to all of them later, to nobody twice.
        return mailed;
    }
    if mailed.is_ok() && !addresses.is_empty() {
        // However long the rest takes, and whenever the server stops: no mail goes twice.
        reports.tally.remove(&day.key());
    }
    let stop = stopping();
    for url in urls {
        let Either::Left(posted) = select(post(reports, &url, &packed), stop.wait()).await else {
            return Err(Unsent::Now("the server stops".into()));
        };
        match posted {
            Ok(()) => tracing::info!(domain = %day.domain, to = url, "report about TLS"),
            Err(why) => tracing::warn!(domain = %day.domain, to = url, why, "a report about TLS was not sent"),
        }
    }
    mailed
}

/// What a domain says of reports. A stop does not wait for it.
async fn records(office: &Office, domain: &str) -> Result<Vec<String>, String> {
    let name = format!("_smtp._tls.{domain}");
    let (asked, stop) = (timeout(limits::OUTBOUND_RESOLVE_MAX, office.names.txt(&name)), stopping());
    match select(asked, stop.wait()).await {
        Either::Left(Some(Ok(records))) => Ok(records),
        Either::Left(Some(Err(NoAnswer::NoName | NoAnswer::NoRecord))) => Ok(Vec::new()),
        Either::Left(Some(Err(why))) => Err(why.to_string()),
        Either::Left(None) => Err("the name servers gave no answer in time".into()),
        Either::Right(()) => Err("the server stops".into()),
    }
}

/// The one record of a domain; several are none (section 3).
fn wanted(records: &[String]) -> Option<TlsRpt> {
    let is_ours = |record: &&String| {
        record.strip_prefix("v=TLSRPTv1").is_some_and(|rest| rest.trim_ascii_start().starts_with(';'))
    };
    let mut ours = records.iter().filter(is_ours);
    let record = ours.next().filter(|_| ours.next().is_none())?;
    TlsRpt::parse(record.as_bytes()).ok()
}

/// To all addresses in one commit.
async fn mail(
    office: &Office,
    reports: &Reports,
    reporter: &Reporter<'_>,
    (day, packed): (&Day, &[u8]),
    to: &[Address],
) -> Result<(), Unsent> {
    if to.is_empty() {
        return Ok(());
    }
    let message = reporter.mail(day, to, packed);
    let (fields, message) = sign(office, reports, message).await?;
    let recipient = |to: &Address| QueueRecipient { address: to.to_string(), notify: 1, orcpt: String::new() };
    let (sender, recipients) = (reports.from.to_string(), to.iter().map(recipient).collect());
    let item = NewQueueItem { sender, recipients, tls: TlsDemand::NotRequired, ..NewQueueItem::default() };
    let busy = |error: Error| Unsent::Now(error.to_string());
    let staged = office.engine.stage(fields, message).await.map_err(busy)?;
    let outcome = office.engine.deliver(Delivery { staged, targets: Vec::new(), queue: vec![item] }).await;
    outcome.queued.map_err(busy)?;
    let to: Vec<&str> = to.iter().map(Address::as_str).collect();
    tracing::info!(domain = %day.domain, to = to.join(","), "report about TLS");
    Ok(())
}

/// Whom a report is from must be provable: unsigned ones are thrown away where they come to (section 3).
async fn sign(office: &Office, reports: &Reports, message: Vec<u8>) -> Result<(Vec<u8>, Vec<u8>), Unsent> {
    let is_active = |key: &&SigningKey| key.state == KeyState::Active;
    let domain = reports.from.domain();
    let keys: Vec<SigningKey> =
        office.engine.directory(|known| known.keys_of(domain).filter(is_active).cloned().collect());
    let Some(verifier) = &reports.verifier else {
        return Ok((Vec::new(), message));
    };
    if keys.is_empty() {
        let why = format!("{domain} has no key that signs it: posthouse dkim add {domain}");
        return Err(Unsent::Ever(why));
    }
    let unsigned = || Unsent::Now("it could not be signed".into());
    let signed = verifier.sign(Vec::new(), message, keys).await.ok_or_else(unsigned)?;
    Ok(([signed.top, signed.fields].concat(), signed.message))
}

async fn post(reports: &Reports, url: &str, packed: &[u8]) -> Result<(), String> {
    let answer = reports.web.ask(Request {
        url: Url::parse(url)?,
        body: Some(("application/tlsrpt+gzip", packed.to_vec())),
        authorization: None,
        accept: "*/*",
        timeout: limits::TLSRPT_POST_MAX,
        answer_bytes_max: limits::STS_POLICY_BYTES_MAX,
    });
    let status = answer.await?.status;
    // RFC 8460 section 5.4: any 2xx says that it was taken.
    if status.is_success() { Ok(()) } else { Err(format!("it says {status}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_wants_reports_says_so_once() {
        let all = |records: &[&str]| {
            let records: Vec<String> = records.iter().map(ToString::to_string).collect();
            wanted(&records).map(|wanted| wanted.rua)
        };
        let mail = |text: &str| ReportUri::Mail(text.into());
        let both = vec![mail("tls@x.test"), ReportUri::Http("https://x.test/v1".into())];
        assert_eq!(all(&["other", "v=TLSRPTv1; rua=mailto:tls@x.test,https://x.test/v1"]), Some(both));
        assert_eq!(all(&["v=TLSRPTv1;rua=mailto:a@x.test;"]), Some(vec![mail("a@x.test")]));
        assert_eq!(all(&["v=TLSRPTv1;rua=mailto:a@x.test", "v=TLSRPTv1;rua=mailto:b@x.test"]), None);
        assert_eq!(all(&["v=TLSRPTv1;"]), None);
        // Another version's is none of ours.
        assert_eq!(all(&["v=TLSRPTv10; x=y", "v=TLSRPTv1 ;rua=mailto:a@x.test"]), Some(vec![mail("a@x.test")]));
    }
}
