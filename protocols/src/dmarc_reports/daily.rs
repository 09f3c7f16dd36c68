//! When which reports are due, and their sending. Makes none itself.
use super::make::{self, Made};
use super::{Means, Settings};
use crate::dsn;
use crate::limits;
use crate::runtime::{stopping, timeout, yield_now};
use posthouse_engine::base::AccountId;
use posthouse_engine::delivery::{Delivery, Target};
use posthouse_engine::directory::{Address, KeyState, SigningKey};
use posthouse_engine::queue::NewQueueItem;
use posthouse_engine::trace::{DmarcRecord, DmarcSums, DmarcWord, MailRecord, Step};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

const DAY: i64 = 86_400;
/// The day's end by the clocks of all who write the log, and some.
const AFTER_MIDNIGHT: i64 = 600;
/// Hosts do not all send at once.
const SPREAD: u64 = 3_000;
/// What could not be sent is tried again, while its day is not too long ago.
const AGAIN: i64 = 3_600;
const DAYS_BACK: u32 = 3;
const TICK: Duration = Duration::from_secs(60);

/// Whom a report has reached while others could not have it, by its day and domain. A restart forgets it.
pub(super) type Told = HashMap<(u32, String), Reached>;

/// See above.
#[derive(Default)]
pub(super) struct Reached {
    mailboxes: Vec<AccountId>,
    /// What goes to other hosts is in the queue.
    queue: bool,
}

impl Reached {
    fn is_somebody(&self) -> bool {
        self.queue || !self.mailboxes.is_empty()
    }
}

/// Seconds after midnight (UTC) at which a day's reports are due.
fn offset(settings: &Settings) -> i64 {
    let mut hasher = DefaultHasher::new();
    settings.hostname.hash(&mut hasher);
    AFTER_MIDNIGHT + (hasher.finish() % SPREAD) as i64
}

/// Looks at the clock until the server stops.
pub(super) async fn run(means: Means) {
    let (stop, offset) = (stopping(), offset(&means.settings));
    let (mut done, mut again, mut told) = (None, i64::MIN, Told::new());
    while !stop.is_set() {
        let now = means.clock.now();
        let today = u32::try_from((now - offset).div_euclid(DAY)).unwrap_or(0);
        // The clock may have been set back since.
        let waits = now < again && again <= now + AGAIN;
        if done != Some(today) && !waits {
            let mut whole = true;
            for day in today.saturating_sub(DAYS_BACK)..today {
                whole &= send_day(&means, day, &mut told).await;
            }
            told.retain(|(day, _), _| (today.saturating_sub(DAYS_BACK)..today).contains(day));
            done = whole.then_some(today);
            again = now + AGAIN;
        }
        timeout(TICK, stop.wait()).await;
    }
}

/// Sends the reports of a day (since 1970-01-01 UTC) that were not sent before; whether none is left for later.
pub(super) async fn send_day(means: &Means, day: u32, told: &mut Told) -> bool {
    let (stop, mut after, mut whole) = (stopping(), None, true);
    loop {
        let found = match means.engine.dmarc_day(day, after).await {
            Ok(found) => found,
            Err(error) => {
                tracing::error!(day, %error, "DMARC reports could not be made");
                return false;
            }
        };
        for (domain, sums) in found.domains {
            if stop.is_set() {
                return false;
            }
            match one(means, day, &domain, sums, told).await {
                Ok(()) => note_reported(means, day, domain),
                Err(why) => {
                    tracing::warn!(domain, why, "a DMARC report was not sent; it will be tried again");
                    whole = false;
                }
            }
            yield_now().await;
        }
        match found.next {
            Some(next) => after = Some(next),
            None => return whole,
        }
    }
}

fn note_reported(means: &Means, day: u32, domain: String) {
    let when_ms = means.clock.now_ms();
    means.engine.note_dmarc(&DmarcRecord { when_ms, domain, word: DmarcWord::Reported(day) });
}

