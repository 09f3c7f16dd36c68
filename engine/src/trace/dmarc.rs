//! One message as DMARC found it, and what was reported: their bytes (docs/format.md, "DMARC log"), and the sums of a day. Sends no report.
use super::files::{Files, Record};
use super::login::{peer, put_peer, shortened};
use crate::base::bytes::{DecodeError, Put, Reader};
use crate::base::{Result, limits};
use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::ops::ControlFlow;

const DAY_MS: i64 = 86_400_000;
/// Bytes kept of a domain, a selector, a result, a published record.
const DOMAIN: usize = 255;
const SELECTOR: usize = 255;
const RESULT: usize = 16;
const POLICY: usize = 2048;
/// Signatures of a message that are kept.
const SIGNATURES_MAX: usize = 100;

/// What was done to a message for its domain's policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DmarcAction {
    /// Nothing, though it did not pass.
    #[default]
    None,
    /// Nothing: it passed.
    Pass,
    /// It went to Junk.
    Quarantine,
    /// It was refused.
    Reject,
}

const ACTIONS: [DmarcAction; 4] = [DmarcAction::None, DmarcAction::Pass, DmarcAction::Quarantine, DmarcAction::Reject];

/// A DKIM signature of a message, and what became of it (RFC 8601 section 2.7.1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DmarcSignature {
    /// `d=`.
    pub domain: String,
    /// `s=`.
    pub selector: String,
    /// As in `pass`.
    pub result: String,
}

/// What a report tells of a message; equal ones are one row with a count.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DmarcRow {
    /// The host that brought it.
    pub source: Option<IpAddr>,
    /// What was done.
    pub action: DmarcAction,
    /// Less than the domain asked for was done.
    pub overridden: bool,
    /// A signature proves the domain of From.
    pub dkim_aligned: bool,
    /// The envelope proves the domain of From.
    pub spf_aligned: bool,
    /// The domain of From.
    pub header_from: String,
    /// The domain of the reverse-path; empty for `<>`.
    pub envelope_from: String,
    /// How SPF ended for it; empty when it was not asked about a reverse-path.
    pub spf: String,
    /// The signatures that were looked at.
    pub dkim: Vec<DmarcSignature>,
}

/// What a record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DmarcWord {
    /// A message came; with the record of its policy domain, as it was published.
    Came(String, Box<DmarcRow>),
    /// The report of that day (since 1970-01-01 UTC) is made, or given up.
    Reported(u32),
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DmarcRecord {
    /// Milliseconds since 1970-01-01 UTC.
    pub when_ms: i64,
    /// The policy domain (RFC 9989 section 4.10.1).
    pub domain: String,
    /// What is said.
    pub word: DmarcWord,
}

/// The DMARC log of a store.
pub type DmarcLog = Files<DmarcRecord>;

impl DmarcRow {
    fn put(&self, out: &mut Vec<u8>) {
        let flags = [self.overridden, self.dkim_aligned, self.spf_aligned, self.source.is_some()];
        out.put_u8(flags.iter().enumerate().map(|(at, flag)| u8::from(*flag) << at).sum());
        out.put_u8(ACTIONS.iter().position(|action| *action == self.action).unwrap_or(0) as u8);
        if let Some(source) = self.source {
            put_peer(out, SocketAddr::new(source, 0));
        }
        out.put_str(shortened(&self.header_from, DOMAIN));
        out.put_str(shortened(&self.envelope_from, DOMAIN));
        out.put_str(shortened(&self.spf, RESULT));
        out.put_varint(self.dkim.len().min(SIGNATURES_MAX) as u64);
        for one in self.dkim.iter().take(SIGNATURES_MAX) {
            out.put_str(shortened(&one.domain, DOMAIN));
            out.put_str(shortened(&one.selector, SELECTOR));
            out.put_str(shortened(&one.result, RESULT));
        }
    }

    fn read(body: &mut Reader<'_>) -> std::result::Result<DmarcRow, DecodeError> {
        let flags = body.u8()?;
        let has = |bit: u8| flags & 1 << bit != 0;
        let action = usize::from(body.u8()?);
        let Some(action) = ACTIONS.get(action).copied() else {
            return body.error("a known action expected before this byte");
        };
        let source = if has(3) { Some(peer(body)?.ip()) } else { None };
        let (header_from, envelope_from, spf) = (body.str()?.into(), body.str()?.into(), body.str()?.into());
        let count = body.count()?;
        if count > SIGNATURES_MAX {
            return body.error("100 signatures at most expected before this byte");
        }
        let mut dkim = Vec::with_capacity(count);
        for _ in 0..count {
            let (domain, selector, result) = (body.str()?.into(), body.str()?.into(), body.str()?.into());
            dkim.push(DmarcSignature { domain, selector, result });
        }
        let (overridden, dkim_aligned, spf_aligned) = (has(0), has(1), has(2));
        Ok(DmarcRow { source, action, overridden, dkim_aligned, spf_aligned, header_from, envelope_from, spf, dkim })
    }
}

