//! Which service speaks at which address, and where TLS begins at once. Opens nothing.
use super::Identity;
use super::filters::Filters;
use crate::config::{self, Config};
use crate::store::Opened;
use posthouse_engine::directory::Network;
use posthouse_protocols::imap::ImapService;
use posthouse_protocols::lmtp::LmtpService;
use posthouse_protocols::pop3::Pop3Service;
use posthouse_protocols::runtime::{Listener, Pace, Service};
use posthouse_protocols::session::oauth::OAuth;
use posthouse_protocols::session::{Attendance, Budget, MessageLimit, PlaintextAuth, Shared};
use posthouse_protocols::smtp::SmtpService;
use std::sync::Arc;
use std::time::Duration;

/// Who tells us of those whom we do not know.
pub(super) struct Judges {
    /// Of mail.
    pub(super) filters: Filters,
    /// Of tokens.
    pub(super) oauth: Option<OAuth>,
}

/// All listeners that the configuration names, the admin pages left out.
pub(super) fn all(
    config: &Config,
    opened: &Opened,
    hostname: &str,
    Identity { config: identity, end_point }: &Identity,
    Judges { filters, oauth }: Judges,
) -> Vec<Listener> {
    let mut shared = Shared::new(opened.engine.clone(), opened.clock.clone(), hostname);
    shared.tls = Some(identity.clone());
    shared.tls_end_point.clone_from(end_point);
    shared.scram = config.login.scram;
    shared.verifier = Some(filters.verifier);
    shared.blocklists = filters.blocklists;
    shared.rspamd = filters.rspamd;
    shared.milters = filters.milters;
    shared.filters_max = Duration::from_secs(config.limits.filters_seconds_max.into());
    shared.oauth = oauth;
    shared.plaintext_auth = match config.login.plaintext_auth {
        config::PlaintextAuth::Never => PlaintextAuth::Never,
        config::PlaintextAuth::Loopback => PlaintextAuth::Loopback,
        config::PlaintextAuth::Always => PlaintextAuth::Always,
    };
    shared.message_size_bytes_max = config.limits.message_size_bytes_max;
    shared.message_limit = MessageLimit {
        messages_max: config.limits.command_messages_max,
        cuts: config.limits.command_messages_of == config::MessagesOf::All,
    };
    shared.refused = Pace::new(config.limits.refused_recipients_per_ip_minute_max);
    shared.attendance = Attendance::new(config.limits.connections_per_account_max);
    shared.budget = Budget::new(config.store.stage_bytes_max);
    shared.reading = Budget::new(config.store.stage_bytes_max);
    shared.xclient = config.proxy.xclient.iter().map(|network| network.0).collect();
    let shared = Arc::new(shared);
    let mx: Arc<dyn Service> = Arc::new(SmtpService::mx(shared.clone()));
    let submission: Arc<dyn Service> = Arc::new(SmtpService::submission(shared.clone()));
    let lmtp: Arc<dyn Service> = Arc::new(LmtpService::new(shared.clone()));
    let imap: Arc<dyn Service> = Arc::new(ImapService::new(shared.clone()));
    let pop3: Arc<dyn Service> = Arc::new(Pop3Service::with(shared.clone(), config.pop3.policy()));
    let listen = &config.listen;
    // Protocol, addresses, service, and whether TLS begins at once (RFC 8314).
    let table = [
        ("smtp", &listen.smtp, &mx, false),
        ("submission", &listen.submission, &submission, false),
        ("submissions", &listen.submissions, &submission, true),
        ("lmtp", &listen.lmtp, &lmtp, false),
        ("imap", &listen.imap, &imap, false),
        ("imaps", &listen.imaps, &imap, true),
        ("pop3", &listen.pop3, &pop3, false),
        ("pop3s", &listen.pop3s, &pop3, true),
    ];
    let proxies: Arc<[Network]> = config.proxy.networks.iter().map(|network| network.0).collect();
    let is_behind = |name: &str| config.proxy.listeners.iter().any(|known| known == name);
    let mut listeners = Vec::new();
    for (name, addresses, service, implicit) in table {
        listeners.extend(addresses.iter().map(|address| Listener {
            name: name.to_owned(),
            addr: address.0,
            service: service.clone(),
            implicit_tls: implicit.then(|| identity.clone()),
            proxies: if is_behind(name) { proxies.clone() } else { Arc::default() },
        }));
    }
    listeners
}
