//! Sends the reports of a day that is over, to the addresses that each domain names (RFC 8460 section 3). Counts nothing.
use super::tally::{Day, Tally};
use super::write::Reporter;
use crate::http::{Client, Request, Url};
use crate::limits;
use crate::outbound::keeping;
use crate::outbound::office::Office;
use crate::runtime::{select, sleep, stopping, timeout};
use crate::verify::Verifier;
use crate::wire::DAY;
use mail_auth::common::parse::TxtRecordParser;
use mail_auth::mta_sts::{ReportUri, TlsRpt};
use posthouse_engine::delivery::Delivery;
use posthouse_engine::directory::{Address, KeyState, SigningKey};
use posthouse_engine::queue::{NewQueueItem, QueueRecipient, TlsDemand};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

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

/// Sends what there is of each day within an hour after its end, until the server stops.
pub(in crate::outbound) async fn run(office: Arc<Office>) {
    let stop = stopping();
    let hour = |random: u64| (random % 3600) as i64;
    let today = office.now().div_euclid(DAY);
    // What was counted before a restart over midnight waits no longer than the rest would have.
    let is_late = office.tls_reports.as_ref().is_some_and(|reports| reports.tally.has_before(today));
    let begin = if is_late { office.now() } else { (today + 1) * DAY };
    let mut at = begin + hour(office.random());
    while !stop.is_set() {
        let _ = select(sleep(limits::TLSRPT_LOOK), stop.wait()).await;
        let now = office.now();
        if now >= at && !stop.is_set() {
            at = (now.div_euclid(DAY) + 1) * DAY + hour(office.random());
            send_before(&office, now.div_euclid(DAY)).await;
            // So that no restart sends it again.
            keeping::keep(&office).await;
        }
    }
}

/// All that is counted of days before that one, one domain after the other.
pub(in crate::outbound) async fn send_before(office: &Office, day: i64) {
    let Some(reports) = &office.tls_reports else { return };
    let stop = stopping();
    for day in reports.tally.take_before(day) {
        if stop.is_set() {
            return;
        }
        send(office, reports, &day).await;
    }
}

async fn send(office: &Office, reports: &Reports, day: &Day) {
    let record = timeout(limits::OUTBOUND_RESOLVE_MAX, office.names.txt(&format!("_smtp._tls.{}", day.domain))).await;
    let Some(to) = record.and_then(Result::ok).and_then(|records| wanted(&records)) else { return };
    let (number, contact) = (office.report_number(), reports.from.as_str());
    let reporter = Reporter { hostname: &office.hostname, contact, number, now: office.now() };
    let packed = reporter.packed(day);
    for uri in to.rua.into_iter().take(limits::TLSRPT_TARGETS_MAX) {
        let done = match &uri {
            ReportUri::Mail(address) => mail(office, reports, &reporter, (day, &packed), address).await,
            ReportUri::Http(url) => post(reports, url, &packed).await,
        };
        match done {
            Ok(()) => tracing::info!(domain = %day.domain, to = ?uri, "report about TLS"),
            Err(why) => tracing::warn!(domain = %day.domain, to = ?uri, why, "a report about TLS was not sent"),
        }
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

async fn mail(
    office: &Office,
    reports: &Reports,
    reporter: &Reporter<'_>,
    (day, packed): (&Day, &[u8]),
    to: &str,
) -> Result<(), String> {
    let address = to.split('?').next().unwrap_or_default();
    let to = Address::parse(address).map_err(|error| error.to_string())?;
    let message = reporter.mail(day, to.as_str(), packed);
    let (fields, message) = sign(office, reports, message).await?;
    let recipients = vec![QueueRecipient { address: to.to_string(), notify: 1, orcpt: String::new() }];
    let sender = reports.from.to_string();
    let item = NewQueueItem { sender, recipients, tls: TlsDemand::NotRequired, ..NewQueueItem::default() };
    let staged = office.engine.stage(fields, message).await.map_err(|error| error.to_string())?;
    let outcome = office.engine.deliver(Delivery { staged, targets: Vec::new(), queue: vec![item] }).await;
    outcome.queued.map_err(|error| error.to_string())
}

/// Whom a report is from must be provable: unsigned ones are thrown away where they come to (section 3).
async fn sign(office: &Office, reports: &Reports, message: Vec<u8>) -> Result<(Vec<u8>, Vec<u8>), String> {
    let is_active = |key: &&SigningKey| key.state == KeyState::Active;
    let domain = reports.from.domain();
    let keys: Vec<SigningKey> =
        office.engine.directory(|known| known.keys_of(domain).filter(is_active).cloned().collect());
    let Some(verifier) = &reports.verifier else {
        return Ok((Vec::new(), message));
    };
    if keys.is_empty() {
        return Err(format!("{domain} has no key that signs it: posthouse dkim add {domain}"));
    }
    let signed = verifier.sign(Vec::new(), message, keys).await.ok_or("it could not be signed")?;
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
