//! What is counted, as bytes for who keeps it over a restart (docs/format.md, "Kept notes"). Counts nothing.
use super::tally::{Counts, Failed, Key, Kind, Policies, Published, Tally};
use crate::outbound::trust;
use posthouse_engine::base::bytes::{DecodeError, Put, Reader};
use std::sync::{Arc, PoisonError};

/// By their codes.
const KINDS: [Kind; 3] = [Kind::Tlsa, Kind::Sts, Kind::NoPolicyFound];

impl Tally {
    /// All that is counted; nothing for nothing.
    pub(in crate::outbound) fn encode(&self) -> Vec<u8> {
        let days = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out = Vec::new();
        for ((day, domain), policies) in &days.all {
            out.put_i64(*day);
            out.put_str(domain);
            out.put_varint(policies.len() as u64);
            policies.iter().for_each(|policy| encode(policy, &mut out));
        }
        out
    }

    /// Takes in what was kept, as far as it can be read.
    pub(in crate::outbound) fn recall(&self, bytes: &[u8]) {
        let mut days = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut reader = Reader::new(bytes);
        while !reader.is_empty() {
            match day(&mut reader) {
                Ok((key, policies)) => {
                    if !days.insert(key, policies) {
                        return;
                    }
                }
                Err(why) => {
                    tracing::warn!(%why, "what came of TLS before this start cannot be read whole");
                    return;
                }
            }
        }
    }
}

fn encode((published, counts): &(Arc<Published>, Counts), out: &mut Vec<u8>) {
    out.put_u8(KINDS.iter().position(|kind| *kind == published.kind).unwrap_or(0) as u8);
    for texts in [&published.lines, &published.mx] {
        out.put_varint(texts.len() as u64);
        texts.iter().for_each(|text| out.put_str(text));
    }
    out.put_varint(counts.successes);
    out.put_varint(counts.failures);
    let mut details: Vec<_> = counts.details.iter().collect();
    details.sort_unstable_by_key(|(failed, _)| (failed.result, &failed.host, failed.ips));
    out.put_varint(details.len() as u64);
    for (failed, count) in details {
        out.put_str(failed.result);
        out.put_str(&failed.host);
        out.put_u8(u8::from(failed.ips.is_some()));
        if let Some((ours, theirs)) = failed.ips {
            out.put_ip(ours);
            out.put_ip(theirs);
        }
        out.put_varint(*count);
    }
}

fn day(reader: &mut Reader<'_>) -> Result<(Key, Policies), DecodeError> {
    let key: Key = (reader.i64()?, reader.str()?.into());
    let policies = (0..reader.count()?).map(|_| policy(&key.1, reader)).collect::<Result<_, _>>()?;
    Ok((key, policies))
}

fn policy(domain: &Arc<str>, reader: &mut Reader<'_>) -> Result<(Arc<Published>, Counts), DecodeError> {
    let Some(kind) = KINDS.get(usize::from(reader.u8()?)).copied() else {
        return reader.error("a kind of policy of 0 to 2 expected before this byte");
    };
    let mut texts = || (0..reader.count()?).map(|_| Ok(reader.str()?.to_owned())).collect::<Result<_, DecodeError>>();
    let (lines, mx): (Vec<String>, Vec<String>) = (texts()?, texts()?);
    let published = Published::new(domain.clone(), kind, lines, mx);
    let mut counts = Counts { successes: reader.varint()?, failures: reader.varint()?, ..Counts::default() };
    for _ in 0..reader.count()? {
        let Some(result) = trust::named(reader.str()?) else {
            return reader.error("what can go wrong with TLS expected before this byte");
        };
        let host = reader.str()?.to_owned();
        let ips = if reader.u8()? == 0 { None } else { Some((reader.ip()?, reader.ip()?)) };
        counts.details.insert(Failed { result, ips, host }, reader.varint()?);
    }
    Ok((Arc::new(published), counts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_comes_back() {
        let published = |kind, lines: &[&str]| {
            let lines = lines.iter().map(ToString::to_string).collect();
            Arc::new(Published { domain: "x.test".into(), kind, lines, mx: vec!["*.x.test".into()] })
        };
        let ips = Some(([192, 0, 2, 1].into(), std::net::Ipv6Addr::LOCALHOST.into()));
        let failed = |result, ips| Failed { result, ips, host: "mx.x.test".into() };
        let tally = Tally::default();
        assert!(tally.encode().is_empty());
        for (at, kind) in KINDS.into_iter().enumerate() {
            tally.note(5, &published(kind, &["a", "b"]), Ok(()));
            tally.note(90_000, &published(kind, &[]), Err(failed(trust::NO_STARTTLS, ips.filter(|_| at > 0))));
        }
        let (bytes, back) = (tally.encode(), Tally::default());
        back.recall(&bytes);
        assert_eq!(back.encode(), bytes);
        let days = back.take_before(2);
        assert_eq!(days.iter().map(|day| (day.day, day.policies.len())).collect::<Vec<_>>(), [(1, 3), (0, 3)]);
        assert_eq!(days[1].policies[2].0, published(Kind::NoPolicyFound, &["a", "b"]));
        let counts = &days[0].policies[1].1;
        assert_eq!((counts.successes, counts.failures), (0, 1));
        assert_eq!(counts.details[&failed(trust::NO_STARTTLS, ips)], 1);
        // What is cut short gives what is whole before it, and never more than that.
        for end in 0..bytes.len() {
            let cut = Tally::default();
            cut.recall(&bytes[..end]);
            assert!(cut.take_before(2).len() < 2);
        }
    }
}
