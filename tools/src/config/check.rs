//! Which values make sense together and which ranges are allowed. Reads no file but looks whether the TLS files are named in pairs.
use super::{Config, Count};
use posthouse_engine::base::limits;
use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::str::FromStr;
use tracing_subscriber::EnvFilter;

/// The key and what is wrong with it.
pub(super) type Wrong = (String, String);

/// Refuses values out of range, listeners on one address, and half a TLS identity.
pub(super) fn check(config: &Config) -> Result<(), Wrong> {
    ranges(config)?;
    listeners(config)?;
    hostname("hostname", &config.hostname)?;
    hostname("clients.host", &config.clients.host)?;
    super::oauth::check(&config.oauth)?;
    super::pop3::check(&config.pop3)?;
    super::verify::check(&config.verify)?;
    super::proxy::check(&config.proxy)?;
    super::dnsbl::check(&config.dnsbl)?;
    super::rspamd::check(&config.rspamd)?;
    super::milter::check(&config.milter)?;
    super::reports::check(&config.reports, config.verify.enabled)?;
    super::outbound::check(&config.outbound)?;
    if config.data.as_os_str().is_empty() {
        return wrong("data", "\"\" is not allowed; allowed: the path of a directory".into());
    }
    let (certificate, key) = (&config.tls.certificate, &config.tls.key);
    if certificate.as_os_str().is_empty() != key.as_os_str().is_empty() {
        let missing = if key.as_os_str().is_empty() { "tls.key" } else { "tls.certificate" };
        return wrong(missing, "missing; allowed: both tls.certificate and tls.key, or neither".into());
    }
    if EnvFilter::from_str(&config.log.level).is_err() {
        let level = &config.log.level;
        return wrong(
            "log.level",
            format!(
                "{level:?} is not allowed; allowed: error, warn, info, debug, trace, or directives as in info,posthouse_engine=debug"
            ),
        );
    }
    Ok(())
}

pub(super) fn wrong<T>(key: &str, what: String) -> Result<T, Wrong> {
    Err((key.to_owned(), what))
}

fn ranges(config: &Config) -> Result<(), Wrong> {
    let message_max = limits::MESSAGE_BYTES_MAX as u64;
    within("limits.message_size_bytes_max", config.limits.message_size_bytes_max, 1024..=message_max)?;
    within("limits.connections_max", config.limits.connections_max.into(), 1..=1_000_000)?;
    within("limits.connections_per_ip_max", config.limits.connections_per_ip_max.into(), 1..=1_000_000)?;
    within("limits.connections_per_ip_minute_max", config.limits.connections_per_ip_minute_max.into(), 0..=1_000_000)?;
    let refused_max = config.limits.refused_recipients_per_ip_minute_max;
    within("limits.refused_recipients_per_ip_minute_max", refused_max.into(), 0..=1_000_000)?;
    within("limits.connections_per_account_max", config.limits.connections_per_account_max.into(), 1..=1_000_000)?;
    let messages_max = config.limits.command_messages_max;
    within("limits.command_messages_max", messages_max.into(), 1_000..=limits::COPY_ENTRIES_MAX as u64)?;
    within("limits.filters_seconds_max", config.limits.filters_seconds_max.into(), 1..=540)?;
    within("limits.stop_grace_seconds", config.limits.stop_grace_seconds.into(), 0..=3600)?;
    let store = &config.store;
    within("store.segment_size_bytes_max", store.segment_size_bytes_max, 1 << 20..=limits::SEGMENT_BYTES_MAX.into())?;
    within("store.checkpoint_log_bytes", store.checkpoint_log_bytes, 1 << 20..=1 << 40)?;
    within("store.stage_bytes_max", store.stage_bytes_max, 1 << 20..=1 << 40)?;
    let compaction = &config.compaction;
    within("compaction.every_hours", compaction.every_hours.into(), 1..=8760)?;
    within("compaction.cold_after_hours", compaction.cold_after_hours.into(), 0..=87_600)?;
    within("compaction.dead_percent_min", compaction.dead_percent_min.into(), 1..=100)?;
    within("compaction.keep_hours", compaction.keep_hours.into(), 0..=8760)?;
    let mail_log = &config.mail_log;
    within("mail_log.keep_days", mail_log.keep_days.into(), 1..=3650)?;
    within("mail_log.size_bytes_max", mail_log.size_bytes_max, 16 << 20..=1 << 40)?;
    within("mail_log.alarm_seconds", mail_log.alarm_seconds.into(), 0..=86_400)?;
    within("mail_log.queue_alarm_seconds", mail_log.queue_alarm_seconds.into(), 0..=8_640_000)?;
    count_within("reactors", config.reactors, 1..=256)?;
    count_within("store.shards", store.shards, 1..=256)?;
    count_within("store.workers", store.workers, 1..=256)?;
    if store.stage_bytes_max < config.limits.message_size_bytes_max {
        let what = "less than limits.message_size_bytes_max; allowed: at least that much".to_owned();
        return wrong("store.stage_bytes_max", what);
    }
    Ok(())
}

pub(super) fn within(key: &str, value: u64, allowed: RangeInclusive<u64>) -> Result<(), Wrong> {
    if allowed.contains(&value) {
        return Ok(());
    }
    wrong(key, format!("{value} is not allowed; allowed: {} to {}", allowed.start(), allowed.end()))
}

fn count_within(key: &str, value: Count, allowed: RangeInclusive<u64>) -> Result<(), Wrong> {
    match value {
        Count::Auto => Ok(()),
        Count::Is(number) if allowed.contains(&number.into()) => Ok(()),
        Count::Is(number) => {
            wrong(key, format!("{number} is not allowed; allowed: auto or {} to {}", allowed.start(), allowed.end()))
        }
    }
}

fn listeners(config: &Config) -> Result<(), Wrong> {
    let mut taken = HashMap::new();
    for (name, addresses) in config.listen.all() {
        for address in addresses {
            // Port 0 asks for any free port, so several may.
            if address.0.port() == 0 {
                continue;
            }
            if let Some(other) = taken.insert(address.0, name) {
                let what =
                    format!("{} is taken by listen.{other}; allowed: an address that no other listener has", address.0);
                return wrong(&format!("listen.{name}"), what);
            }
        }
    }
    Ok(())
}

/// RFC 5321 section 4.1.2: Domain, in LDH letters.
fn hostname(key: &str, name: &str) -> Result<(), Wrong> {
    if valid_hostname(name) {
        return Ok(());
    }
    wrong(key, format!("{name:?} is not allowed; allowed: auto, or a domain name of letters, digits, hyphens and dots"))
}

/// Whether a name may stand in a greeting.
pub(crate) fn valid_hostname(name: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    name.len() <= 253 && name.split('.').all(label)
}