impl Record for DmarcRecord {
    const DIR: &'static str = "dmarc-log";
    const DAMAGED: &'static str = "a DMARC record with a right crc expected before this byte";
    const MAGIC: &'static [u8; 8] = b"PHDMARC1";
    const FILE_BYTES_MAX: u64 = limits::DMARC_LOG_FILE_BYTES_MAX;
    const BYTES_MAX: u64 = limits::DMARC_LOG_BYTES_MAX;
    const DAYS_MAX: u64 = limits::DMARC_LOG_DAYS_MAX;
    const WAITING_BYTES_MAX: usize = limits::DMARC_LOG_WAITING_BYTES_MAX;

    fn when_ms(&self) -> i64 {
        self.when_ms
    }

    fn put(&self, out: &mut Vec<u8>) {
        out.put_i64(self.when_ms);
        out.put_str(shortened(&self.domain, DOMAIN));
        match &self.word {
            DmarcWord::Came(policy, row) => {
                out.put_u8(1);
                out.put_str(shortened(policy, POLICY));
                row.put(out);
            }
            DmarcWord::Reported(day) => {
                out.put_u8(2);
                out.put_u32(*day);
            }
        }
    }

    fn get(body: &mut Reader<'_>) -> std::result::Result<DmarcRecord, DecodeError> {
        let (when_ms, domain) = (body.i64()?, body.str()?.to_owned());
        let word = match body.u8()? {
            1 => DmarcWord::Came(body.str()?.to_owned(), Box::new(DmarcRow::read(body)?)),
            2 => DmarcWord::Reported(body.u32()?),
            _ => return body.error("a known word expected before this byte"),
        };
        Ok(DmarcRecord { when_ms, domain, word })
    }
}

/// What is known of one domain's mail of a day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DmarcSums {
    /// What it published last.
    pub policy: String,
    /// Messages by what is told of them.
    pub rows: HashMap<DmarcRow, u64>,
    /// Messages for which there was no room for another row.
    pub unlisted: u64,
}

/// Some domains' mail of a day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DmarcDay {
    /// Those that still get a report, by their names.
    pub domains: BTreeMap<String, DmarcSums>,
    /// After which name to go on; `None`: these were the last.
    pub next: Option<String>,
}

impl DmarcLog {
    /// The mail of a day (since 1970-01-01 UTC) from domains after that name, as many as have `rows_max` rows together: memory is bounded, and whoever
    /// asks on hears of all. A single domain with more rows gets a count of what was left out. Reads files; not for reactor threads.
    ///
    /// # Errors
    /// The disk's.
    pub fn day(&self, day: u32, after: Option<&str>, rows_max: usize) -> Result<DmarcDay> {
        self.write()?;
        let from_ms = i64::from(day) * DAY_MS;
        let mut found = Window { rows_max, ..Window::default() };
        self.walk(Some(from_ms), 0, |_, record| {
            if after.is_none_or(|after| record.domain.as_str() > after) {
                match record.word {
                    DmarcWord::Came(policy, row) if record.when_ms.div_euclid(DAY_MS) == i64::from(day) => {
                        found.came(record.domain, policy, *row);
                    }
                    DmarcWord::Reported(of) if of == day => found.reported(record.domain),
                    _ => {}
                }
            }
            ControlFlow::Continue(())
        })?;
        let Window { mut domains, cut, .. } = found;
        let next = cut.and_then(|_| domains.last_key_value().map(|(domain, _)| domain.clone()));
        domains.retain(|_, one| !one.reported);
        Ok(DmarcDay { domains: domains.into_iter().map(|(domain, one)| (domain, one.sums)).collect(), next })
    }
}

#[derive(Default)]
struct Seen {
    sums: DmarcSums,
    /// The report is made already.
    reported: bool,
}

/// The domains with the least names whose rows fit together.
#[derive(Default)]
struct Window {
    domains: BTreeMap<String, Seen>,
    /// Rows of all of them; a domain counts as one too.
    rows: usize,
    rows_max: usize,
    /// From this name on, domains are left for the next look.
    cut: Option<String>,
}

impl Window {
    fn is_out(&self, domain: &str) -> bool {
        self.cut.as_deref().is_some_and(|cut| domain >= cut)
    }

    fn came(&mut self, domain: String, policy: String, row: DmarcRow) {
        if self.is_out(&domain) {
            return;
        }
        let alone = self.domains.len() == 1 && self.domains.contains_key(&domain);
        let full = alone && self.rows >= self.rows_max;
        let Seen { sums, .. } = self.entry(domain);
        sums.policy = policy;
        let mut added = 0;
        match sums.rows.get_mut(&row) {
            Some(count) => *count += 1,
            None if full => sums.unlisted += 1,
            None => {
                sums.rows.insert(row, 1);
                added = 1;
            }
        }
        self.rows += added;
        self.make_room();
    }

    fn reported(&mut self, domain: String) {
        if self.is_out(&domain) {
            return;
        }
        let seen = self.entry(domain);
        seen.reported = true;
        // Nobody asks for them any more.
        let gone = std::mem::take(&mut seen.sums.rows).len();
        self.rows -= gone;
        self.make_room();
    }

    fn entry(&mut self, domain: String) -> &mut Seen {
        self.rows += usize::from(!self.domains.contains_key(&domain));
        self.domains.entry(domain).or_default()
    }

    fn make_room(&mut self) {
        while self.rows > self.rows_max && self.domains.len() > 1 {
            let Some((domain, seen)) = self.domains.pop_last() else { return };
            self.rows -= 1 + seen.sums.rows.len();
            self.cut = Some(domain);
        }
    }
}
