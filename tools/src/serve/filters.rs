//! What judges mail from outside beside the mail flow itself: checks of senders, DNS lists, a content filter, as the configuration wishes them.
use super::{dnsbl, verify};
use crate::config::{Config, MilterDefault, MilterMail, MilterTable, Socket, WhenDown};
use crate::ops::Failure;
use posthouse_protocols::verify::Verifier;
use posthouse_protocols::verify::dnsbl::Blocklists;
use posthouse_protocols::verify::milter::{DefaultAction, MilterAddress, MilterSettings};
use posthouse_protocols::verify::rspamd::RspamdSettings;
use std::sync::Arc;
use std::time::Duration;

/// See above.
pub(super) struct Filters {
    pub(super) verifier: Arc<Verifier>,
    pub(super) blocklists: Option<Arc<Blocklists>>,
    pub(super) rspamd: Option<RspamdSettings>,
    pub(super) milters: Vec<Arc<MilterSettings>>,
}

/// Everything that can fail, before anything listens.
pub(super) fn start(config: &Config, hostname: &str) -> Result<Filters, Failure> {
    Ok(Filters {
        verifier: verify::start(config, hostname)?,
        blocklists: dnsbl::start(config)?,
        rspamd: rspamd(config)?,
        milters: config.milter.iter().map(milter).collect(),
    })
}

fn milter(table: &MilterTable) -> Arc<MilterSettings> {
    Arc::new(MilterSettings {
        name: table.name.clone(),
        address: match &table.address {
            Socket::Tcp(address) => MilterAddress::Tcp(*address),
            Socket::Unix(path) => MilterAddress::Unix(path.clone()),
        },
        timeout: Duration::from_secs(table.timeout_seconds.into()),
        default_action: match table.default_action {
            MilterDefault::Accept => DefaultAction::Accept,
            MilterDefault::TempFail => DefaultAction::TempFail,
            MilterDefault::Reject => DefaultAction::Reject,
        },
        for_hosts: table.sees.contains(&MilterMail::Smtp),
        for_members: table.sees.contains(&MilterMail::Submission),
    })
}

fn rspamd(config: &Config) -> Result<Option<RspamdSettings>, Failure> {
    let wishes = &config.rspamd;
    let Some(address) = wishes.socket() else { return Ok(None) };
    let file = wishes.password_file.as_path();
    let password = match file.as_os_str().is_empty() {
        true => String::new(),
        false => {
            let text = std::fs::read_to_string(file).map_err(|error| Failure::io(file.display(), &error))?;
            text.lines().next().unwrap_or_default().to_owned()
        }
    };
    Ok(Some(RspamdSettings {
        address,
        password,
        timeout: Duration::from_secs(wishes.timeout_seconds.into()),
        size_bytes_max: wishes.size_bytes_max,
        defers_when_down: wishes.when_down == WhenDown::Defer,
    }))
}