/// One domain's report; `Ok` also when nobody may get it.
async fn one(means: &Means, day: u32, domain: &str, sums: DmarcSums, told: &mut Told) -> Result<(), String> {
    let Some(record) = make::published(&sums.policy) else { return Ok(()) };
    let wanted: Vec<(String, usize)> = make::addresses(&record).take(limits::DMARC_REPORT_ADDRESSES_MAX).collect();
    let addresses = wanted.iter().map(|(address, _)| address.clone()).collect();
    let Some(mut allowed) = means.verifier.takes_reports(domain, addresses).await else {
        return Err("name servers give no answer about who may get it".into());
    };
    if allowed.is_empty() {
        tracing::info!(domain, "no DMARC report: no address that it names agrees to get it");
        return Ok(());
    }
    let (settings, to) = (means.settings.clone(), allowed.clone());
    let name = domain.to_owned();
    let job = move || make::message(&settings, &name, day, &record, sums, &to);
    let Made { message, rows, messages } = means.engine.work(job).await.map_err(|error| error.to_string())??;
    // RFC 7489 section 6.2: an address may say how much it takes.
    let fits =
        |address: &String| wanted.iter().any(|(one, max)| one == address && (*max == 0 || message.len() <= *max));
    allowed.retain(fits);
    if allowed.is_empty() {
        tracing::info!(domain, size_bytes = message.len(), "no DMARC report: it is larger than its domain takes");
        return Ok(());
    }
    let key = (day, domain.to_owned());
    let mut reached = told.remove(&key).unwrap_or_default();
    if let Err(why) = deliver(means, domain, &allowed, message, &mut reached).await {
        if reached.is_somebody() {
            told.insert(key, reached);
        }
        return Err(why);
    }
    tracing::info!(domain, to = allowed.join(","), rows, messages, "DMARC report sent");
    Ok(())
}

/// Signed, with the null sender, so that nothing comes of its failing; to mailboxes here and into the queue in one commit for each shard: who has it already
/// does not get it again.
async fn deliver(
    means: &Means,
    domain: &str,
    to: &[String],
    message: Vec<u8>,
    reached: &mut Reached,
) -> Result<(), String> {
    let engine = &means.engine;
    let (mut targets, mut queue) = places(means, to);
    targets.retain(|target| !reached.mailboxes.contains(&target.account));
    if reached.queue {
        queue.clear();
    }
    if targets.is_empty() && queue.is_empty() {
        return Ok(());
    }
    let is_active = |key: &&SigningKey| key.state == KeyState::Active;
    let from = means.settings.contact.domain();
    let keys: Vec<SigningKey> = engine.directory(|known| known.keys_of(from).filter(is_active).cloned().collect());
    let (mut top, mut message) = (Vec::new(), message);
    if !keys.is_empty() {
        let signed = means.verifier.sign(Vec::new(), message, keys).await.ok_or("it could not be signed")?;
        (top, message) = (signed.fields, signed.message);
    }
    if !targets.is_empty() {
        top.splice(..0, *b"Return-Path: <>\r\n");
    }
    let staged = engine.stage(top, message).await.map_err(|error| error.to_string())?;
    let (accounts, sends_on) = (targets.iter().map(|target| target.account).collect::<Vec<_>>(), !queue.is_empty());
    let outcome = engine.deliver(Delivery { staged, targets, queue }).await;
    let answers = accounts.iter().zip(&outcome.targets);
    let took = answers.filter(|(_, answer)| answer.is_ok()).map(|(account, _)| *account).collect();
    let now = Reached { mailboxes: took, queue: sends_on && outcome.queued.is_ok() };
    if now.is_somebody() {
        engine.note_mail(&MailRecord {
            when_ms: means.clock.now_ms(),
            step: Step::Reported,
            queue: outcome.queue_ids.first().map_or(0, |id| id.0),
            recipient: to.join(","),
            policy: "dmarc".into(),
            text: format!("DMARC report about {domain}"),
            ..MailRecord::default()
        });
    }
    reached.mailboxes.extend(now.mailboxes);
    reached.queue |= now.queue;
    let failed = outcome.targets.into_iter().find_map(Result::err).or(outcome.queued.err());
    failed.map_or(Ok(()), |error| Err(error.to_string()))
}

fn places(means: &Means, to: &[String]) -> (Vec<Target>, Vec<NewQueueItem>) {
    let (mut targets, mut queue): (Vec<Target>, Vec<NewQueueItem>) = Default::default();
    for address in to.iter().filter_map(|address| Address::parse(address).ok()) {
        let (here, elsewhere) = dsn::place(&means.engine, &address, None);
        targets.extend(here);
        queue.extend(elsewhere);
    }
    let mut seen = Vec::new();
    targets.retain(|target| {
        !seen.contains(&target.account) && {
            seen.push(target.account);
            true
        }
    });
    (targets, queue)
}
